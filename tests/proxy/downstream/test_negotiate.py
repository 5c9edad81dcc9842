"""Ports at which the first bytes tell what is spoken."""

import ssl
from functools import partial
from types import SimpleNamespace

import pytest

from tests.proxy.downstream.socks_world import BY_NAME, CONNECT, FREE, STANDS, Factory, Mode
from tests.proxy.downstream.test_proxy_header import Reactor, SocketPeer
from tests.tls.authority import new_ca
from txproxy.errors import ConfigError
from txproxy.proxy.downstream.http1 import Http1Protocol
from txproxy.proxy.downstream.http2.http2_connection import Http2Protocol
from txproxy.proxy.downstream.negotiate import NegotiatingProtocol, Speaking, http_kind, spoken
from txproxy.proxy.downstream.serving import ServedBy
from txproxy.proxy.downstream.socks5 import SocksProtocol
from txproxy.testing import MemoryNetwork
from txproxy.tls.listener_contexts import ListenerTls, ServerTls, server_context
from txproxy.wire.http2 import frames
from txproxy.wire.http2.frames import PREFACE


def test_http_is_spoken_beside_it(world):
    client = world.connect()
    client.send_each_byte(CONNECT)
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    client.send(b"hello")
    assert world.upstream.received == b"hello"


def test_the_first_byte_leaves_nothing_behind(world):
    def kinds():
        return {type(protocol).__name__ for protocol in world.factory.admission.everyone()}

    by_http, by_socks = world.connect(), world.connect()
    assert kinds() == {NegotiatingProtocol.__name__}
    by_http.send(b"G")
    by_socks.send(b"\x05")
    assert kinds() == {Http1Protocol.__name__, SocksProtocol.__name__}


def test_a_word_of_its_own_is_what_is_handed_over_with_the_rest(world):
    client = world.connect()
    client.send(CONNECT + b"early")
    assert client.take() == b"HTTP/1.1 200 Connection established\r\n\r\n"
    assert world.upstream.received == b"early"


def test_a_place_is_handed_over_with_the_connection(make_world):
    world = make_world(max_connections=1)
    client, waits = world.connect(), world.connect()
    client.send(FREE)
    assert len(world.factory.admission) == 1 and waits.paused
    client.drop()
    assert len(world.factory.admission) == 1 and not waits.paused
    waits.send(CONNECT[:1])
    assert len(world.factory.admission) == 1
    waits.drop()
    assert len(world.factory.admission) == 0


def test_who_is_one_too_many_is_counted_once_whatever_it_speaks(make_world):
    world = make_world(max_connections_per_client=1)
    first, second = world.connect(), world.connect()
    second.send(CONNECT)
    assert second.take().startswith(b"HTTP/1.1 429 ")
    first.send(FREE + BY_NAME)
    assert first.take() == b"\x05\x00" + STANDS
    for client in (first, second):
        client.drop()
    third = world.connect()
    third.send(CONNECT)
    assert third.take().startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("first", [CONNECT[:1], FREE[:1]])
def test_the_time_of_the_first_request_begins_with_the_connection(make_world, first):
    world = make_world(header_timeout=10)
    client = world.connect()
    world.advance(8)
    client.send(first)
    world.advance(3)
    assert client.ended or client.closed


def test_who_says_nothing_is_closed_and_dropped_if_that_takes_too_long(make_world):
    world = make_world(header_timeout=5, idle_timeout=20)
    client, stuck = world.connect(), world.connect()
    stuck.stop_reading()
    stuck.write(b"something that waits")
    world.advance(6)
    assert client.closed and not client.reset and not stuck.closed
    world.advance(21)
    assert stuck.closed and stuck.reset


def test_who_leaves_without_a_word_has_had_a_place(world):
    client = world.connect()
    client.end()
    world.clock.advance(0)
    assert client.closed and not len(world.factory.admission)


