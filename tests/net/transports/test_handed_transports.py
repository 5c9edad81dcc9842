"""A socket that leaves its transport, and gets another."""

import socket

import pytest
from twisted.internet import tcp, unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.protocol import Protocol
from twisted.internet.testing import StringTransport

from tests.net.sockets import Turns, close, plain_transport
from txproxy.net.transports.any_transports import tell_ends
from txproxy.net.transports.handed_transports import adopt, can_leave, leave_transport, take_unsent


class Listening(Protocol):
    """Keeps what it is told."""

    def __init__(self):
        self.heard = []
        self.dataReceived = self.heard.append

    def connectionLost(self, reason):
        self.heard.append(reason)


def test_a_connection_goes_on_in_another_transport_and_its_protocol_hears_nothing():
    transport, there = plain_transport()
    protocol, other = transport.protocol, Listening()
    protocol.connectionLost = lambda reason: pytest.fail("it was told")
    peer = transport.getPeer()
    handed, handle = leave_transport(transport)
    assert not can_leave(transport) and not transport.reactor.readers
    # Whatever somebody still does to it reaches nobody.
    transport.loseConnection()
    transport.abortConnection()
    transport.write(b"late")
    reactor = Turns()
    new = adopt(reactor, handed, socket.socket(fileno=handle.detach()))
    assert new.getPeer() == peer and isinstance(new, tcp.Server) and can_leave(new)
    there.sendall(b"word")
    reactor.read()
    assert not reactor.readers
    new.protocol = other
    new.resumeProducing()
    reactor.read(patience=1)
    assert other.heard == [b"word"]
    new.write(b"answer")
    reactor.turn()
    assert there.recv(100) == b"answer"
    close(new, there)


@pytest.mark.parametrize("host", ["10.0.0.1", "fd00::1"])
def test_what_a_proxy_before_us_has_told_goes_along(host):
    transport, there = plain_transport()
    kind = IPv6Address if ":" in host else IPv4Address
    tell_ends(transport, kind("TCP", host, 1), kind("TCP", host, 2))
    handed, handle = leave_transport(transport)
    new = adopt(Turns(), handed, handle)
    assert (new.getPeer(), new.getHost()) == (kind("TCP", host, 1), kind("TCP", host, 2))
    close(new, there)


def test_a_path_is_none_of_those_addresses_and_goes_along_as_well():
    here, there = socket.socketpair()
    transport = unix.Server(here, Protocol(), "", None, 0, Turns())
    handed, handle = leave_transport(transport)
    new = adopt(Turns(), handed, handle)
    assert isinstance(new, unix.Server) and new.getPeer() == UNIXAddress(None)
    close(new, there)


def test_what_was_to_be_written_is_taken_whole_and_once():
    transport, there = plain_transport()
    transport.write(b"one ")
    transport.write(b"two")
    assert take_unsent(transport) == b"one two" and take_unsent(transport) == b""
    close(transport, there)


def test_who_is_about_to_go_and_what_is_no_socket_cannot_leave():
    for end in ("loseConnection", "abortConnection"):
        transport, there = plain_transport()
        assert can_leave(transport)
        getattr(transport, end)()
        assert not can_leave(transport)
        close(transport, there)
    assert not can_leave(StringTransport())
