"""Where requests want to go: one spelling, and whether that may be."""

import pytest
from twisted.internet.testing import MemoryReactorClock

from txproxy.errors import ConfigError, DestinationProhibited, RequestError
from txproxy.forward.access.destinations import Destinations, GuardedDialer
from txproxy.forward.access.refusals import Blocked
from txproxy.forward.request.targets import Bind, Targets
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


@pytest.mark.parametrize(
    ("authority", "host", "sent"),
    [
        (b"Example.COM", "example.com", b"example.com"),
        (b"example.com.", "example.com", b"example.com"),
        (b"ex%61mple.com", "example.com", b"example.com"),
        (b"example.com:80", "example.com", b"example.com"),
        (b"example.com:8080", "example.com", b"example.com:8080"),
        (b"[2001:DB8::0:1]:8080", "2001:db8::1", b"[2001:db8::1]:8080"),
        (b"b%C3%BCcher.example", "xn--bcher-kva.example", b"xn--bcher-kva.example"),
    ],
)
def test_what_is_judged_is_dialled_and_asked_for(authority, host, sent):
    target = Targets().find(b"http", authority)
    assert (target.host, target.address.host, target.authority) == (host, host, sent)


# Each is an address that must not be reached, in another spelling: nobody needs to look one up to see that.
SPELLINGS = [
    b"127.0.0.1",
    b"127.1",
    b"127.0.1",
    b"0177.0.0.1",
    b"00000177.1",
    b"0x7f.1",
    b"0X7F.0x0.0x0.0x1",
    b"0x7f000001",
    b"017700000001",
    b"2130706433",
    b"127.0.0.1.",
    b"127.0.0.1..",
    b"127%2e0%2e0%2e1",
    b"%31%32%37.1",
    b"%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1",
    b"127%E3%80%820%E3%80%820.1",
    b"[::1]",
    b"[0:0:0:0:0:0:0:1]",
    b"[::ffff:127.0.0.1]",
    b"[::ffff:7f00:1]",
    b"[0:0:0:0:0:FFFF:127.0.0.1]",
    b"[::127.0.0.1]",
    b"[::ffff:0:127.0.0.1]",
    b"[64:ff9b::127.0.0.1]",
    b"[64:ff9b:1::a9fe:a9fe]",
    b"[2002:7f00:1::]",
    b"[2001:0:7f00:1::]",
    b"[2001:0:808:808::80ff:fffe]",
    b"0",
    b"0.0.0.0",
    b"[::]",
    b"10.1",
    b"0xa9fea9fe",
    b"169.254.43518",
    b"2852039166",
    b"[::ffff:a9fe:a9fe]",
    b"[fd00:ec2::254]",
    b"[fe80::1]",
    b"[ff02::1]",
    b"224.1",
    b"4294967295",
    b"0377.255.65535",
    b"192.168.257",
]


# What 8.8.4.4 is reached by beside itself.
CARRYING = [
    b"[::ffff:8.8.4.4]",
    b"[64:ff9b::8.8.4.4]",
    b"[64:ff9b:1::808:404]",
    b"[2002:808:404::1]",
    b"[::8.8.4.4]",
    b"[2001:0:4136:e378:8000:63bf:f7f7:fbfb]",
]


@pytest.mark.parametrize("authority", SPELLINGS)
def test_prohibited_addresses_are_refused_in_every_spelling(authority):
    targets = Targets(["1-65535"])
    # This reactor has no resolver: what is taken for a name would fail in another way.
    dialer = GuardedDialer(MemoryReactorClock(), Destinations(), 5)
    for scheme, port in ((b"http", b""), (b"https", b""), (b"", b":443")):
        result = []
        dialer.dial(targets.find(scheme, authority + port).address, lambda: None).addErrback(result.append)
        (failure,) = result
        assert failure.check(DestinationProhibited)


@pytest.mark.parametrize(
    "authority", [b"a%0d%0ax", b"a%00", b"a%2fb", b"a%40b", b"%25", b"a%3a80", b"a*b", b"%80.example", b"%FF"]
)
def test_what_is_no_name_is_refused(authority):
    with pytest.raises(RequestError, match="no name that DNS can have"):
        Targets().find(b"http", authority)