@pytest.mark.parametrize("protocols", [("http",), ("socks5",), ("http", "socks5")])
def test_who_has_said_nothing_goes_to_another_factory_whatever_is_spoken_there(world, make_world, protocols):
    other = make_world(protocols=protocols, max_connections=1)
    silent, waits = world.connect(), world.connect()
    for protocol in world.factory.admission.everyone():
        protocol.served_by = ServedBy(other.factory)
    assert world.factory.retire().called
    assert len(other.factory.admission) == 2
    waits.drop()
    silent.send(CONNECT if "http" in protocols else FREE + BY_NAME)
    assert silent.take().endswith(STANDS if "http" not in protocols else b"\r\n\r\n")
    assert other.mode.heads and not world.mode.heads
    silent.drop()
    assert len(other.factory.admission) == 0


def test_who_waits_for_a_place_waits_for_one_of_the_other(make_world):
    world, other = make_world(max_connections=1), make_world(max_connections=1)
    there, waits = world.connect(), world.connect()
    taken = other.connect()
    for protocol in world.factory.admission.everyone():
        protocol.served_by = ServedBy(other.factory)
    assert world.factory.retire().called
    assert waits.paused
    for client in (taken, there):
        client.drop()
    assert not waits.paused
    waits.send(CONNECT)
    assert waits.take().startswith(b"HTTP/1.1 200 ") and other.mode.heads
    waits.drop()


def test_who_has_said_what_it_speaks_goes_over_as_any_other(world, make_world):
    other = make_world()
    client = world.connect()
    world.factory.admission.everyone()[0].served_by = ServedBy(other.factory)
    client.send(CONNECT[:1])
    assert world.factory.retire().called
    client.send(CONNECT[1:])
    assert client.take().startswith(b"HTTP/1.1 200 ") and other.mode.heads
    client.drop()


def test_who_is_about_to_go_does_not_go_over_to_another(world, make_world):
    other = make_world()
    client = world.connect()
    world.factory.admission.everyone()[0].served_by = ServedBy(other.factory)
    client.end()
    gone = world.factory.retire()
    assert not gone.called and not len(other.factory.admission)
    world.clock.advance(0)
    assert gone.called and client.closed


@pytest.mark.parametrize("protocols", [("http",), ("http", "socks5")])
def test_who_is_one_too_many_is_none_for_another_factory(make_world, protocols):
    world, other = make_world(protocols, max_connections_per_client=1), make_world(protocols)
    clients = [world.connect(), world.connect()]
    for protocol in world.factory.admission.everyone():
        protocol.served_by = ServedBy(other.factory)
    assert not world.factory.retire().called and len(world.factory.admission) == 1
    clients[1].send(CONNECT)
    assert clients[1].take().startswith(b"HTTP/1.1 429 ")
    clients[0].drop()


@pytest.mark.parametrize("protocols", [("http", "socks5"), ("socks5",), ("http",)])
def test_who_speaks_something_else_than_tls_is_told_so(make_world, protocols):
    world = make_world(protocols=protocols)
    client = world.connect()
    (protocol,) = world.factory.admission.everyone()
    protocol.refuse_protocol("HTTP", b"GET / HTTP/1.1\r\n\r\n")
    told = client.take()
    assert told.startswith(b"HTTP/1.1 400 ") if "http" in protocols else not told
    world.advance(3)
    assert client.closed and len(world.seen) == 1


def test_a_stop_ends_who_has_said_nothing(world):
    client = world.connect()
    world.factory.stop()
    world.clock.advance(0)
    assert client.reset


