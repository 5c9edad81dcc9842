"""Clients of the tcp mode, from their connection to their end."""

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address

from tests.net.sockets import Turns, connected_pair
from tests.stream.hello import hello
from tests.tls.authority import new_ca
from txproxy import Limits, Pool
from txproxy.errors import ConnectionRefused
from txproxy.net.transports.tls_transports import TLSServer
from txproxy.stream.stream_factory import StreamFactory
from txproxy.testing import MemoryNetwork, ProxyInMemory
from txproxy.tls.listener_contexts import ListenerTls, ServerTls


def test_bytes_go_both_ways_until_both_sides_have_closed(proxy, ended):
    client = proxy.connect()
    upstream = proxy.upstream
    client.send(b"question")
    upstream.send(b"answer")
    assert (upstream.received, client.received) == (b"question", b"answer")
    client.end()
    assert upstream.ended
    upstream.send(b"late")
    assert client.received == b"answerlate"
    upstream.end()
    proxy.clock.advance(0)
    assert client.closed and upstream.closed
    assert [(stream.outcome, stream.sent) for stream in ended] == [("ok", 10)]


def test_an_upstream_that_cuts_it_off_has_failed_it_and_a_client_has_not(proxy, ended):
    proxy.connect()
    proxy.upstream.drop()
    proxy.connect().drop()
    assert [(stream.outcome, stream.detail) for stream in ended] == [
        ("connection_terminated", "0 bytes from the client; the upstream has cut it off"),
        ("ok", "the client has cut it off"),
    ]


