"""Networks, ports and host patterns."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access import HostPatterns, Networks, Ports


def test_networks_take_addresses_of_both_families():
    networks = Networks(["10.0.0.0/8", "fd00::/8", "192.0.2.7"])
    assert "10.1.2.3" in networks and "fd00::1" in networks and "192.0.2.7" in networks
    assert "11.0.0.1" not in networks and "::1" not in networks and "nonsense" not in networks


def test_who_can_open_a_unix_socket_is_the_file_systems_to_say():
    assert "unix:" in Networks([])


def test_ports_are_numbers_and_ranges():
    ports = Ports(["80", "8000-8002", 443])
    assert [port for port in (79, 80, 443, 7999, 8000, 8002, 8003) if port in ports] == [80, 443, 8000, 8002]


@pytest.mark.parametrize("text", ["0", "65536", "a", "", "9-8", "1-", "-1"])
def test_what_is_no_port_is_refused(text):
    with pytest.raises(ConfigError, match="accepted"):
        Ports([text])


def test_host_patterns():
    patterns = HostPatterns(["one.example", "*.two.example", ".Three.Example"])
    allowed = ["one.example", "one.example.", "a.two.example", "a.b.two.example", "three.example", "x.three.example"]
    refused = ["a.one.example", "two.example", "xtwo.example", "example", ""]
    assert [host for host in allowed + refused if host in patterns] == allowed
