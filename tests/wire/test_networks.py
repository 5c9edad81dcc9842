"""Sets of networks."""

import ipaddress

import pytest

from txproxy.errors import ConfigError
from txproxy.wire.networks import Networks, neighbourhood, network, unmapped


def test_networks_take_addresses_of_both_families():
    networks = Networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
    assert "10.1.2.3" in networks and "fd00::1" in networks and "192.0.2.7" in networks
    assert "11.0.0.1" not in networks and "::1" not in networks and "nonsense" not in networks
    assert len(networks) == 3 and not Networks([])


def test_who_can_open_a_unix_socket_is_the_file_systems_to_say():
    assert "unix:" in Networks([])


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
    ("client_ip", "key"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::1%eth0", "2001:db8:1:2::"),
        ("unix:", "unix:"),
    ],
)
def test_an_ipv6_host_is_its_network(client_ip, key):
    assert neighbourhood(client_ip) == key