def test_nothing_is_read_of_a_client_before_an_upstream_is_there(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    assert client.paused
    proxy.network.answer()
    assert not client.paused


def test_a_client_that_leaves_while_dialing_cancels_it(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.drop()
    assert proxy.network.hanging[0][0].called


def test_a_reset_is_passed_on(proxy):
    client = proxy.connect()
    proxy.upstream.drop()
    proxy.clock.advance(0)
    assert client.reset


def test_over_the_limit_of_connections_the_next_waits(proxy):
    first = proxy.connect()
    proxy.connect()
    third = proxy.connect()
    assert len(proxy.network.dialed) == 2
    first.drop()
    assert len(proxy.network.dialed) == 3
    assert not third.closed


@pytest.mark.parametrize("phase", ["queued", "dialing", "connected", "half closed"])
def test_whoever_leaves_is_counted_nowhere(serve, phase):
    proxy = serve(";max=1")
    proxy.pool.disable("http://10.0.0.2:5432")
    if phase == "dialing":
        proxy.network.script = ["hang"]
    first, client = proxy.connect(), proxy.connect()
    assert (proxy.pool.waiting, proxy.pool.upstreams[0].active) == (1, 1)
    if phase == "queued":
        client.drop()
    if phase == "half closed":
        proxy.upstream.end()
    first.drop()
    client.drop()
    proxy.clock.advance(0)
    assert [upstream.active for upstream in proxy.pool.upstreams] == [0, 0]
    assert proxy.pool.waiting == 0


def test_what_an_upstream_says_first_is_heard(proxy):
    proxy.network.greeting = b"220 ready"
    assert proxy.connect().received == b"220 ready"


def stream_of(proxy, client):
    return next(stream for stream in proxy.factory.streams.values() if stream.transport is client)


@pytest.mark.parametrize("how", ["drop", "abort"])
@pytest.mark.parametrize("where", ["no room", "queued", "dialing"])
def test_who_goes_before_there_is_a_tunnel_has_gone_once(make_proxy, ended, where, how):
    proxy = make_proxy(Pool(["http://10.0.0.1:1;max=1"]), limits=Limits(max_connections=1 if where == "no room" else 9))
    proxy.network.script = ["hang"] if where == "dialing" else []
    client = [proxy.connect() for _ in range(1 if where == "dialing" else 2)][-1]
    proxy.clock.advance(2)
    if how == "abort":
        stream_of(proxy, client).abort()
    else:
        client.drop()
    told = [(one.outcome, one.detail, one.seconds) for one in ended]
    proxy.clock.advance(0)
    assert told == [("client-gone", "", 2.0)] and len(ended) == 1
    assert client.closed and proxy.factory.pools[0].waiting == 0


def test_who_is_closed_while_there_is_no_room_is_connected_to_nobody(make_proxy):
    proxy = make_proxy(Pool(["http://10.0.0.1:1"]), limits=Limits(max_connections=1))
    first, second = proxy.connect(), proxy.connect()
    stream_of(proxy, second).abort()
    first.drop()
    proxy.clock.advance(0)
    assert second.closed and len(proxy.network.dialed) == 1
    assert proxy.factory.pools[0].upstreams[0].active == 0


class Closed:
    """Lets nobody in."""

    def admit(self, connection):
        return False

    def closed(self, connection):
        raise AssertionError("it let nobody in")


def test_of_who_is_not_let_in_nothing_stays(make_proxy, ended):
    proxy = make_proxy(Pool(["http://10.0.0.1:1"]), middleware=[Closed()])
    client = proxy.connect()
    assert not proxy.factory.streams
    proxy.clock.advance(0)
    assert client.reset and ended == []


def test_the_time_without_room_counts(make_proxy, ended):
    proxy = make_proxy(Pool(["http://10.0.0.1:1"]), limits=Limits(max_connections=1))
    first, second = proxy.connect(), proxy.connect()
    proxy.clock.advance(2)
    first.drop()
    proxy.clock.advance(3)
    second.drop()
    assert [(one.seconds, one.record.seconds) for one in ended] == [(2.0, 2.0), (5.0, 3.0)]


def test_what_was_read_before_there_is_a_tunnel_goes_into_it_as_does_its_end(proxy, ended):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(b"early")
    client.end()
    assert ended == []
    proxy.network.answer()
    assert proxy.upstream.received == b"early" and proxy.upstream.ended
    proxy.upstream.send(b"answer")
    proxy.upstream.end()
    proxy.clock.advance(0)
    assert client.received == b"answer" and client.closed
    assert [(one.outcome, one.received, one.sent) for one in ended] == [("ok", 5, 6)]


@pytest.mark.parametrize("where", ["listening", "dialing", "tunnel"])
def test_a_drain_waits_for_what_has_begun(pass_through, where):
    proxy = pass_through()
    proxy.network.script = ["hang"] if where == "dialing" else []
    client = proxy.connect()
    if where != "listening":
        client.send(A)
    drained = proxy.factory.drain()
    proxy.advance(2)
    assert client.closed is drained.called is (where == "listening")
    client.drop()
    assert drained.called


# -- TLS that is passed through

A, B = hello("a.example"), hello("x.b.example")


@pytest.fixture
def pass_through(ended):
    """A factory with a pool for a name, one for a wildcard, and the default as told; gives what makes it."""
    made = []

    def make(default=None, **limits):
        sni = {"a.example": Pool(["http://10.0.1.1:443"]), "*.b.example": Pool(["http://10.0.2.1:443"])}
        pool = Pool([default]) if default is not None else None
        proxy = ProxyInMemory(
            lambda reactor: StreamFactory(
                pool, sni=sni, limits=Limits(**limits), observers=(ended.append,), reactor=reactor
            )
        )
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()
        assert all(upstream.active == 0 for pool in proxy.factory.pools for upstream in pool.upstreams)


def dialed(proxy):
    return [address.host for address in proxy.network.dialed]


@pytest.mark.parametrize("each_byte", [False, True])
def test_a_client_goes_where_its_hello_says_and_the_hello_with_it(pass_through, ended, each_byte):
    proxy = pass_through()
    for said, host in ((A, "10.0.1.1"), (B, "10.0.2.1")):
        client = proxy.connect()
        assert not client.paused
        if each_byte:
            client.send_each_byte(said)
        else:
            client.send(said)
        assert dialed(proxy)[-1] == host
        assert proxy.upstream.take() == said
        proxy.upstream.send(b"server hello")
        client.send(b"finished")
        assert (client.received, proxy.upstream.received) == (b"server hello", b"finished")
        client.drop(clean=True)
    assert [(stream.server_name, stream.outcome) for stream in ended] == [("a.example", "ok"), ("x.b.example", "ok")]


def test_what_comes_with_the_hello_and_while_dialing_goes_too(pass_through):
    proxy = pass_through()
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(A + b"early data")
    assert client.paused
    client.send(b", and more that was read already")
    proxy.network.answer()
    assert not client.paused
    assert proxy.upstream.received == A + b"early data, and more that was read already"


def test_a_client_that_closes_its_side_after_the_hello_has_it_closed_at_the_upstream(pass_through):
    proxy = pass_through()
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(A)
    client.end()
    proxy.network.answer()
    assert proxy.upstream.received == A and proxy.upstream.ended
    proxy.upstream.send(b"answer")
    assert client.received == b"answer"


@pytest.mark.parametrize("said", [hello("other.example"), hello(), b"SSH-2.0-x\r\n", b"\x16\x03\x01\xff\xff"])
def test_the_default_is_for_all_others(pass_through, said):
    proxy = pass_through("http://10.0.9.1")
    client = proxy.connect()
    client.send(said)
    assert dialed(proxy) == ["10.0.9.1"]
    assert proxy.upstream.received == said


@pytest.mark.parametrize(
    ("said", "answer", "why"),
    [
        (hello("other.example"), b"\x15\x03\x03\x00\x02\x02\x70", "no pool is for other.example"),
        (hello(), b"\x15\x03\x03\x00\x02\x02\x70", "the client asks for no server name"),
        (b"SSH-2.0-x\r\n", b"", "not a TLS handshake"),
    ],
)
def test_without_a_default_all_others_are_sent_away(pass_through, ended, said, answer, why):
    proxy = pass_through()
    client = proxy.connect()
    client.send(said)
    client.send(b"and more")
    proxy.clock.advance(0)
    assert client.closed and not client.reset and client.received == answer
    assert dialed(proxy) == []
    assert [(stream.outcome, stream.detail) for stream in ended] == [("destination_not_found", why)]


@pytest.mark.parametrize("said", [b"", A[:1], A[:-1]])
def test_who_does_not_say_where_to_is_closed_in_time(pass_through, ended, said):
    proxy = pass_through("http://10.0.9.1", header_timeout=5)
    client = proxy.connect()
    proxy.advance(4)
    client.send(said)
    assert not client.closed
    proxy.advance(2)
    assert client.closed and dialed(proxy) == []
    assert ended[0].outcome == "destination_not_found"


def test_after_the_hello_time_does_not_matter(pass_through):
    proxy = pass_through(header_timeout=5)
    client = proxy.connect()
    client.send(A)
    proxy.advance(1000)
    assert not client.closed


@pytest.mark.parametrize("how", ["end", "drop"])
def test_who_leaves_before_it_has_said_where_to_is_gone(pass_through, ended, how):
    proxy = pass_through("http://10.0.9.1")
    client = proxy.connect()
    client.send(A[:10])
    getattr(client, how)()
    proxy.clock.advance(0)
    assert client.closed and dialed(proxy) == []
    assert [stream.outcome for stream in ended] == ["destination_not_found" if how == "end" else "client-gone"]


def test_another_upstream_of_the_same_pool_is_tried(pass_through):
    proxy = pass_through("http://10.0.9.1")
    proxy.factory.pools[1].add("http://10.0.1.2:443")
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(A)
    assert dialed(proxy) == ["10.0.1.1", "10.0.1.2"]
    assert proxy.upstream.received == A


def test_a_hello_is_read_only_of_who_is_admitted(pass_through):
    proxy = pass_through(max_connections=1)
    first, second = proxy.connect(), proxy.connect()
    assert second.paused
    first.send(A)
    first.drop()
    assert not second.paused
    second.send(B)
    assert dialed(proxy) == ["10.0.1.1", "10.0.2.1"]


def test_a_drain_does_not_wait_for_who_has_not_begun(pass_through):
    proxy = pass_through()
    begun, silent, late = proxy.connect(), proxy.connect(), proxy.connect()
    begun.send(A)
    drained = proxy.factory.drain()
    late.send(B)
    late.drop()
    assert dialed(proxy) == ["10.0.1.1", "10.0.2.1"]
    proxy.advance(2)
    assert silent.closed and not begun.closed and not drained.called
    begun.drop()
    assert drained.called


# -- TLS that ends here


class TlsWorld:
    """A stream factory, and one client that connects to it by TLS over a real socket; upstreams are in memory."""

    def __init__(self, directory):
        files = new_ca().issue("a.example").write(directory, "a")
        self.reactor = Turns()
        pool = Pool(["http://10.0.0.1:1"])
        self.factory = StreamFactory(pool, limits=Limits(header_timeout=5.0), reactor=self.reactor)
        self.network = self.factory.services.dialer = MemoryNetwork(self.reactor)
        here, self.socket = connected_pair(65536)
        for one in (here, self.socket):
            one.setblocking(False)
        protocol = self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        self.server = TLSServer(here, protocol, here.getpeername(), None, 0, self.reactor)
        self.server.repstr = "a connection"
        self.server.startTLSOnSocket(ServerTls(ListenerTls(certificates=(files,))).context())
        protocol.makeConnection(self.server)

    def shake_hands(self):
        client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), self.socket)
        client.set_connect_state()
        for _ in range(1000):
            try:
                client.do_handshake()
                return client
            except SSL.WantReadError:
                self.reactor.read(patience=0.01)
        raise AssertionError("no handshake")

    def close(self):
        self.socket.close()
        for _ in range(1000):
            if not self.server.connected:
                break
            self.reactor.read(patience=0.01)
            self.reactor.turn()
        self.factory.stop()
        self.reactor.pump([0.5] * 4)
        assert not self.reactor.getDelayedCalls()


def test_an_upstream_is_connected_to_when_the_client_has_shaken_hands(tmp_path):
    world = TlsWorld(tmp_path)
    world.reactor.read()
    assert not world.network.dialed
    client = world.shake_hands()
    for _ in range(1000):
        if world.network.connections:
            break
        world.reactor.read(patience=0.01)
    upstream = world.network.connections[0]
    client.send(b"hello")
    for _ in range(1000):
        if upstream.received:
            break
        world.reactor.read(patience=0.01)
    assert upstream.received == b"hello"
    world.close()


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01\x02\x00\x01"])
def test_who_does_not_shake_hands_in_time_is_closed_and_nobody_was_connected_to(tmp_path, said):
    world = TlsWorld(tmp_path)
    ended = []
    world.factory.observers = (ended.append,)
    world.socket.send(said)
    for _ in range(12):
        world.reactor.read()
        world.reactor.advance(0.5)
    world.reactor.write()
    world.reactor.end_turn()
    assert not world.server.connected and not world.network.dialed
    assert [stream.detail for stream in ended] == ["the client took too long to shake hands"]
    world.close()
