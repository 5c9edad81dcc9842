"""The PROXY protocol at a listener: over real sockets with the test as the reactor, and over connections in memory."""

import datetime
import select
import socket
import types

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL
from twisted.internet import main, tcp
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.logger import capturedLogs
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.matching.networks import Networks, PeerNetworks
from txproxy.net.transports.plain_transports import plain_socket, write_plain
from txproxy.net.transports.tls_transports import TLSServer
from txproxy.net.transports.turn_writes import write_function
from txproxy.proxy.downstream.proxy_header import HeaderProtocol, ProxyProtocolFactory
from txproxy.testing import MemoryConnection, MemoryNetwork
from txproxy.tls.listener_contexts import ServerConnections, server_context
from txproxy.wire.proxy_protocol import header

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"
V2 = header(2, ("2001:db8::1", 4711), ("2001:db8::2", 443)) + b""
LOCAL = header(2, None, None)
UNKNOWN = b"PROXY UNKNOWN\r\n"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: x\r\nContent-Length: 2\r\n\r\nok"
PATIENCE = 20


class Reactor(Clock):
    """Readers and writers, called when they are ready, as Twisted's reactors do."""

    def __init__(self):
        super().__init__()
        self.readers, self.writers = set(), set()
        self.addReader, self.addWriter = self.readers.add, self.writers.add
        self.removeReader, self.removeWriter = self.readers.discard, self.writers.discard

    def turn(self, *others):
        """Wait until something is ready, one of the ``others`` perhaps, and do what is to be done."""
        read, write, _ = select.select([*self.readers, *others], list(self.writers), [], PATIENCE)
        assert read or write, "nothing happens"
        read = [side for side in read if side not in others]
        for side, call in [(side, "doRead") for side in read] + [(side, "doWrite") for side in write]:
            why = getattr(side, call)() if side.fileno() >= 0 else None
            if why is not None:
                self.readers.discard(side)
                end = (
                    side.readConnectionLost if why is main.CONNECTION_DONE and call == "doRead" else side.connectionLost
                )
                end(Failure(why))
        self.advance(0)

    def until(self, condition):
        self.advance(0)
        while not condition():
            self.turn()


class SocketPeer:
    """A client with a real socket, and the transport that has accepted it."""

    def __init__(self, reactor, factory):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            self.socket = socket.create_connection(listening.getsockname())
            accepted, address = listening.accept()
        accepted.setblocking(False)
        self.reactor = reactor
        self.here, self.there = self.socket.getsockname(), self.socket.getpeername()
        protocol = factory.buildProtocol(IPv4Address("TCP", *address))
        self.transport = tcp.Server(accepted, protocol, address, None, 0, reactor)
        protocol.makeConnection(self.transport)

    def send(self, data):
        self.socket.sendall(data)

    def turn(self):
        self.reactor.turn()

    def until(self, condition):
        self.reactor.until(condition)

    def receive(self, size):
        self.socket.settimeout(PATIENCE)
        data = b""
        while len(data) < size and (piece := self.socket.recv(size - len(data))):
            data += piece
        return data

    @property
    def closed(self):
        return not self.transport.connected

    def leave(self):
        self.socket.close()
        if self.transport.connected:
            self.until(lambda: self.closed)

    def clean_up(self):
        self.socket.close()
        if self.transport.connected:
            self.transport.connectionLost(Failure(main.CONNECTION_LOST))


class MemoryPeer:
    """A client in memory; whatever happens happens at once."""

    here, there = ("127.0.0.1", 50000), ("127.0.0.1", 8080)

    def __init__(self, reactor, factory):
        self.reactor = reactor
        self.connection = MemoryConnection(reactor, factory.buildProtocol(IPv4Address("TCP", *self.here)))
        self.waiting = b""

    def send(self, data):
        """What cannot be read yet waits, as it would in a kernel."""
        self.waiting += data
        self.turn()

    def turn(self):
        if self.waiting and not self.connection.paused:
            data, self.waiting = self.waiting, b""
            self.connection.send(data)
        self.reactor.advance(0)

    def until(self, condition):
        for _ in range(5):
            self.turn()
        assert condition()

    def receive(self, size):
        data, self.connection.received = self.connection.received[:size], self.connection.received[size:]
        return data

    @property
    def closed(self):
        return self.connection.closed

    def leave(self):
        self.connection.drop()

    clean_up = leave


