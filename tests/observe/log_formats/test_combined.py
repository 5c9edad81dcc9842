"""The combined form, to the byte."""

from tests.observe.log_formats.records import NOW, Stream, head, record
from txproxy.observe.log_formats.combined import CombinedLines
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.log_formats.log_field import SecondText

NGINX = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent"'
)
APACHE = '%h %l %u %t "%r" %>s %b "%{Referer}i" "%{User-Agent}i"'
RECORDS = [
    record(head(b"Referer: http://a/", b'User-Agent: c"url\xff')),
    record(head(method=b"CONNECT", path=b"", authority=b"a:443"), status=0),
    record(head(scheme=b"http", minor=0), user="bob"),
    record(head(method=b"", path=b"\x16\x03", authority=b""), status=400),
    record(head(method=b"", path=b"", authority=b""), status=408),
]


def test_it_is_what_apache_and_nginx_have():
    time = SecondText("%d/%b/%Y:%H:%M:%S %z")(None, NOW).decode()
    line = CombinedLines().exchange(RECORDS[0], NOW).decode()
    assert line == f'192.0.2.1 - - [{time}] "GET /x HTTP/1.1" 200 5 "http://a/" "c\\x22url\\xFF"\n'


def test_texts_of_nginx_and_apache_that_mean_the_same_say_the_same():
    for one in RECORDS:
        line = CombinedLines().exchange(one, NOW)
        assert line_format(NGINX).exchange(one, NOW) == line
        assert line_format(APACHE).exchange(one, NOW) == line


def test_of_streams_as_well():
    for stream in (Stream(), Stream("client-gone"), Stream("destination_unavailable", None)):
        line = CombinedLines().stream(stream, NOW)
        assert line_format(NGINX).stream(stream, NOW) == line
    assert b'"TCP 10.0.0.1:5432" 200 7 "-" "-"' in CombinedLines().stream(Stream(), NOW)


def test_what_comes_again_is_made_of_little():
    lines, connection = CombinedLines(), RECORDS[0].context.connection
    briefs = []
    for number in range(5):
        one = record(head(path=b"/%d" % number), status=200 + number)
        one.request.headers, one.context.connection = RECORDS[0].request.headers, connection
        briefs.append(lines.brief(one, NOW) is not None)
        assert lines.exchange(one, NOW) == CombinedLines().whole(one, NOW)
    assert briefs == [False, False, True, True, True]
