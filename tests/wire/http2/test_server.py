"""The server's role: what it makes of a client, and what it says to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import pytest
from hpack import Decoder, Encoder

from tests.wire.http2.taken_apart import each_alone, frame, goaways, resets, taken_apart
from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import ALL_SENT, Event, StreamReset
from txproxy.wire.http2.faults import (
    CANCEL,
    COMPRESSION_ERROR,
    ENHANCE_YOUR_CALM,
    FLOW_CONTROL_ERROR,
    FRAME_SIZE_ERROR,
    NO_ERROR,
    PROTOCOL_ERROR,
    REFUSED_STREAM,
    STREAM_CLOSED,
)
from txproxy.wire.http2.field_blocks.block_writer import _field, response_block
from txproxy.wire.http2.field_blocks.request_heads import KnownRequest
from txproxy.wire.http2.own_settings import Http2Settings
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead, SharedHead
from txproxy.wire.size_limits import WireLimits

GET = [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")]
POST = [(b":method", b"POST"), *GET[1:]]
HELLO = frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK
OK = ResponseHead(200, Headers([(b"Content-Length", b"2")]), body=2)
SHARED = SharedHead(200, OK.headers, b"", 2)
LIMITS = WireLimits(max_body=1000)


def begun(settings: Http2Settings | None = None, limits: WireLimits = LIMITS, **more: Any) -> ServerSession:
    session = ServerSession(limits, settings or Http2Settings(), **more)
    assert session.receive(HELLO) == []
    session.take_output()
    return session


def head(stream: int, *fields: tuple[bytes, bytes], ended: bool = True, encoder: Encoder | None = None) -> bytes:
    return frames.headers(stream, (encoder or Encoder()).encode(fields or GET), ended, 16384)


def only(session: ServerSession, data: bytes) -> tuple[Stream, Any]:
    ((stream, what),) = each_alone(session.receive(data))
    assert stream is not None
    return stream, what


def failed(session: ServerSession, data: bytes) -> int:
    """With what code it has ended."""
    session.take_output()
    session.receive(data)
    assert session.fault is not None
    ((_, code),) = goaways(session.take_output())
    assert code == session.fault.code and session.receive(head(99)) == []
    return code


def test_it_says_what_it_takes() -> None:
    session = ServerSession(WireLimits(), Http2Settings(streams=7, stream_window=70_000), connect_protocol=True)
    (settings, window) = taken_apart(session.take_output())
    assert dict(frames.read_settings(settings[3])) == {3: 7, 6: 65536, 4: 70_000, 9: 1, 8: 1}
    assert window == ("WINDOW_UPDATE", 0, 0, ((16 << 20) - 65535).to_bytes(4, "big"))


def test_a_request_and_its_response() -> None:
    session = begun()
    stream, request = only(session, head(1))
    assert type(request) is RequestHead and request.path == b"/" and session.active == 1
    session.send_whole(stream, OK, b"ok")
    session.leave(stream)
    assert [name for name, *_ in taken_apart(session.take_output())] == ["HEADERS", "DATA"]
    assert session.active == 0 and not session.streams


@pytest.mark.parametrize("leave", [ServerSession.leave, Session.leave])
@pytest.mark.parametrize("reset", [False, True])
def test_one_that_is_over_counts_no_more_and_earns_what_it_has_cost(leave: Any, reset: bool) -> None:
    session = begun()
    session.receive(frames.settings([(9, 1)] * 20))
    stream, _ = only(session, head(1))
    session.send_whole(stream, OK, b"ok")
    if reset:
        session.reset(stream, CANCEL)
    before = session.allowance.left
    leave(session, stream)
    leave(session, stream)
    assert (session.allowance.left > before) is not reset
    assert session.active == 0 and not session.streams and not stream.counted


def test_a_body_and_trailers_both_ways() -> None:
    session = begun()
    data = (
        head(1, *POST, ended=False)
        + frame(0, 0, 1, b"abc")
        + frames.headers(1, Encoder().encode([(b"t", b"u")]), True, 99)
    )
    events = session.receive(data)
    stream = events[0][0]
    assert stream is not None
    assert events[0][1].body == CHUNKED and events[1] == (stream, b"abc")
    end = events[2][1]
    assert type(end) is EndOfMessage and end.trailers.lines == [b"t: u"]
    session.send_head(stream, ResponseHead(103, Headers([(b"Link", b"x")])))
    session.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
    session.send_body(stream, b"data")
    session.send_trailers(stream, Headers([(b"v", b"w")]))
    found = taken_apart(session.take_output())
    assert [(name, flags) for name, flags, _, _ in found] == [
        ("HEADERS", 4),
        ("HEADERS", 4),
        ("DATA", 0),
        ("HEADERS", 5),
    ]
    session.leave(stream)
    assert resets(session.take_output()) == []


def test_the_end_of_a_body_is_the_end_of_the_message() -> None:
    session = begun()
    events = session.receive(head(1, *POST, (b"content-length", b"3"), ended=False) + frame(0, 1, 1, b"abc"))
    assert [what for _, what in events[1:]] == [b"abc", END]


@pytest.mark.parametrize("pieces", [[b"abcd"], [b"ab"], [b"", b""], [b"abc", b"d"]])
def test_a_body_is_as_long_as_was_said(pieces: list[bytes]) -> None:
    session = begun()
    stream, _ = only(session, head(1, *POST, (b"content-length", b"3"), ended=False))
    events = session.receive(b"".join(frame(0, piece is pieces[-1], 1, piece) for piece in pieces))
    reset = events[-1]
    assert reset[0] is stream and type(reset[1]) is StreamReset and not reset[1].by_peer
    assert resets(session.take_output()) == [(1, PROTOCOL_ERROR)] and session.fault is None
    session.leave(stream)
    assert session.active == 0


def test_trailers_end_a_body_of_its_length_and_a_second_head_is_none() -> None:
    session = begun()
    only(session, head(1, *POST, (b"content-length", b"3"), ended=False))
    only(session, frames.headers(1, Encoder().encode([(b"t", b"u")]), True, 99))
    only(session, head(3, *POST, ended=False))
    only(session, frames.headers(3, Encoder().encode([(b"t", b"u")]), False, 99))
    assert resets(session.take_output()) == [(1, PROTOCOL_ERROR), (3, PROTOCOL_ERROR)]


def test_a_malformed_request_is_reset_and_the_next_is_read() -> None:
    session = begun()
    encoder = Encoder()
    ((stream, reset),) = session.receive(head(1, *GET, (b"x-new", b"1"), (b"connection", b"close"), encoder=encoder))
    assert stream is not None and type(reset) is StreamReset
    assert resets(session.take_output()) == [(1, PROTOCOL_ERROR)]
    assert session.active == 0 and not session.streams
    # The table has what it had in it.
    _, request = only(session, head(3, *GET, (b"x-new", b"1"), encoder=encoder))
    assert request.headers.lines == [b"host: a", b"x-new: 1"]


def test_what_is_too_large_is_there_to_be_answered() -> None:
    session = begun()
    stream, fault = only(session, head(1, *GET[:3], (b":path", b"/" + b"x" * 9000)))
    assert type(fault) is RequestError and fault.status == 414
    session.send_whole(stream, ResponseHead(414, Headers()), b"")
    session.leave(stream)
    assert resets(session.take_output()) == []
    stream, _ = only(session, head(3, *POST, ended=False))
    (_, (same, fault)) = session.receive(frame(0, 0, 3, b"x" * 1001))
    assert same is stream and type(fault) is RequestError and fault.status == 413
    # Once: whoever decides what the answer is would have to do so for each frame.
    assert session.receive(frame(0, 0, 3, b"x" * 10)) == [(stream, b"x" * 10)]


def test_a_response_that_does_not_want_the_rest() -> None:
    # RFC 9113 8.1
    session = begun()
    stream, _ = only(session, head(1, *POST, ended=False))
    session.send_whole(stream, OK, b"ok")
    session.leave(stream)
    assert resets(session.take_output()) == [(1, NO_ERROR)]
    # What was on its way is no fault, and frees the window.
    assert session.receive(frame(0, 1, 1, b"abc")) == [] and session.fault is None


def test_a_response_that_was_not_complete_is_no_whole_one() -> None:
    session = begun()
    stream, _ = only(session, head(1))
    session.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
    session.send_body(stream, b"abc")
    session.leave(stream)
    assert resets(session.take_output()) == [(1, CANCEL)]
    session.send_body(stream, b"d")
    session.send_end(stream)
    session.send_whole(stream, OK, b"ok")
    assert session.take_output() == b""


def test_a_client_that_resets() -> None:
    session = begun()
    stream, _ = only(session, head(1, ended=False))
    same, reset = only(session, frames.rst_stream(1, CANCEL))
    assert same is stream and reset == StreamReset(CANCEL, "it was reset with code 8", by_peer=True)
    # It counts until its exchange is over.
    assert session.active == 1
    session.send_whole(stream, OK, b"ok")
    session.leave(stream)
    session.leave(stream)
    assert session.active == 0 and session.take_output() == b""


def test_only_so_many_streams_at_once() -> None:
    session = begun(Http2Settings(streams=2))
    encoder = Encoder()
    streams = [only(session, head(number, *POST, ended=False, encoder=encoder))[0] for number in (1, 3)]
    assert session.receive(head(5, *GET, (b"x", b"1"), encoder=encoder) + frame(0, 0, 5)) == []
    assert resets(session.take_output()) == [(5, REFUSED_STREAM)]
    session.leave(streams[0])
    assert only(session, head(7, *GET, (b"x", b"1"), encoder=encoder))[1].headers.lines == [b"host: a", b"x: 1"]


def test_priorities_are_those_of_rfc_9218() -> None:
    session = begun()
    stream, _ = only(session, head(1, *GET, (b"priority", b"u=1, i"), ended=False))
    assert (stream.urgency, stream.incremental) == (1, True)
    assert session.receive(frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1u=6")) == []
    assert (stream.urgency, stream.incremental) == (6, False)
    assert session.receive(frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\x63u=6")) == []
    # What is said of one that is to come holds before its own field.
    (later, _) = only(session, head(0x63, *GET, (b"priority", b"u=1"), ended=False))
    assert later.urgency == 6
    assert failed(session, frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0")) == FRAME_SIZE_ERROR
    assert failed(begun(), frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\2u=1")) == PROTOCOL_ERROR


def test_priorities_of_streams_that_never_come_are_few() -> None:
    session = begun()
    for number in range(1, 201, 2):
        session.receive(frame(frames.PRIORITY_UPDATE, 0, 0, number.to_bytes(4, "big") + b"u=0"))
    assert only(session, head(1, *GET))[0].urgency == 3
    assert only(session, head(199, *GET))[0].urgency == 0


def test_extended_connect_is_taken_where_it_is_spoken() -> None:
    fields = [(b":method", b"CONNECT"), (b":protocol", b"websocket"), *GET[1:]]
    session = begun(connect_protocol=True)
    stream, request = only(session, head(1, *fields, ended=False))
    assert request.method == b"CONNECT" and stream.protocol == b"websocket" and stream.expected == UNTIL_CLOSE
    _, reset = only(begun(), head(1, *fields, ended=False))
    assert type(reset) is StreamReset


# RFC 9113 8.5
@pytest.mark.parametrize("length", [(), ((b"content-length", b"0"),)])
def test_in_a_tunnel_is_nothing_but_bytes(length: Any) -> None:
    session = begun()
    stream, _ = only(session, head(1, (b":method", b"CONNECT"), (b":authority", b"a:443"), *length, ended=False))
    session.send_head(stream, ResponseHead(200, Headers()))
    assert only(session, frame(0, 0, 1, b"x")) == (stream, b"x")
    session.take_output()
    _, reset = only(session, frames.headers(1, Encoder().encode([(b"t", b"u")]), True, 99))
    assert type(reset) is StreamReset and resets(session.take_output()) == [(1, PROTOCOL_ERROR)]


# RFC 9113 5.1, 5.1.1
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (head(2), PROTOCOL_ERROR),
        (head(3) + head(1), STREAM_CLOSED),
        (frame(0, 0, 1, b"x"), PROTOCOL_ERROR),
        (frame(0, 0, 0, b"x"), PROTOCOL_ERROR),
        (frames.rst_stream(1, 0), PROTOCOL_ERROR),
        (frames.rst_stream(0, 0), PROTOCOL_ERROR),
        (frames.window_update(1, 1), PROTOCOL_ERROR),
        (frames.window_update(2, 1), PROTOCOL_ERROR),
        (head(1) + frame(0, 1, 1, b"x"), STREAM_CLOSED),
        (frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), PROTOCOL_ERROR),
    ],
)
def test_streams_that_there_are_not(data: bytes, code: int) -> None:
    assert failed(begun(), data) == code


def test_a_head_on_a_stream_that_has_ended_resets_it() -> None:
    session = begun()
    only(session, head(1))
    only(session, frames.headers(1, Encoder().encode([(b"t", b"u")]), True, 99))
    assert resets(session.take_output()) == [(1, STREAM_CLOSED)]


# -- draining (RFC 9113 6.8)


def test_a_drain_takes_what_is_on_its_way() -> None:
    session = begun()
    stream, _ = only(session, head(1))
    session.drain()
    away, ping = taken_apart(session.take_output())
    assert frames.read_goaway(away[3]) == ((1 << 31) - 1, NO_ERROR) and ping[0] == "PING"
    only(session, head(3))
    assert session.receive(frames.ping(ping[3], ack=True)) == []
    assert goaways(session.take_output()) == [(3, NO_ERROR)]
    # This one came too late, and may be sent elsewhere.
    assert session.receive(head(5) + frame(0, 0, 5, b"")) == [] and 5 not in session.streams
    session.send_whole(stream, OK, b"ok")
    assert [name for name, *_ in taken_apart(session.take_output())] == ["HEADERS", "DATA"]
    session.drain_now()
    assert session.take_output() == b""


# RFC 9113 6.8
def test_what_was_the_last_stream_stays_so_when_the_connection_fails() -> None:
    session = begun()
    only(session, head(1))
    session.drain_now()
    session.receive(head(3) + head(5))
    assert goaways(session.take_output()) == [(1, NO_ERROR)]
    session.receive(frame(frames.PING, 0, 0))
    assert goaways(session.take_output()) == [(1, FRAME_SIZE_ERROR)]


# -- what is to keep us busy


def floods() -> Iterator[tuple[str, bytes]]:
    opened = head(1, *POST, ended=False)
    yield "settings", frames.settings([]) * 3000
    yield "pings", frames.ping(b"12345678") * 3000
    yield "priorities", frame(frames.PRIORITY, 0, 1, b"\0\0\0\5\1") * 3000
    yield "empty bodies", opened + frame(0, 0, 1) * 3000
    yield "padding alone", opened + frame(0, frames.PADDED, 1, b"\x00") * 3000
    yield "windows", opened + frames.window_update(1, 1) * 3000
    yield "unknown frames", frame(0x99, 0, 0, b"x") * 3000
    yield "priority updates", frame(frames.PRIORITY_UPDATE, 0, 0, b"\0\0\0\1i") * 3000
    yield "resets of nothing", head(1) + frames.rst_stream(1, 8) * 3000
    # CVE-2023-44487
    yield "rapid resets", b"".join(head(n) + frames.rst_stream(n, 8) for n in range(1, 2001, 2))
    # CVE-2025-8671: what we are provoked to reset
    yield "made to reset", b"".join(head(n, ended=False) + frames.window_update(n, 0) for n in range(1, 2001, 2))
    yield "malformed", b"".join(head(n, (b"x", b"y")) for n in range(1, 2001, 2))
    yield "too many", b"".join(head(n, *POST, ended=False) for n in range(1, 2001, 2))
    yield "late", frames.settings([]) + b"".join(head(1) for _ in range(1)) + frames.ping(b"1" * 8) * 3000


@pytest.mark.parametrize(("name", "data"), [*floods()])
def test_floods_end_the_connection(name: str, data: bytes) -> None:
    session = begun()
    more = True
    while more:
        for stream, what in session.receive(data):
            if type(what) is StreamReset:
                assert stream is not None
                session.leave(stream)
        data, more = b"", session.reader.more and session.fault is None
    assert session.fault is not None and session.fault.code == ENHANCE_YOUR_CALM
    assert goaways(session.take_output())[-1][1] == ENHANCE_YOUR_CALM


def test_updates_for_each_frame_of_a_long_body_are_no_flood() -> None:
    # They come all at once, as from a client that has read nothing for a while.
    session = begun()
    session.receive(frames.window_update(0, 1 << 30))
    stream, _ = only(session, head(1))
    session.receive(frames.window_update(1, 1 << 30))
    session.send_head(stream, ResponseHead(200, Headers.from_lines([]), b""))
    count = 1500
    for _ in range(count):
        session.send_body(stream, b"x" * 16384)
    session.receive(frames.window_update(0, 16384) * count + frames.window_update(1, 16384) * count)
    assert session.fault is None


@pytest.mark.parametrize("provoked", [False, True])
def test_resets_cost_however_slowly_they_come(provoked: bool) -> None:
    # Each exchange is over before the next request comes, as it is where an upstream is cancelled at once.
    session = begun()
    count = 0
    while session.fault is None:
        number = 2 * count + 1
        reset = frames.window_update(number, 0) if provoked else frames.rst_stream(number, CANCEL)
        for stream, what in session.receive(head(number, ended=False) + reset):
            if type(what) is StreamReset:
                assert stream is not None
                session.leave(stream)
        session.take_output()
        count += 1
        assert count < 1000, "rapid resets cost nothing"
    assert session.fault.code == ENHANCE_YOUR_CALM and session.active <= 1


def test_many_that_were_refused_end_nothing() -> None:
    session = begun(Http2Settings(streams=1), WireLimits())
    only(session, head(1, *POST, ended=False))
    session.allowance.earn(10**9)
    numbers = range(3, 1003, 2)
    for number in numbers:
        session.allowance.earn(10**9)
        assert session.receive(head(number, *POST, ended=False)) == []
    for number in numbers:
        session.allowance.earn(10**9)
        assert session.receive(frame(0, 1, number, b"late")) == []
    assert session.fault is None


def test_who_works_may_cancel_much() -> None:
    session = begun()
    encoder = Encoder()
    for number in range(1, 4001, 4):
        stream, _ = only(session, head(number, encoder=encoder))
        session.send_whole(stream, OK, b"ok")
        session.leave(stream)
        events = session.receive(head(number + 2, encoder=encoder) + frames.rst_stream(number + 2, 8))
        session.leave(events[-1][0])  # type: ignore[arg-type]
        session.take_output()
    assert session.fault is None


def test_a_window_that_is_not_kept_to() -> None:
    session = begun(Http2Settings(stream_window=10, connection_window=100_000))
    stream, _ = only(session, head(1, *POST, ended=False))
    assert only(session, frame(0, 0, 1, b"x" * 11))[1].code == FLOW_CONTROL_ERROR
    assert resets(session.take_output()) == [(1, FLOW_CONTROL_ERROR)]
    session.leave(stream)
    session = begun(Http2Settings(stream_window=1 << 20, connection_window=65535), WireLimits())
    only(session, head(1, *POST, ended=False))
    assert failed(session, frame(0, 0, 1, b"x" * 16384) * 4) == FLOW_CONTROL_ERROR


def test_who_reads_slowly_has_the_peer_wait() -> None:
    session = begun(Http2Settings(stream_window=1000), WireLimits())
    stream, _ = only(session, head(1, *POST, ended=False))
    session.receive(frame(0, 0, 1, b"x" * 1000))
    assert session.take_output() == b""
    session.consume(stream, 600)
    assert taken_apart(session.take_output()) == [("WINDOW_UPDATE", 0, 1, (600).to_bytes(4, "big"))]


# -- what waited, and has gone out


def test_it_is_told_when_the_last_of_a_response_has_gone_out_that_had_to_wait() -> None:
    session = begun()
    stream, _ = only(session, head(1))
    session.send_whole(stream, ResponseHead(200, Headers(), body=70_000), b"x" * 70_000)
    assert stream.may_send and stream.waiting == 70_000 - 65_535
    assert session.receive(frames.window_update(0, 9000)) == []
    assert session.receive(frames.window_update(1, 9000)) == [(stream, ALL_SENT)]
    session.leave(stream)
    assert not stream.may_send and not session.streams and session.active == 0


def test_of_one_that_goes_out_at_once_nothing_is_told() -> None:
    session = begun()
    stream, _ = only(session, head(1))
    session.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
    session.send_body(stream, b"x" * 50_000)
    session.send_end(stream)
    assert not stream.may_send and session.receive(frames.window_update(0, 9000)) == []


def test_streams_may_be_of_the_callers_own_kind() -> None:
    class Own(Stream):
        pass

    session = begun(make_stream=Own)
    assert type(only(session, head(1))[0]) is Own


def test_other_limits_hold_from_then_on() -> None:
    session = begun()
    session.use_limits(WireLimits(max_target=4))
    _, fault = only(session, head(1, *GET[:3], (b":path", b"/long")))
    assert isinstance(fault, RequestError) and fault.status == 414


def test_it_tells_whether_something_has_begun() -> None:
    session = begun()
    assert not session.begun
    request = frames.headers(1, Encoder().encode([*GET, (b"a", b"b" * 20_000)], huffman=False), True, 16384)
    session.receive(request[:5])
    assert session.begun
    session.receive(request[5:16_400])
    assert session.begun
    session.receive(request[16_400:])
    assert not session.begun


def test_a_drain_is_one_when_the_last_stream_was_said() -> None:
    session = begun()
    session.drain()
    assert not session.draining
    session.drain_now()
    assert session.draining


class Slow(ServerSession):
    """One that reads each frame on its own."""

    def receive(self, data: bytes) -> list[Event]:
        return Session.receive(self, data)


def told(session: ServerSession, events: list[Event]) -> list[Any]:
    """All that can be seen of it after these."""
    seen: list[Any] = []
    for stream, what in each_alone(events):
        assert stream is not None
        if type(what) is KnownRequest:
            what = what.head()
        if type(what) is RequestHead:
            what = {name: getattr(what, name) for name in RequestHead.__slots__}
        elif isinstance(what, RequestError):
            what = what.detail
        seen.append((stream.id, stream.method, stream.state, stream.urgency, what))
    fault = session.fault.detail if session.fault is not None else None
    state = session.active, session.last_seen, sorted(session.streams), session.allowance.left, session.reader.more
    return [seen, fault, state, session.take_output()]


def many_requests(chosen: random.Random) -> list[bytes]:
    """What clients send, most of it as before; some of what no client should."""
    encoder = Encoder()
    made, number = [frames.PREFACE + frames.settings([])], 1

    def literal(path: bytes, rest: bytes = b"", flags: int = 5) -> bytes:
        return frame(1, flags, number, b"\x82\x87\x41\x01a\x04%c%b%b" % (len(path), path, rest))

    for _ in range(60):
        kind = chosen.choice(["same"] * 8 + ["path"] * 6 + sorted(ODD))
        path = b"/%d" % chosen.randrange(1000)
        odd = ODD.get(kind)
        if kind == "same":
            made.append(head(number, encoder=encoder))
        elif kind == "path":
            made.append(literal(path))
        elif odd is not None:
            made.append(odd(number, literal, encoder))
        number += 2
    return made


ODD: dict[str, Any] = {
    "a long path": lambda number, literal, encoder: literal(b"/" * 120),
    "a wrong path": lambda number, literal, encoder: literal(b"/ b"),
    "an asterisk": lambda number, literal, encoder: literal(b"*"),
    "more of it to come": lambda number, literal, encoder: literal(b"/a", flags=4),
    "a body": lambda number, literal, encoder: literal(b"/a", flags=4) + frame(0, 1, number, b"body"),
    "a length": lambda number, literal, encoder: literal(b"/a", b"\x0f\x0d\x011"),
    "how urgent it is": lambda number, literal, encoder: literal(b"/a", b"\0\x08priority\x03u=1"),
    "an update of that": lambda number, literal, encoder: (
        frame(0x10, 0, 0, number.to_bytes(4, "big") + b"u=5") + literal(b"/b")
    ),
    "what changes the table": lambda number, literal, encoder: head(
        number, *GET, (b"x", b"%d" % number), encoder=encoder
    ),
    "a Huffman code": lambda number, literal, encoder: head(number, *GET[:3], (b":path", b"/abc")),
    "half a Huffman code": lambda number, literal, encoder: frame(1, 5, number, b"\x82\x87\x41\x01a\x04\x82\xff\xff"),
    "half a string": lambda number, literal, encoder: frame(1, 5, number, b"\x82\x87\x41\x01a\x04\x05/a"),
    "half a block": lambda number, literal, encoder: frame(1, 5, number, b"\x82\x87\x41\x01a\x04"),
    "no block": lambda number, literal, encoder: frame(1, 5, number),
    "padding": lambda number, literal, encoder: frame(1, 13, number, b"\x01" + b"\x82\x87\x41\x01a\x04\x02/a\0"),
    "a tunnel": lambda number, literal, encoder: head(
        number, (b":method", b"CONNECT"), (b":authority", b"a:1"), encoder=encoder
    ),
    "the number before": lambda number, literal, encoder: frame(
        1, 5, max(number - 2, 1), b"\x82\x87\x41\x01a\x04\x02/a"
    ),
    "an even number": lambda number, literal, encoder: frame(1, 5, number + 1, b"\x82\x87\x41\x01a\x04\x02/a"),
    "a bit too many": lambda number, literal, encoder: frame(1, 5, number | 1 << 31, b"\x82\x87\x41\x01a\x04\x02/a"),
    "a reset": lambda number, literal, encoder: literal(b"/a") + frames.rst_stream(number, 8),
    "another frame": lambda number, literal, encoder: frame(0x77, 0, number, b"?"),
    "a window": lambda number, literal, encoder: frames.window_update(0, 9),
}


@pytest.mark.parametrize("seed", range(60))
def test_requests_like_some_before_are_what_they_are_when_each_frame_is_read_on_its_own(seed: int) -> None:
    chosen = random.Random(seed)
    data = b"".join(many_requests(chosen))
    settings = Http2Settings(streams=chosen.choice([3, 100]))
    limits = WireLimits(max_target=100, max_head=chosen.choice([150, 4000]), max_body=100)
    short, each = ServerSession(limits, settings), Slow(limits, settings)
    longest = chosen.choice([1, 30, 300, 3000])
    while data:
        size = chosen.randint(1, longest)
        came, data = data[:size], data[size:]
        found, expected = short.receive(came), each.receive(came)
        assert told(short, found) == told(each, expected)
        for one in (short, each):
            while one.reader.more and one.fault is None:
                one.receive(b"")
        if chosen.random() < 0.3:
            for number in [*short.streams]:
                stream = short.streams[number]
                one_step = not stream.unconsumed and short.send_last(stream, SHARED, b"ok")
                for one in (each,) if one_step else (short, each):
                    one.send_whole(one.streams[number], SHARED, b"ok")
                    one.leave(one.streams[number])
        elif chosen.random() < 0.1:
            limits = WireLimits(max_target=chosen.choice([1, 100]), max_head=4000, max_fields=chosen.choice([1, 100]))
            short.use_limits(limits)
            each.use_limits(limits)
        elif chosen.random() < 0.02:
            short.drain_now()
            each.drain_now()


class Counting(ServerSession):
    """One that counts heads that are not like some before."""

    count = 0

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        self.count += 1
        super()._head(number, block, ended)


def test_most_requests_are_read_the_short_way() -> None:
    session, encoder = Counting(), Encoder()
    session.receive(HELLO)
    for number in range(1, 99, 2):
        session.leave(only(session, head(number, encoder=encoder))[0])
    # The first of them changes the table, and the second is the first of its kind.
    assert session.count == 2


RESERVED = 1 << 31


# RFC 9113 4.1
def test_the_reserved_bit_says_nothing() -> None:
    session, encoder = begun(), Encoder()
    for number in (1, 3, 5 | RESERVED, 7):
        stream, what = only(session, head(number, encoder=encoder))
        if type(what) is KnownRequest:
            what = what.head()
        assert stream.id == number % RESERVED and type(what) is RequestHead and what.path == b"/"


def test_the_reserved_bit_makes_no_stream_after_the_last() -> None:
    session, encoder = begun(), Encoder()
    for number in (1, 3, RESERVED - 1):
        only(session, head(number, encoder=encoder))
    stream, what = only(session, head(1 | RESERVED, encoder=encoder))
    assert stream.id == 1 and type(what) is StreamReset and session.last_seen == RESERVED - 1


def test_whole_responses_in_the_same_fields_are_told_apart() -> None:
    session, encoder = begun(), Encoder()
    fields = Headers([(b"A", b"b")])
    for number, (status, body) in enumerate([(200, b"ok"), (200, b"no"), (200, b"ok"), (404, b"ok"), (404, b"")] * 2):
        stream, _ = only(session, head(2 * number + 1, encoder=encoder))
        session.send_whole(stream, ResponseHead(status, fields, body=len(body)), body)
        session.leave(stream)
        begin, *data = taken_apart(session.take_output())
        block = response_block(status, Headers([(b"A", b"b")]))
        assert begin == ("HEADERS", 4 if body else 5, stream.id, block)
        assert data == ([("DATA", 1, stream.id, body)] if body else [])


@pytest.mark.parametrize("size", [0, 1, 16384, 16385, 70_000])
@pytest.mark.parametrize("held", [False, True])
def test_whole_responses_are_written_as_their_parts_are(size: int, held: bool) -> None:
    written = []
    for whole in (True, False):
        session = begun()
        response, body = ResponseHead(200, Headers([(b"A", b"b")]), body=size), b"x" * size
        for number in (1, 3):
            session.receive(frames.window_update(number - 2, 50_000) if number == 3 else b"")
            stream, _ = only(session, head(number))
            if held:
                session.hold()
            if whole:
                session.send_whole(stream, response, body)
            else:
                session.send_head(stream, response, not body)
                if body:
                    session.send_body(stream, body)
                    session.send_end(stream)
            session.release()
        data = taken_apart(session.take_output())
        written.append([(name, stream, payload) for name, _, stream, payload in data if payload])
        assert session.sending.window >= 0
    assert written[0] == written[1]


def _fields(*pairs: tuple[bytes, bytes]) -> bytes:
    return b"".join(_field(*pair) for pair in pairs)


@pytest.mark.parametrize("rest", [b"\x04", b"\x04\x7f"])
def test_a_block_that_ends_within_the_path_after_one_that_began_so_is_malformed(rest: bytes) -> None:
    before = _fields((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"))
    block = before + _fields((b":path", b"/a"), (b"user-agent", b"x"))
    session = ServerSession()
    session.receive(frames.PREFACE + frames.settings([]))
    session.receive(frame(frames.HEADERS, 5, 1, block))
    session.receive(frame(frames.HEADERS, 5, 3, before + rest))
    assert session.fault is not None and session.fault.code == COMPRESSION_ERROR


def test_windows_that_open_by_a_byte_pay_for_no_resets() -> None:
    get = _fields((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"h"), (b":path", b"/"))
    session = ServerSession()
    grown = frames.SETTINGS_ACK + frames.window_update(0, 1 << 30)
    session.receive(frames.PREFACE + frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]) + grown)
    ((slow, _),) = session.receive(frame(frames.HEADERS, 5, 1, get))
    session.send_head(slow, ResponseHead(200, Headers(), b"", CHUNKED))
    session.send_body(slow, b"z" * 100_000)
    number = 3
    while session.fault is None and number < 2000:
        session.receive(frames.window_update(1, 1) * 10)
        while session.reader.more:
            session.receive(b"")
        for stream, what in session.receive(frame(frames.HEADERS, 5, number, get) + frames.rst_stream(number, CANCEL)):
            if isinstance(what, StreamReset):
                session.leave(stream)
        session.take_output()
        number += 2
    assert session.fault is not None and session.fault.code == ENHANCE_YOUR_CALM


def written_for(written: bytes, sizes: tuple[int, ...]) -> list[list[tuple[bytes, bytes]]]:
    """The blocks in ``written``, by a reader that keeps to what RFC 9113 4.3.1 says of one whose table gets smaller
    with each of its SETTINGS that is acknowledged.
    """
    reader, found, allowed = Decoder(), [], iter(sizes)
    for name, flags, _, payload in taken_apart(written):
        if name == "SETTINGS" and flags & frames.ACK:
            reader.max_allowed_table_size = next(allowed)
        elif name == "HEADERS":
            found.append(reader.decode(payload, raw=True))
    return found


@pytest.mark.parametrize("how", ["whole", "of nothing", "in parts", "trailers", "held", "waiting", "large"])
@pytest.mark.parametrize("sizes", [(0,), (100,), (4095,), (0, 4096), (8192, 100, 0)])
def test_a_table_that_gets_smaller_is_said_in_the_first_block_after_it(how: str, sizes: tuple[int, ...]) -> None:
    session = begun()
    for number in (1, 3):
        # The second of the same goes the short way.
        session.send_whole(only(session, head(number))[0], OK, b"ok")
    session.take_output()
    streams = [only(session, head(number, *POST, ended=False))[0] for number in (5, 7)]
    if how == "waiting":
        session.receive(frames.settings([(frames.INITIAL_WINDOW_SIZE, 0)]))
        session.send_head(streams[0], OK)
        session.send_body(streams[0], b"ok")
        session.send_trailers(streams[0], Headers([(b"t", b"u")]))
        session.take_output()
    for size in sizes:
        session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, size)]))
    if how == "held":
        session.hold()
    if how == "waiting":
        session.receive(frames.window_update(5, 10))
    elif how == "trailers":
        session.send_trailers(streams[0], Headers([(b"t", b"u")]))
    elif how == "in parts":
        session.send_head(streams[0], OK)
    elif how == "large":
        session.send_head(streams[0], ResponseHead(200, Headers([(b"x", b"y" * 16380)]), body=2))
    else:
        session.send_whole(streams[0], OK, b"" if how == "of nothing" else b"ok")
    session.receive(frame(frames.DATA, frames.END_STREAM, 7))
    session.send_whole(streams[1], OK, b"ok")
    written = session.take_output() if how != "held" else session.take_output() + after_release(session)
    if how == "large":
        # Of two frames, which belong together.
        blocks = [payload for name, _, _, payload in taken_apart(written) if name in ("HEADERS", "CONTINUATION")]
        assert blocks[0][:1] == b"\x20" and len(blocks) == 3 and blocks[2][:1] != b"\x20"
        return
    assert [payload[:1] == b"\x20" for name, _, _, payload in taken_apart(written) if name == "HEADERS"] == [
        True,
        False,
    ]
    first, second = written_for(written, sizes)
    assert (b"t", b"u") in first or (b":status", b"200") in first
    assert second == [(b":status", b"200"), (b"content-length", b"2")]


def after_release(session: ServerSession) -> bytes:
    session.release()
    return session.take_output()


def test_a_table_that_is_as_large_or_larger_is_nothing_to_speak_of() -> None:
    session = begun()
    session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, 65536)]))
    session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, 4096), (frames.HEADER_TABLE_SIZE, 4096)]))
    session.take_output()
    session.send_whole(only(session, head(1))[0], OK, b"ok")
    first, _ = taken_apart(session.take_output())
    # That it went down to 4096 again is said.
    assert first[3].startswith(b"\x20")
    session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, 4096)]))
    session.take_output()
    session.send_whole(only(session, head(3))[0], OK, b"ok")
    assert not taken_apart(session.take_output())[0][3].startswith(b"\x20")
