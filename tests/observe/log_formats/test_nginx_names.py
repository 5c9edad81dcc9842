"""nginx's names."""

import os
import re
import socket

import pytest
from twisted.internet.address import IPv4Address

from tests.observe.log_formats.records import NOW, Transport, attempt, head, record, response
from txproxy.cache.answering.cache_status import CacheVerdict, Served
from txproxy.errors import ConnectTimeout
from txproxy.observe.log_formats.line_format import line_format


def said(name, one):
    return line_format(f"${name}").exchange(one, NOW).decode().removesuffix("\n")


REQUEST = head(
    b"Host: A.example:81", b"Cookie: a=1; b=2", b"Content-Type: x/y", b"Content-Length: 3", b"X-A: 7",
    authority=b"A.example:81", path=b"/x%20y?one=1&Two=2&e=",
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("remote_addr", "192.0.2.1"), ("realip_remote_addr", "192.0.2.1"), ("remote_user", "bob"),
        ("msec", "1764400000.124"), ("request", "GET /x%20y?one=1&Two=2&e= HTTP/1.1"), ("request_method", "GET"),
        ("request_uri", "/x%20y?one=1&Two=2&e="), ("uri", "/x%20y"), ("document_uri", "/x%20y"),
        ("args", "one=1&Two=2&e="), ("query_string", "one=1&Two=2&e="), ("is_args", "?"), ("arg_one", "1"),
        ("arg_two", "2"), ("arg_e", ""), ("arg_none", "-"), ("host", "a.example"), ("http_host", "A.example:81"),
        ("http_x_a", "7"), ("http_x_b", "-"), ("cookie_b", "2"), ("cookie_c", "-"), ("scheme", "http"), ("https", ""),
        ("server_protocol", "HTTP/1.1"), ("content_type", "x/y"), ("content_length", "3"), ("status", "200"),
        ("body_bytes_sent", "5"), ("request_time", "0.012"), ("request_completion", "OK"), ("sent_http_x_b", "8"),
        ("sent_http_x_a", "-"), ("upstream_addr", "-"), ("upstream_status", "-"), ("upstream_header_time", "-"),
        ("upstream_cache_status", "-"), ("ssl_protocol", "-"), ("ssl_client_s_dn", "-"), ("server_addr", "-"),
        ("remote_port", "-"),
        ("bytes_sent", str(5 + len("HTTP/1.1 200 OK\r\nX-B: 8\r\n\r\n"))),
    ],
)  # fmt: skip
def test_what_a_name_says(name, value):
    assert said(name, record(REQUEST, user="bob", response=response(b"X-B: 8"), received=3)) == value


def test_the_request_is_counted_with_its_head():
    one = record(head(b"Host: a"), received=3)
    assert said("request_length", one) == str(3 + len("GET /x HTTP/1.1\r\nHost: a\r\n\r\n"))


def test_the_times_are_as_nginx_writes_them():
    assert re.fullmatch(r"\d\d/[A-Z][a-z]{2}/2025:\d\d:\d\d:\d\d [+-]\d{4}", said("time_local", record()))
    assert re.fullmatch(r"2025-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d", said("time_iso8601", record()))


def test_attempts_are_told_one_after_the_other():
    one = record(
        attempts=[
            attempt("b.example", fault=ConnectTimeout("slow"), status=0, connected=None, began=0.001, ended=0.1),
            attempt(peer="10.0.0.2", began=0.1, connected=0.101, ended=0.2),
        ],
        first_byte=0.15,
    )
    assert said("upstream_addr", one) == "b.example:80, 10.0.0.2:80"
    assert said("upstream_status", one) == "504, 200"
    assert said("upstream_connect_time", one) == "-, 0.001"
    assert said("upstream_header_time", one) == "-, 0.050"
    assert said("upstream_response_time", one) == "0.099, 0.100"


def test_an_attempt_that_was_given_up_has_no_status():
    one = record(attempts=[attempt(status=0)], outcome="client-gone", status=0, first_byte=None)
    assert (said("status", one), said("upstream_status", one), said("upstream_header_time", one)) == ("499", "-", "-")
    assert said("request_completion", one) == ""


def test_where_a_client_has_come_in():
    transport = Transport(IPv4Address("TCP", "192.0.2.1", 5555), IPv4Address("TCP", "192.0.2.9", 8080))
    one = record(transport=transport)
    assert [said(name, one) for name in ("remote_port", "server_addr", "server_port")] == ["5555", "192.0.2.9", "8080"]


def test_connections_are_numbered_as_they_come():
    first, second = record(), record()
    lines = line_format("$connection").exchange
    assert [lines(one, NOW) for one in (first, second, first)] == [b"1\n", b"2\n", b"1\n"]


def test_a_cache_is_said_in_nginxs_words():
    assert said("upstream_cache_status", record(cache=CacheVerdict(served=Served.HIT))) == "HIT"


def test_this_machine_and_process_are_known():
    assert (said("pid", record()), said("hostname", record())) == (str(os.getpid()), socket.gethostname())
