"""What goes out on a connection: in one piece, and no more than is taken."""

import pytest
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from tests.net.sockets import close, plain_transport
from tests.wire.http2.taken_apart import taken_apart
from txproxy.net.transports.turn_writes import TurnWrites
from txproxy.proxy.downstream.http2.connection_output import ConnectionOutput
from txproxy.testing import MemoryConnection
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.message import CHUNKED, ResponseHead

HELLO = frames.PREFACE + frames.settings([(frames.INITIAL_WINDOW_SIZE, 1 << 24)])
MANY = 1 << 20
BLOCK = b"\x82\x86\x84\x41\x01a"


@pytest.fixture
def session():
    session = ServerSession()
    session.receive(HELLO + frames.window_update(0, 1 << 24))
    session.take_output()
    return session


def output_of(session, transport, turn=None):
    handled = []
    return ConnectionOutput(session, transport, turn or TurnWrites(lambda flush: None), handled.append), handled


def large(session):
    """A stream with more than goes out in one piece."""
    ((stream, _),) = session.receive(frames.headers(1, BLOCK, True, 16384))
    session.hold()
    session.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
    session.send_body(stream, b"x" * MANY)
    session.send_end(stream)
    return stream


def test_where_nothing_is_gathered_it_is_written_at_once(session):
    connection = MemoryConnection(Clock(), Protocol())
    output, _ = output_of(session, connection)
    session.ping(b"12345678")
    output.want()
    assert taken_apart(connection.received) == [("PING", 0, 0, b"12345678")]


def test_what_is_wanted_in_a_turn_leaves_at_its_end_in_one_piece(session):
    transport, there = plain_transport()
    turn = TurnWrites(lambda flush: None)
    output, _ = output_of(session, transport, turn)
    for _ in range(3):
        session.ping(b"12345678")
        output.want()
    there.setblocking(False)
    with pytest.raises(BlockingIOError):
        there.recv(1)
    turn.flush()
    assert len(taken_apart(there.recv(1000))) == 3
    other = TurnWrites(lambda flush: None)
    output.use_turn(other)
    session.ping(b"12345678")
    output.want()
    other.flush()
    assert len(taken_apart(there.recv(1000))) == 1
    close(transport, there)


def test_all_that_windows_let_go_goes_though_it_is_much(session):
    connection = MemoryConnection(Clock(), Protocol())
    stream = large(session)
    output, handled = output_of(session, connection)
    output.held = True
    output.release()
    output.want()
    assert sum(len(data) for name, _, _, data in taken_apart(connection.received) if name == "DATA") == MANY
    assert not stream.may_send and len(handled) > 3


def test_what_the_transport_does_not_take_waits(session):
    connection = MemoryConnection(Clock(), Protocol())
    large(session)
    output, _ = output_of(session, connection)
    output.hold()
    output.want()
    # The head alone.
    assert [name for name, *_ in taken_apart(connection.received)] == ["HEADERS"]
    output.release()
    output.want()
    assert len(connection.received) > MANY


def test_who_takes_nothing_is_not_read_from_until_it_does(session):
    connection = MemoryConnection(Clock(), Protocol())
    output, _ = output_of(session, connection)
    output.hold()
    for _ in range(4000):
        session.ping(b"12345678")
        output.want()
    assert connection.paused
    output.release()
    assert not connection.paused


@pytest.mark.parametrize("held", [False, True])
def test_much_is_written_part_by_part_as_long_as_it_is_taken(session, held):
    connection = MemoryConnection(Clock(), Protocol())
    output, _ = output_of(session, connection)
    sizes = []

    def write(transport, data):
        sizes.append(len(data))
        output.held = held
        connection.write(data)

    output._write = write
    ((stream, _),) = session.receive(frames.headers(1, BLOCK, True, 16384))
    session.send_head(stream, ResponseHead(200, Headers(), body=CHUNKED))
    session.send_body(stream, b"x" * 300_000)
    session.send_end(stream)
    output.want()
    # What the transport does not take goes there as well, as it could not be taken back.
    assert (len(sizes) == 2) if held else (len(sizes) > 3 and max(sizes) < 100_000)
    written = taken_apart(connection.received)
    assert sum(len(payload) for name, _, _, payload in written if name == "DATA") == 300_000
