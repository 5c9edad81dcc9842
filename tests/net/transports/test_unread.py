"""What waits to be read."""

import gc
import socket
from weakref import ref

import pytest
from twisted.internet.error import ConnectionDone
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.python.failure import Failure

from tests.net.sockets import close, plain_transport
from txproxy.net.in_process import connect_local
from txproxy.net.transports.unread import has_ended, has_unread, read_before_lost, read_more, unread_function
from txproxy.testing import MemoryConnection


class Plain(TLSMemoryBIOProtocol):
    """TLS as far as it matters here: a protocol that is a transport as well."""

    def __init__(self):
        pass


@pytest.mark.parametrize("wraps", [0, 1, 2])
@pytest.mark.parametrize("said", [b"x", None])
def test_what_waits_in_the_kernel_is_seen_through_tls_as_well(wraps, said):
    transport, other = plain_transport()
    unread = transport
    for _ in range(wraps):
        tls = Plain()
        tls.transport = unread
        unread = tls
    unread = unread_function(unread)
    assert not unread()
    if said:
        other.sendall(said)
    else:
        other.shutdown(socket.SHUT_WR)
    assert unread()
    assert has_ended(transport) is (said is None)
    close(transport, other)


def test_nothing_that_waits_is_no_end():
    transport, other = plain_transport()
    assert not has_ended(transport)
    other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    other.close()
    assert has_ended(transport)
    transport.socket.close()


def test_what_waits_within_the_process_is_seen():
    clock = Clock()
    asking, answering = Protocol(), Protocol()
    connect_local(clock, Factory.forProtocol(lambda: answering), lambda: asking)
    unread = unread_function(asking.transport)
    assert not unread()
    answering.transport.write(b"x")
    assert unread()
    clock.advance(0)
    assert not unread()
    answering.transport.loseConnection()
    assert unread()
    clock.advance(0)
    clock.advance(0)


def test_of_a_transport_that_nobody_knows_nothing_is_said():
    connection = MemoryConnection(Clock(), Protocol())
    assert not unread_function(connection)()
    assert not has_ended(connection)


def test_what_has_come_is_read_before_a_failed_write_ends_the_connection():
    transport, other = plain_transport()
    read_before_lost(transport)
    came = []
    transport.protocol.dataReceived = came.append
    other.sendall(b"why")
    # Nothing can be written any more, and what has come is still there.
    transport.socket.shutdown(socket.SHUT_WR)
    assert has_unread(transport)
    assert transport.writeSomeData(b"x") is CONNECTION_LOST
    assert came == [b"why"]
    assert not has_unread(transport)
    close(transport, other)


def test_what_can_be_written_is_written_and_nothing_is_read_for_it():
    transport, other = plain_transport()
    read_before_lost(transport)
    other.sendall(b"why")
    assert transport.writeSomeData(b"x") == 1
    assert other.recv(10) == b"x"
    assert has_unread(transport)
    close(transport, other)


def test_a_transport_that_is_read_before_it_is_lost_goes_without_the_collector():
    transport, other = plain_transport()
    gc.disable()
    try:
        read_before_lost(transport)
        transport.connectionLost(Failure(ConnectionDone()))
        other.close()
        known = ref(transport)
        del transport
        assert known() is None
    finally:
        gc.enable()


def test_more_is_read_of_a_plain_transport_that_is_there():
    transport, other = plain_transport()
    came = []
    transport.protocol.dataReceived = came.append
    read_more(transport)
    other.sendall(b"x")
    read_more(transport)
    other.shutdown(socket.SHUT_WR)
    read_more(transport)  # an end waits for its turn
    assert came == [b"x"] and transport.connected and has_ended(transport)
    transport.disconnecting = True
    other.close()
    read_more(transport)
    tls = Plain()
    tls.transport = transport
    read_more(tls)
    assert came == [b"x"]
    close(transport, other)
