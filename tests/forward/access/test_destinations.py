"""What may be reached: decided on the resolved addresses, and those are dialled."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHostnameResolver, IReactorPluggableNameResolver
from twisted.internet.testing import MemoryReactorClock
from zope.interface import implementer

from txproxy.errors import ConfigError, ConnectTimeout, DestinationProhibited, DialError, DnsError
from txproxy.forward.access.destinations import Destinations, GuardedDialer
from txproxy.interfaces import Address
from txproxy.wire.connect_client import ConnectClient


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.255.0.1",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fd00:ec2::254",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::",
        "::127.0.0.1",
        "::ffff:0:127.0.0.1",
        "64:ff9b:1:fffe::8.8.8.8",
        "2001:0:7f00:1::",
        "100::1",
        "2001:db8::1",
        "5f00::1",
        "100.100.100.200",
        "192.0.0.192",
        "192.0.2.1",
        "203.0.113.1",
        "168.63.129.16",
    ],
)
def test_what_is_not_the_public_internet_is_refused(address):
    with pytest.raises(DestinationProhibited):
        Destinations().check("name.example", [address])


@pytest.mark.parametrize(
    "address",
    [
        "93.184.216.34",
        "168.63.129.17",
        "192.88.98.1",
        "2606:2800:220:1::1",
        "2001:200::1",
        "::ffff:93.184.216.34",
        "64:ff9b::808:808",
    ],
)
def test_the_public_internet_is_open(address):
    Destinations().check("name.example", [address])


def test_a_name_with_good_and_bad_addresses_is_refused():
    with pytest.raises(DestinationProhibited):
        Destinations().check("name.example", ["93.184.216.34", "10.0.0.1"])


@pytest.mark.parametrize("address", ["127.0.0.1", "::ffff:127.0.0.1", "0.0.0.0", "::", "64:ff9b::7f00:1"])
@pytest.mark.parametrize("name", ["name.example", "intranet.example"])
def test_what_is_closed_is_not_reached_by_what_is_allowed(name, address):
    destinations = Destinations(["0.0.0.0/0", "::/0", "intranet.example"], ("127.0.0.1", 9090))
    with pytest.raises(DestinationProhibited, match="admin endpoint"):
        destinations.check(name, ["192.0.2.1", address], 9090)
    destinations.check(name, [address], 9091)
    destinations.check(name, [address])


def test_what_is_closed_is_one_address_of_the_machine():
    destinations = Destinations(["127.0.0.0/8", "::1"], ("::1", 9090))
    destinations.check("a.example", ["127.0.0.1", "127.0.0.2"], 9090)
    with pytest.raises(DestinationProhibited):
        destinations.check_named("[::1]", 9090)


def test_networks_and_names_can_be_opened():
    destinations = Destinations(["10.1.0.0/16", "127.0.0.1", "intranet.example", "*.lab.example"])
    destinations.check("x", ["10.1.2.3"])
    destinations.check("x", ["127.0.0.1", "::ffff:127.0.0.1"])
    destinations.check("intranet.example", ["192.168.0.1"])
    destinations.check("a.lab.example", ["192.168.0.1"])
    for host, address in (("x", "10.2.0.1"), ("x", "127.0.0.2"), ("x.intranet.example", "192.168.0.1")):
        with pytest.raises(DestinationProhibited):
            destinations.check(host, [address])


@pytest.mark.parametrize("text", ["10.0.0.0/x", "10.0.0.1/8", "https://a.example/", "x:99"])
def test_what_is_refused_hears_of_networks_and_of_names(text):
    with pytest.raises(ConfigError, match=r"example\.com.*or a network|CIDR.*or a host pattern"):
        Destinations([text])


@pytest.mark.parametrize("text", ["10.0.0.0/x", "fd00::/200", "*", ""])
def test_what_is_neither_network_nor_name_is_refused(text):
    with pytest.raises(ConfigError, match="accepted"):
        Destinations([text])


@implementer(IHostnameResolver)
class Resolver:
    """Answers each look-up with the next of its answers; None hangs."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def resolveHostName(self, receiver, hostName, portNumber=0, addressTypes=None, transportSemantics="TCP"):
        answer = self.answers.pop(0)
        receiver.resolutionBegan(self)
        if answer is not None:
            for text in answer:
                receiver.addressResolved((IPv6Address if ":" in text else IPv4Address)("TCP", text, 0))
            receiver.resolutionComplete()
        return self

    def cancel(self):
        pass


@implementer(IReactorPluggableNameResolver)
class Reactor(MemoryReactorClock):
    def __init__(self, *answers):
        super().__init__()
        self.nameResolver = Resolver(*answers)

    def installNameResolver(self, resolver):
        raise AssertionError


def dial(reactor, host, *allow):
    dialer = GuardedDialer(reactor, Destinations(allow), 5)
    result = []
    dialing: Deferred = dialer.dial(Address(host, 80), lambda: None)
    dialing.addBoth(result.append)
    return result


