"""What a peer's address is called."""

import pytest
from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from txproxy.net.peers import ip_of


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (IPv4Address("TCP", "192.0.2.1", 80), "192.0.2.1"),
        (IPv6Address("TCP", "2001:db8::1", 80), "2001:db8::1"),
        (IPv6Address("TCP", "fe80::1%eth0", 80), "fe80::1%eth0"),
        # an IPv4 client of a socket for both families
        (IPv6Address("TCP", "::ffff:192.0.2.1", 80), "192.0.2.1"),
        (IPv6Address("TCP", "::ffff:0:192.0.2.1", 80), "::ffff:0:192.0.2.1"),
        (UNIXAddress("/run/x.sock"), "unix:"),
        (UNIXAddress(None), "unix:"),
        (HostnameAddress(b"a.example", 80), "unknown"),
    ],
)
def test_an_address_as_text(address, text):
    assert ip_of(address) == text
