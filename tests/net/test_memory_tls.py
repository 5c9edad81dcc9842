"""TLS through memory, and who speaks in the plain instead."""

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport

from tests.tls.authority import new_ca
from txproxy.net.memory_tls import MemoryTlsFactory
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.tls.listener_contexts import ServerConnections, server_context
from txproxy.wire.other_protocols import NOT_TLS

GET = b"GET / HTTP/1.1\r\n"


class Guest(Protocol):
    def __init__(self):
        self.refused, self.received, self.lost = [], b"", False

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.lost = True


class Refusing(Guest):
    def refuse_protocol(self, spoken, data):
        self.refused.append((spoken, data))
        self.transport.write(b"no")


class Transport(StringTransport):
    half_closed = False

    def loseWriteConnection(self):
        self.half_closed = True


@pytest.fixture
def connect(tmp_path):
    files = new_ca().issue("a.test").write(tmp_path, "a")

    def run(kind):
        factory = Factory.forProtocol(kind)
        made = MemoryTlsFactory(ServerConnections(server_context(*files)), False, factory, Clock()).buildProtocol(None)
        transport = Transport()
        made.makeConnection(transport)
        return made, made.wrappedProtocol, transport

    return run


def test_who_speaks_in_the_plain_is_answered_in_the_plain(connect):
    client, guest, transport = connect(Refusing)
    client.dataReceived(GET)
    assert guest.refused == [("plain HTTP on a TLS port", GET)]
    assert transport.value() == b"no" and tls_connection(guest.transport) is None
    client.dataReceived(b"more")
    assert guest.received == b"more"
    guest.transport.loseWriteConnection()
    assert transport.half_closed
    client.connectionLost(None)
    assert guest.lost


@pytest.mark.parametrize("rest", [b"ET / HTTP/1.1\r\n", b"E", b"et"])
def test_what_comes_in_small_pieces_is_told_when_it_is_known(connect, rest):
    client, guest, transport = connect(Refusing)
    client.dataReceived(b"G")
    assert not guest.refused and not transport.value() and not transport.disconnecting
    client.dataReceived(rest)
    known = [] if rest == b"E" else [("plain HTTP on a TLS port" if rest[:1] == b"E" else NOT_TLS, b"G" + rest)]
    assert guest.refused == known and not guest.received


def test_what_looks_like_tls_is_left_to_it(connect):
    client, guest, transport = connect(Refusing)
    client.dataReceived(b"\x16\x03\x01\x00")
    # No record, though what would be plain is in it.
    client.dataReceived(GET)
    assert not guest.refused and not guest.received and not transport.value().startswith(b"no")


def test_who_cannot_refuse_has_tls_end_it(connect):
    client, guest, transport = connect(Guest)
    client.dataReceived(GET)
    assert transport.disconnecting and not guest.received