def test_nonsense_is_an_http_client_of_a_kind(world):
    client = world.connect()
    client.send(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert client.take().startswith(b"HTTP/1.1 400 ")


def test_only_what_is_to_be_spoken_is(make_world):
    socks = make_world(protocols=("socks5",))
    client = socks.connect()
    client.send(CONNECT)
    socks.advance(3)
    assert client.closed and not client.take() and not socks.mode.heads
    client = socks.connect()
    client.send(FREE + BY_NAME)
    assert client.take() == b"\x05\x00" + STANDS
    client = make_world(protocols=("http",)).connect()
    client.send(FREE + BY_NAME)
    assert not client.take().startswith(b"\x05")


def test_listeners_of_one_proxy_may_speak_one_protocol_each(world):
    only = Speaking(world.factory, "socks5")
    assert type(only.buildProtocol(None)) is SocksProtocol
    assert only.build(None, "https").connection.peer_scheme == "https"
    only.doStart()
    only.doStop()


@pytest.mark.parametrize("protocols", [(), ("ftp",), ("http", "socks4"), ("https",), ("http", "https"), "tls"])
def test_what_cannot_be_spoken_is_one_line(protocols):
    with pytest.raises(ConfigError, match="accepted") as caught:
        spoken(protocols, None)
    assert "\n" not in str(caught.value)


# -- over real sockets, with the test as the reactor


class Sockets:
    """A proxy whose clients have real sockets."""

    def __init__(self, context, protocols=("http", "https", "socks5")):
        self.reactor = Reactor()
        self.mode = Mode()
        self.factory = Factory(self.mode, reactor=self.reactor)
        self.factory.protocols = spoken(protocols, context)
        self.factory.tls_context = context
        self.network = self.factory.services.dialer = MemoryNetwork(self.reactor)
        self.factory.doStart()
        self.peer = SocketPeer(self.reactor, self.factory)

    def close(self):
        self.peer.clean_up()
        self.factory.doStop()
        self.reactor.advance(0)
        self.factory.stop()
        for _ in range(100):
            self.reactor.advance(0.1)
        assert not self.reactor.getDelayedCalls() and not self.reactor.readers


@pytest.fixture
def sockets(tmp_path):
    cert, key = new_ca().issue("localhost").write(tmp_path, "server")
    made = Sockets(server_context(str(cert), str(key)))
    yield made
    made.close()


class Tls:
    """TLS above a peer's socket, in which each step gives the proxy its turn."""

    def __init__(self, sockets, *alpn):
        context = ssl.create_default_context()
        if alpn:
            context.set_alpn_protocols(alpn)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing)
        self.sockets = sockets
        self.step(self.tls.do_handshake)

    def step(self, what):
        peer = self.sockets.peer
        while True:
            try:
                return what()
            except ssl.SSLWantReadError:
                self.flush()
                self.sockets.reactor.turn(peer.socket)
                peer.socket.setblocking(False)
                try:
                    self.incoming.write(peer.socket.recv(65536))
                except BlockingIOError:
                    pass
            finally:
                self.flush()

    def flush(self):
        data = self.outgoing.read()
        if data:
            self.sockets.peer.send(data)

    def exchange(self, data, size):
        self.tls.write(data)
        self.flush()
        received = b""
        while len(received) < size:
            received += self.step(partial(self.tls.read, size - len(received)))
        return received


@pytest.mark.parametrize(
    ("said", "answer"),
    [(CONNECT, b"HTTP/1.1 200 Connection established\r\n\r\n"), (FREE + BY_NAME, b"\x05\x00" + STANDS)],
)
@pytest.mark.parametrize("inside_tls", [True, False])
def test_one_port_for_all(sockets, said, answer, inside_tls):
    peer = sockets.peer
    if inside_tls:
        tls = Tls(sockets)
        assert tls.exchange(said, len(answer)) == answer
    else:
        peer.send(said)
        peer.until(lambda: sockets.network.connections)
        assert peer.receive(len(answer)) == answer
    (address,) = sockets.network.dialed
    assert str(address) == "example.com:443"
    assert sockets.mode.schemes == [("https", "https") if inside_tls else ("http", "http")]
    sockets.network.connections[0].send(b"hello")
    assert (tls.exchange(b"x", 5) if inside_tls else peer.receive(5)) == b"hello"


