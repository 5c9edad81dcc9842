"""What both roles do alike."""

from __future__ import annotations

import random
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.wire.http2.taken_apart import each_alone, frame, goaways, taken_apart
from txproxy.errors import ExchangeError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.http2.events import ALL_SENT, WRITABLE, GoingAway, StreamReset
from txproxy.wire.http2.faults import FLOW_CONTROL_ERROR, FRAME_SIZE_ERROR, PROTOCOL_ERROR
from txproxy.wire.http2.own_settings import Http2Settings
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import CHUNKED, EndOfMessage, RequestHead, ResponseHead

GREETING = {ServerSession: frames.PREFACE + frames.settings([]), ClientSession: frames.settings([])}
ROLES = [ServerSession, ClientSession]
PAYLOADS = [b"\x82\x87\x84\x41\x01a", b"\x88", b"\0\0\0\1\0", b"\0" * 8]
HEAD = RequestHead(b"POST", b"/", Headers([(b"Host", b"a")]), b"a")


def begun(role: type[Session]) -> Session:
    session = role()
    session.receive(GREETING[role])  # type: ignore[index]
    session.take_output()
    return session


def connected() -> tuple[ClientSession, ServerSession]:
    client, server = ClientSession(), ServerSession()
    carry(client, server)
    return client, server


def carry(client: Session, server: Session) -> tuple[list[Any], list[Any]]:
    """Bring each what the other says, until there is nothing more; gives the events of both."""
    of_client: list[Any] = []
    of_server: list[Any] = []
    while True:
        there, back = client.take_output(), server.take_output()
        if not there and not back:
            return of_client, of_server
        of_server += server.receive(there)
        of_client += client.receive(back)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (frame(frames.SETTINGS, 0, 1), PROTOCOL_ERROR),
        (frame(frames.SETTINGS, 0, 0, b"12345"), FRAME_SIZE_ERROR),
        (frame(frames.SETTINGS, frames.ACK, 0, b"123456"), FRAME_SIZE_ERROR),
        (frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 31)]), FLOW_CONTROL_ERROR),
        (frames.settings([(frames.MAX_FRAME_SIZE, 16383)]), PROTOCOL_ERROR),
        (frames.settings([(frames.MAX_FRAME_SIZE, 1 << 24)]), PROTOCOL_ERROR),
        (frames.settings([(frames.ENABLE_PUSH, 2)]), PROTOCOL_ERROR),
        (frames.settings([(frames.ENABLE_CONNECT_PROTOCOL, 2)]), PROTOCOL_ERROR),
        (frame(frames.PING, 0, 1, b"12345678"), PROTOCOL_ERROR),
        (frame(frames.PING, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
        (frame(frames.GOAWAY, 0, 1, b"12345678"), PROTOCOL_ERROR),
        (frame(frames.GOAWAY, 0, 0, b"1234567"), FRAME_SIZE_ERROR),
        (frame(frames.WINDOW_UPDATE, 0, 0, b"123"), FRAME_SIZE_ERROR),
        (frames.window_update(0, 0), PROTOCOL_ERROR),
        (frames.window_update(0, (1 << 31) - 1), FLOW_CONTROL_ERROR),
        (frame(frames.RST_STREAM, 0, 1, b"123"), FRAME_SIZE_ERROR),
        (frame(frames.PRIORITY, 0, 0, b"12345"), PROTOCOL_ERROR),
        (frame(frames.PRIORITY, 0, 1, b"1234"), FRAME_SIZE_ERROR),
        (frame(frames.PRIORITY, 0, 1, b"\0\0\0\1\0"), PROTOCOL_ERROR),
        (frame(frames.CONTINUATION, 4, 1, b"x"), PROTOCOL_ERROR),
        (frames.header(20_000, 0x77, 0, 0), FRAME_SIZE_ERROR),
    ],
)
def test_faults_of_frames(role: type[Session], data: bytes, code: int) -> None:
    session = begun(role)
    session.receive(data)
    assert session.fault is not None and session.fault.code == code
    assert goaways(session.take_output()) == [(0, code)]
    assert session.receive(GREETING[role]) == [] and session.take_output() == b""  # type: ignore[index]


@pytest.mark.parametrize("role", ROLES)
def test_what_is_answered_and_what_is_not(role: type[Session]) -> None:
    session = begun(role)
    data = (
        frames.settings([(0x99, 5), (frames.MAX_FRAME_SIZE, 1 << 20)]) + frames.SETTINGS_ACK + frames.ping(b"12345678")
    )
    assert session.receive(data + frame(0x77, 0xFF, 0x7FFFFFFF, b"?")) == []
    assert taken_apart(session.take_output()) == [("SETTINGS", 1, 0, b""), ("PING", 1, 0, b"12345678")]
    assert session.receive(frames.goaway(0, 2)) == [(None, GoingAway(0, 2))]