def test_the_address_that_was_checked_is_the_one_dialled():
    # The second look-up would give another address: there must be none.
    reactor = Reactor(["93.184.216.34"], ["127.0.0.1"])
    dial(reactor, "rebind.example")
    assert [client[:2] for client in reactor.tcpClients] == [("93.184.216.34", 80)]
    assert len(reactor.nameResolver.answers) == 1


def test_each_of_several_addresses_is_tried():
    reactor = Reactor(["2606:2800:220:1::1", "93.184.216.34"])
    dial(reactor, "two.example")
    reactor.advance(1)
    assert {client[0] for client in reactor.tcpClients} == {"2606:2800:220:1::1", "93.184.216.34"}


def test_a_prohibited_name_is_not_dialled():
    reactor = Reactor(["10.0.0.1"])
    (failure,) = dial(reactor, "inside.example")
    assert failure.check(DestinationProhibited)
    assert not reactor.tcpClients


def test_a_prohibited_literal_is_not_dialled():
    reactor = Reactor()
    (failure,) = dial(reactor, "127.0.0.1")
    assert failure.check(DestinationProhibited)
    assert not reactor.tcpClients


def test_a_name_that_does_not_resolve_is_a_dns_error():
    (failure,) = dial(Reactor([]), "nowhere.example")
    assert failure.check(DnsError)


def test_a_look_up_that_takes_too_long_is_a_timeout():
    reactor = Reactor(None)
    result = dial(reactor, "slow.example")
    reactor.advance(6)
    assert result[0].check(ConnectTimeout)
    assert not reactor.getDelayedCalls()


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "0177.0.0.1", "127.1", "0x7f000001", "%31%32%37.0.0.1", "[::1]", "::ffff:10.0.0.1", "localhost."],
)
def test_what_is_named_is_judged_without_looking_it_up(host):
    with pytest.raises(DestinationProhibited):
        Destinations().check_named(host)
    Destinations(["127.0.0.0/8", "::1", "10.0.0.0/8"]).check_named(host)
    Destinations(["localhost"]).check_named("localhost")
    for other in ("93.184.216.34", "inside.example", "localhost.example", ""):
        Destinations().check_named(other)


class Parent:
    """A hop, wherever it is."""

    address = Address("10.0.0.9", 3128)
    key = "parent"

    def opening(self, host, port):
        return ConnectClient(host, port)


def test_a_proxy_on_the_way_may_be_anywhere_and_looks_names_up_itself():
    reactor = Reactor()
    dialer = GuardedDialer(reactor, Destinations(), 5)
    for address in (Address("inside.example", 443, through=Parent()), Address(through=Parent())):
        dialer.dial(address, lambda: None)
    assert [client[:2] for client in reactor.tcpClients] == [("10.0.0.9", 3128)] * 2
    result = []
    dialer.dial(Address("127.1", 443, through=Parent()), lambda: None).addBoth(result.append)
    assert result[0].check(DestinationProhibited) and len(reactor.tcpClients) == 2


@pytest.mark.parametrize(
    ("local", "found"), [("192.0.2.1", {"93.184.216.34", "93.184.216.35"}), ("2001:db8::1", {"2606:2800:220:1::1"})]
)
def test_a_local_address_reaches_those_of_its_kind(local, found):
    reactor = Reactor(["2606:2800:220:1::1", "93.184.216.34", "93.184.216.35"])
    GuardedDialer(reactor, Destinations(), 5).dial(Address("a.example", 80, bind=local), lambda: None)
    reactor.advance(1)
    assert {client[0] for client in reactor.tcpClients} == found
    assert {client[4] for client in reactor.tcpClients} == {(local, 0)}


def test_a_local_address_of_the_other_kind_reaches_nothing():
    result = []
    dialer = GuardedDialer(Reactor(["93.184.216.34"]), Destinations(), 5)
    dialer.dial(Address("a.example", 80, bind="2001:db8::1"), lambda: None).addBoth(result.append)
    assert result[0].check(DialError) and "from 2001:db8::1" in result[0].value.detail


def test_pinned_addresses_are_dialled_without_a_look_up():
    reactor = Reactor()
    dialer = GuardedDialer(reactor, Destinations(), 5)
    dialer.dial(Address("a.example", 80, pinned=("93.184.216.34",)), lambda: None)
    assert [client[:2] for client in reactor.tcpClients] == [("93.184.216.34", 80)]
    dialer.dial(Address("a.example", 80, pinned=("2606:2800:220:1::1", "93.184.216.35")), lambda: None)
    reactor.advance(1)
    assert {client[0] for client in reactor.tcpClients[1:]} == {"2606:2800:220:1::1", "93.184.216.35"}


def test_pinned_addresses_are_judged_like_others():
    reactor = Reactor()
    result = []
    dialer = GuardedDialer(reactor, Destinations(), 5)
    dialer.dial(Address("a.example", 80, pinned=("93.184.216.34", "10.0.0.1")), lambda: None).addErrback(result.append)
    assert result[0].check(DestinationProhibited)
    assert not reactor.tcpClients
