"""What a record says between its lines."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.address import IPv4Address, IPv6Address

from tests.observe.log_formats.records import Connection, attempt, head, record, response
from txproxy.errors import ConnectTimeout
from txproxy.interfaces.address import Address
from txproxy.observe.log_formats import record_facts as facts
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

UNREAD = record(head(method=b"", path=b"\x16\x03", authority=b""))


def test_targets_and_urls():
    for request, target, url in [
        (head(), b"/x", b"http://a.example/x"),
        (head(path=b"/x?y", authority=b"a:81"), b"/x?y", b"http://a:81/x?y"),
        (head(scheme=b"https"), b"https://a.example/x", b"https://a.example/x"),
        (head(method=b"CONNECT", path=b"", authority=b"a:443"), b"a:443", b"a:443"),
    ]:
        assert (facts.target(record(request)), facts.url(record(request))) == (target, url)
    assert facts.url(record(scheme="https")) == b"https://a.example/x"
    assert (facts.request_line(UNREAD), facts.url(UNREAD)) == (b"\x16\x03", None)
    assert facts.request_line(record(head(method=b"", path=b"", authority=b""))) == b"-"
    assert facts.request_line(record(head(minor=0))) == b"GET /x HTTP/1.0"


def test_hosts_and_ports():
    for authority, host, port in [
        (b"A.example", b"a.example", b"80"),
        (b"a:8080", b"a", b"8080"),
        (b"[::1]:81", b"[::1]", b"81"),
        (b"[::1]", b"[::1]", b"80"),
        (b"", None, None),
    ]:
        one = record(head(authority=authority))
        assert (facts.host(one), facts.port(one)) == (host, port)
    assert facts.port(record(scheme="https")) == b"443"


def test_paths_and_queries():
    assert (facts.path(record(head(path=b"/a?b?c"))), facts.query(record(head(path=b"/a?b?c")))) == (b"/a", b"b?c")
    assert (facts.path(UNREAD), facts.query(UNREAD), facts.protocol(UNREAD)) == (None, None, None)


def test_sizes_are_those_of_the_heads():
    request = head(b"Host: a.example", b"A: b")
    assert facts.request_head_size(record(request)) == len(b"GET /x HTTP/1.1\r\nHost: a.example\r\nA: b\r\n\r\n")
    assert facts.request_head_size(UNREAD) == 2
    answer = response(b"Content-Type: text/plain")
    assert facts.response_head_size(record(response=answer)) == len(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    )
    assert facts.response_head_size(record()) == 0


def test_fields_of_the_response():
    one = record(response=response(b"Content-Type: Text/HTML ;charset=x", b"X-Request-Id: 1"))
    assert (facts.media_type(one), facts.response_field(one, b"x-request-id")) == (b"Text/HTML", b"1")
    assert (facts.media_type(record()), facts.request_id(record())) == (None, None)
    assert facts.request_id(record(head(b"X-Request-Id: 2"), response=response())) == b"2"


@pytest.mark.parametrize(
    ("lines", "value"),
    [
        ([b"X-A: 1", b"B: 2"], b"1"),
        ([b"B: 2", b"x-a: 1"], b"1"),
        ([b"B: x-a: 3", b"X-A: 1", b"C: d"], b"1"),
        ([b"X-A: 1", b"x-A: 2"], b"1, 2"),
        ([b"B: 1", b"x-A: 1", b"X-a: 2"], b"1, 2"),
        ([b"B: x-a: 3"], None),
        ([b"X-A-B: 3"], None),
        ([b"Y-X-A: 3"], None),
        ([b"X-A: "], b""),
        ([], None),
    ],
)
def test_fields_are_found_without_an_index(lines, value):
    assert facts.response_field(record(response=response(*lines)), b"x-a") == value
    assert response(*lines).headers.get(b"x-a") == value


def test_upstreams_are_named_by_address_where_that_is_known():
    named = attempt("app.example", peer="10.0.0.9")
    assert (facts.upstream_place(named), facts.upstream_host(named)) == (b"10.0.0.9:80", b"10.0.0.9")
    failed = attempt("app.example", fault=ConnectTimeout("slow"), status=0)
    assert (facts.upstream_place(failed), facts.upstream_host(failed)) == (b"app.example:80", b"app.example")
    assert facts.upstream_status(failed) == 504
    assert facts.upstream_host(attempt(address=Address("b", 80, pinned=("10.0.0.3",)))) == b"10.0.0.3"
    path = attempt(address=Address(path="/run/a.sock"))
    assert (facts.upstream_place(path), facts.upstream_host(path)) == (b"unix:/run/a.sock", b"unix:")
    six = attempt("::1")
    six.upstream = Connection(IPv6Address("TCP", "::1", 80))
    assert facts.upstream_place(six) == b"[::1]:80"
    assert facts.pool(record(attempts=[named])) is None


CALL = head(b"content-type: application/grpc", method=b"POST", minor=2)


@pytest.mark.parametrize(
    ("request_", "trailers", "fields", "status"),
    [
        (CALL, [b"grpc-status: 14"], [], 14),
        (CALL, [b"x: y"], [b"grpc-status: 3"], None),
        (CALL, None, [b"grpc-status: 5"], 5),
        (CALL, None, [b"grpc-status: none"], None),
        (CALL, None, [], None),
        (head(minor=2), None, [b"grpc-status: 5"], None),
        (head(b"content-type: application/grpc"), None, [b"grpc-status: 5"], None),
    ],
)
def test_a_call_of_grpc_has_a_status(request_, trailers, fields, status):
    said = Headers.from_lines(trailers) if trailers is not None else None
    assert facts.grpc_status(record(request_, trailers=said, response=response(*fields))) == status


@given(
    st.lists(
        st.tuples(st.sampled_from([b"A", b"a", b"B-A", b"C"]), st.sampled_from([b"", b"1", b"a: 2", b"x" * 3000])),
        max_size=4,
    )
)
def test_a_field_of_a_response_is_what_its_head_has(fields):
    headers = Headers.from_lines([name + b": " + value for name, value in fields])
    one = record(response=ResponseHead(200, headers))
    # The second time it may be remembered.
    assert [facts.response_field(one, b"a") for _ in range(2)] == [Headers.parsed(headers.lines).get(b"a")] * 2


def test_a_connection_is_asked_once_whom_it_is_to():
    made = attempt(peer="10.0.0.9")
    asked = []
    transport = made.upstream.transport
    transport.getPeer = lambda: asked.append(1) or IPv4Address("TCP", "10.0.0.9", 80)
    for _ in range(3):
        assert (facts.upstream_place(made), facts.upstream_host(made)) == (b"10.0.0.9:80", b"10.0.0.9")
    assert len(asked) == 1
