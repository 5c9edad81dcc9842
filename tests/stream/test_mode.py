"""The tcp mode, in memory."""

import datetime

import pytest
from OpenSSL import SSL
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from tests.net.sockets import Turns, connected_pair
from tests.stream.hello import hello
from tests.tls.authority import new_ca
from txproxy import Allotments, Bandwidth, Limits, Pool, Quota
from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.limits.usage import Usage
from txproxy.net.transports.tls_transports import TLSServer
from txproxy.proxy.fault_log import MOST
from txproxy.stream.mode import StreamFactory
from txproxy.testing import MemoryNetwork, ProxyInMemory
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Breaker, State


@pytest.fixture
def ended():
    return []


@pytest.fixture
def proxy(ended):
    pool = Pool(["http://10.0.0.1:5432", "http://10.0.0.2:5432"])
    made = ProxyInMemory(
        lambda reactor: StreamFactory(
            pool, limits=Limits(max_connections=2), observers=(ended.append,), reactor=reactor
        )
    )
    yield made
    made.close()


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


def test_nothing_is_read_of_a_client_before_an_upstream_is_there(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    assert client.paused
    proxy.network.answer()
    assert not client.paused


def test_the_next_upstream_is_tried_when_connecting_fails(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]
    client.send(b"x")
    assert proxy.upstream.received == b"x"


def test_without_an_upstream_the_client_is_reset(proxy, ended):
    proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = proxy.connect()
    proxy.clock.advance(0)
    assert client.reset
    assert [stream.outcome for stream in ended] == ["destination_unavailable"]


def test_the_log_says_why_a_client_was_closed(proxy, ended):
    proxy.network.script = [ConnectionRefused("10.0.0.1:5432 refused"), ConnectionRefused("10.0.0.2:5432 refused")]
    with capturedLogs() as events:
        proxy.connect()
        proxy.clock.advance(0)
    why = "no upstream can be reached: 10.0.0.2:5432 refused"
    assert [stream.detail for stream in ended] == [why]
    said = [line for line in map(formatEvent, events) if "closed" in line]
    assert len(said) == 1 and said[0].endswith(f": destination_unavailable: {why}")


def test_the_log_does_not_say_it_more_often_than_anybody_reads(proxy):
    with capturedLogs() as events:
        for _ in range(MOST + 5):
            proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
            proxy.connect()
            proxy.clock.advance(0)
        proxy.clock.advance(1)
    lines = [line for line in map(formatEvent, events) if "destination_unavailable" in line]
    assert len(lines) == MOST + 1
    assert lines[-1] == "5 more: destination_unavailable"


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


def test_a_stop_ends_what_runs_before_it_returns(proxy, ended):
    proxy.network.script = ["hang"]
    waiting, client = proxy.connect(), proxy.connect()
    proxy.factory.stop()
    assert sorted(stream.outcome for stream in ended) == ["client-gone", "ok"]
    proxy.clock.advance(0)
    assert waiting.closed and client.closed
    assert len(ended) == 2


@pytest.fixture
def serve():
    """Serves two upstreams; keyword arguments are the pool's settings."""
    made = []

    def serve(*more, **settings):
        pool = Pool(["http://10.0.0.1:5432" + "".join(more), "http://10.0.0.2:5432"], settings=PoolSettings(**settings))
        proxy = ProxyInMemory(lambda reactor: StreamFactory(pool, reactor=reactor))
        proxy.pool = pool
        made.append(proxy)
        return proxy

    yield serve
    for proxy in made:
        proxy.close()


def test_upstreams_are_checked_while_a_port_listens(serve):
    proxy = serve(health=HealthCheck(kind="connect", interval=1, fall=1, rise=1))
    proxy.factory.doStart()
    proxy.advance(2)
    checked = len(proxy.network.dialed)
    assert checked >= 2
    proxy.network.script = [ConnectionRefused("no")] * 2
    proxy.advance(1)
    assert State.UNHEALTHY in [upstream.state for upstream in proxy.pool.upstreams]
    proxy.factory.doStop()
    proxy.advance(2)
    assert len(proxy.network.dialed) > checked
    proxy.network.script = []
    proxy.advance(2)
    assert {upstream.state for upstream in proxy.pool.upstreams} == {State.HEALTHY}


def test_a_stream_that_lasts_closes_a_breaker_when_it_is_connected(serve):
    proxy = serve(ejection=Ejection(failures=1))
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect()
    bad = proxy.pool.upstreams[0]
    assert bad.breaker is Breaker.OPEN
    proxy.advance(31)
    for _ in range(2):
        proxy.connect()
    assert (bad.breaker, bad.active) == (Breaker.CLOSED, 1)


def test_a_stream_that_has_tried_all_primaries_goes_on_to_the_backups(serve):
    proxy = serve()
    proxy.pool.add("http://10.0.0.9:5432;backup")
    proxy.network.script = [ConnectionRefused("no")] * 2
    client = proxy.connect()
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2", "10.0.0.9"]
    client.send(b"x")
    assert proxy.upstream.received == b"x"


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


def test_there_has_to_be_somewhere_to_go():
    with pytest.raises(ConfigError, match="a tcp proxy needs a pool, or pools by server name"):
        StreamFactory(reactor=Clock())


# -- the pools


def test_pools_are_looked_after_from_the_first_port_to_the_last():
    health = PoolSettings(health=HealthCheck(kind="connect", interval=1, rise=1, fall=1))
    pools = [Pool([f"http://10.0.0.{number}:443"], settings=health) for number in (1, 2)]
    # one of them is named twice
    sni = {"a.example": pools[1], "b.example": pools[1]}
    proxy = ProxyInMemory(lambda reactor: StreamFactory(pools[0], sni=sni, reactor=reactor))
    proxy.factory.doStart()
    proxy.factory.doStop()
    proxy.network.script = [ConnectionRefused("no")] * 1000
    proxy.advance(5)
    assert {*dialed(proxy)} == {"10.0.0.1", "10.0.0.2"}
    assert [pool.upstreams[0].state for pool in pools] == [State.UNHEALTHY] * 2
    proxy.close()
    before = len(proxy.network.dialed)
    proxy.advance(5)
    assert len(proxy.network.dialed) == before


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


# -- what a client may use


@pytest.fixture
def bounded(ended):
    made = []

    def run(**words):
        def build(reactor):
            usage = Usage(reactor, now=lambda: datetime.datetime(2026, 3, 30))
            bounds = Allotments(reactor, usage=usage, **words).bounds
            pool = Pool(["http://10.0.0.1:5432"])
            return StreamFactory(pool, bounds=bounds, observers=(ended.append,), reactor=reactor)

        made.append(ProxyInMemory(build))
        return made[0]

    yield run
    for one in made:
        one.close()


def test_both_directions_are_shaped(bounded):
    proxy = bounded(bandwidths=[Bandwidth(down=4000, up=8000)])
    client = proxy.connect()
    client.send(bytes(4000))
    proxy.upstream.send(bytes(4000))
    assert (len(proxy.upstream.received), len(client.received)) == (2000, 1000)
    proxy.advance(0.3)
    assert len(proxy.upstream.received) < 4000 and 1500 <= len(client.received) < 3000
    proxy.advance(0.6)
    assert len(proxy.upstream.received) == len(client.received) == 4000


def test_a_quota_that_is_used_up_ends_the_stream_and_refuses_the_next(bounded, ended):
    proxy = bounded(quotas=[Quota(day=1000)])
    client = proxy.connect()
    client.send(bytes(600))
    proxy.upstream.send(bytes(600))
    proxy.advance(2.1)
    assert client.closed and proxy.upstream.closed
    with capturedLogs() as events:
        refused = proxy.connect()
    proxy.clock.advance(0)
    assert refused.reset
    assert len(proxy.network.dialed) == 1
    why = "client 127.0.0.1 has used up the day's 1000 bytes"
    told = [(one.outcome, one.detail, one.received, one.sent) for one in ended]
    assert told == [("ok", why, 600, 600), ("http_request_denied", why, 0, 0)]
    assert ended[1].context.verdict.rule == "quotas"
    assert any(why in formatEvent(event) for event in events)
    # Others have theirs.
    proxy.connect("192.0.2.1").send(b"x")
    assert proxy.upstream.received == b"x"


def test_what_a_stream_uses_is_counted_when_it_ends(bounded, ended):
    proxy = bounded(quotas=[Quota(day=1000)])
    client = proxy.connect()
    client.send(bytes(1000))
    client.drop()
    proxy.clock.advance(0)
    assert proxy.connect().disconnecting
    assert ended[0].seconds == 0.0 and ended[0].received == 1000


def test_what_is_held_back_of_a_client_that_has_left_still_passes(bounded, ended):
    proxy = bounded(bandwidths=[Bandwidth(up=1000)])
    client = proxy.connect()
    client.send(bytes(1000))
    client.drop(clean=True)
    assert ended == [] and len(proxy.upstream.received) < 1000
    proxy.advance(2)
    assert len(proxy.upstream.received) == 1000
    assert [(one.outcome, one.received) for one in ended] == [("ok", 1000)]
