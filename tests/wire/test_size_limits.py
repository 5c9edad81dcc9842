from __future__ import annotations

import attrs
import pytest

from txproxy.errors import ExchangeError
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits


def status(limits: WireLimits, data: bytes) -> int | None:
    codec = ServerCodec(limits)
    codec.receive(data)
    try:
        while codec.next_event() is not None:
            pass
    except ExchangeError as error:
        return error.status
    return None


def test_the_defaults_are_those_that_the_rfc_asks_for_and_more() -> None:
    # RFC 9112 section 3: at least 8000 for the target
    assert DEFAULT_LIMITS.max_target >= 8000
    assert WireLimits(max_head=65536, max_target=8192, max_fields=100, max_body=None) == DEFAULT_LIMITS


def test_limits_do_not_change() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        DEFAULT_LIMITS.max_head = 1  # type: ignore[misc]


def test_max_head_bounds_the_whole_head() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
    assert status(WireLimits(max_head=len(head)), head) is None
    assert status(WireLimits(max_head=len(head) - 1), head) == 431


def test_max_head_bounds_a_trailer_section() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    trailers = b"A: " + b"b" * 100 + b"\r\n\r\n"
    assert status(WireLimits(max_head=len(trailers)), head + trailers) is None
    assert status(WireLimits(max_head=len(trailers) - 1), head + trailers) == 431


def test_max_target_bounds_the_target() -> None:
    head = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"
    assert status(WireLimits(max_target=10), head % (b"a" * 9)) is None
    assert status(WireLimits(max_target=10), head % (b"a" * 10)) == 414


def test_max_target_is_told_before_max_head() -> None:
    head = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * 200)
    assert status(WireLimits(max_target=100, max_head=150), head) == 414


def test_max_target_bounds_a_method_as_well() -> None:
    assert status(WireLimits(max_target=100), b"%b / HTTP/1.1\r\nHost: a\r\n\r\n" % (b"A" * 1000)) == 501


def test_max_fields_bounds_the_number_of_lines() -> None:
    head = b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n"
    assert status(WireLimits(max_fields=3), head % (b"A: b\r\n" * 2)) is None
    assert status(WireLimits(max_fields=3), head % (b"A: b\r\n" * 3)) == 431
    assert status(WireLimits(max_fields=3), head % (b"A:b\r\n" * 3)) == 431


def test_max_body_bounds_a_request_of_known_length_before_its_body() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n"
    assert status(WireLimits(max_body=3), head % 3 + b"abc") is None
    assert status(WireLimits(max_body=3), head % 4) == 413
    assert status(WireLimits(max_body=0), head % 1) == 413


def test_max_body_bounds_a_chunked_request_over_all_its_chunks() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    assert status(WireLimits(max_body=3), head + b"2\r\nab\r\n1\r\nc\r\n0\r\n\r\n") is None
    assert status(WireLimits(max_body=3), head + b"2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n") == 413


def test_max_body_is_counted_anew_for_each_request() -> None:
    codec = ServerCodec(WireLimits(max_body=3))
    request = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for _ in range(3):
        codec.receive(request)
        assert [type(codec.next_event()).__name__ for _ in range(3)] == ["RequestHead", "bytes", "EndOfMessage"]
        codec.next_message()


def test_max_body_is_not_for_responses() -> None:
    codec = ClientCodec(WireLimits(max_body=1))
    codec.receive(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
    assert codec.next_event() is not None
    assert codec.next_event() == b"abc"
