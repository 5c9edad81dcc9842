"""What a configuration comes to, and what a pool takes over from the one before it."""

import attrs
import pytest
from twisted.internet.task import Clock

from tests.tls.authority import new_ca
from txproxy.config.model import Config, ForwardListener, PoolConfig
from txproxy.config.toml.file import parse
from txproxy.forward.policy import ForwardPolicy
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, LivePool, Observers, assemble
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Breaker, State

SELF = (
    b"HTTP/1.1 302 Found\r\nDate: D\r\nLocation: http://127.0.0.1:8001/login\r\n"
    b"Set-Cookie: s=1; Domain=127.0.0.1; Path=/\r\nContent-Length: 0\r\n\r\n"
)


def around(reactor):
    return Around(reactor, Resolver(reactor))


def in_memory(text):
    """The first listener of a configuration."""
    config = parse(text, "edge.toml")
    return ProxyInMemory(lambda reactor: assemble(config, Observers(), around(reactor)).served[0].factory)


@pytest.mark.parametrize("path", [b"/", b"/app"])
@pytest.mark.parametrize("host", ['host = "upstream"', ""])
def test_an_upstream_is_mapped_back_with_and_without_a_route(path, host):
    proxy = in_memory(f"""
        [[listeners]]
        listen = "tcp:8080:interface=127.0.0.1"
        pool = "a"
        [pools.a]
        upstreams = ["http://127.0.0.1:8001"]
        {host}
        [[routes]]
        name = "r"
        path = "/app"
        pool = "a"
    """)
    client = proxy.connect()
    client.send(b"GET %b HTTP/1.1\r\nHost: a.example\r\n\r\n" % path)
    proxy.upstream.send(SELF)
    assert b"\r\nLocation: http://a.example/login\r\nSet-Cookie: s=1; Path=/\r\n" in client.received
    proxy.close()


def test_a_drain_ends_when_it_was_to_end_though_the_configuration_was_read_again():
    clock = Clock()
    config = PoolConfig(name="p", upstreams=("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3"))
    before = LivePool(config, b"k" * 32)
    before.pool.use_clock(clock)
    before.pool.drain("http://10.0.0.1", 60)
    before.pool.drain("http://10.0.0.2")
    clock.advance(20)
    after = LivePool(config, b"k" * 32)
    after.follow(before, clock)
    assert [upstream.state for upstream in after.pool.upstreams] == [State.DRAINING, State.DRAINING, State.HEALTHY]
    clock.advance(41)
    assert [upstream.state for upstream in after.pool.upstreams] == [State.DISABLED, State.DRAINING, State.HEALTHY]


def test_who_was_ejected_stays_out_for_as_long_and_is_then_tried():
    clock = Clock()
    config = PoolConfig(name="p", upstreams=("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3"))
    before = LivePool(config, b"k" * 32)
    before.pool.use_clock(clock)
    for _ in range(5):
        before.pool.upstreams[0].struck("it closes")
    clock.advance(20)
    after = LivePool(attrs.evolve(config, host="a.example"), b"k" * 32)
    after.follow(before, clock)
    first = after.pool.upstreams[0]
    assert (first.state, first.cause) == (State.EJECTED, "it closes")
    assert [upstream.state for upstream in after.pool.upstreams[1:]] == [State.HEALTHY, State.HEALTHY]
    clock.advance(11)
    after.pool.refresh()
    before.pool.refresh()
    assert first.breaker is before.pool.upstreams[0].breaker is Breaker.HALF_OPEN
    again = LivePool(config, b"k" * 32)
    again.follow(after, clock)
    assert again.pool.upstreams[0].breaker is Breaker.HALF_OPEN
    other = attrs.evolve(config, settings=PoolSettings(ejection=Ejection(base=5)))
    new = LivePool(other, b"k" * 32)
    new.follow(after, clock)
    assert new.pool.upstreams[0].breaker is Breaker.CLOSED, "under other terms it may be well"


