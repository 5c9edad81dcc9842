"""Active health checks: when each upstream is checked, and what it is told."""

from itertools import pairwise
from random import Random

import pytest
from twisted.internet.task import Clock
from twisted.logger import globalLogPublisher

from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Address
from txproxy.testing import MemoryNetwork
from txproxy.upstreams.health.checks import Checks
from txproxy.upstreams.health.health_check import HealthCheck

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
BAD = b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n"
STEP = 0.01


class Told:
    """An upstream that remembers what it was told."""

    def __init__(self, number=1):
        self.name = f"up{number}"
        self.address = Address(f"10.0.0.{number}", 80)
        self.authority = self.name.encode()
        self.told = []
        self.passes = []
        self.ejected = False

    def checked(self, ok, cause):
        self.told.append((ok, cause))

    def passed(self, since):
        self.passes.append(since)
        return self.ejected


class Ward:
    """Checks over a network in which each host answers what ``answers`` says: bytes, an error, or "hang"."""

    def __init__(self, *upstreams, seed=7, **check):
        self.clock = Clock()
        self.network = MemoryNetwork(self.clock)
        self.answers = {}
        self.asked = []
        self.upstreams = upstreams
        self.check = HealthCheck(**check)
        self.checks = Checks(self.check, self.clock, self._dial, Random(seed), name="web")
        for upstream in upstreams:
            self.checks.watch(upstream)

    def _dial(self, address, build):
        answer = self.answers.get(address.host, OK)
        self.asked.append((self.clock.seconds(), address.host))
        self.network.script = [] if isinstance(answer, bytes) else [answer]
        dialing = self.network.dial(address, build)
        if isinstance(answer, bytes):
            self.clock.callLater(STEP / 2, self.network.connections[-1].send, answer)
        return dialing

    def advance(self, seconds):
        for _ in range(round(seconds / STEP)):
            self.clock.advance(STEP)

    def times(self, host="10.0.0.1"):
        return [when for when, asked in self.asked if asked == host]

    def checked(self, answer, times, host="10.0.0.1"):
        """Let ``host`` be checked so many times, with this answer."""
        self.answers[host] = answer
        target = len(self.times(host)) + times
        while len(self.times(host)) < target:
            self.clock.advance(STEP)
        self.clock.advance(STEP)


@pytest.fixture
def ward():
    made = []

    def make(*upstreams, **options):
        made.append(Ward(*upstreams, **options))
        return made[-1]

    yield make
    for each in made:
        each.checks.stop()
        each.clock.advance(0)
        assert all(connection.closed for connection in each.network.connections)
        # What is left are the answers that the network was about to give.
        each.clock.advance(STEP)
        assert not each.clock.getDelayedCalls()


