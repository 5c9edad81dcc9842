"""TLS on the socket itself."""

import contextlib
import select
import socket

import pytest
from OpenSSL import SSL
from twisted.internet.main import CONNECTION_LOST
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from tests.net.sockets import Turns, close, connected_pair, plain_transport
from tests.tls.authority import new_ca
from txproxy.net.transports.tls_transports import TLSServer, become_tls, tls_connection, write_tls
from txproxy.net.transports.turn_shares import TurnShare
from txproxy.testing import MemoryConnection
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.wire.other_protocols import NOT_TLS


def test_an_alert_of_tls_on_the_socket_reaches_the_client(tmp_path):
    files = new_ca().issue("a.example").write(tmp_path, "a")
    tls = ServerTls(ListenerTls(certificates=(files,)))
    here, there = connected_pair(65536)
    server = TLSServer(here, Protocol(), here.getpeername(), None, 0, Turns())
    server.startTLSOnSocket(tls.context())
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos([b"h2"])
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    there.sendall(client.bio_read(65536))
    assert server.doRead() is CONNECTION_LOST
    # RFC 7301 section 3.2: fatal, no_application_protocol
    assert there.recv(100)[5:] == b"\x02\x78"
    there.close()
    here.close()


class Port:
    """What has accepted a connection, with time for one handshake a turn."""

    def __init__(self, reactor):
        self.beginnings = TurnShare(reactor, 0.0)


def test_who_begins_when_there_is_no_time_left_has_its_turn_later(tmp_path):
    files = new_ca().issue("a.example").write(tmp_path, "a")
    context = ServerTls(ListenerTls(certificates=(files,))).context()
    reactor, clients = Turns(), []
    port = Port(reactor)
    for _ in range(3):
        here, there = connected_pair(65536)
        here.setblocking(False)
        there.setblocking(False)
        server = TLSServer(here, Protocol(), here.getpeername(), None, 0, reactor)
        server.server = port
        server.startTLSOnSocket(context)
        server.startReading()
        tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        tls.set_connect_state()
        with contextlib.suppress(SSL.WantReadError):
            tls.do_handshake()
        there.sendall(tls.bio_read(65536))
        clients.append((server, there))
    for server, _ in clients:
        select.select([server], [], [])
    for answered in range(1, 4):
        reactor.read(patience=10)
        assert sum(there in select.select([there], [], [], 0)[0] for _, there in clients) == answered
        reactor.end_turn()
    for server, there in clients:
        close(server, there)


class Refusing(Protocol):
    """Is told what is no TLS, and answers in the plain."""

    refused = ()

    def refuse_protocol(self, spoken, data):
        self.refused = (*self.refused, (spoken, data))
        self.transport.write(b"no")


@pytest.mark.parametrize(
    ("pieces", "said"),
    [
        ([b"GET / HTTP/1.1\r\n"], "plain HTTP on a TLS port"),
        ([b"G", b"E", b"T / HTTP/1.1\r\n"], "plain HTTP on a TLS port"),
        ([b"PRI ", b"* HTTP/2.0\r\n"], "plain HTTP/2 on a TLS port"),
        ([b"SSH-2.0-x\r\n"], "SSH on a TLS port"),
        ([b"SS", b"H-2.0-x\r\n"], "SSH on a TLS port"),
        ([b"get / HTTP/1.1\r\n"], NOT_TLS),
        ([b"G", b""], NOT_TLS),
    ],
)
def test_who_speaks_in_the_plain_is_told_so_when_it_is_known(tmp_path, pieces, said):
    files = new_ca().issue("a.example").write(tmp_path, "a")
    tls = ServerTls(ListenerTls(certificates=(files,)))
    here, there = connected_pair(65536)
    here.setblocking(False)
    reactor = Turns()
    server = TLSServer(here, Refusing(), here.getpeername(), None, 0, reactor)
    server.protocol.makeConnection(server)
    server.startTLSOnSocket(tls.context())
    server.startReading()
    for piece in pieces:
        assert not server.protocol.refused
        if piece:
            there.sendall(piece)
        else:
            there.shutdown(socket.SHUT_WR)
        reactor.read(patience=10)
        # What is only looked at would have the reactor call again at once.
        assert server.protocol.refused or not select.select([here], [], [], 0)[0]
    ((spoken, data),) = server.protocol.refused
    assert spoken == said and b"".join(pieces).startswith(data)
    reactor.write()
    assert there.recv(100) == b"no"
    close(server, there)


class Client:
    """A client of TLS at the test's end ``there`` of the connection of ``transport``, whose turns it takes as well."""

    def __init__(self, transport, there):
        there.setblocking(False)
        self.transport, self.there = transport, there
        self.tls = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.tls.set_connect_state()
        self.received = bytearray()
        self.ended = False
        while True:
            with contextlib.suppress(SSL.WantReadError):
                self.tls.do_handshake()
                break
            self._send()
            self._turn()
        self._send()

    def say(self, data):
        """To the proxy."""
        self.tls.send(data)
        self._send()

    def until(self, condition):
        """Take turns until ``condition()`` is true."""
        while not condition():
            self._turn()
            try:
                while True:
                    self.received += self.tls.recv(65536)
            except SSL.WantReadError:
                pass
            except SSL.ZeroReturnError:
                self.ended = True

    def _send(self):
        with contextlib.suppress(SSL.WantReadError):
            self.there.sendall(self.tls.bio_read(65536))

    def _turn(self):
        ready = select.select([self.transport, self.there], list(self.transport.reactor.writers), [])[0]
        if self.transport in ready:
            self.transport.doRead()
        if self.there in ready:
            self.tls.bio_write(self.there.recv(65536))
        self.transport.reactor.write()


@pytest.fixture
def context(tmp_path):
    """Gives contexts of a server."""
    files = new_ca().issue("a.example").write(tmp_path, "a")
    return ServerTls(ListenerTls(certificates=(files,))).context


def test_a_plain_connection_becomes_one_of_tls(context):
    transport, there = plain_transport()
    came = []
    transport.protocol.dataReceived = came.append
    assert tls_connection(transport) is None
    assert become_tls(transport, context)
    assert type(transport) is TLSServer
    assert not become_tls(transport, context())
    client = Client(transport, there)
    assert tls_connection(transport).get_protocol_version_name() == client.tls.get_protocol_version_name()
    client.say(b"hello")
    client.until(lambda: came)
    assert came == [b"hello"]
    write_tls(transport, b"good day")
    client.until(lambda: len(client.received) >= 8)
    assert client.received == b"good day"
    assert not client.ended
    # RFC 8446 6.1: whoever ends says so
    transport.loseConnection()
    transport.doWrite()
    client.until(lambda: client.ended)
    close(transport, there)


def test_what_does_not_fit_goes_out_later_and_in_order(context):
    transport, there = plain_transport(kernel=4096)
    become_tls(transport, context())
    client = Client(transport, there)
    sent = bytes(range(256)) * 4000
    write_tls(transport, sent)
    assert transport.dataBuffer or transport._tempDataLen
    for _ in range(1000):
        write_tls(transport, b"the last")
    assert len(transport._tempDataBuffer) < 20
    client.until(lambda: len(client.received) >= len(sent) + 8000)
    assert client.received == sent + b"the last" * 1000
    close(transport, there)


def test_nothing_else_becomes_tls():
    assert not become_tls(MemoryConnection(Clock(), Protocol()), SSL.Context(SSL.TLS_SERVER_METHOD))
    assert tls_connection(object()) is None