BEGIN = '[[listeners]]\nlisten = "tcp:1"\n'
POOL = '[pools.app]\nupstreams = "http://10.0.0.1:8000"\n[pools.app.health]\npath = "/hz"\n'


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ('pool = "app"\n' + POOL, None),
        ('pool = "app"\nhost = "app.example"\n' + POOL, b"app.example"),
        ('pool = "app"\nhost = "app.example:81"\n' + POOL + 'host = "hz.example"', b"hz.example"),
        ('pool = "app"\nhost = "upstream"\n' + POOL, None),
        ('pool = "app"\n' + POOL.replace("upstreams", 'host = "app.example"\nupstreams'), b"app.example"),
        ('pool = "app"\nhost = "a"\n[[routes]]\nname = "x"\npath = "/x"\npool = "app"\nhost = "a"\n' + POOL, b"a"),
        ('pool = "app"\n[[routes]]\nname = "x"\npath = "/x"\npool = "app"\nhost = "a"\n' + POOL, b"a"),
        ('pool = "app"\nhost = "a"\n[[routes]]\nname = "x"\npath = "/x"\npool = "app"\nhost = "b"\n' + POOL, None),
        ('pool = "app"\nhost = "a"\n[[routes]]\nname = "x"\npool = "app"\nhost = "upstream"\n' + POOL, None),
        ('pool = "app"\nhost = "app.example"\n' + POOL.replace("path", "kind = 'connect'\npath"), b"app.example"),
    ],
)
def test_checks_send_the_host_that_requests_get(text, host):
    config = parse(BEGIN + text, "proxy.toml")
    surroundings = around(Clock())
    made = assemble(config, Observers(), surroundings)
    assert made.pools["app"].pool.settings.health.host == host
    # and are what they were, if the same is read again
    assert assemble(config, Observers(), surroundings, made).pools["app"] is made.pools["app"]


@pytest.mark.parametrize("action", ['redirect = "https://www.a.example/"', "respond = 410", 'pool = "a"'])
@pytest.mark.parametrize("scheme", [b"https", b"http"])
def test_whatever_a_route_answers_says_that_the_host_is_for_tls_alone(action, scheme):
    proxy = in_memory(f"""
        [[listeners]]
        listen = "tcp:8080:interface=127.0.0.1"
        routes = ["r"]
        trusted_proxies = ["127.0.0.0/8"]
        [pools.a]
        upstreams = ["http://127.0.0.1:8001"]
        [[routes]]
        name = "r"
        path = "/"
        {action}
        hsts = {{ max_age = 60 }}
        response_headers = {{ set = {{ X-By = "r" }} }}
    """)
    client = proxy.connect()
    client.send(b"GET /x HTTP/1.1\r\nHost: a.example\r\nX-Forwarded-Proto: %b\r\n\r\n" % scheme)
    for upstream in proxy.network.connections:
        upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert (b"\r\nStrict-Transport-Security: max-age=60\r\n" in client.received) is (scheme == b"https")
    assert b"\r\nX-By: r\r\n" in client.received
    proxy.close()


@pytest.mark.parametrize("changed", ["", "[listeners.limits]\nidle_timeout = 5\n"], ids=["nothing", "limits"])
def test_tls_is_kept_with_its_sessions_and_tickets(tmp_path, changed):
    cert, key = new_ca().issue("a.example").write(tmp_path, "pair")
    text = f'''
        [[listeners]]
        mode = "forward"
        tls_listen = "tcp:3129"
        certificates = {{ cert = "{cert}", key = "{key}" }}
    '''
    clock = Clock()
    first = assemble(parse(text, "edge.toml"), Observers(), around(clock))
    second = assemble(parse(text + changed, "edge.toml"), Observers(), around(clock), first)
    (before,), (after,) = first.served, second.served
    assert after.tls is before.tls
    assert (after.factory is before.factory) == (changed == "")
    other = assemble(parse(text + 'tls = { min_version = "1.3" }', "edge.toml"), Observers(), around(clock), second)
    assert other.served[0].tls is not before.tls


def test_listeners_that_are_alike_go_on_each_as_what_it_was():
    listener = ForwardListener(listen=("tcp:0",), policy=ForwardPolicy(parents=["http://p.example:1"]))
    config = Config(listeners=(listener, listener))
    clock = Clock()
    first = assemble(config, Observers(), around(clock))
    second = assemble(config, Observers(), around(clock), first)
    assert [one.factory for one in second.served] == [one.factory for one in first.served]
    assert first.served[0].factory is not first.served[1].factory
