"""The client's role: what it says to a server, and what it makes of that."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hpack import Decoder, Encoder

from tests.wire.http2.taken_apart import frame, goaways, resets, taken_apart
from txproxy.errors import ResponseError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.http2.events import WRITABLE, Event, GoingAway, StreamReset
from txproxy.wire.http2.faults import CANCEL, NO_ERROR, PROTOCOL_ERROR, REFUSED_STREAM, STREAM_CLOSED
from txproxy.wire.http2.field_blocks.response_heads import ResponseFields
from txproxy.wire.http2.own_settings import Http2Settings
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import END, UNTIL_CLOSE, EndOfMessage, RequestHead, ResponseHead, SharedRequest

HEAD = RequestHead(b"GET", b"/", Headers([(b"Host", b"a")]), b"a")


def begun(*settings: tuple[int, int], streams: int = 100) -> ClientSession:
    session = ClientSession(settings=Http2Settings(streams=streams))
    session.receive(frames.settings(settings))
    session.take_output()
    return session


def asked(session: ClientSession, method: bytes = b"GET", ended: bool = True) -> Stream:
    return session.send_request(RequestHead(method, b"/", HEAD.headers, b"a"), b"https", ended)


def answer(stream: int, status: int = 200, *fields: tuple[bytes, bytes], ended: bool = True) -> bytes:
    return frames.headers(stream, Encoder().encode([(b":status", b"%d" % status), *fields]), ended, 16384)


def whats(session: ClientSession, data: bytes) -> list[Any]:
    return [what for _, what in session.receive(data)]


def test_it_begins_as_it_has_to() -> None:
    data = ClientSession().take_output()
    assert data.startswith(frames.PREFACE)
    settings, window = taken_apart(data[len(frames.PREFACE) :])
    assert (
        dict(frames.read_settings(settings[3])) == {2: 0, 6: 65536, 4: 1 << 20, 9: 1} and window[0] == "WINDOW_UPDATE"
    )


def test_requests_and_responses() -> None:
    session = begun()
    one, two = asked(session), asked(session, ended=False)
    session.send_body(two, b"body")
    session.send_trailers(two, Headers([(b"t", b"u")]))
    found = taken_apart(session.take_output())
    assert [(name, flags, stream) for name, flags, stream, _ in found] == [
        ("HEADERS", 5, 1), ("HEADERS", 4, 3), ("DATA", 0, 3), ("HEADERS", 5, 3),
    ]  # fmt: skip
    events = session.receive(
        answer(3, 103, ended=False) + answer(3, ended=False) + frame(0, 0, 3, b"x") + answer(1, 404)
    )
    assert [(stream, getattr(what, "status", what)) for stream, what in events] == [
        (two, 103),
        (two, 200),
        (two, b"x"),
        (one, 404),
        (one, END),
    ]
    end = whats(session, frames.headers(3, Encoder().encode([(b"v", b"w")]), True, 99))[0]
    assert type(end) is EndOfMessage and end.trailers.lines == [b"v: w"]
    session.leave(one)
    session.leave(two)
    assert session.active == 0 and not session.streams and resets(session.take_output()) == []


def test_what_is_of_no_use_any_more_is_cancelled() -> None:
    session = begun()
    stream = asked(session)
    session.receive(answer(1, ended=False))
    session.leave(stream)
    assert resets(session.take_output())[-1][0] == 1
    assert whats(session, frame(0, 1, 1, b"late") + answer(1)) == [] and session.fault is None


def test_how_many_it_takes() -> None:
    session = begun((frames.MAX_CONCURRENT_STREAMS, 2))
    assert session.capacity == 2
    first = asked(session)
    asked(session)
    assert session.capacity == 0
    session.receive(answer(1))
    session.leave(first)
    assert session.capacity == 1
    assert begun((frames.MAX_CONCURRENT_STREAMS, 1000)).capacity == 100
    assert begun(streams=7).capacity == 7 and begun((frames.MAX_CONCURRENT_STREAMS, 0)).capacity == 0
    last = begun()
    last.last_made = (1 << 31) - 3
    assert last.capacity == 0


def test_a_server_that_goes_away_gives_back_what_it_has_not_seen() -> None:
    session = begun()
    seen, unseen = asked(session), asked(session)
    events = session.receive(frames.goaway(1, NO_ERROR))
    assert events[0] == (None, GoingAway(1, NO_ERROR))
    assert events[1][0] is unseen
    assert events[1][1] == StreamReset(REFUSED_STREAM, "the server goes away", by_peer=True, full=True)
    assert session.capacity == 0
    assert whats(session, answer(1))[0].status == 200
    session.leave(seen)
    session.leave(unseen)
    assert session.active == 0 and resets(session.take_output()) == []


def test_what_a_server_that_goes_away_will_not_see_is_taken_back() -> None:
    session = begun()
    seen, other = asked(session, b"POST", ended=False), asked(session)
    session.take_output()
    unseen, cancelled = asked(session, b"PUT", ended=False), asked(session)
    session.send_body(seen, b"a" * 10)
    session.send_body(unseen, b"b" * 40_000)
    session.send_body(unseen, b"c" * 40_000)
    session.send_body(seen, b"d" * 10)
    session.cancel(cancelled)
    events = session.receive(frames.ping(b"12345678") + frames.goaway(3, NO_ERROR))
    assert [stream for stream, _ in events] == [None, unseen, seen]
    found = taken_apart(session.take_output())
    assert [(name, number) for name, _, number, _ in found] == [("DATA", 1), ("PING", 0), ("DATA", 1)]
    # The window is there for who is left.
    assert session.sending.window == 65535 - 20 and not session.sending.bulk
    assert b"".join(unseen.unsent) == b"b" * 40_000 + b"c" * 40_000
    assert whats(session, answer(3))[0].status == 200 and other.headed


def test_what_has_not_gone_out_is_taken_back_with_what_is_cut() -> None:
    session = ClientSession()
    first, unseen = asked(session), asked(session, b"POST", ended=False)
    session.send_body(unseen, b"body")
    (gone,) = session.withdraw(1)
    assert gone[0] is unseen and unseen.unsent == (b"body",)
    data = session.take_output()
    assert data.startswith(frames.PREFACE)
    assert [name for name, _, number, _ in taken_apart(data[len(frames.PREFACE) :]) if number] == ["HEADERS"]
    assert session.withdraw(1) == [] and first.id in session.streams


def test_nothing_more_goes_out_on_a_stream_that_is_reset() -> None:
    session = begun((frames.INITIAL_WINDOW_SIZE, 65535))
    one, other = asked(session, b"POST", ended=False), asked(session, b"POST", ended=False)
    session.take_output()
    session.send_body(one, b"a" * 65535)
    session.send_body(other, b"body")
    assert other.waiting == 4
    (reset, writable) = session.receive(frames.rst_stream(1, REFUSED_STREAM))
    assert reset[0] is one and writable == (other, WRITABLE)
    assert [(name, number) for name, _, number, _ in taken_apart(session.take_output())] == [("DATA", 3)]
    assert b"".join(one.unsent) == b"a" * 65535


def test_a_stream_that_is_refused() -> None:
    session = begun()
    asked(session)
    (reset,) = whats(session, frames.rst_stream(1, REFUSED_STREAM))
    assert reset.code == REFUSED_STREAM and reset.by_peer


def test_a_head_has_no_body_that_it_tells_of() -> None:
    session = begun()
    asked(session, b"HEAD")
    head, end = whats(session, answer(1, 200, (b"content-length", b"5")))
    assert end is END
    assert head.body == 0
    asked(session, b"HEAD")
    _, reset = whats(session, answer(3, 200, (b"content-length", b"5"), ended=False) + frame(0, 1, 3, b"hello"))
    assert type(reset) is StreamReset and reset.code == PROTOCOL_ERROR


@pytest.mark.parametrize(
    "data",
    [
        frame(0, 0, 1, b"before its head"),
        answer(1, 103),
        answer(1, 101, ended=False),
        answer(1, 200, (b"content-length", b"3")),
        answer(1, 200, (b"content-length", b"3"), ended=False) + frame(0, 1, 1, b"abcd"),
        answer(1, 200, (b"connection", b"close")),
        answer(1, 103, ended=False) * 17,
        answer(1, ended=False) + answer(1, ended=False),
    ],
)
def test_what_is_no_response_is_reset(data: bytes) -> None:
    session = begun()
    stream = asked(session)
    events = session.receive(data)
    assert events[-1][0] is stream and type(events[-1][1]) is StreamReset and not events[-1][1].by_peer
    assert resets(session.take_output()) == [(1, PROTOCOL_ERROR)] and session.fault is None


def test_a_head_that_is_too_large_is_a_fault_of_the_response() -> None:
    session = begun()
    stream = asked(session)
    block = Encoder().encode([(b":status", b"200"), *[(b"x%d" % n, b"y" * 1000) for n in range(70)]], huffman=False)
    ((same, fault),) = session.receive(frames.headers(1, block, True, 16384))
    assert same is stream and "too large" in str(fault)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (answer(2), PROTOCOL_ERROR),
        (answer(5), PROTOCOL_ERROR),
        (frame(frames.PUSH_PROMISE, 4, 1, b"\0\0\0\2"), PROTOCOL_ERROR),
        (frames.settings([(frames.ENABLE_PUSH, 1)]), PROTOCOL_ERROR),
        (answer(1) + frame(0, 0, 1), STREAM_CLOSED),
    ],
)
def test_what_no_server_sends(data: bytes, code: int) -> None:
    session = begun()
    asked(session)
    session.take_output()
    session.receive(data)
    assert goaways(session.take_output()) == [(0, code)] and session.capacity == 0


def test_protocols_by_extended_connect() -> None:
    assert not begun().takes_protocols
    session = begun((frames.ENABLE_CONNECT_PROTOCOL, 1))
    assert session.takes_protocols
    stream = session.send_request(HEAD, b"https", False, b"websocket")
    (head,) = whats(session, answer(1, ended=False))
    assert head.body == UNTIL_CLOSE
    session.reset(stream, CANCEL)
    assert resets(session.take_output()) == [(1, CANCEL)]


# RFC 9113 8.5
@pytest.mark.parametrize("status", [200, 404])
def test_in_a_tunnel_are_no_trailers(status: int) -> None:
    session = begun((frames.ENABLE_CONNECT_PROTOCOL, 1))
    session.send_request(HEAD, b"https", False, b"websocket")
    session.take_output()
    trailers = frames.headers(1, Encoder().encode([(b"t", b"u")]), True, 16384)
    *_, end = whats(session, answer(1, status, ended=False) + frame(0, 0, 1, b"x") + trailers)
    is_tunnel = status == 200
    assert type(end) is (StreamReset if is_tunnel else EndOfMessage)
    assert resets(session.take_output()) == ([(1, PROTOCOL_ERROR)] if is_tunnel else [])


class Slow(ClientSession):
    """One that reads each frame on its own."""

    def receive(self, data: bytes) -> list[Event]:
        return Session.receive(self, data)


def told(session: ClientSession, events: list[Event]) -> list[Any]:
    """What is heard of each stream, in order, with what comes as a whole taken apart."""
    seen: list[Any] = []
    whole = [(stream, (fields, body)) for fields, alike in session.answered for stream, body in alike]
    for stream, what in [*whole, *events]:
        for one in [*what, END] if type(what) is tuple else [what]:
            if type(one) is ResponseFields:
                one = ResponseHead(one.status, one.headers, b"", one.length)
            if type(one) is ResponseHead:
                one = {name: getattr(one, name) for name in ResponseHead.__slots__}
            elif type(one) is EndOfMessage:
                one = one.trailers.lines
            elif isinstance(one, ResponseError):
                one = one.detail
            seen.append((stream and stream.id, stream and stream.state, one))
    return seen


def state(session: ClientSession) -> list[Any]:
    fault = session.fault.detail if session.fault is not None else None
    return [fault, session.active, sorted(session.streams), session.allowance.left, session.receiving.left]


def settled(session: ClientSession, events: list[Event]) -> None:
    """Do with them what is to be done."""
    for stream, what in events:
        if stream is not None and type(what) is bytes:
            session.consume(stream, len(what))
        elif stream is not None and what is END:
            session.leave(stream)


BLOCK = Encoder().encode([(":status", "200"), ("date", "now")])
LENGTH = Encoder().encode([(":status", "200"), ("content-length", "2")])
NOT_FOUND, NOTHING, EARLY = (Encoder().encode([(":status", status)]) for status in ("404", "204", "103"))
ODD: list[Any] = [
    lambda number, block: frame(1, 4, number, LENGTH) + frame(0, 1, number, b"ok"),
    lambda number, block: frame(1, 4, number, LENGTH) + frame(0, 1, number, b"too much"),
    lambda number, block: frame(1, 4, number, LENGTH) + frame(0, 0, number, b"o") + frame(0, 1, number, b"k"),
    lambda number, block: frame(1, 5, number, block),
    lambda number, block: frame(1, 4, number, block) + frame(0, 1, number),
    lambda number, block: frame(1, 4, number, block) + frame(0, 9, number, b"\x01x\0"),
    lambda number, block: frame(1, 4, number, block) + frame(0, 0, number, b"x") + frame(1, 5, number, b"\0\x01t\x01u"),
    lambda number, block: frame(1, 4, number, NOTHING) + frame(0, 1, number, b"x"),
    lambda number, block: frame(1, 4, number, EARLY) + frame(1, 4, number, block) + frame(0, 1, number, b"x"),
    lambda number, block: frame(1, 4, number, EARLY) + frame(0, 1, number, b"x"),
    lambda number, block: frame(1, 4, number, block) + frame(1, 4, number, block) + frame(0, 1, number, b"x"),
    lambda number, block: frame(1, 4, number, block) + frame(0, 1, max(number - 2, 1), b"x"),
    lambda number, block: frame(1, 4, number, block) + frame(0, 1, number, b"x" * 16384),
    lambda number, block: frame(1, 4, number, block) + frames.rst_stream(number, 8),
    lambda number, block: frame(1, 4, number, b"\xff") + frame(0, 1, number, b"x"),
    lambda number, block: frame(1, 4, number + 100, block) + frame(0, 1, number + 100, b"x"),
    lambda number, block: frames.ping(b"12345678") + frame(0x77, 0, number),
    lambda number, block: frames.goaway(number, 0) + frame(1, 4, number, block) + frame(0, 1, number, b"x"),
]


def to_a_body(data: bytes) -> int:
    """As much of them as goes to where some body begins, after a head; all where none does."""
    at, before = 0, -1
    while at + frames.HEADER_SIZE <= len(data):
        high, low, kind, _, _ = frames.read_header(data, at)
        if at and before == frames.HEADERS and kind == frames.DATA and high << 16 | low < 16384:
            return at
        before, at = kind, at + frames.HEADER_SIZE + (high << 16 | low)
    return len(data)


@pytest.mark.parametrize("seed", range(60))
def test_responses_like_some_before_are_what_they_are_when_each_frame_is_read_on_its_own(seed: int) -> None:
    chosen = random.Random(seed)
    settings = Http2Settings(stream_window=chosen.choice([9000, 70_000]), connection_window=70_000)
    short, each = ClientSession(settings=settings), Slow(settings=settings)
    for one in (short, each):
        one.receive(frames.settings([]) + frames.SETTINGS_ACK)
    encoder, number, second = Encoder(), 1, 0
    longest = chosen.choice([1, 40, 400, 4000])
    for _ in range(8):
        data = b""
        for _ in range(chosen.randint(1, 20)):
            method = chosen.choice([b"GET"] * 20 + [b"HEAD", b"CONNECT", b"POST"])
            for one in (short, each):
                if one.fault is None and not one.going_away:
                    stream = asked(one, method, ended=method != b"POST")
                    if method == b"POST" and number % 4 == 1:
                        one.send_body(stream, b"x")
            second += chosen.random() < 0.05
            block = BLOCK if chosen.random() < 0.5 else encoder.encode([(":status", "200"), ("date", str(second))])
            answers = [lambda number, block: frame(1, 4, number, block) + frame(0, 1, number, b"%d" % number)] * 30
            data += chosen.choice([*answers, *ODD] if chosen.random() < 0.5 else answers)(number, block)
            number += 2
        awaited: list[Event] = []
        while data:
            size = chosen.choice([chosen.randint(1, longest), to_a_body(data)])
            came, data = data[:size], data[size:]
            found, expected = short.receive(came), [*awaited, *each.receive(came)]
            awaited = []
            if short.head_waits and data and chosen.random() < 0.5:
                awaited = expected[-1:]
                del expected[-1:]
                assert type(awaited[0][1]) is ResponseHead
            else:
                found += short.go_on()
            assert told(short, found) == told(each, expected)
            settled(short, found)
            settled(each, expected)
            if not awaited:
                assert state(short) == state(each)
    assert short.take_output() == each.take_output()


class Counting(ClientSession):
    """One that counts heads that are not like some before."""

    count = 0

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        self.count += 1
        super()._head(number, block, ended)


@pytest.mark.parametrize(
    ("block", "ordinary"),
    [
        # It names what everybody has, and adds nothing.
        (b"\x88\x0f\x12\x04same", 1),
        # As nginx has it, which puts all into the table and never names it: at last that is full of the same.
        (b"\x88\x76\x04same\x5f\x03abc", 210),
    ],
)
def test_most_responses_are_read_as_a_whole(block: bytes, ordinary: int) -> None:
    session = Counting()
    session.receive(frames.settings([]))
    for number in range(1, 600, 2):
        asked(session)
        settled(session, session.receive(frame(1, 4, number, block) + frame(0, 1, number, b"x")))
    assert 0 < session.count <= ordinary and not session.streams


def test_responses_are_read_as_a_whole_wherever_they_are_cut() -> None:
    session = Counting()
    session.receive(frames.settings([]))
    data = b""
    for number in range(1, 600, 2):
        asked(session)
        data += frame(1, 4, number, SAME) + frame(0, 1, number, b"x")
    for at in range(0, len(data), 100):
        piece = data[at : at + 100]
        rest = session.reader.rest_of_body(piece)
        for part in filter(None, (piece[:rest], piece[rest:])):
            settled(session, session.receive(part))
    assert session.count < 5 and not session.streams and not session.active


SAME = b"\x88\x0f\x12\x04same"


def half() -> tuple[Counting, bytes]:
    """One that has had a whole answer, and the head of another, in one read; and the body of that."""
    session = Counting()
    session.receive(frames.settings([]))
    for _ in range(4):
        asked(session)
    settled(session, session.receive(frame(1, 4, 1, SAME) + frame(0, 1, 1, b"ok")))
    assert session.receive(frame(1, 4, 3, SAME) + frame(0, 1, 3, b"ok") + frame(1, 4, 5, SAME)) == []
    assert session.head_waits and session.begun
    return session, frame(0, 1, 5, b"ok")


def test_a_head_waits_for_its_body() -> None:
    session, body = half()
    count = session.count
    assert session.receive(body) == [] and not session.head_waits and session.count == count
    (alike,) = session.answered
    assert [(one.id, data) for one, data in alike[1]] == [(5, b"ok")]
    assert session.go_on() == []


def test_a_head_that_waits_is_read_alone_when_it_is_said_so() -> None:
    session, body = half()
    ((stream, head),) = session.go_on()
    assert stream is not None and stream.id == 5 and type(head) is ResponseHead
    assert not session.head_waits and not session.begun and session.go_on() == []
    assert whats(session, body) == [b"ok", END]


@pytest.mark.parametrize("at", range(1, 11))
def test_a_head_that_waits_does_so_once(at: int) -> None:
    session, body = half()
    found = whats(session, body[:at])
    assert not session.head_waits and type(found[0]) is ResponseHead
    assert [*found[1:], *whats(session, body[at:])] == [b"ok", END]


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        (frame(1, 5, 5, b"\0\x01t\x01u"), [ResponseHead, EndOfMessage]),
        (frames.rst_stream(5, 2), [ResponseHead, StreamReset]),
        (frames.goaway(3, 0), [ResponseHead, GoingAway, StreamReset, StreamReset]),
        (frames.ping(b"12345678"), [ResponseHead]),
        (frame(0, 1, 7, b"ok"), [ResponseHead, StreamReset]),
        (frame(1, 4, 7, BLOCK) + frame(0, 1, 5, b"ok"), [ResponseHead, ResponseHead, bytes, EndOfMessage]),
    ],
)
def test_what_comes_in_place_of_its_body_is_read_after_a_head_that_waits(after: bytes, expected: list[Any]) -> None:
    session, _ = half()
    assert [type(what) for what in whats(session, after)] == expected


def test_requests_with_the_same_fields_are_written_as_each_of_them_alone() -> None:
    shared = Headers([(b"Host", b"a"), (b"X", b"1")])
    session, chosen = begun(streams=1000), random.Random(1)
    kept: dict[tuple[bytes, bytes], RequestHead] = {}
    for number in range(1, 400, 2):
        method, path = chosen.choice([b"GET", b"GET", b"HEAD", b"CONNECT"]), chosen.choice([b"/", b"/a", b"/" * 20_000])
        scheme, ended, protocol = chosen.choice([b"https", b"http"]), chosen.random() < 0.8, b""
        if method == b"CONNECT":
            protocol = chosen.choice([b"", b"websocket"])
        alone = begun()
        alone.last_made = number - 2 if number > 1 else 0
        states = []
        for one, headers in ((session, shared), (alone, Headers.from_lines(shared.lines))):
            head = RequestHead(method, path, headers, b"a")
            if one is session and chosen.random() < 0.5:
                # One that many requests share, by whatever scheme they go.
                head = kept.setdefault((method, path), SharedRequest.of(head))
            stream = one.send_request(head, scheme, ended, protocol)
            states.append((stream.id, stream.state, stream.method, one.last_made))
        assert states[0] == states[1]
        assert session.take_output() == alone.take_output()


@pytest.mark.parametrize("ended", [True, False])
@pytest.mark.parametrize("size", [0, 100, 4095])
def test_a_table_that_gets_smaller_is_said_in_the_first_block_after_it(ended: bool, size: int) -> None:
    session = begun()
    shared = SharedRequest(b"GET", b"/", HEAD.headers, b"a", None, 2)
    for _ in range(2):
        session.send_request(shared, b"https", ended=True)
    written = session.take_output()
    session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, size)]))
    # RFC 9113 4.3.1: what comes after the acknowledgement.
    assert not session.send_again(Stream(), shared, b"https")
    session.send_request(shared if ended else RequestHead(b"POST", b"/", HEAD.headers, b"a"), b"https", ended)
    assert session.send_again(Stream(), shared, b"https")
    session.send_request(shared, b"https", ended=True)
    reader, found = Decoder(), []
    for name, flags, _, payload in taken_apart(written + session.take_output()):
        if name == "SETTINGS" and flags & frames.ACK:
            reader.max_allowed_table_size = size
        elif name == "HEADERS":
            found.append(reader.decode(payload, raw=True))
    method = b"GET" if ended else b"POST"
    assert [dict(fields)[b":method"] for fields in found] == [b"GET", b"GET", method, b"GET", b"GET"]


@pytest.mark.parametrize("how", ["reset", "withdrawn"])
def test_a_block_that_is_taken_back_leaves_to_the_next_one_what_it_said_of_the_table(how: str) -> None:
    session = begun()
    first, other = asked(session, ended=False), asked(session, ended=False)
    written = session.take_output()
    session.receive(frames.settings([(frames.HEADER_TABLE_SIZE, 0)]))
    if how == "reset":
        session.send_body(other, b"body")
        session.send_trailers(other, Headers([(b"t", b"u")]))
        session.receive(frames.rst_stream(3, CANCEL))
    else:
        asked(session)
        session.withdraw(3)
    session.send_trailers(first, Headers([(b"t", b"v")]))
    reader, found = Decoder(), []
    for name, flags, _, payload in taken_apart(written + session.take_output()):
        if name == "SETTINGS" and flags & frames.ACK:
            reader.max_allowed_table_size = 0
        elif name == "HEADERS":
            found.append(reader.decode(payload, raw=True))
    assert found[2:] == [[(b"t", b"v")]]