def test_a_window_of_a_stream_that_is_wrong_resets_that_alone() -> None:
    for size in (0, (1 << 31) - 1):
        client, server = connected()
        stream = client.send_request(HEAD, b"https", ended=False)
        carry(client, server)
        ((same, reset),) = client.receive(frames.window_update(stream.id, size))
        assert same is stream and type(reset) is StreamReset and client.fault is None


def test_a_body_that_waits_for_a_window_and_for_the_transport() -> None:
    client, server = connected()
    stream = client.send_request(HEAD, b"https", ended=False)
    client.hold()
    client.send_body(stream, b"x" * 100_000)
    assert stream.waiting == 100_000
    assert client.release() == [(stream, WRITABLE)]
    client.send_body(stream, b"y" * (1 << 20))
    assert stream.waiting == 100_000
    client.send_end(stream)
    _, events = carry(client, server)
    at_server = events[0][0]
    server.consume(at_server, 900_000)
    events += carry(client, server)[1]
    assert b"".join(what for _, what in events if isinstance(what, bytes)) == b"x" * 100_000 + b"y" * (1 << 20)
    assert type(events[-1][1]) is EndOfMessage


def test_what_nobody_reads_any_more_gives_the_window_back() -> None:
    client, server = connected()
    for _ in range(40):
        stream = client.send_request(HEAD, b"https", ended=False)
        client.send_body(stream, b"x" * (1 << 20))
        _, events = carry(client, server)
        server.leave(events[0][0])
        carry(client, server)
        client.leave(stream)
        carry(client, server)
    assert client.fault is server.fault is None and client.sending.window > 1 << 20


@pytest.mark.no_cover
@pytest.mark.parametrize("seed", range(30))
def test_both_roles_understand_each_other(seed: int) -> None:
    """Random messages, in pieces, with windows of any size: each arrives as it was sent."""
    pick = random.Random(seed)
    small = Http2Settings(streams=5, stream_window=pick.choice([20, 1000, 70_000]), connection_window=70_000)
    client, server = ClientSession(settings=small), ServerSession(settings=small)
    sent: dict[Stream, tuple[bytes, bytes]] = {}
    at_server: dict[Stream, bytearray] = {}
    answers: dict[Stream, bytearray] = {}
    done: list[Stream] = []

    def turn() -> None:
        for to, data in ((server, client.take_output()), (client, server.take_output())):
            while data:
                size = pick.choice([1, 9, 100, 1 << 20])
                handle(to, to.receive(data[:size]))
                data = data[size:]

    def handle(who: Session, events: list[Any]) -> None:
        got = at_server if who is server else answers
        for stream, what in events:
            if isinstance(what, RequestHead | ResponseHead):
                got[stream] = bytearray()
            elif isinstance(what, bytes):
                got[stream] += what
                who.consume(stream, len(what))
            elif type(what) is EndOfMessage and who is server:
                server.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
                server.send_body(stream, bytes(got[stream]))
                server.send_trailers(stream, Headers([(b"t", b"u")]))
            elif type(what) is EndOfMessage:
                assert what.trailers.lines == [b"t: u"]
                done.append(stream)
                client.leave(stream)
            else:
                assert what is WRITABLE or (what is ALL_SENT and who is server)
        for stream in [*server.streams.values()]:
            if not stream.may_send and not stream.may_receive:
                server.leave(stream)

    for _ in range(30):
        if client.capacity and pick.random() < 0.5:
            body = pick.randbytes(pick.choice([0, 10, 2000, 20_000]))
            stream = client.send_request(HEAD, b"https", ended=False)
            sent[stream] = body, b""
            client.send_body(stream, body)
            client.send_end(stream)
        turn()
    while client.active:
        turn()
    assert client.fault is server.fault is None
    assert set(done) == set(sent) and all(bytes(answers[stream]) == sent[stream][0] for stream in done)


# -- beside python-h2


def pump(ours: Session, other: h2.connection.H2Connection, seen: list[Any]) -> list[Any]:
    found: list[Any] = []
    while True:
        there, back = other.data_to_send(), ours.take_output()
        if not there and not back:
            return found
        seen += each_alone(ours.receive(there))
        found += other.receive_data(back)


