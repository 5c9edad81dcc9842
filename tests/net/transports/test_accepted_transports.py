"""What a port accepts: as Twisted does it, with less to do."""

import errno
import socket

import pytest
from twisted.internet import tcp
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Factory, Protocol
from zope.interface import implementer

from tests.net.descriptors import no_descriptor_to_be_had
from tests.net.sockets import Turns
from txproxy.net.transports.accepted_transports import RESTS, AcceptedTransport, accept_function, pass_options_on
from txproxy.net.transports.any_transports import end_at_once, half_close, set_tcp_options
from txproxy.net.transports.listening_ports import bound_accepts

OPTIONS = [
    (socket.IPPROTO_TCP, socket.TCP_NODELAY),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE),
]


@implementer(IHalfCloseableProtocol)
class Heard(Protocol):
    """Notes what it is told, and by whom."""

    def __init__(self):
        self.heard, self.lost = [], []

    def dataReceived(self, data):
        self.heard.append(data)

    def readConnectionLost(self):
        self.heard.append("end")

    def writeConnectionLost(self):
        self.heard.append("our end")

    def connectionLost(self, reason):
        self.lost.append(reason)


class Accepting:
    """A port whose turns are the test's, and that accepts as ours do, or as Twisted's (``ours`` is False)."""

    def __init__(self, ours=True, interface="127.0.0.1"):
        self.reactor, self.protocols, self.clients = Turns(), [], []
        self.build = lambda address: Heard()
        factory = Factory()
        factory.buildProtocol = self._build
        self.port = tcp.Port(0, factory, interface=interface, reactor=self.reactor)
        self.port.startListening()
        if ours:
            bound_accepts(self.port)

    def _build(self, address):
        protocol = self.build(address)
        if protocol is not None:
            protocol.address = address
            self.protocols.append(protocol)
        return protocol

    def connect(self):
        """A client connects, and is accepted; gives its end and the transport."""
        host, port = self.port.socket.getsockname()[:2]
        self.clients.append(socket.create_connection((host, port), timeout=10))
        self.port.doRead()
        return self.clients[-1], self.protocols[-1].transport

    def close(self):
        for one in [*self.clients, *(each.transport for each in self.protocols)]:
            one.abortConnection() if hasattr(one, "abortConnection") else one.close()
        self.reactor.advance(0)
        self.port.stopListening()
        self.reactor.advance(0)
        assert not self.reactor.readers and not self.reactor.writers


@pytest.fixture
def make(closing):
    return lambda *args, **more: closing(Accepting(*args, **more))


@pytest.fixture
def accepting(make):
    return make()


@pytest.mark.parametrize("interface", ["127.0.0.1", "::1"])
def test_one_that_was_accepted_is_what_twisted_would_have_made(make, interface):
    ours, twisted = make(interface=interface), make(ours=False, interface=interface)
    (client, transport), (_, other) = ours.connect(), twisted.connect()
    assert type(transport) is AcceptedTransport and type(other) is tcp.Server
    missing = set(vars(other)) - set(vars(transport))
    # These are made where somebody asks.
    assert missing == {"logstr", "repstr"}
    here = client.getsockname()
    for one in (transport.getPeer(), ours.protocols[0].address):
        assert (one.host, one.port) == here[:2] and type(one) is type(other.getPeer())
    assert transport.getHost().port == client.getpeername()[1]
    assert transport.socket.gettimeout() == 0.0 and not transport.socket.get_inheritable()
    number = ours.port.getHost().port
    assert (transport.logPrefix(), repr(transport)) == (f"Heard,1,{interface}", f"<Heard #1 on {number}>")
    transport.repstr = "one that was renamed"
    assert repr(transport) == "one that was renamed"


def test_the_options_of_tcp_are_the_ports_and_are_not_set_again(accepting):
    _, transport = accepting.connect()
    assert [transport.socket.getsockopt(*one) for one in OPTIONS] == [1, 1, 60]
    transport.setTcpNoDelay(False)
    set_tcp_options(transport)
    assert not transport.getTcpNoDelay()


