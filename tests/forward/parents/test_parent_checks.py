"""Active checks of parent proxies."""

import pytest
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.logger import capturedLogs

from txproxy.errors import ParentError
from txproxy.forward.parents.parent_checks import ParentChecks
from txproxy.forward.parents.selection import Parents


class Network:
    """Connects, or does not, as told; keeps what was dialled."""

    def __init__(self):
        self.dialed = []
        self.transports = []
        self.answer = "yes"
        self.hanging = []

    def dial(self, address, build):
        self.dialed.append(str(address))
        if isinstance(self.answer, Exception):
            return fail(self.answer)
        if self.answer == "hang":
            self.hanging.append(Deferred())
            return self.hanging[-1]
        visitor = build()
        self.transports.append(StringTransport())
        visitor.makeConnection(self.transports[-1])
        return succeed(visitor)


@pytest.fixture
def clock():
    made = Clock()
    yield made
    assert not made.getDelayedCalls()


def pass_time(clock, seconds):
    for _ in range(seconds * 10):
        clock.advance(0.1)


def test_each_parent_is_visited_again_and_again_and_direct_is_not(clock):
    network = Network()
    checks = ParentChecks(Parents(["http://a", "direct", "socks5://b"]), 10, clock, network.dial)
    pass_time(clock, 2)
    assert sorted(network.dialed) == ["http://a:80", "socks5://b:1080"]
    assert all(transport.disconnecting and not transport.value() for transport in network.transports)
    pass_time(clock, 100)
    assert 18 <= len(network.dialed) <= 23
    checks.stop()
    pass_time(clock, 20)
    assert len(network.dialed) <= 23


def test_a_visit_that_fails_is_not_the_last_one(clock):
    network = Network()
    network.answer = ParentError("refused")
    with capturedLogs() as events:
        checks = ParentChecks(Parents(["http://a"]), 10, clock, network.dial)
        pass_time(clock, 25)
    assert len(network.dialed) >= 2
    assert not events, "the parent says so itself, once"
    checks.stop()


def test_what_nobody_has_foreseen_is_said(clock):
    network = Network()
    network.answer = ZeroDivisionError()
    with capturedLogs() as events:
        checks = ParentChecks(Parents(["http://a"]), 10, clock, network.dial)
        pass_time(clock, 2)
    assert [event["log_failure"].type for event in events] == [ZeroDivisionError]
    checks.stop()


def test_a_visit_that_takes_long_is_the_only_one_and_is_given_up_at_the_end(clock):
    network = Network()
    network.answer = "hang"
    checks = ParentChecks(Parents(["http://a"]), 10, clock, network.dial)
    pass_time(clock, 50)
    (visit,) = network.hanging
    assert not visit.called
    checks.stop()
    assert visit.called