def test_python_h2_as_a_client() -> None:
    other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    other.initiate_connection()
    ours = ServerSession()
    fields = [
        (b":method", b"POST"),
        (b":scheme", b"https"),
        (b":authority", b"a"),
        (b":path", b"/"),
        (b"cookie", b"a=b"),
    ]
    other.send_headers(1, [*fields, (b"cookie", b"c=d")])
    other.send_data(1, b"x" * 1000, pad_length=20)
    other.send_headers(1, [(b"t", b"u")], end_stream=True)
    seen: list[Any] = []
    pump(ours, other, seen)
    stream = seen[0][0]
    assert seen[0][1].headers.lines == [b"host: a", b"cookie: a=b; c=d"]
    assert seen[1][1] == b"x" * 1000 and seen[2][1].trailers.lines == [b"t: u"]
    ours.send_head(stream, ResponseHead(200, Headers([(b"X", b"y")]), body=CHUNKED))
    ours.send_body(stream, b"z" * 200_000)
    ours.send_trailers(stream, Headers([(b"v", b"w")]))
    size = 0
    ended = False
    while not ended:
        found = pump(ours, other, seen)
        assert found
        for event in found:
            if isinstance(event, h2.events.DataReceived):
                size += len(event.data)
                other.acknowledge_received_data(event.flow_controlled_length, 1)
            ended |= isinstance(event, h2.events.StreamEnded)
    assert size == 200_000
    ours.leave(stream)
    assert not ours.streams


def test_python_h2_as_a_server() -> None:
    other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    other.initiate_connection()
    ours = ClientSession()
    stream = ours.send_request(HEAD, b"https", ended=False)
    ours.send_body(stream, b"body")
    ours.send_end(stream)
    seen: list[Any] = []
    found = pump(ours, other, seen)
    request = next(event for event in found if isinstance(event, h2.events.RequestReceived))
    assert dict(request.headers)[b":authority"] == b"a"
    other.send_headers(1, [(b":status", b"200"), (b"content-length", b"3")])
    other.send_data(1, b"abc", end_stream=True)
    pump(ours, other, seen)
    assert [getattr(what, "status", what) for _, what in seen][:2] == [200, b"abc"]


def with_table(size: int, other: h2.connection.H2Connection) -> None:
    other.update_settings({h2.settings.SettingCodes.HEADER_TABLE_SIZE: size})


def test_python_h2_as_a_client_whose_table_gets_smaller() -> None:
    other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding=None))
    other.initiate_connection()
    ours = ServerSession()
    seen: list[Any] = []
    pump(ours, other, seen)
    response = ResponseHead(200, Headers([(b"X", b"y")]), body=2)
    numbers = iter(range(1, 99, 2))

    def answered() -> bool:
        number = next(numbers)
        other.send_headers(
            number,
            [(b":method", b"GET"), (b":scheme", b"https"), (b":authority", b"a"), (b":path", b"/")],
            end_stream=True,
        )
        pump(ours, other, seen)
        stream = seen[-1][0]
        ours.send_whole(stream, response, b"hi")
        ours.leave(stream)
        # It raises an error where it should have been told, in the next field block, of a table that is smaller.
        return any(isinstance(event, h2.events.StreamEnded) for event in pump(ours, other, seen))

    assert answered() and answered()
    # RFC 7541 4.2, of which the last may be said twice, and a larger one needs no answer.
    for size in (1024, 0, 0, 8192, 100):
        with_table(size, other)
        pump(ours, other, seen)
        assert answered() and answered()


def test_python_h2_as_a_server_whose_table_gets_smaller() -> None:
    other = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding=None))
    other.initiate_connection()
    ours = ClientSession()
    seen: list[Any] = []

    def asked() -> bool:
        ours.send_request(HEAD, b"https", ended=True)
        return any(isinstance(event, h2.events.RequestReceived) for event in pump(ours, other, seen))

    assert asked() and asked()
    for size in (1024, 0, 0, 8192, 100):
        with_table(size, other)
        pump(ours, other, seen)
        assert asked() and asked()


@settings(deadline=None)
@given(
    st.sampled_from(ROLES),
    st.lists(
        st.tuples(
            st.integers(0, 17), st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 5, 7, 0x7FFFFFFF]),
            st.one_of(st.binary(max_size=20), st.sampled_from(PAYLOADS)),
        ),
        max_size=12,
    ),
    st.integers(1, 64),
)  # fmt: skip
def test_any_frames_are_events_or_a_fault(
    role: type[Session], sent: list[tuple[int, int, int, bytes]], size: int
) -> None:
    session = begun(role)
    if isinstance(session, ClientSession):
        session.send_request(HEAD, b"https", ended=False)
    session.take_output()
    data = b"".join(frame(*one) for one in sent)
    for at in range(0, len(data), size):
        for stream, what in session.receive(data[at : at + size]):
            if type(what) is StreamReset or isinstance(what, ExchangeError):
                assert stream is not None
                session.leave(stream)
    # What is written is always whole frames, and nothing comes after the GOAWAY of a fault.
    written = taken_apart(session.take_output())
    if session.fault is not None:
        assert written[-1][0] == "GOAWAY"
    assert session.active == sum(stream.counted for stream in session.streams.values()) or session.active >= 0
    assert all(stream.unconsumed <= session.settings.stream_window for stream in session.streams.values())