@pytest.fixture
def log():
    """The lines that the checks have logged."""
    lines = []

    def observe(event):
        if event.get("log_namespace") == "txproxy.upstreams.health.checks":
            lines.append(event["log_format"].format(**event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


# -- when


def test_first_checks_begin_promptly_and_apart(ward):
    several = ward(*(Told(number) for number in range(1, 11)))
    several.checks.start()
    several.advance(1)
    first = [several.times(f"10.0.0.{number}") for number in range(1, 11)]
    assert all(len(times) == 1 for times in first)
    assert len({times[0] for times in first}) > 5


def test_first_checks_take_no_longer_than_an_interval(ward):
    quick = ward(*(Told(number) for number in range(1, 11)), interval=0.2)
    quick.checks.start()
    quick.advance(0.2)
    assert len({host for _, host in quick.asked}) == 10


def test_intervals_differ_by_a_tenth(ward):
    steady = ward(Told(), interval=5)
    steady.checks.start()
    steady.advance(1000)
    times = steady.times()
    gaps = [after - before for before, after in pairwise(times)]
    assert all(4.5 - 2 * STEP <= gap <= 5.5 + 2 * STEP for gap in gaps)
    assert min(gaps) < 4.7
    assert max(gaps) > 5.3
    assert 190 < len(gaps) < 210


def test_checks_of_an_upstream_never_overlap(ward):
    slow = ward(Told(), interval=1, timeout=3)
    slow.answers["10.0.0.1"] = b""
    slow.checks.start()
    for _ in range(2000):
        slow.clock.advance(STEP)
        assert len([connection for connection in slow.network.connections if not connection.closed]) <= 1
    # The next one begins when the one before is over, after its three seconds.
    gaps = [after - before for before, after in pairwise(slow.times())]
    assert len(gaps) >= 5
    assert all(3 - STEP <= gap <= 3 + 3 * STEP for gap in gaps)


def test_a_connection_that_does_not_close_is_dropped_before_the_next_check(ward):
    stuck = ward(Told(), interval=1, timeout=10)
    stuck.checks.start()
    while not stuck.network.connections:
        stuck.clock.advance(STEP)
    first = stuck.network.connections[0]
    first.stop_reading()
    first.write(b"what its peer does not take")
    stuck.advance(0.8)
    assert not first.closed
    stuck.advance(0.5)
    assert first.reset
    assert len(stuck.network.connections) == 2
    assert stuck.upstreams[0].told == [(True, "")]


def test_nothing_is_asked_before_start_or_after_stop(ward):
    idle = ward(Told())
    idle.advance(10)
    assert idle.asked == []
    idle.checks.start()
    idle.checks.start()
    idle.advance(1)
    assert len(idle.asked) == 1
    idle.checks.stop()
    idle.checks.stop()
    assert not idle.clock.getDelayedCalls()
    idle.advance(10)
    assert len(idle.asked) == 1


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\n", "hang"])
def test_stop_drops_a_check_under_way(ward, answer):
    upstream = Told()
    busy = ward(upstream, fall=1)
    busy.answers["10.0.0.1"] = answer
    busy.checks.start()
    busy.advance(1.2)
    assert len(busy.asked) == 1
    busy.checks.stop()
    busy.clock.advance(0)
    assert all(connection.reset for connection in busy.network.connections)
    assert all(dialing.called for dialing, _, _ in busy.network.hanging)
    assert not busy.clock.getDelayedCalls()
    assert upstream.told == []


def test_upstreams_that_come_later_are_checked_and_those_that_go_are_not(ward):
    first, second = Told(1), Told(2)
    pool = ward(first, interval=2)
    pool.checks.start()
    pool.advance(5)
    assert pool.times("10.0.0.2") == []
    pool.checks.watch(second)
    pool.checks.watch(second)
    pool.advance(1)
    assert len(pool.times("10.0.0.2")) == 1
    pool.checks.forget(first)
    pool.checks.forget(first)
    before = len(pool.times("10.0.0.1"))
    pool.advance(10)
    assert len(pool.times("10.0.0.1")) == before
    assert len(pool.times("10.0.0.2")) > 4


def test_an_upstream_may_be_forgotten_while_it_is_told(ward):
    upstream = Told()
    pool = ward(upstream, fall=1)
    upstream.checked = lambda ok, cause: pool.checks.forget(upstream)
    pool.answers["10.0.0.1"] = BAD
    pool.checks.start()
    pool.advance(20)
    assert len(pool.asked) == 1
    assert not pool.clock.getDelayedCalls()


def test_an_upstream_that_cannot_bear_the_news_is_checked_all_the_same(ward):
    upstream = Told()
    pool = ward(upstream, fall=1)
    pool.answers["10.0.0.1"] = BAD

    def fail(ok, cause):
        raise ZeroDivisionError

    upstream.checked = fail
    pool.checks.start()
    with pytest.raises(ZeroDivisionError):
        pool.advance(2)
    pool.advance(10)
    assert len(pool.asked) >= 2


# -- what upstreams are told


def test_fall_failures_in_a_row_make_it_unhealthy_and_rise_successes_healthy(ward, log):
    upstream = Told()
    pool = ward(upstream, fall=3, rise=2)
    pool.checks.start()
    pool.checked(BAD, 2)
    assert upstream.told == []
    pool.checked(ConnectionRefused("refused"), 1)
    assert upstream.told == [(False, "connection refused")]
    pool.checked(BAD, 5)
    pool.checked(OK, 1)
    assert len(upstream.told) == 1
    pool.checked(OK, 1)
    assert upstream.told[1:] == [(True, "")]
    pool.checked(OK, 5)
    assert len(upstream.told) == 2
    assert log == ["up1 of web is unhealthy: connection refused", "up1 of web is healthy again"]


def test_an_ejection_ends_with_as_many_checks_in_a_row_as_make_an_upstream_healthy(ward, log):
    upstream = Told()
    pool = ward(upstream, fall=3, rise=3)
    pool.checks.start()
    pool.checked(OK, 2)
    assert upstream.passes == []
    pool.checked(OK, 1)
    times = pool.times()
    assert upstream.passes == [times[0]], "since when they go well"
    pool.checked(OK, 1)
    assert upstream.passes == times[:2]
    pool.checked(BAD, 1)
    pool.checked(OK, 2)
    assert len(upstream.passes) == 2
    upstream.ejected = True
    pool.checked(OK, 1)
    assert upstream.passes[2:] == [pool.times()[5]]
    assert log == ["up1 of web is ejected no more, as its checks go well"]


def test_one_that_comes_and_goes_stays_what_it_is(ward, log):
    upstream = Told()
    pool = ward(upstream, fall=3, rise=2)
    pool.checks.start()
    for _ in range(5):
        pool.checked(BAD, 2)
        pool.checked(OK, 1)
    assert upstream.told == []
    pool.checked(BAD, 3)
    for _ in range(5):
        pool.checked(OK, 1)
        pool.checked(BAD, 1)
    assert [ok for ok, _ in upstream.told] == [False]
    assert len(log) == 1


def test_that_it_is_healthy_is_confirmed_once_and_not_logged(ward, log):
    """Other checks, before a reload, may have left it unhealthy."""
    upstream = Told()
    pool = ward(upstream, rise=2)
    pool.checks.start()
    pool.checked(OK, 1)
    assert upstream.told == []
    pool.checked(OK, 9)
    assert upstream.told == [(True, "")]
    assert log == []


def test_what_was_found_out_stays_over_a_stop(ward):
    upstream = Told()
    pool = ward(upstream, fall=2, rise=2)
    pool.checks.start()
    pool.checked(BAD, 2)
    pool.checks.stop()
    pool.checks.start()
    pool.checked(BAD, 3)
    assert len(upstream.told) == 1
    pool.checked(OK, 2)
    assert [ok for ok, _ in upstream.told] == [False, True]


def test_upstreams_are_judged_one_by_one(ward):
    good, bad = Told(1), Told(2)
    pool = ward(good, bad, fall=2, rise=2)
    pool.answers["10.0.0.2"] = "hang"
    pool.checks.start()
    pool.advance(30)
    assert good.told == [(True, "")]
    assert bad.told == [(False, "no connection within 2 s")]
