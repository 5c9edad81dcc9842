"""The PROXY protocol to upstreams: whom a connection tells of."""

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from txproxy.interfaces import Address
from txproxy.testing import context_of
from txproxy.upstreams.proxy_preface import preface, prefaced
from txproxy.wire.proxy_protocol import header

V1 = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"
LOCAL = header(2, None, None)
UNKNOWN = b"PROXY UNKNOWN\r\n"


class Ends:
    """A transport with these addresses."""

    def __init__(self, peer, host):
        self.getPeer, self.getHost = lambda: peer, lambda: host


def test_an_upstream_is_told_of_the_client():
    here = IPv4Address("TCP", "198.51.100.2", 443)
    transport = Ends(IPv4Address("TCP", "192.0.2.1", 4711), here)
    assert preface(1, transport) == preface(1, transport, "192.0.2.1") == V1
    assert preface(1, transport, "192.0.2.9") == b"PROXY TCP4 192.0.2.9 198.51.100.2 0 443\r\n"
    assert preface(1, transport, "2001:db8::1").startswith(b"PROXY TCP6 2001:db8::1 ")
    assert preface(2, transport) == header(2, ("192.0.2.1", 4711), ("198.51.100.2", 443))
    mapped = Ends(IPv6Address("TCP", "::ffff:192.0.2.1", 4711), IPv6Address("TCP", "::ffff:198.51.100.2", 443))
    assert preface(1, mapped, "192.0.2.1") == V1


def test_an_upstream_is_told_of_nobody_where_there_is_no_address():
    sockets = Ends(UNIXAddress(None), UNIXAddress(b"/run/x"))
    odd = Ends(IPv4Address("TCP", "a.example", 1), IPv4Address("TCP", "192.0.2.1", 1))
    for transport in (None, sockets, odd):
        assert preface(1, transport, "unix:") == UNKNOWN
        assert preface(2, transport) == LOCAL


def test_an_address_that_tells_of_a_client_is_that_clients_own():
    shared = Address("10.0.0.1", 80)
    client = context_of("192.0.2.1")
    assert prefaced(shared, 1, client).preface == UNKNOWN
    client.connection.transport = Ends(IPv4Address("TCP", "192.0.2.1", 4711), IPv4Address("TCP", "198.51.100.2", 443))
    first = prefaced(shared, 1, client)
    assert first.preface == V1 and first == shared and first.key != shared.key
    assert prefaced(shared, 1, client).key == first.key
    client.client_ip = "192.0.2.9"
    assert prefaced(shared, 1, client).key != first.key
