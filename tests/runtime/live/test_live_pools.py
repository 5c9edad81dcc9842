"""Pools that live on when a configuration is read again."""

import attrs
import pytest
from twisted.internet.task import Clock

from txproxy.config.model import PoolConfig
from txproxy.config.toml.file import parse
from txproxy.net.dns.resolver import Resolver
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.live.live_pools import LivePool, live_pool
from txproxy.testing import context_of
from txproxy.upstreams.ejection import Breaker, Ejection
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import State
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

BEGIN = '[[listeners]]\nlisten = "tcp:1"\n'
POOL = '[pools.app]\nupstreams = "http://10.0.0.1:8000"\n[pools.app.health]\npath = "/hz"\n'


def around(reactor):
    return Around(reactor, Resolver(reactor))


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


@pytest.mark.parametrize(
    "take_out", [lambda pool: pool.drain("http://10.0.0.1"), lambda pool: pool.weigh("http://10.0.0.1", 0)]
)
def test_who_fails_his_checks_does_so_although_he_was_taken_out_meanwhile(take_out):
    clock = Clock()
    settings = PoolSettings(health=HealthCheck(path="/hz"))
    config = PoolConfig(name="p", upstreams=("http://10.0.0.1", "http://10.0.0.2"), settings=settings)
    before = LivePool(config, b"k" * 32)
    before.pool.use_clock(clock)
    before.pool.upstreams[0].checked(False, "no answer")
    take_out(before.pool)
    after = LivePool(attrs.evolve(config, host="a.example"), b"k" * 32)
    after.follow(before, clock)
    upstream = after.pool.upstreams[0]
    assert upstream.state is State.DRAINING
    after.pool.enable(upstream)
    after.pool.weigh(upstream, 1)
    assert (upstream.state, upstream.cause) == (State.UNHEALTHY, "no answer")


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


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", ["ip", "header:X-User", "cookie"])
def test_clients_stay_where_they_are_pinned_over_a_reload(kind, shared):
    clock = Clock()
    config = PoolConfig(name="p", upstreams=("http://10.0.0.1", "http://10.0.0.2", "http://a.example;resolve"))
    before = LivePool(config, b"k" * 32, shared)
    before.pool.use_clock(clock)
    # one that its name was found to have
    before.pool.add("http://10.0.0.9")
    told = {}
    for number, upstream in enumerate(before.pool.upstreams):
        head, context = asked(number, ())
        lines = before.affinity(kind).pin(upstream, head, context)
        told[number] = lines, upstream.name
    after = live_pool(attrs.evolve(config, host="a.example"), clock, {"p": before}, shared)
    assert after is not before
    affinity = after.affinity(kind)
    after.pool.remove("http://10.0.0.2")
    late = [upstream.name for upstream in after.pool.upstreams]
    for number, (lines, name) in told.items():
        found = affinity.find(*asked(number, lines))
        assert (found.name if found is not None else None) == (name if name in late else None)
    after.pool.add("http://10.0.0.9")
    assert affinity.find(*asked(3, told[3][0])).name == "http://10.0.0.9"
    again = live_pool(config, clock, {"p": after}, shared)
    assert again.affinity(kind).find(*asked(0, told[0][0])).name == "http://10.0.0.1"


def asked(number, lines):
    fields = [(b"Host", b"a"), (b"X-User", b"%d" % number)]
    fields += [(b"Cookie", line.partition(b": ")[2].partition(b";")[0]) for line in lines]
    return RequestHead(b"GET", b"/", Headers(fields), authority=b"a"), context_of(f"10.0.1.{number}")


def test_what_is_known_of_a_member_is_so_when_its_name_was_looked_up_again():
    clock = Clock()
    settings = PoolSettings(health=HealthCheck(path="/hz"))
    config = PoolConfig(name="p", upstreams=("http://a.example;resolve",), settings=settings)
    before = LivePool(config, b"k" * 32)
    before.pool.use_clock(clock)
    one, two, three = (before.pool.add(f"http://10.0.0.{number}") for number in (1, 2, 3))
    one.checked(False, "no answer")
    for _ in range(5):
        two.struck("it closes")
    after = live_pool(attrs.evolve(config, host="a.example"), clock, {"p": before})
    clock.advance(2)
    found = [after.pool.add(upstream.name) for upstream in (one, two)]
    assert [upstream.state for upstream in found] == [State.UNHEALTHY, State.EJECTED]
    # What comes much later is another, perhaps.
    three.checked(False, "no answer")
    clock.advance(60)
    assert after.pool.add(three.name).state is State.HEALTHY
    after.pool.remove(one.name)
    assert after.pool.add(one.name).state is State.HEALTHY