def test_where_a_port_has_not_passed_them_on_they_are_set(accepting):
    del accepting.port.passes_options_on
    _, transport = accepting.connect()
    transport.setTcpNoDelay(False)
    set_tcp_options(transport)
    assert transport.getTcpNoDelay()


@pytest.mark.parametrize("there", [True, False])
def test_a_system_that_does_not_pass_them_on_is_not_asked_to(monkeypatch, accepting, there):
    monkeypatch.setattr("txproxy.net.transports.accepted_transports._INHERITED", there)
    accepting.port.passes_options_on = False
    pass_options_on(accepting.port)
    assert accepting.port.passes_options_on is there


def test_what_comes_is_read_until_the_end(accepting):
    client, transport = accepting.connect()
    assert transport.doRead() is None
    client.sendall(b"hello")
    accepting.reactor.read(patience=1)
    client.shutdown(socket.SHUT_WR)
    accepting.reactor.read(patience=1)
    assert accepting.protocols[0].heard == [b"hello", "end"]


def test_one_that_is_reset_is_lost(accepting):
    client, _ = accepting.connect()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    accepting.reactor.read(patience=1)
    assert len(accepting.protocols[0].lost) == 1 and not accepting.protocols[0].heard


def test_a_half_close_goes_out_at_once_where_nothing_is_to_be_written(accepting):
    client, transport = accepting.connect()
    assert half_close(transport)
    assert accepting.protocols[0].heard == ["our end"] and not accepting.reactor.writers
    assert client.recv(1) == b""
    # Nothing follows it, and what comes is still read.
    transport.write(b"more")
    assert not accepting.reactor.writers
    client.sendall(b"hello")
    accepting.reactor.read(patience=1)
    assert accepting.protocols[0].heard == ["our end", b"hello"]
    transport.loseConnection()
    assert accepting.protocols[0].lost[0].check(ConnectionDone)


def test_a_half_close_waits_for_what_is_to_be_written(accepting):
    client, transport = accepting.connect()
    transport.write(b"rest")
    assert half_close(transport)
    assert not accepting.protocols[0].heard
    accepting.reactor.write()
    assert client.recv(10) + client.recv(10) == b"rest" and accepting.protocols[0].heard == ["our end"]


def test_an_end_is_at_once_and_orderly(accepting):
    client, transport = accepting.connect()
    client.sendall(b"unread")
    accepting.reactor.read(patience=1)
    assert end_at_once(transport)
    assert accepting.protocols[0].lost[0].check(ConnectionDone)
    assert client.recv(1) == b"" and transport not in accepting.reactor.readers
    # Whoever has not heard of it yet may close it once more.
    transport.loseConnection()
    transport.connectionLost(accepting.protocols[0].lost[0])
    assert len(accepting.protocols[0].lost) == 1


@pytest.mark.parametrize("what", ["written", "producer"])
def test_an_end_is_not_at_once_where_something_is_to_be_written(accepting, what):
    _, transport = accepting.connect()
    if what == "written":
        transport.write(b"rest")
    else:
        transport.registerProducer(object(), True)
    assert not end_at_once(transport)
    assert not accepting.protocols[0].lost and transport.connected
    transport.producer = None


def test_others_have_no_end_at_once(make):
    _, transport = make(ours=False).connect()
    assert not end_at_once(transport) and transport.connected


def test_a_producer_is_told_of_the_end(accepting):
    _, transport = accepting.connect()
    stopped = []

    class Producer:
        def stopProducing(self):
            stopped.append(transport.connected)

    transport.registerProducer(Producer(), True)
    transport.abortConnection()
    accepting.reactor.advance(0)
    assert stopped == [0] and len(accepting.protocols[0].lost) == 1


def test_one_that_is_aborted_is_reset(accepting):
    client, transport = accepting.connect()
    transport.abortConnection()
    accepting.reactor.advance(0)
    with pytest.raises(ConnectionResetError):
        client.recv(1)


