"""What is known of connections."""

from twisted.internet.address import HostnameAddress, IPv4Address, IPv6Address, UNIXAddress

from txproxy.interfaces.connection import ClientConnection
from txproxy.observe.log_formats.connection_facts import Connections, place_of


def test_addresses_are_written_as_they_are_dialled():
    for address, place in [
        (IPv4Address("TCP", "10.0.0.1", 80), b"10.0.0.1:80"),
        (IPv6Address("TCP", "::1", 80), b"[::1]:80"),
        (UNIXAddress("/run/x.sock"), b"unix:/run/x.sock"),
        (UNIXAddress(None), b"unix:"),
        (HostnameAddress(b"a", 1), None),
        (None, None),
    ]:
        assert place_of(address) == place


def test_each_connection_has_its_number_for_good():
    connections = Connections()
    first, second = ClientConnection("192.0.2.1"), ClientConnection("192.0.2.1")
    assert [connections.facts(one).number for one in (first, second, first)] == [1, 2, 1]
    # Whoever asks, it is the same.
    assert Connections().facts(second).number == 2
    assert first.anew().facts is None


def test_of_what_is_no_tls_nothing_is_known():
    tls = Connections().facts(ClientConnection("192.0.2.1")).tls
    assert (tls.version, tls.cipher, tls.server_name, tls.subject) == (None, None, None, None)
