"""Formats become functions."""

import pytest

from tests.observe.log_formats.records import NOW, Stream, attempt, head, record, response
from txproxy.errors import ConfigError
from txproxy.observe.log_formats.line_format import line_format


def line(format, one=None, listener="web"):
    written = line_format(format, listener).exchange(one or record(), NOW)
    assert written.endswith(b"\n") and written.count(b"\n") == 1
    return written[:-1].decode()


def test_squids_native_format():
    one = record(
        head(authority=b"a.example:81"),
        attempts=[attempt(peer="10.0.0.1")],
        response=response(b"Content-Type: text/html; charset=utf-8", b"Date: x"),
    )
    where = "a.example:81/x - HIER_DIRECT/10.0.0.1"
    size = len(b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nDate: x\r\n\r\n") + 5
    assert line("squid", one) == (f"1764400000.123     12 192.0.2.1 TCP_MISS/200 {size} GET http://{where} text/html")
    unread = record(head(method=b"", path=b"\x16", authority=b""), status=0, outcome="http_request_error")
    assert line("squid", unread).endswith(" NONE_NONE/000 5 NONE error:invalid-request - HIER_NONE/- -")


def test_widths_are_those_of_squid():
    assert line("%6tr|%-6tr|%06tr|%5rm|%-5rm|%.2rm") == "    12|12    |000012|  GET|GET  |GE"
    assert line("%6<a|%03>Hs", record(status=0)) == "     -|000"


def test_what_is_not_known_is_a_dash_and_nothing_in_json():
    assert line("$http_cookie $upstream_addr %{X}o %mt") == "- - - -"
    assert line('escape=json {"c":"$http_cookie"}') == '{"c":""}'


def test_values_are_escaped_as_their_place_wants_it():
    one = record(head(b'User-Agent: a [b] "c"\\\xff'))
    agent = "%{User-Agent}>h"
    assert line(f'{agent} "{agent}" [{agent}]', one) == (
        'a%20%5Bb%5D%20%22c%22%5C%FF "a [b] \\x22c\\x22\\x5C\\xFF" [a %5Bb%5D %22c%22\\%FF]'
    )
    assert line('%"{User-Agent}>h', one) == "a [b] \\x22c\\x22\\x5C\\xFF"
    assert line('escape=json "$http_user_agent"', one) == '"a [b] \\"c\\"\\\\\\\\xff"'


def test_nothing_that_a_client_sends_ends_the_line():
    evil = b'a\nb\r\x00 "x" 200 \xc3\x28\\'
    one = record(
        head(b"User-Agent: " + evil, b"Cookie: a=" + evil, path=evil, authority=evil, method=b"GE\nT"),
        user="a\nb",
        outcome="http_request_error",
        detail="x\ny",
        response=response(b"Content-Type: " + evil),
    )
    for format in ("combined", "squid", "json", "$request $uri $args $host $cookie_a $outcome_detail $user %rm %mt %v"):
        line(format, one)


def test_the_listener_is_known_by_its_name():
    assert line("$listener $status") == "web 200"
    assert line_format("$listener").says_listener and line_format("json").says_listener
    assert not line_format("$status").says_listener and not line_format("combined").says_listener


def test_streams_have_lines_of_each_format():
    stream = Stream(server_name="db.example")
    said = line_format("$remote_addr $protocol $status $bytes_sent $bytes_received $session_time $upstream_addr").stream
    assert said(stream, NOW) == b"192.0.2.1 TCP 200 7 3 1.500 10.0.0.1:80\n"
    squid = line_format("squid").stream(stream, NOW)
    assert squid.endswith(b" 192.0.2.1 TCP_TUNNEL/200 7 - 10.0.0.1:5432 - HIER_DIRECT/10.0.0.1 -\n")
    own = line_format("$outcome $host $request_method $uri $user $outcome_detail").stream
    assert own(Stream("client-gone", None, "it left"), NOW) == b"client-gone - - - - it left\n"


@pytest.mark.parametrize(
    ("format", "said"),
    [
        (
            "combinde",
            "'combinde' says nothing of a request (is combined meant?); accepted are combined, squid, json, or",
        ),
        ("$remote_adr", "$remote_adr is not known; accepted are $remote_addr, "),
        ("$sent_http_", "$sent_http_ is not known; accepted are $sent_http_NAME"),
        ("%zz", "%zz is not known; accepted are "),
        ("50% $status", "there is no code after the %; accepted is %% for a percent sign"),
    ],
)
def test_what_is_not_known_is_named_with_what_is_near(format, said):
    with pytest.raises(ConfigError) as fault:
        line_format(format)
    assert said in str(fault.value)
