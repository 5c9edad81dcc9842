"""The codes of Apache and Squid."""

import os

import pytest

from tests.observe.log_formats.records import NOW, attempt, head, record, response
from txproxy.errors import ConfigError
from txproxy.observe.log_formats.line_format import line_format


def said(code, one):
    return line_format(code).exchange(one, NOW).decode().removesuffix("\n")


ONE = record(
    head(b"User-Agent: a b", b"Cookie: k=v", authority=b"A.example:81", path=b"/p?q"),
    user="bo b",
    received=4,
    response=response(b"Content-Type: text/html; charset=x"),
    attempts=[attempt(peer="10.0.0.2", began=0.001, ended=0.0115)],
)
SIZE = len("HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=x\r\n\r\n")
ASKED = len("GET /p?q HTTP/1.1\r\nUser-Agent: a b\r\nCookie: k=v\r\n\r\n")


@pytest.mark.parametrize(
    ("code", "value"),
    [
        ("%h", "192.0.2.1"), ("%a", "192.0.2.1"), ("%l", "-"), ("%u", "bo b"), ("%r", "GET /p?q HTTP/1.1"),
        ("%s", "200"), ("%>s", "200"), ("%b", "5"), ("%B", "5"), ("%D", "12300"), ("%T", "0"), ("%{ms}T", "12"),
        ("%{us}T", "12300"), ("%m", "GET"), ("%U", "/p"), ("%q", "?q"), ("%H", "HTTP/1.1"), ("%v", "a.example"),
        ("%V", "a.example"), ("%I", str(ASKED + 4)), ("%O", str(SIZE + 5)), ("%X", "+"),
        ("%{User-Agent}i", "a b"), ("%{content-type}o", "text/html; charset=x"), ("%{k}C", "v"), ("%A", "-"),
        ("%p", "-"), ("%{SSL_PROTOCOL}x", "-"), ("%{sec}t", "1764400000"), ("%{msec}t", "1764400000123"),
        ("%{%Y}t", "2025"),
        ("%>a", "192.0.2.1"), ("%<a", "10.0.0.2"), ("%<p", "80"), ("%un", "bo%20b"), ("%[un", "bo b"),
        ("%ui", "-"), ("%>Hs", "200"), ("%<Hs", "200"), ("%ts", "1764400000"), ("%03tu", "123"), ("%tr", "12"),
        ("%<tt", "10"), ("%rm", "GET"), ("%ru", "http://A.example:81/p?q"), ("%>ru", "http://A.example:81/p?q"),
        ("%rp", "/p?q"), ("%rv", "1.1"), ("%>rs", "http"), ("%>rd", "a.example"), ("%>rP", "81"), ("%mt", "text/html"),
        ("%<st", str(SIZE + 5)), ("%>st", str(ASKED + 4)), ("%<sh", str(SIZE)), ("%>sh", str(ASKED)),
        ("%err_code", "-"), ("%err_detail", "-"), ("%Ss", "TCP_MISS"), ("%Sh", "HIER_DIRECT"),
        ("%{User-Agent}>h", "a%20b"), ("%>h{User-Agent}", "a%20b"), ("%{Content-Type}<h", "text/html;%20charset=x"),
        ("%{%H}tg", "07"), ("%ssl::>sni", "-"),
    ],
)  # fmt: skip
def test_what_a_code_says(code, value):
    assert said(code, ONE) == value


def test_times_of_both_are_those_of_the_common_log_format():
    local = said("%{%d/%b/%Y:%H:%M:%S %z}tl", ONE)
    assert (said("%t", ONE), said("%tl", ONE)) == (f"[{local}]", local)
    assert said("%tg", ONE) == "29/Nov/2025:07:06:40 +0000" or said("%tg", ONE).startswith("29/Nov/2025:07:06:40")


def test_the_process_is_known():
    assert said("%P", ONE) == said("%{pid}P", ONE) == str(os.getpid())


def test_what_there_is_none_of():
    nothing = record(sent=0, outcome="client-gone", status=0)
    assert [said(code, nothing) for code in ("%b", "%>s", "%>Hs", "%X", "%q", "%<a", "%mt", "%err_code")] == [
        "-", "499", "0", "X", "", "-", "-", "-",
    ]  # fmt: skip
    failed = record(outcome="dns_error", detail="x was not found", status=502)
    assert (said("%err_code", failed), said("%err_detail", failed)) == ("dns_error", "x%20was%20not%20found")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("%{x}T", "'x' is no unit of %T; accepted are s, ms, us"),
        ("%{tid}P", "'tid' is no number of %P; accepted is pid"),
        ("%{a b}i", "'a b' is no name of a field"),
        ("%{é}>h", "is no name of a field"),
        ("%{SSL_PROTOCL}x", "(is SSL_PROTOCOL meant?)"),
    ],
)
def test_what_is_wrong_in_braces_is_said(code, message):
    with pytest.raises(ConfigError) as fault:
        line_format(code)
    assert message in str(fault.value)
