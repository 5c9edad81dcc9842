"""Sets of networks."""

import ipaddress

import pytest

from tests.forward.access.conditions.asking import fits, request
from txproxy.errors import ConfigError, DestinationProhibited
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.limits.scopes import parse_scope
from txproxy.matching.networks import Networks, PeerNetworks, covers, network, network_or_unix, read_address, unmapped
from txproxy.reverse.client_identity import Trust
from txproxy.reverse.routing.conditions import Clients
from txproxy.testing import context_of


def test_networks_take_addresses_of_both_families():
    networks = Networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
    assert "10.1.2.3" in networks and "fd00::1" in networks and "192.0.2.7" in networks
    assert "11.0.0.1" not in networks and "::1" not in networks and "nonsense" not in networks
    assert len(networks) == 3 and not Networks([])


def test_peers_on_unix_sockets_are_in_a_set_that_names_them():
    assert "unix:" in PeerNetworks(["unix:"]) and "10.0.0.1" not in PeerNetworks(["unix:"])
    assert "unix:" in PeerNetworks(["10.0.0.0/8", "unix:"]) and "10.0.0.1" in PeerNetworks(["10.0.0.0/8", "unix:"])
    for networks in ([], ["10.0.0.0/8"], ["0.0.0.0/0", "::/0"]):
        assert "unix:" not in PeerNetworks(networks) and "unix:" not in Networks(networks)
    assert len(PeerNetworks(["unix:"])) == 1 and not PeerNetworks([])


def test_unix_sockets_are_no_network_that_a_destination_could_be_in():
    with pytest.raises(ConfigError):
        Networks(["unix:"])
    with pytest.raises(ConfigError, match="fd00::/8, or unix: for UNIX sockets"):
        PeerNetworks(["unix:/x"])


def test_a_scope_does_not_make_another_address():
    assert "fe80::1%eth0" in Networks(["fe80::/10"])


@pytest.mark.parametrize(
    ("text", "why"),
    [("10.0.0.0/33", "is no network;"), ("10.0.0.1/8", "host bits set"), ("", "is no network;"), ("a", "accepted")],
)
def test_what_is_no_network_is_refused(text, why):
    with pytest.raises(ConfigError, match=why):
        network(text)


def test_mapped_addresses_are_those_that_they_stand_for():
    assert unmapped(ipaddress.ip_address("::ffff:192.0.2.1")) == ipaddress.ip_address("192.0.2.1")
    assert unmapped(ipaddress.ip_address("::192.0.2.1")) == ipaddress.ip_address("::192.0.2.1")


