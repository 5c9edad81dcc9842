"""Ports that listen: what becomes of who has connected, and who waits to be accepted."""

import socket

import pytest
from OpenSSL import SSL
from twisted.internet import tcp, unix
from twisted.internet.protocol import Factory, Protocol

from tests.net.sockets import Turns
from txproxy.net.transports.listening_ports import (
    MOST_ACCEPTS,
    MOST_BEGINNINGS,
    accepts_tcp,
    bound_accepts,
    deepen_backlog,
    listening_port,
    serve_plain,
    serve_tls,
    stop_listening,
)
from txproxy.net.transports.tls_transports import TLSServer


class Listening:
    """A port on loopback whose turns are the test's; ``built`` are the protocols of those that it has accepted."""

    def __init__(self):
        self.built, self.clients = [], []
        self.reactor = Turns()
        self.port = tcp.Port(0, Factory.forProtocol(self._build), interface="127.0.0.1", reactor=self.reactor)
        self.port.numberAccepts = 1
        self.port.startListening()

    def _build(self):
        self.built.append(Protocol())
        return self.built[-1]

    def connect(self):
        """A client connects, and waits to be accepted."""
        self.clients.append(socket.create_connection(("127.0.0.1", self.port.getHost().port)))

    def close(self):
        """Everybody leaves."""
        for client in self.clients:
            client.close()
        for protocol in self.built:
            protocol.transport.socket.close()
        if self.port.connected:
            self.port.socket.close()


@pytest.fixture
def listening():
    """A port that listens."""
    listening = Listening()
    yield listening
    listening.close()


def test_who_waits_is_accepted_before_the_port_closes(listening):
    for _ in range(3):
        listening.connect()
    stopped = stop_listening(listening.port)
    assert len(listening.built) == 3
    # The socket is open until the next turn, and so are the kernel's arms.
    listening.connect()
    listening.reactor.end_turn()
    assert len(listening.built) == 4
    assert stopped.called
    assert not listening.port.connected
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", listening.clients[0].getpeername()[1]))


def test_what_has_stopped_can_be_stopped_again(listening):
    stop_listening(listening.port)
    listening.reactor.end_turn()
    assert stop_listening(listening.port) is None


def test_connections_are_of_tls_until_they_are_to_be_plain_again(listening):
    assert serve_tls(listening.port, lambda: SSL.Context(SSL.TLS_SERVER_METHOD))
    listening.connect()
    listening.port.doRead()
    serve_plain(listening.port)
    serve_plain(listening.port)
    listening.connect()
    listening.port.doRead()
    assert [type(protocol.transport) for protocol in listening.built] == [TLSServer, tcp.Server]
    assert {listening_port(protocol.transport) for protocol in listening.built} == {listening.port}


def test_a_port_of_another_kind_accepts_no_tls(tmp_path):
    port = unix.Port(str(tmp_path / "s"), Factory(), reactor=Turns())
    assert not accepts_tcp(port)
    assert not serve_tls(port, SSL.Context(SSL.TLS_SERVER_METHOD))
    serve_plain(port)
    assert listening_port(object()) is None


@pytest.mark.parametrize(("chosen", "asked"), [(50, [1024]), (None, [1024]), (5, [])])
def test_the_backlog_is_deeper_than_twisteds_unless_somebody_chose_it(chosen, asked):
    class Recorded:
        def __init__(self):
            self.asked = []

        def listen(self, backlog):
            self.asked.append(backlog)

    port = tcp.Port(0, Factory(), backlog=chosen, reactor=Turns())
    port.socket = Recorded()
    deepen_backlog(port)
    assert port.socket.asked == asked


@pytest.mark.parametrize(("bounds", "most"), [((), MOST_ACCEPTS), ((1,), 1)])
def test_a_turn_accepts_only_so_many(listening, bounds, most):
    port = listening.port
    for bound in bounds:
        bound_accepts(port, bound)
    bound_accepts(port)
    # as Twisted has it after turns in which many have come
    port.numberAccepts = 100
    for _ in range(2 * MOST_ACCEPTS + 1):
        listening.connect()
    counts = []
    for _ in range(2):
        port.doRead()
        counts.append(len(listening.built))
    assert counts == [most, 2 * most]
    # One that begins with TLS always has its turn, and others as long as there is time.
    assert port.beginnings.left() and port.beginnings.left()
    listening.reactor.rightNow += MOST_BEGINNINGS
    assert not port.beginnings.left()