@pytest.mark.parametrize("said", [CONNECT, FREE + BY_NAME])
@pytest.mark.parametrize("inside_tls", [True, False])
def test_the_transport_is_handed_over_and_nothing_is_left_in_between(sockets, said, inside_tls):
    (protocol,) = sockets.factory.admission.everyone()
    transport = protocol.transport
    assert transport.protocol is protocol
    if inside_tls:
        Tls(sockets).exchange(said, 2)
    else:
        sockets.peer.send(said)
        sockets.peer.until(lambda: sockets.network.connections)
    (speaks,) = sockets.factory.admission.everyone()
    assert type(speaks) is (Http1Protocol if said is CONNECT else SocksProtocol)
    assert transport.protocol is speaks.transport.protocol is speaks and "doRead" not in vars(transport)


@pytest.mark.parametrize("protocols", [("http",), ("http", "socks5")])
def test_what_comes_at_the_last_moment_is_read(protocols):
    sockets = Sockets(None, protocols)
    for _ in range(200):
        sockets.reactor.advance(0.1)
    sockets.peer.send(CONNECT)
    for _ in range(150):
        sockets.reactor.advance(0.1)
    sockets.peer.until(lambda: sockets.network.connections)
    assert sockets.peer.receive(12) == b"HTTP/1.1 200"
    sockets.close()


def test_a_client_that_leaves_without_a_word(sockets):
    peer = sockets.peer
    peer.leave()
    assert not len(sockets.factory.admission)


# -- HTTP/2


@pytest.mark.parametrize(
    ("offered", "spoken_then"),
    [(("h2", "http/1.1"), Http2Protocol), (("http/1.1",), Http1Protocol), ((), Http1Protocol)],
)
def test_alpn_says_what_is_spoken(tmp_path, offered, spoken_then):
    cert, key = new_ca().issue("localhost").write(tmp_path, "server")
    tls = ServerTls(ListenerTls(certificates=((str(cert), str(key)),), alpn=(b"h2", b"http/1.1")))
    sockets = Sockets(tls.context)
    sockets.factory.http2 = True
    client = Tls(sockets, *offered)
    said = PREFACE + frames.settings([]) if spoken_then is Http2Protocol else CONNECT
    answer = client.exchange(said, 12)
    (speaks,) = sockets.factory.admission.everyone()
    assert type(speaks) is spoken_then and speaks.transport.protocol is speaks
    assert answer[3:5] == b"\x04\x00" if spoken_then is Http2Protocol else answer == b"HTTP/1.1 200"
    sockets.close()


@pytest.mark.parametrize(("h2c", "said", "answer"), [
    (True, PREFACE + frames.settings([]), b"\x00\x00\x1e\x04"),
    (True, b"POST http://a/ HTTP/1.1\r\n\r\n", b"HTTP/1.1 400"),
    (True, b"PRI ORITY\r\n\r\n", b"HTTP/1.1 400"),
    (False, PREFACE, b"HTTP/1.1 400"),
])  # fmt: skip
@pytest.mark.parametrize("size", [1, 1000])
def test_prior_knowledge_is_spoken_where_asked_for(make_world, h2c, said, answer, size):
    world = make_world()
    world.factory.h2c = h2c
    client = world.connect()
    for at in range(0, len(said), size):
        client.send(said[at : at + size])
    assert client.received.startswith(answer)


def test_of_the_first_bytes_of_a_preface_the_rest_is_waited_for(make_world):
    world = make_world()
    world.factory.h2c = True
    client = world.connect()
    client.send(PREFACE[:4])
    assert client.received == b"" and not client.closed
    client.end()
    world.clock.advance(0)
    assert client.closed


def test_http_alone_is_negotiated_where_there_is_more_than_one_version(make_world):
    for http2, h2c, scheme, kind in (
        (True, False, "https", NegotiatingProtocol),
        (True, False, "http", Http1Protocol),
        (False, True, "http", NegotiatingProtocol),
        (False, True, "https", Http1Protocol),
    ):
        assert http_kind(SimpleNamespace(http2=http2, h2c=h2c), scheme) is kind
