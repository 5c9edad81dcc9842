"""Whose connections can go on here: those of a listener of the same name that is alike."""

import socket

import attrs
import pytest

from tests.net.sockets import Turns
from tests.proxy.handover.test_carried import ADDRESS, ATTEMPT, CONTEXT, EXCHANGE, TUNNEL
from txproxy.admin.proxy_view import Stage
from txproxy.config import parse
from txproxy.net.dns.resolver import Resolver
from txproxy.net.transports.handed_transports import HandedSocket
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.giving import Given
from txproxy.runtime.builder import Around, Observers, assemble
from txproxy.runtime.entrance import Entrance
from txproxy.runtime.running import Running
from txproxy.runtime.workers.handover.arrivals import Arrivals

FILE = """
[log]
access = "none"
[[listeners]]
name = "web"
listen = "tcp:8080"
pool = "app"
limits = { max_connections_per_client = 5 }
[[listeners]]
name = "told"
listen = "tcp:8081"
proxy_protocol = true
trusted_proxies = ["10.0.0.0/8"]
pool = "app"
[[listeners]]
name = "raw"
mode = "tcp"
listen = "tcp:8082"
pool = "raw"
[pools.app]
upstreams = ["http://10.0.0.1:80"]
[pools.raw]
upstreams = ["10.0.0.1:80"]
"""
RESTING = Carried(client=HandedSocket(2, ("10.0.0.9", 1)), peer_ip="10.0.0.9", peer_scheme="http", left=3.0)


def tunnel(method=b"CONNECT", pool="app", upstream="http://10.0.0.1:80"):
    """One that went to such an upstream."""
    attempt = attrs.evolve(ATTEMPT, address=attrs.evolve(ADDRESS, through=None), pool=pool, upstream=upstream)
    attempt = attrs.evolve(attempt, ended=None, fault=None, peer=None)
    exchange = attrs.evolve(EXCHANGE, method=method, context=CONTEXT, attempts=(attempt,))
    still = attrs.evolve(TUNNEL, from_client=b"", from_upstream=b"", client_ended=False)
    there = HandedSocket(2, ("10.0.0.1", 80))
    return attrs.evolve(RESTING, tunnel=still, exchange=exchange, upstream=there)


class Serving:
    """What runs, with nobody there yet."""

    def __init__(self):
        self.reactor = Turns()
        config = parse(FILE, "edge.toml")
        self.assembly = assemble(config, Observers(), Around(self.reactor, Resolver(self.reactor)))
        self.stage = Stage.SERVING
        places = Running(self.assembly, None).places()
        self.entrances = {one.bound: Entrance(one.text, one.behind(), self.reactor) for one in places}
        self.arrivals = Arrivals(self)
        self._ends = []

    @property
    def named_factories(self):
        return [(one.config.name, one.factory) for one in self.assembly.served]

    def factory(self, name):
        return dict(self.named_factories)[name]

    def upstream(self, pool):
        return self.assembly.pools[pool].pool.upstreams[0]

    def given(self, carried):
        """With a socket for each end, whose other ends are the test's."""
        pairs = [socket.socketpair() for _ in range(2 if carried.tunnel else 1)]
        self._ends += [end for pair in pairs for end in pair]
        return Given(carried, tuple(here for here, _ in pairs))

    def close(self):
        for end in self._ends:
            end.close()
        for factory in self.assembly.factories:
            factory.stop()


@pytest.fixture
def serving():
    made = Serving()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("listener", "told", "carried"),
    [
        ("gone", False, RESTING),
        ("web", True, RESTING),
        ("web", None, RESTING),
        ("told", False, RESTING),
        ("raw", False, RESTING),
        ("raw", False, tunnel()),
        ("web", False, tunnel(method=b"")),
    ],
)
def test_what_was_served_otherwise_is_not_taken(serving, listener, told, carried):
    assert serving.arrivals.prepare(listener, told, serving.given(carried)) is None
    assert all(not factory.admission.everyone() for _, factory in serving.named_factories)


def test_who_leaves_takes_nobody(serving):
    serving.stage = Stage.DRAINING
    assert serving.arrivals.prepare("web", False, serving.given(RESTING)) is None


@pytest.mark.parametrize(("listener", "told"), [("web", False), ("told", True)])
def test_a_connection_at_rest_is_there_and_counts_before_it_begins(serving, listener, told):
    start = serving.arrivals.prepare(listener, told, serving.given(RESTING))
    (guest,) = serving.factory(listener).admission.everyone()
    assert not serving.reactor.readers and guest.served_by is not None
    start()
    assert guest.transport in serving.reactor.readers


@pytest.mark.parametrize(
    ("listener", "method", "pool", "upstream"),
    [("web", b"CONNECT", "app", "http://10.0.0.1:80"), ("raw", b"", "raw", "10.0.0.1:80")],
)
def test_a_tunnel_counts_at_the_upstream_of_the_same_name(serving, listener, method, pool, upstream):
    start = serving.arrivals.prepare(listener, None, serving.given(tunnel(method, pool, upstream)))
    assert serving.upstream(pool).active == 1
    start()
    serving.factory(listener).stop()
    serving.reactor.advance(0)
    assert serving.upstream(pool).active == 0


@pytest.mark.parametrize(("pool", "upstream"), [("app", "http://10.0.0.7:80"), ("old", "http://10.0.0.1:80")])
def test_one_whose_upstream_is_not_there_any_more_goes_on_and_counts_nowhere(serving, pool, upstream):
    assert serving.arrivals.prepare("web", None, serving.given(tunnel(pool=pool, upstream=upstream))) is not None
    assert serving.upstream("app").active == 0 and len(serving.factory("web").admission) == 1


def test_how_many_a_client_has_goes_along(serving):
    for _ in range(7):
        # None is one too many that was let in before.
        assert serving.arrivals.prepare("web", False, serving.given(RESTING)) is not None
    (limit,) = serving.factory("web").admission.shared_levels
    assert limit.of("10.0.0.9") == 7


def test_what_is_not_taken_elsewhere_is_served_here_again_until_the_end(serving):
    (place,) = [one for one in serving.arrivals.places() if one.listener == "web"]
    assert place.told is False and place.factory is serving.factory("web")
    serving.stage = Stage.DRAINING
    serving.arrivals.take_back(place, serving.given(RESTING))
    (guest,) = place.factory.admission.everyone()
    assert guest.transport in serving.reactor.readers
    # It is one of those that are to leave.
    assert guest.deadline <= 2.0