class Plain(Protocol):
    """Some other protocol, and its own factory."""

    def buildProtocol(self, addr):
        return self

    def doStart(self):
        pass

    doStop = doStart


class World:
    """A reverse proxy that takes PROXY headers from 127.0.0.0/8, and its clients."""

    def __init__(self, kind, **limits):
        self.kind = kind
        self.reactor = Reactor()
        self.proxy = ReverseProxyFactory(
            Pool(["http://10.0.0.1:80"]), limits=Limits(**limits), reactor=self.reactor, via=None
        )
        self.network = self.proxy.services.dialer = MemoryNetwork(self.reactor)
        self.factory = ProxyProtocolFactory(
            self.proxy, Networks(["127.0.0.0/8"]), header_timeout=5, reactor=self.reactor
        )
        self.factory.doStart()
        self.peers = []

    def connect(self):
        peer = self.kind(self.reactor, self.factory)
        self.peers.append(peer)
        return peer

    @property
    def waiting(self):
        """Those whose header is waited for."""
        return [one for one in self.proxy.admission.everyone() if isinstance(one, HeaderProtocol)]

    def requests(self):
        return b"".join(connection.received for connection in self.network.connections)

    def close(self):
        for peer in self.peers:
            peer.clean_up()
        self.factory.doStop()
        self.reactor.advance(0)
        self.proxy.stop()
        self.reactor.advance(0)
        for _ in range(100):
            self.reactor.advance(0.1)
        assert not self.waiting and not self.reactor.getDelayedCalls() and not self.reactor.readers


@pytest.fixture(params=[SocketPeer, MemoryPeer])
def world(request):
    made = World(request.param, **getattr(request.module, "LIMITS", {}))
    yield made
    made.close()


@pytest.mark.parametrize(("told", "client"), [(V1, b"192.0.2.1"), (V2, b"2001:db8::1")])
@pytest.mark.parametrize("together", [True, False])
def test_a_request_is_the_clients_that_the_header_names(world, told, client, together):
    peer = world.connect()
    if together:
        peer.send(told + GET)
    else:
        peer.send(told)
        peer.turn()
        assert not world.network.connections
        peer.send(GET)
    peer.until(lambda: b"\r\n\r\n" in world.requests())
    assert b"\r\nX-Forwarded-For: " + client + b"\r\n" in world.requests()
    world.network.connections[0].send(OK)
    world.reactor.advance(0)
    assert peer.receive(len(OK)) == OK
    peer.send(GET + GET)
    peer.until(lambda: world.requests().count(b"GET / ") == 2)


@pytest.mark.parametrize("told", [V1, V2, LOCAL, UNKNOWN])
def test_a_header_may_come_byte_by_byte(world, told):
    peer = world.connect()
    for index in range(len(told)):
        assert world.waiting
        peer.send(told[index : index + 1])
        peer.turn()
    assert not world.waiting
    peer.send(GET)
    peer.until(lambda: b"\r\n\r\n" in world.requests())


@pytest.mark.parametrize("told", [LOCAL, UNKNOWN, LOCAL[:15] + b"\x03abc"])
def test_a_header_that_names_nobody_leaves_the_sockets_own_address(world, told):
    peer = world.connect()
    peer.send(told + GET)
    peer.until(lambda: b"\r\n\r\n" in world.requests())
    assert b"\r\nX-Forwarded-For: 127.0.0.1\r\n" in world.requests()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (GET, "begins with something else"),
        (b"\x16\x03\x01\x02\x00", "begins with something else"),
        (b"PROXY TCP4 192.0.2.1\r\n" + GET, "malformed"),
        (V1[:20] + b"x" * 100, "no end of its line"),
        (V2[:12] + b"\x31" + V2[13:] + GET, "version or command"),
        (V2[:14] + b"\xff\xff", "longer than"),
    ],
)
def test_what_is_no_header_closes_the_connection_with_one_line_in_the_log(world, data, why):
    with capturedLogs() as said:
        peer = world.connect()
        peer.send(data)
        peer.until(lambda: peer.closed)
    lines = [event for event in said if "why" in event]
    assert [(event["peer"], "log_failure" in event) for event in lines] == [("127.0.0.1", False)]
    assert why in lines[0]["why"]
    assert not world.network.connections and not len(world.proxy.admission)


