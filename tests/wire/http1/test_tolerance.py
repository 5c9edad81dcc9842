"""What upstreams may do wrong, where they are told to be tolerated."""

from __future__ import annotations

import pytest

from tests.wire.http1.corpus import Reading, single_bytes
from txproxy.errors import ConfigError, ResponseError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.tolerance import BARE_LF, response_codec, tolerated
from txproxy.wire.message import END, RequestHead, ResponseHead
from txproxy.wire.size_limits import WireLimits


def tolerant() -> ClientCodec:
    codec = response_codec(WireLimits(), {BARE_LF})
    codec.send_head(RequestHead(b"GET", b"/", Headers([(b"Host", b"a")])))
    return codec


BARE = b"HTTP/1.1 103 Early Hints\nLink: a\r\n\nHTTP/1.1 200 OK\nA: b\r\nContent-Length: 4\n\na\nb\n"


def test_nothing_is_tolerated_unless_it_is_said() -> None:
    codec = response_codec(WireLimits(), ())
    assert type(codec) is ClientCodec
    codec.receive(BARE)
    with pytest.raises(ResponseError, match="bare LF"):
        codec.next_event()
    with pytest.raises(ConfigError, match="'bare-cr' is not tolerated; accepted: bare-lf"):
        tolerated(["bare-cr"])


CHUNKED = b"HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("step", [1, 2, 5, 1000])
def test_and_where_chunks_and_trailers_are_framed(end: bytes, step: int) -> None:
    lines = [b"3;x=y", b"a\nb", b"A", b"0123456\n\r\n", b"0", b"X-Sum: 1", b"X-More: 2", b""]
    data = CHUNKED + end.join(lines) + end
    reading = Reading(tolerant(), [data[start : start + step] for start in range(0, len(data), step)])
    assert reading.error is None
    assert reading.events == ["head 200", r"body 'a\nb0123456\n\r\n'", "end X-Sum: 1|X-More: 2"]


@pytest.mark.parametrize("step", [1, 1000])
@pytest.mark.parametrize("last", [b"0\n\n", b"0\r\n\n", b"0\n\r\n"])
def test_without_trailers_as_well(last: bytes, step: int) -> None:
    data = CHUNKED + b"2\nab\n" + last
    codec = tolerant()
    reading = Reading(codec, [data[start : start + step] for start in range(0, len(data), step)])
    assert reading.error is None and reading.events == ["head 200", "body 'ab'", "end"]
    assert not codec.buffered


def test_many_small_chunks_take_time_that_goes_with_their_number() -> None:
    codec = tolerant()
    codec.receive(CHUNKED + b"1\nx\n" * 200_000 + b"0\n\n")
    assert isinstance(codec.next_event(), ResponseHead)
    assert codec.next_event() == b"x" * 200_000
    assert codec.many_chunks
    assert codec.next_event() is END


@pytest.mark.parametrize("pieces", [[BARE], single_bytes(BARE)])
def test_a_bare_lf_may_be_tolerated_in_heads_and_bodies_stay_as_they_are(pieces: list[bytes]) -> None:
    reading = Reading(tolerant(), pieces)
    assert reading.error is None
    assert reading.events == ["head 103", "head 200", r"body 'a\nb\n'", "end"]


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\nContent-Length: 1\nContent-Length: 2\n\nab",
        b"HTTP/1.1 200 OK\n A: b\n\n",
        b"HTTP/1.1 200 OK\nA: b\rC: d\n\n",
        CHUNKED + b"2\nabc\n0\n\n",
        CHUNKED + b"2\nab\r0\n\n",
        CHUNKED + b"2\rab\n0\n\n",
        CHUNKED + b'2;a="\n"\nab\n0\n\n',
        CHUNKED + b"2;a=" + b"b" * 1100 + b"\nab\n0\n\n",
        CHUNKED + b"2;a=" + b"b" * 1100,
        CHUNKED + b"2\nab\n0\nA: b\rC: d\n\n",
        CHUNKED + b"2\nab\n0\n A: b\n\n",
        CHUNKED + b"2\nab\n0\n" + b"A: b\n" * 20000,
        b"HTTP/1.1 200 OK\n" + b"A: b\n" * 20000,
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_and_nothing_else_is(data: bytes, at_once: bool) -> None:
    pieces = [data] if at_once else [data[start : start + 7] for start in range(0, len(data), 7)]
    assert isinstance(Reading(tolerant(), pieces).error, ResponseError)
