"""Sets of networks."""

import ipaddress

import pytest

from txproxy.errors import ConfigError
from txproxy.matching.networks import Networks, PeerNetworks, network, unmapped


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
