"""Connecting to one of several addresses."""

import pytest
from twisted.internet import endpoints
from twisted.internet.defer import CancelledError, TimeoutError
from twisted.internet.error import ConnectionRefusedError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from txproxy.net.happy_eyeballs import FirstOf


class Connecting:
    def __init__(self, addresses, timeout=5):
        self.reactor = MemoryReactorClock()
        several = [endpoints.TCP4ClientEndpoint(self.reactor, host, 80, timeout) for host in addresses]
        self.results = []
        self.done = FirstOf(self.reactor, several, timeout).connect(Factory.forProtocol(Protocol))
        self.done.addBoth(self.results.append)

    @property
    def tried(self):
        return [client[0] for client in self.reactor.tcpClients]

    @property
    def given_up(self):
        """Those that were told to connect no more."""
        connectors = self.reactor.connectors
        return [host for host, connector in zip(self.tried, connectors, strict=True) if connector.stoppedConnecting]

    def refuse(self, number):
        self.reactor.tcpClients[number][2].clientConnectionFailed(None, Failure(ConnectionRefusedError(str(number))))

    def accept(self, number):
        self.reactor.tcpClients[number][2].buildProtocol(None).makeConnection(StringTransport())


@pytest.fixture
def connecting():
    made = []

    def make(*addresses, **more):
        made.append(Connecting(addresses, **more))
        return made[-1]

    yield make
    for one in made:
        assert len(one.results) == 1
        assert not one.reactor.getDelayedCalls()


def test_the_next_is_tried_a_quarter_of_a_second_later(connecting):
    one = connecting("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert one.tried == ["10.0.0.1"]
    one.reactor.advance(0.25)
    assert one.tried == ["10.0.0.1", "10.0.0.2"]
    one.accept(1)
    assert isinstance(one.results[0], Protocol)
    assert one.given_up == ["10.0.0.1"]
    one.reactor.advance(10)
    assert len(one.tried) == 2


def test_one_that_fails_has_the_next_begin_at_once(connecting):
    one = connecting("10.0.0.1", "10.0.0.2", "10.0.0.3")
    one.refuse(0)
    assert one.tried == ["10.0.0.1", "10.0.0.2"]
    one.reactor.advance(0.2)
    assert len(one.tried) == 2
    one.accept(1)


def test_one_that_fails_late_does_not_make_others_fail(connecting):
    one = connecting("10.0.0.1", "10.0.0.2")
    one.reactor.advance(0.25)
    one.refuse(0)
    assert not one.results
    one.accept(1)
    assert isinstance(one.results[0], Protocol)


def test_the_last_failure_is_the_answer(connecting):
    one = connecting("10.0.0.1", "10.0.0.2")
    one.reactor.advance(0.25)
    one.refuse(1)
    one.refuse(0)
    assert one.results[0].check(ConnectionRefusedError) and str(one.results[0].value.osError) == "0"


def test_the_time_limit_is_for_all_together(connecting):
    one = connecting(*(f"10.0.0.{number}" for number in range(40)), timeout=2)
    for _ in range(19):
        one.reactor.advance(0.1)
    assert not one.results
    one.reactor.advance(0.2)
    assert one.results[0].check(TimeoutError)
    assert one.given_up == one.tried and len(one.tried) < 10


@pytest.mark.parametrize("seconds", [0, 0.25, 5])
def test_to_cancel_it_ends_all(connecting, seconds):
    one = connecting("10.0.0.1", "10.0.0.2", timeout=60)
    one.reactor.advance(seconds)
    one.done.cancel()
    assert one.results[0].check(CancelledError)
    assert one.given_up == one.tried