def test_a_header_that_does_not_come_in_time_closes_the_connection(world):
    with capturedLogs() as said:
        silent, slow = world.connect(), world.connect()
        slow.send(V1[:10])
        slow.turn()
        for _ in range(40):
            world.reactor.advance(0.1)
        assert not silent.closed and not slow.closed
        slow.send(V1[10:20])
        slow.turn()
        for _ in range(40):
            world.reactor.advance(0.1)
        assert silent.closed and slow.closed
    assert [event["why"] for event in said if "why" in event] == ["it did not come in time"] * 2


def test_a_header_that_came_in_time_stops_the_clock(world):
    peer = world.connect()
    peer.send(V1)
    peer.turn()
    for _ in range(100):
        world.reactor.advance(0.1)
    assert not peer.closed


def test_who_leaves_before_the_header_is_forgotten_without_a_word(world):
    with capturedLogs() as said:
        for sent in (b"", V1[:9]):
            peer = world.connect()
            if sent:
                peer.send(sent)
                peer.turn()
            peer.leave()
    assert not said and not world.waiting


@pytest.mark.parametrize("address", ["192.0.2.9", "::1"])
def test_a_stranger_is_closed_at_once_with_one_line_in_the_log(world, address):
    kind = IPv6Address if ":" in address else IPv4Address
    with capturedLogs() as said:
        assert world.factory.buildProtocol(kind("TCP", address, 1)) is None
    assert [event["peer"] for event in said] == [address]


def test_peers_on_a_unix_socket_are_trusted_where_they_are_named(world):
    assert world.factory.buildProtocol(UNIXAddress(None)) is None
    world.factory.trusted = PeerNetworks(["unix:"])
    assert world.factory.buildProtocol(UNIXAddress(None)) is not None


def test_a_factory_that_builds_nothing_closes_the_connection(world):
    peer = world.connect()
    world.proxy.stopped = True
    peer.send(V1 + GET)
    peer.until(lambda: peer.closed)


def test_the_last_port_that_closes_ends_the_waiting_where_nobody_counts():
    world = World(SocketPeer)
    world.factory = ProxyProtocolFactory(Plain(), Networks(["127.0.0.0/8"]), reactor=world.reactor)
    world.factory.doStart()
    world.factory.doStart()
    peer, served = world.connect(), world.connect()
    served.send(V1)
    served.until(lambda: isinstance(served.transport.protocol, Plain))
    world.factory.doStop()
    world.reactor.advance(0)
    assert not peer.closed
    world.factory.doStop()
    world.reactor.advance(0)
    assert peer.closed and not served.closed
    world.factory.doStart()
    world.close()


@pytest.mark.parametrize("kind", [SocketPeer, MemoryPeer])
def test_at_a_drain_a_header_that_is_on_its_way_and_its_request_are_waited_for(kind):
    world = World(kind)
    silent, late = world.connect(), world.connect()
    drained = world.proxy.drain()
    world.reactor.advance(0.5)
    late.send(V1 + GET)
    late.until(lambda: b"\r\n\r\n" in world.requests())
    for _ in range(6):
        world.reactor.advance(0.5)
    assert silent.closed and not late.closed and not drained.called
    world.network.connections[0].send(OK)
    world.reactor.advance(0)
    assert b"Connection: close" in late.receive(len(OK) + 19)
    late.until(lambda: late.closed)
    assert drained.called
    world.close()


