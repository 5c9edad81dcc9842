"""Addresses of names, for a short while."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver, IReactorTime
from twisted.internet.task import Clock
from zope.interface import implementer

from txproxy.errors import ConnectTimeout, DnsError
from txproxy.forward.lookups import Lookups


@implementer(IHostnameResolver, IReactorPluggableNameResolver, IReactorTime)
class Resolver(Clock):
    """A clock with a resolver, which answers when it is told to."""

    def __init__(self):
        super().__init__()
        self.nameResolver = self
        self.asked = []

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        self.asked.append((hostName, receiver))
        receiver.resolutionBegan(self)
        return self

    def answer(self, *addresses):
        _, receiver = self.asked[-1]
        for text in addresses:
            receiver.addressResolved((IPv6Address if ":" in text else IPv4Address)("TCP", text, 0))
        receiver.resolutionComplete()

    def cancel(self):
        pass


@pytest.fixture
def reactor():
    reactor = Resolver()
    yield reactor
    assert not reactor.getDelayedCalls()


@pytest.fixture
def lookups(reactor):
    return Lookups(reactor, 5)


def ask(lookups, host):
    found = lookups.find(host)
    assert isinstance(found, Deferred)
    results = []
    found.addBoth(results.append)
    return found, results


def test_what_was_found_is_known_for_half_a_minute(reactor, lookups):
    _, results = ask(lookups, "a.example")
    assert results == []
    reactor.answer("192.0.2.1", "2001:db8::1", "192.0.2.1")
    assert results == [("192.0.2.1", "2001:db8::1")]
    reactor.advance(29)
    assert lookups.find("a.example") == ("192.0.2.1", "2001:db8::1")
    reactor.advance(2)
    _, results = ask(lookups, "a.example")
    reactor.answer("192.0.2.2")
    assert results == [("192.0.2.2",)]


def test_an_address_is_its_own(reactor, lookups):
    assert lookups.find("2001:db8::1") == ("2001:db8::1",)
    assert not reactor.asked


def test_all_who_ask_at_once_wait_for_one_look_up(reactor, lookups):
    _, one = ask(lookups, "a.example")
    _, two = ask(lookups, "a.example")
    assert len(reactor.asked) == 1
    reactor.answer("192.0.2.1")
    assert one == two == [("192.0.2.1",)]


def test_who_leaves_takes_nothing_from_the_others(reactor, lookups):
    leaving, gone = ask(lookups, "a.example")
    _, staying = ask(lookups, "a.example")
    leaving.cancel()
    assert gone[0].check(CancelledError)
    reactor.answer("192.0.2.1")
    assert staying == [("192.0.2.1",)]


def test_what_one_does_with_its_answer_may_make_another_leave(reactor, lookups):
    first, _ = ask(lookups, "a.example")
    second, results = ask(lookups, "a.example")
    first.addCallback(lambda _: second.cancel())
    reactor.answer("192.0.2.1")
    assert results[0].check(CancelledError)


def test_failures_are_not_remembered(reactor, lookups):
    _, results = ask(lookups, "a.example")
    reactor.answer()
    assert results[0].check(DnsError)
    _, results = ask(lookups, "a.example")
    reactor.advance(6)
    assert results[0].check(ConnectTimeout)
    _, results = ask(lookups, "a.example")
    reactor.answer("192.0.2.1")
    assert results == [("192.0.2.1",)]


def test_the_oldest_are_forgotten_where_there_are_too_many(reactor, lookups):
    for number in range(4097):
        ask(lookups, f"{number}.example")
        reactor.answer("192.0.2.1")
    assert lookups.find("1.example") == ("192.0.2.1",)
    ask(lookups, "0.example")
    reactor.answer("192.0.2.1")
    assert len(reactor.asked) == 4098
