"""What is asked of transports of any kind."""

import socket

import pytest
from twisted.internet import unix
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import Protocol
from twisted.protocols.tls import TLSMemoryBIOProtocol

from tests.net.sockets import close, plain_transport
from txproxy.net.transports.any_transports import (
    half_close,
    replace_protocol,
    set_tcp_options,
    tell_ends,
    unsent,
    unwrap,
)


@pytest.mark.parametrize("kind", [unix.Client, unix.Server])
def test_a_unix_socket_is_given_no_options_of_tcp(kind):
    here, there = socket.socketpair()
    transport = kind.__new__(kind)
    transport.socket = here
    with here, there:
        set_tcp_options(transport)


class Nobody:
    """A transport that nobody knows."""


def test_a_socket_of_tcp_sends_small_writes_at_once_and_looks_for_its_peer():
    transport, there = plain_transport(4096)
    set_tcp_options(transport)
    assert transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert transport.socket.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    assert transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == 60
    set_tcp_options(Nobody())
    close(transport, there)


def test_what_the_peer_has_not_taken_is_counted_in_the_kernel_and_above_it():
    transport, there = plain_transport(4096)
    assert unsent(transport) == 0
    # More than the peer's kernel has room for, which is where the rest of it is.
    taken = transport.socket.send(bytes(1 << 20))
    held = unsent(transport)
    assert 0 < held <= taken
    transport.write(bytes(1 << 20))
    assert (1 << 20) < unsent(transport) <= (1 << 20) + held
    assert unsent(Nobody()) == 0
    close(transport, there)


def test_another_protocol_takes_over_where_the_transport_can_be_told():
    transport, there = plain_transport(4096)
    second = Protocol()
    assert replace_protocol(transport, second)
    assert transport.protocol is second
    third = Protocol()
    unwrap(transport, third)
    assert transport.protocol is third
    stranger = Nobody()
    assert not replace_protocol(stranger, second)
    unwrap(stranger, second)
    assert not hasattr(stranger, "protocol")
    close(transport, there)


def test_the_wrapped_protocol_of_twisteds_tls_is_the_one_that_changes():
    tls = TLSMemoryBIOProtocol.__new__(TLSMemoryBIOProtocol)
    second = Protocol()
    assert replace_protocol(tls, second)
    assert tls.wrappedProtocol is second


def test_one_direction_closes_where_the_class_of_the_transport_has_that():
    transport, there = plain_transport(4096)
    assert half_close(transport)
    transport.reactor.end_turn()
    transport.doWrite()
    assert there.recv(1) == b""

    class Wrapper:
        """As Twisted's TLS: what it does not have itself it asks of the transport below."""

        def __getattr__(self, name):
            return getattr(transport, name)

    assert Wrapper().loseWriteConnection
    assert not half_close(Wrapper())
    close(transport, there)


def test_a_transport_tells_the_ends_that_it_is_told():
    transport, there = plain_transport(4096)
    peer, host = IPv4Address("TCP", "192.0.2.1", 1), IPv4Address("TCP", "192.0.2.2", 2)
    tell_ends(transport, peer, host)
    assert (transport.getPeer(), transport.getHost()) == (peer, host)
    close(transport, there)