def test_who_gets_no_protocol_is_closed(accepting):
    accepting.build = lambda address: None
    accepting.clients.append(socket.create_connection(accepting.port.socket.getsockname(), timeout=10))
    accepting.port.doRead()
    assert accepting.clients[0].recv(1) == b"" and not accepting.protocols


def test_a_protocol_that_fails_is_said_and_keeps_nobody_else_out(accepting, failures):
    def fail(address):
        accepting.build = lambda address: Heard()
        raise RuntimeError("no protocol")

    accepting.build = fail
    accepting.port.numberAccepts = 2
    address = accepting.port.socket.getsockname()
    accepting.clients += [socket.create_connection(address, timeout=10) for _ in range(2)]
    accepting.port.doRead()
    assert failures == [RuntimeError] and len(accepting.protocols) == 1
    assert accepting.clients[0].recv(1) == b""


class Listening:
    """In place of a socket that listens."""

    family, type, proto = socket.AF_INET6, socket.SOCK_STREAM, 0

    def __init__(self, *gives):
        self.gives = list(gives)

    def _accept(self):
        one = self.gives.pop(0) if self.gives else BlockingIOError()
        if isinstance(one, OSError):
            raise one
        return one


class Port:
    """In place of a port, whose own way is noted."""

    _addressType = staticmethod(lambda *address: address)
    sessionno, reactor = 0, None

    def __init__(self, *gives):
        self.socket, self.numberAccepts, self.asked, self.built = Listening(*gives), 1, 0, []
        self.factory = self

    def doRead(self):
        self.asked += 1

    def buildProtocol(self, address):
        self.built.append(address)


def spare():
    """A socket that nobody else needs."""
    one = socket.socket(socket.AF_INET6)
    return one.detach()


def test_what_goes_wrong_is_twisteds_to_deal_with():
    port = Port((spare(), ("::1", 1, 0, 0)), OSError(errno.EPERM, "a firewall"))
    port.numberAccepts = 5
    accept_function(port, 16)()
    assert port.asked == 1 and len(port.built) == 1


def test_who_connects_waits_where_there_are_no_descriptors_and_the_log_says_so_once(make, logged):
    world = make()
    address = world.port.socket.getsockname()
    clients = [socket.create_connection(address, timeout=10) for _ in range(3)]
    world.clients += clients
    for _ in range(3):
        with no_descriptor_to_be_had():
            world.reactor.read(patience=10)
            # The reactor is not told again and again.
            assert world.port not in world.reactor.readers
            world.reactor.advance(RESTS - 0.1)
            assert world.port not in world.reactor.readers
        world.reactor.advance(0.1)
        assert world.port in world.reactor.readers and not world.protocols
    (line,) = [one for one in logged if "connections" in one]
    assert line.startswith("no more connections can be accepted: ") and "(EMFILE)" in line
    while len(world.protocols) < 3:
        world.reactor.read(patience=10)
    assert not any(protocol.lost for protocol in world.protocols)
    for client, protocol in zip(clients, world.protocols, strict=True):
        assert client.getsockname() == protocol.transport.client


def test_a_port_that_listens_no_more_does_not_read_after_its_rest(make):
    world = make()
    world.clients.append(socket.create_connection(world.port.socket.getsockname(), timeout=10))
    with no_descriptor_to_be_had():
        world.reactor.read(patience=10)
    world.port.stopListening()
    world.reactor.advance(RESTS)
    assert not world.reactor.readers


def test_an_address_within_a_network_names_it():
    port = Port((spare(), ("fe80::1", 7, 0, 1)))
    accept_function(port, 16)()
    ((_, host, *rest),) = port.built
    assert host.startswith("fe80::1%") and rest == [7, 0, 1]


def test_as_many_are_tried_as_there_were_and_more_once_there_were_as_many():
    port = Port(*((spare(), ("::1", 1, 0, 0)) for _ in range(20)))
    accept = accept_function(port, 16)
    seen = []
    for _ in range(4):
        accept()
        seen.append((len(port.built), port.numberAccepts))
    assert seen == [(1, 21), (17, 36), (20, 3), (20, 1)]
    assert not port.asked