@pytest.mark.parametrize("kind", [SocketPeer, MemoryPeer])
def test_who_holds_the_header_back_has_a_place_and_no_more_than_one(kind):
    world = World(kind, max_connections=2)
    first, second, third = world.connect(), world.connect(), world.connect()
    assert len(world.waiting) == 3 and len(world.proxy.admission) == 2
    third.send(V1 + GET)
    first.send(V1)
    first.turn()
    # the place of the header is that of the client
    assert len(world.proxy.admission) == 2 and not world.requests()
    second.leave()
    third.until(lambda: b"\r\n\r\n" in world.requests())
    assert len(world.proxy.admission) == 2
    for _ in range(50):
        world.reactor.advance(1)
    assert not world.waiting
    world.close()


@pytest.mark.parametrize("kind", [SocketPeer, MemoryPeer])
def test_what_follows_the_header_waits_for_a_place(kind):
    world = World(kind, max_connections=1)
    first, second = world.connect(), world.connect()
    first.send(V1)
    first.turn()
    second.send(V1 + GET)
    assert not world.network.connections
    first.leave()
    second.until(lambda: b"\r\n\r\n" in world.requests())
    world.network.connections[0].send(OK)
    world.reactor.advance(0)
    assert second.receive(len(OK)) == OK
    second.send(GET)
    second.until(lambda: world.requests().count(b"GET / ") == 2)
    world.close()


# -- the transport that the protocol gets


class Recording(Protocol):
    """Keeps what it gets."""

    received = b""

    def dataReceived(self, data):
        self.received += data


class Recorders(Factory):
    """Keeps what it has built."""

    protocol = Recording
    noisy = False

    def __init__(self):
        self.built = []

    def buildProtocol(self, addr):
        protocol = super().buildProtocol(addr)
        self.built.append((addr, protocol))
        return protocol


@pytest.fixture
def recorded():
    """Recording protocols behind PROXY headers: ``connect(kind, tls_context)``."""
    found = types.SimpleNamespace(reactor=Reactor(), inner=Recorders(), peers=[])

    def connect(kind=SocketPeer, tls_context=None, inner=None):
        factory = ProxyProtocolFactory(
            inner or found.inner, Networks(["127.0.0.1"]), tls_context=tls_context, reactor=found.reactor
        )
        peer = kind(found.reactor, factory)
        found.peers.append(peer)
        return peer

    found.connect = connect
    yield found
    for peer in found.peers:
        peer.clean_up()
    assert not found.reactor.getDelayedCalls()


def test_the_protocol_gets_the_transport_as_it_was_accepted(recorded):
    peer = recorded.connect()
    peer.send(V1 + b"hello")
    peer.until(lambda: recorded.inner.built)
    ((address, protocol),) = recorded.inner.built
    transport = protocol.transport
    assert address == IPv4Address("TCP", "192.0.2.1", 4711)
    assert transport is peer.transport and type(transport) is tcp.Server and transport.protocol is protocol
    assert plain_socket(transport) is transport.socket
    assert write_function(transport) is write_plain
    assert transport.getPeer() == address and transport.getHost() == IPv4Address("TCP", "198.51.100.2", 443)
    # Not a byte too much was read, and reading is the transport's own again.
    assert protocol.received == b"" and transport.socket.recv(100, socket.MSG_PEEK) == b"hello"
    assert "doRead" not in transport.__dict__
    peer.until(lambda: protocol.received == b"hello")


def test_other_transports_tell_the_same(recorded):
    peer = recorded.connect(MemoryPeer)
    peer.send(V2 + b"hello")
    ((address, protocol),) = recorded.inner.built
    assert address == protocol.transport.getPeer() == IPv6Address("TCP", "2001:db8::1", 4711)
    assert protocol.transport.getHost() == IPv6Address("TCP", "2001:db8::2", 443)
    assert protocol.received == b"hello"
    protocol.transport.write(b"welcome")
    assert peer.receive(7) == b"welcome"


