"""Who counts as one client."""

import pytest

from txproxy.errors import ConfigError
from txproxy.matching.clients import client_key, prefix_length


@pytest.mark.parametrize(
    ("client_ip", "prefix", "key"),
    [
        ("192.0.2.1", 64, "192.0.2.1"),
        ("::ffff:192.0.2.1", 64, "192.0.2.1"),
        ("::ffff:c000:201", 64, "192.0.2.1"),
        ("0:0:0:0:0:FFFF:192.0.2.1", 128, "192.0.2.1"),
        # What stands for an IPv4 host, in whatever way, is that host.
        ("64:ff9b::192.0.2.1", 64, "192.0.2.1"),
        ("64:ff9b::192.0.2.2", 128, "192.0.2.2"),
        ("2002:c000:201::1", 64, "192.0.2.1"),
        ("2002:c000:201:7::1", 64, "192.0.2.1"),
        ("2001:0:4136:e378:8000:63bf:3fff:fdfe", 64, "192.0.2.1"),
        ("::1", 64, "::/64"),
        ("2001:db8::1", 64, "2001:db8::/64"),
        ("2001:DB8:0:0:ffff:ffff:ffff:ffff", 64, "2001:db8::/64"),
        ("2001:db8:0:1::1", 64, "2001:db8:0:1::/64"),
        ("2001:db8:0:1::1", 56, "2001:db8::/56"),
        ("2001:db8::1", 128, "2001:db8::1"),
        ("2001:db8:0::01", 128, "2001:db8::1"),
        ("fe80::1%eth0", 64, "fe80::/64"),
        ("unix:", 64, "unix:"),
        ("unknown", 64, "unknown"),
    ],
)
def test_a_host_is_one_client_however_many_addresses_it_has(client_ip, prefix, key):
    assert client_key(client_ip, prefix) == key


def test_a_64_is_what_a_host_has_where_nothing_else_is_said():
    assert client_key("2001:db8::1") == client_key("2001:db8::2") != client_key("2001:db8:0:1::1")


@pytest.mark.parametrize("value", [0, 129, -1, True, "64", 64.0, None])
def test_what_is_no_length_of_a_prefix(value):
    assert prefix_length(1) == 1 and prefix_length(128) == 128
    with pytest.raises(ConfigError, match=r"ipv6_prefix: .* accepted is 1 to 128"):
        prefix_length(value)