@pytest.mark.parametrize(
    ("text", "read"),
    [("::ffff:192.0.2.1", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"), ("2001:DB8:0::1", "2001:db8::1")],
)
def test_an_address_is_read_without_its_zone_and_as_what_it_stands_for(text, read):
    assert str(read_address(text)) == read
    with pytest.raises(ValueError, match="appear"):
        read_address("a.example")


NETWORKS = [
    ("10.0.0.0/8", "10.0.0.0/8"),
    ("10.0.0.0/255.0.0.0", "10.0.0.0/8"),
    ("192.0.2.1", "192.0.2.1/32"),
    ("FD00::/8", "fd00::/8"),
    ("[::1]", "::1/128"),
    ("[fd00::/8]", "fd00::/8"),
    ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
    ("::ffff:10.0.0.1", "10.0.0.1/32"),
    ("::ffff:0:0/96", "0.0.0.0/0"),
    ("::fffe:0:0/95", "::fffe:0:0/95"),
    ("::/0", "::/0"),
]
NO_NETWORKS = [
    "",
    "a.example",
    "10.0.0.1/8",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10",
    "010.0.0.1",
    "10.0.0.0 /8",
    "[10.0.0.1]",
    "[::1",
    "::1]",
    "]::1[",
    "[fd00::]/8",
    "fe80::1%eth0",
    "fe80::%eth0/10",
    "\u0661\u0660.0.0.0/8",
    "unix:/x",
]


@pytest.mark.parametrize(("text", "meant"), NETWORKS)
def test_a_network_is_read_as_what_it_stands_for(text, meant):
    assert str(network(text)) == str(network_or_unix(text)) == meant
    assert network_or_unix("unix:") == "unix:"


def _rule(key):
    return next(kind for kind in CONDITION_TYPES if kind.key == key).parse


# Every place where somebody writes a network.
PLACES = {
    "allow_clients": lambda text: PeerNetworks([text]),
    "trusted_proxies": lambda text: Trust([text]),
    "only": lambda text: parse_scope("client", [text]),
    "rule's clients": _rule("clients"),
    "rule's addresses": _rule("addresses"),
    "route's clients": lambda text: Clients.parse([text]),
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("text", NO_NETWORKS, ids=ascii)
def test_every_place_refuses_what_is_none(place, text):
    # A limit may be for names as well, and an empty one is neither.
    if place == "only" and not text:
        return
    with pytest.raises(ConfigError, match=r"is no network(: it has host bits set)?; accepted are an address"):
        PLACES[place](text)


@pytest.mark.parametrize("text", [text for text in NO_NETWORKS if "/" in text and "unix" not in text], ids=ascii)
def test_places_that_take_names_too_refuse_what_is_none(text):
    with pytest.raises(ConfigError, match="is no network"):
        Destinations([text])
    with pytest.raises(ConfigError, match=r"is no (network|exception).*; accepted are"):
        NoProxy([text])


def _opens(text):
    destinations = Destinations([text])

    def test(address):
        try:
            destinations.check("name.example", [address])
        except DestinationProhibited:
            return False
        return True

    return test


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("10.0.0.0/8", ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"], ["192.168.0.1", "fd00::1"]),
        ("::ffff:10.0.0.0/104", ["10.0.0.1", "::ffff:10.0.0.1", "::ffff:a00:1"], ["192.168.0.1", "fd00::1"]),
        ("fd00::/8", ["fd00::1", "fd00::1%eth0"], ["10.0.0.1", "::ffff:10.0.0.1", "fe80::1"]),
        ("::/0", ["fd00::1", "::1"], ["10.0.0.1", "::ffff:10.0.0.1"]),
        ("0.0.0.0/0", ["10.0.0.1", "::ffff:10.0.0.1"], ["fd00::1", "::1"]),
    ],
)
def test_a_network_has_the_same_addresses_everywhere(text, inside, outside):
    asked = inside + outside
    networks, peers, trust, no_proxy = Networks([text]), PeerNetworks([text]), Trust([text]), NoProxy([text])
    route, opens, scope = Clients.parse([text]), _opens(text), parse_scope("client", [text])
    assert [one for one in asked if one in networks] == inside
    assert [one for one in asked if one in peers] == inside
    assert [one for one in asked if one in trust.networks] == inside
    assert [one for one in asked if no_proxy.has(one, 80)] == inside
    assert [one for one in asked if fits("clients", text, request(client_ip=one))] == inside
    assert [one for one in asked if fits("addresses", text, request(addresses=(one,)))] == inside
    assert [one for one in asked if route.holds(None, context_of(one))] == inside
    assert [one for one in asked if opens(one)] == inside
    assert [one for one in asked if scope.name(one, None, "")] == inside


@pytest.mark.parametrize(
    ("one", "other", "covered"),
    [
        ("10.0.0.0/8", "10.1.0.0/16", True),
        ("10.1.0.0/16", "10.0.0.0/8", False),
        ("::ffff:10.0.0.0/104", "10.0.0.1", True),
        ("::/0", "::1", True),
        ("::/0", "10.0.0.1", False),
        ("unix:", "unix:", True),
        ("unix:", "::1", False),
        ("::/0", "unix:", False),
        ("0.0.0.0/0", "unix:", False),
    ],
)
def test_a_network_covers_those_within_it(one, other, covered):
    assert covers(network_or_unix(one), network_or_unix(other)) is covered


@pytest.mark.parametrize(
    ("text", "alone", "either"),
    [
        ("10.0.0.1", True, True),
        ("::ffff:10.0.0.1", True, True),
        ("64:ff9b::a00:1", False, True),
        ("2002:a00:1::", False, True),
        ("64:ff9b::b00:1", False, False),
        ("fd00::1", False, False),
        ("unix:", True, True),
        ("?", False, False),
    ],
)
def test_what_refuses_a_network_refuses_the_ways_to_it(text, alone, either):
    networks = PeerNetworks(["10.0.0.0/8", "unix:"])
    assert (text in networks, networks.holds_either(text)) == (alone, either)
