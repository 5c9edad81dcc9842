"""Who looks after the upstreams of a pool."""

import pytest
from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from txproxy import Pool
from txproxy.errors import ConnectionRefused
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.keepers import Keepers
from txproxy.upstreams.pool_settings import PoolSettings


class Keeper:
    """Remembers what it was told."""

    def __init__(self):
        self.told = []

    def start(self):
        self.told.append("start")

    def stop(self):
        self.told.append("stop")


class Dialing:
    """Connections that never come to be."""

    def __init__(self):
        self.asked = []

    def __call__(self, address, protocol):
        self.asked.append(address.host)
        return Deferred()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pool(clock):
    return Pool(
        ["http://10.0.0.1", "http://10.0.0.2"], clock=clock, settings=PoolSettings(health=HealthCheck(path="/"))
    )


@pytest.fixture
def kept(pool):
    return Keepers(pool)


def begin(keepers, clock, dial):
    keepers.start(clock, dial, None, frozenset())


def test_all_are_at_work_from_the_first_who_serves_to_the_last(kept, clock):
    keeper, dial = Keeper(), Dialing()
    kept.add(keeper)
    assert not keeper.told and not kept.checks
    begin(kept, clock, dial)
    begin(kept, clock, dial)
    assert keeper.told == ["start"] and kept.checks
    kept.stop()
    assert keeper.told == ["start"] and kept.checks
    kept.stop()
    assert keeper.told == ["start", "stop"] and not kept.checks
    assert not clock.getDelayedCalls()


def test_one_that_comes_while_somebody_serves_begins_at_once(kept, clock):
    keeper = Keeper()
    begin(kept, clock, Dialing())
    kept.add(keeper)
    assert keeper.told == ["start"]
    kept.stop()


@pytest.mark.parametrize("before", [True, False])
def test_where_another_process_checks_this_one_does_not(kept, clock, before):
    dial = Dialing()
    if before:
        kept.lead(False)
    begin(kept, clock, dial)
    if not before:
        kept.lead(False)
    clock.advance(30)
    assert not dial.asked
    kept.lead(True)
    clock.advance(30)
    assert set(dial.asked) == {"10.0.0.1", "10.0.0.2"}
    kept.stop()


def test_what_checks_have_found_is_known_to_who_serves_next(kept, pool, clock):
    def refuse(address, protocol):
        return fail(ConnectionRefused("refused"))

    begin(kept, clock, refuse)
    clock.advance(30)
    found = kept.last_check(pool.upstreams[0])
    assert found is not None and found.cause
    kept.stop()
    begin(kept, clock, refuse)
    assert kept.last_check(pool.upstreams[0]) is found
    kept.stop()


def test_who_is_to_check_waits_for_somebody_who_serves(kept, clock):
    begin(kept, clock, Dialing())
    kept.stop()
    kept.lead(True)
    assert not clock.getDelayedCalls()


def test_nobody_is_said_to_be_gone_while_nobody_serves(kept, pool):
    told = []
    kept.gone(pool.upstreams[0]).addCallback(told.append)
    assert told == [False]