@pytest.mark.parametrize("kind", [SocketPeer, MemoryPeer])
def test_without_a_client_the_ends_are_the_sockets_own(recorded, kind):
    peer = recorded.connect(kind)
    peer.send(UNKNOWN + b"x")
    peer.until(lambda: recorded.inner.built)
    ((address, protocol),) = recorded.inner.built
    assert (address.host, address.port) == peer.here
    for end, theirs in ((protocol.transport.getPeer(), peer.here), (protocol.transport.getHost(), peer.there)):
        assert (end.host, end.port) == theirs


def test_the_end_of_the_peer_is_the_protocols_to_notice(recorded):
    ends = []
    for kind in (SocketPeer, MemoryPeer):
        peer = recorded.connect(kind)
        peer.send(V1 + b"x")
        peer.until(lambda: recorded.inner.built and recorded.inner.built[-1][1].received == b"x")
        recorded.inner.built[-1][1].connectionLost = ends.append
        peer.leave()
        recorded.inner.built.clear()
    assert len(ends) == 2


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    """A TLS context with a certificate of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a.example")])
    day = datetime.timedelta(days=1)
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = x509.CertificateBuilder(name, name, key.public_key(), 1, now - day, now + day).sign(key, SHA256())
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        certificate.public_bytes(Encoding.PEM) + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    return server_context(str(file))


class TlsClient:
    """TLS in memory, as seen from a client."""

    def __init__(self):
        self.connection = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.connection.set_connect_state()
        self.done = False

    def step(self):
        """Go on with the handshake; what is to be sent."""
        try:
            self.connection.do_handshake()
            self.done = True
        except SSL.WantReadError:
            pass
        return self.to_send()

    def read(self, receive):
        """What the server says next; ``receive()`` gives what has come."""
        while True:
            try:
                return self.connection.recv(65536)
            except SSL.WantReadError:
                self.connection.bio_write(receive())

    def to_send(self):
        try:
            return self.connection.bio_read(65536)
        except SSL.WantReadError:
            return b""


@pytest.mark.parametrize("by_function", [False, True])
@pytest.mark.parametrize("pieces", [1, 2, 50])
def test_tls_begins_after_the_header(recorded, context, by_function, pieces):
    peer = recorded.connect(tls_context=(lambda: context) if by_function else context)
    client = TlsClient()
    first = V1 + client.step()
    for index in range(pieces):
        peer.send(first[len(first) * index // pieces : len(first) * (index + 1) // pieces])
        peer.turn()
    peer.until(lambda: recorded.inner.built)
    address, protocol = recorded.inner.built[0]
    assert type(protocol.transport) is TLSServer and protocol.transport is peer.transport
    assert protocol.transport.getPeer() == address == IPv4Address("TCP", "192.0.2.1", 4711)
    while not client.done:
        while not select.select([peer.socket], [], [], 0)[0]:
            recorded.reactor.turn(peer.socket)
        client.connection.bio_write(peer.socket.recv(65536))
        peer.send(client.step())
    client.connection.send(b"secret")
    peer.send(client.to_send())
    peer.until(lambda: protocol.received == b"secret")
    write_function(protocol.transport)(protocol.transport, b"also")
    peer.socket.settimeout(PATIENCE)
    assert client.read(lambda: peer.socket.recv(65536)) == b"also"


def test_twisteds_own_tls_begins_after_the_header(recorded, context):
    inner = TLSMemoryBIOFactory(ServerConnections(context), False, recorded.inner, recorded.reactor)
    inner.noisy = False
    peer = recorded.connect(MemoryPeer, inner=inner)
    client = TlsClient()
    peer.send(V1 + client.step())
    while not client.done:
        client.connection.bio_write(peer.receive(65536))
        peer.send(client.step())
    client.connection.send(b"secret")
    peer.send(client.to_send())
    ((address, protocol),) = recorded.inner.built
    assert protocol.received == b"secret"
    assert protocol.transport.getPeer() == address == IPv4Address("TCP", "192.0.2.1", 4711)
    protocol.transport.loseConnection()
    recorded.reactor.advance(0)
