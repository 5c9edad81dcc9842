"""Names to addresses, and to connections with one of those."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from txproxy.errors import ConnectTimeout, DnsError
from txproxy.interfaces import Address
from txproxy.net.dialing import Dialer


@implementer(IHostnameResolver)
class Resolver:
    """Answers a look-up with ``answer``; None hangs, as a thread does: it cannot be cancelled."""

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        self.asked.append(hostName)
        self.receiver = receiver
        receiver.resolutionBegan(self)
        if self.answer is not None:
            self.complete(self.answer)
        return self

    def complete(self, answer):
        for text in answer:
            self.receiver.addressResolved((IPv6Address if ":" in text else IPv4Address)("TCP", text, 0))
        self.receiver.resolutionComplete()

    def cancel(self):
        raise NotImplementedError


@implementer(IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):
    def __init__(self, answer=None):
        super().__init__()
        self.nameResolver = Resolver(answer)

    def installNameResolver(self, resolver):
        raise AssertionError

    @property
    def dialled(self):
        return [client[:2] for client in self.tcpClients]


def dial(reactor, name):
    result = []
    dialing = Dialer(reactor, 5).dial(Address(name, 81), lambda: None)
    dialing.addBoth(result.append)
    return dialing, result


@pytest.mark.parametrize("name", ["a.example", "my_service", "-a-", "xn--a", "a.example.", "*.example", "x" * 63])
def test_any_name_that_dns_can_have_is_looked_up_and_dialled(name):
    reactor = Reactor(["10.0.0.1"])
    dial(reactor, name)
    assert reactor.nameResolver.asked == [name]
    assert reactor.dialled == [("10.0.0.1", 81)]


@pytest.mark.parametrize("name", ["my_service", "a.example"])
def test_each_of_several_addresses_is_tried(name):
    reactor = Reactor(["2001:db8::1", "10.0.0.1"])
    dial(reactor, name)
    reactor.advance(1)
    assert sorted(reactor.dialled) == [("10.0.0.1", 81), ("2001:db8::1", 81)]


@pytest.mark.parametrize("name", ["a..b", ".", "..", ".a", "x" * 64, "a." + "x" * 64 + ".b"])
def test_what_dns_cannot_have_is_not_looked_up(name):
    # The system's resolver would raise, in a thread to which nobody listens.
    reactor = Reactor(["10.0.0.1"])
    _, (failure,) = dial(reactor, name)
    assert failure.check(DnsError)
    assert not reactor.nameResolver.asked and not reactor.getDelayedCalls()


def test_a_name_without_addresses_is_a_dns_error():
    _, (failure,) = dial(Reactor([]), "nowhere.example")
    assert failure.check(DnsError)
    assert failure.value.retry_safe


def test_a_look_up_that_takes_too_long_is_a_timeout():
    reactor = Reactor()
    _, result = dial(reactor, "slow.example")
    reactor.advance(4.9)
    assert not result
    reactor.advance(0.2)
    assert result[0].check(ConnectTimeout)
    assert result[0].value.error == "dns_timeout"
    reactor.nameResolver.complete(["10.0.0.1"])
    assert not reactor.dialled and not reactor.getDelayedCalls()


def test_a_look_up_takes_of_the_time_to_connect():
    reactor = Reactor()
    dial(reactor, "slow.example")
    reactor.advance(4)
    reactor.nameResolver.complete(["10.0.0.1"])
    (client,) = reactor.tcpClients
    assert client[3] == 1


def test_a_dial_can_be_cancelled_while_its_name_is_looked_up():
    reactor = Reactor()
    dialing, result = dial(reactor, "slow.example")
    dialing.cancel()
    assert len(result) == 1
    reactor.nameResolver.complete(["10.0.0.1"])
    assert not reactor.dialled and not reactor.getDelayedCalls()