def test_a_name_that_no_certificate_can_have_is_refused():
    with pytest.raises(RequestError):
        Targets().find(b"https", (b"a" * 50 + b".") * 5 + b"example")


def test_the_same_target_is_the_same_object():
    targets = Targets()
    one = targets.find(b"http", b"example.com")
    assert targets.find(b"http", b"example.com") is one
    assert targets.address(one, "", "", ()) is targets.address(one, "", "", ())


@pytest.mark.parametrize(
    ("options", "authority", "rule"),
    [
        ({}, b"example.com:25", "allow_ports"),
        ({"allow": ["good.example"]}, b"example.com", "allow_hosts"),
        ({"deny": [".example.com"]}, b"www.example.com", "deny_hosts"),
        ({"deny": ["127.0.0.1"]}, b"0x7f.1", "deny_hosts"),
        ({"deny": ["b\u00fccher.example"]}, b"xn--bcher-kva.example", "deny_hosts"),
        ({"deny": ["EXAMPLE.com."]}, b"example.com", "deny_hosts"),
        ({"allow": [".example.com"], "deny": ["www.example.com"]}, b"www.example.com", "deny_hosts"),
    ],
)
def test_what_may_not_be_says_by_what(options, authority, rule):
    client = context_of("127.0.0.1")
    with pytest.raises(Blocked, match=rule) as raised:
        Targets(**options).of(RequestHead(b"GET", b"/", Headers(), authority, b"http"), client)
    assert client.verdict is raised.value.verdict
    assert client.verdict.rule == rule


@pytest.mark.parametrize("authority", CARRYING)
def test_an_address_that_is_denied_is_so_by_each_way_to_it(authority):
    with pytest.raises(Blocked, match="is not allowed"):
        Targets(deny=["8.8.4.4"]).find(b"http", authority)
    assert Targets(deny=["8.8.4.5"]).find(b"http", authority)


def test_an_address_that_is_allowed_is_so_by_no_other_way():
    targets = Targets(allow=["8.8.4.4", "64:ff9b::808:405"])
    assert targets.find(b"http", b"8.8.4.4") and targets.find(b"http", b"[64:ff9b::8.8.4.5]")
    with pytest.raises(Blocked, match="not among"):
        targets.find(b"http", b"[64:ff9b::8.8.4.4]")


def test_allowed_hosts_are_found():
    targets = Targets(allow=[".example.com", "[2001:DB8::0:1]"], deny=["bad.example.com"])
    for authority in (b"example.com", b"WWW.example.com.", b"[2001:db8::1]"):
        assert targets.find(b"http", authority)


def test_the_address_to_connect_from_depends_on_host_and_rule():
    binds = [
        Bind(address="192.0.2.1", hosts="*.one.example"),
        Bind(address="192.0.2.2", rules="guests"),
        Bind(address="192.0.2.3", hosts=["two.example"], rules=["staff"]),
    ]
    targets = Targets(bind="192.0.2.9", binds=binds)

    def bind(authority, rule=""):
        return targets.address(targets.find(b"http", authority), rule, "", ()).bind

    assert bind(b"a.one.example") == bind(b"a.one.example", "guests") == "192.0.2.1"
    assert bind(b"other.example", "guests") == "192.0.2.2"
    assert bind(b"two.example", "staff") == "192.0.2.3"
    assert bind(b"two.example") == bind(b"other.example", "staff") == "192.0.2.9"


@pytest.mark.parametrize("text", ["", "a.example", "0x7f.1", "192.0.2"])
def test_only_an_address_can_be_connected_from(text):
    with pytest.raises(ConfigError, match="accepted"):
        Bind(address=text)


def test_pinned_addresses_and_another_host_to_dial_are_of_the_address():
    targets = Targets()
    target = targets.find(b"", b"www.example.com:443")
    address = targets.address(target, "", "safe.example.com", ("192.0.2.7", "192.0.2.8"))
    assert (address.host, address.pinned) == ("safe.example.com", ("192.0.2.7", "192.0.2.8"))
    other = targets.address(target, "", "safe.example.com", ("192.0.2.8", "192.0.2.7"))
    assert other.key == address.key != target.address.key
