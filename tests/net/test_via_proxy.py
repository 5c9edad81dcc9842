"""Connecting through a proxy on the way, in memory."""

import errno

import pytest
from twisted.internet import error, tcp
from twisted.internet.interfaces import IHalfCloseableProtocol
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from tests.net.sockets import Turns, connected_pair
from txproxy.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DialError,
    OutOfSockets,
    ParentError,
    ParentRefused,
    RequestError,
)
from txproxy.interfaces import Address
from txproxy.net.dialing import Dialer
from txproxy.tls.verification import client_connections
from txproxy.wire.connect_client import ConnectClient
from txproxy.wire.socks.client import SocksClient

ASKED = b"CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n"
YES = b"HTTP/1.1 200 OK\r\n\r\n"


class Parent:
    """A hop that keeps what it is told."""

    key = "parent"

    def __init__(self, opening=ConnectClient, address=None):
        self.address = address or Address("10.0.0.9", 3128)
        self.opening = opening
        self.told = []

    def __str__(self):
        return "http://10.0.0.9:3128"

    def reached(self):
        self.told.append("reached")

    def served(self):
        self.told.append("served")

    def failed(self, fault):
        self.told.append(fault)


@implementer(IHalfCloseableProtocol)
class Upstream(Protocol):
    handshake_done = None

    def __init__(self):
        self.received = b""
        self.events = []

    def handshakeCompleted(self):
        raise AssertionError("there is no peer to shake hands with")

    @property
    def spoken_to(self):
        return bool(self.received)

    def dataReceived(self, data):
        self.received += data

    def readConnectionLost(self):
        self.events.append("read lost")

    def writeConnectionLost(self):
        self.events.append("write lost")

    def connectionLost(self, reason):
        self.events.append(reason.type)


class Dial:
    """One dial, and the connection to the hop if that is made."""

    def __init__(self, hop, address=None, connected=True):
        self.reactor = MemoryReactorClock()
        self.results = []
        self.hop = hop
        address = address or Address("a.example", 443, through=hop)
        self.dialing = Dialer(self.reactor, 5).dial(address, Upstream)
        self.dialing.addBoth(self.results.append)
        self.transport = StringTransport()
        if connected:
            self.protocol = self.reactor.tcpClients[0][2].buildProtocol(None)
            self.protocol.makeConnection(self.transport)

    @property
    def fault(self):
        (failure,) = self.results
        return failure.value

    def send(self, data):
        self.protocol.dataReceived(data)

    def take(self):
        data = self.transport.value()
        self.transport.clear()
        return data


def test_the_proxy_is_asked_and_then_the_connection_is_the_others():
    dial = Dial(Parent())
    assert dial.reactor.tcpClients[0][:2] == ("10.0.0.9", 3128)
    assert dial.take() == ASKED and not dial.results
    for index in range(len(YES)):
        assert not dial.results
        dial.send(YES[index : index + 1])
    (upstream,) = dial.results
    assert dial.hop.told == ["served"]
    assert not dial.reactor.getDelayedCalls()
    upstream.transport.write(b"hello")
    dial.send(b"world")
    assert (dial.take(), upstream.received) == (b"hello", b"world")
    dial.protocol.readConnectionLost()
    dial.protocol.writeConnectionLost()
    dial.protocol.connectionLost(Failure(error.ConnectionDone()))
    assert upstream.events == ["read lost", "write lost", error.ConnectionDone]


def test_what_the_other_side_says_first_is_there_before_anybody_begins():
    dial = Dial(Parent())
    seen = []
    dial.dialing.addCallback(lambda _: seen.append(dial.results[0].received))
    dial.send(YES + b"220 mail")
    assert seen == [b"220 mail"]


def test_a_handshake_of_several_steps():
    dial = Dial(Parent(SocksClient))
    assert dial.take() == b"\x05\x01\x00"
    dial.send(b"\x05\x00")
    assert dial.take() == b"\x05\x01\x00\x03\x09a.example\x01\xbb"
    dial.send(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00early")
    assert dial.results[0].received == b"early"


def test_a_preface_and_tls_are_for_the_other_side_of_the_proxy():
    tls = client_connections("a.example", insecure=True)
    hop = Parent()
    dial = Dial(hop, Address("a.example", 443, tls=tls, preface=b"PROXY\r\n", through=hop))
    assert dial.take() == ASKED
    dial.send(YES)
    # a handshake record (RFC 8446 section 5.1)
    assert dial.take().startswith(b"PROXY\r\n\x16\x03")
    assert not dial.results
    dial.dialing.addErrback(lambda _: None)
    dial.dialing.cancel()


@pytest.mark.parametrize(
    ("answer", "kind", "told"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", ParentRefused, ParentRefused),
        (b"nonsense", ParentRefused, ParentRefused),
        (b"HTTP/1.1 502 No\r\n\r\n", DialError, str),
    ],
)
def test_an_answer_that_does_not_lead_on_ends_it(answer, kind, told):
    dial = Dial(Parent())
    dial.send(answer)
    assert type(dial.fault) is kind
    assert dial.fault.detail.startswith("a.example:443 through http://10.0.0.9:3128: the parent proxy")
    # A proxy that has answered works, whatever it says of the destination.
    assert [type(one) for one in dial.hop.told] == [told]
    assert dial.transport.disconnecting and not dial.reactor.getDelayedCalls()
    dial.send(YES)
    dial.protocol.connectionLost(Failure(error.ConnectionLost()))
    assert len(dial.results) == len(dial.hop.told) == 1


@pytest.mark.parametrize("end", ["readConnectionLost", "connectionLost"])
def test_a_proxy_that_closes_without_an_answer_may_have_been_asked_for_too_much(end):
    dial = Dial(Parent())
    dial.send(b"HTTP/1.1 2")
    getattr(dial.protocol, end)(*[Failure(error.ConnectionDone())] * (end == "connectionLost"))
    assert type(dial.fault) is ParentRefused and "closed the connection" in dial.fault.detail
    assert dial.hop.told == [dial.fault]
    assert not dial.reactor.getDelayedCalls()


def test_a_proxy_that_does_not_answer_in_time_may_be_waiting_itself():
    dial = Dial(Parent())
    dial.reactor.advance(4.9)
    assert not dial.results
    dial.reactor.advance(0.2)
    assert type(dial.fault) is ConnectTimeout and dial.fault.status == 504
    assert dial.hop.told == [] and dial.transport.disconnecting


def test_a_tls_handshake_that_does_not_end_is_the_proxys_fault():
    address = Address("10.0.0.9", 3129, tls=client_connections("10.0.0.9", insecure=True))
    dial = Dial(Parent(address=address))
    assert dial.take().startswith(b"\x16\x03"), "nothing is asked before the proxy has shown who it is"
    dial.reactor.advance(5.1)
    assert (type(dial.fault), dial.fault.status, dial.fault.error) == (ParentError, 504, "connection_timeout")
    assert dial.hop.told == [dial.fault]


class Real(Dial):
    """The same over a socket, on which the hop has said ``early`` before it could be asked."""

    def __init__(self, hop, address, early):
        super().__init__(hop, address, connected=False)
        self.turns = Turns()
        self.end, other = connected_pair(200_000)
        self.end.sendall(early)
        self.protocol = self.reactor.tcpClients[0][2].buildProtocol(None)
        self.transport = tcp.Server(other, self.protocol, other.getpeername(), None, 0, self.turns)
        self.protocol.makeConnection(self.transport)

    def close(self):
        self.end.close()
        self.transport.abortConnection()
        self.turns.end_turn()


@pytest.mark.parametrize("beyond", [True, False])
@pytest.mark.parametrize(("opening", "early"), [(ConnectClient, YES), (SocksClient, b"\x05\x00")])
def test_what_a_proxy_says_before_it_is_asked_is_no_answer(beyond, opening, early):
    hop = Parent(opening)
    dial = Real(hop, Address("a.example", 443, through=hop) if beyond else Address(through=hop), early)
    assert type(dial.fault) is ParentError and hop.told == [dial.fault]
    assert (dial.fault.status, dial.fault.error) == (502, "http_protocol_error")
    assert dial.fault.detail == "http://10.0.0.9:3128 spoke before it was asked"
    dial.end.settimeout(10)
    dial.turns.end_turn()
    with pytest.raises(ConnectionResetError):
        dial.end.recv(1000)
    dial.close()


def test_what_a_proxy_says_before_the_next_step_is_no_answer_to_that():
    hop = Parent(SocksClient)
    dial = Real(hop, Address("a.example", 443, through=hop), b"")
    dial.end.sendall(b"\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00")
    dial.send(b"\x05\x00")
    assert type(dial.fault) is ParentError and hop.told == [dial.fault]
    dial.close()


@pytest.mark.parametrize("beyond", [True, False])
@pytest.mark.parametrize(
    ("theirs", "kind", "error_type"),
    [
        (error.ConnectionRefusedError(), ConnectionRefused, "connection_refused"),
        (error.TimeoutError(), ConnectTimeout, "connection_timeout"),
        (error.ConnectBindError(), DialError, "destination_unavailable"),
    ],
)
def test_a_proxy_that_cannot_be_connected_to_has_failed(beyond, theirs, kind, error_type):
    hop = Parent(address=Address("10.0.0.9", 3128, bind="192.0.2.1"))
    dial = Dial(hop, Address("a.example", 443, through=hop) if beyond else Address(through=hop), connected=False)
    assert dial.reactor.tcpClients[0][4] == ("192.0.2.1", 0)
    dial.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(theirs))
    assert type(dial.fault) is ParentError
    assert (dial.fault.status, dial.fault.error) == (kind("").status, error_type)
    assert "http://10.0.0.9:3128" in dial.fault.detail and "a.example" not in dial.fault.detail
    if kind is DialError:
        assert dial.fault.detail.endswith("from 192.0.2.1")
    assert hop.told == [dial.fault]


@pytest.mark.parametrize("beyond", [True, False])
def test_sockets_that_are_used_up_here_say_nothing_of_the_proxy(beyond):
    hop = Parent()
    dial = Dial(hop, Address("a.example", 443, through=hop) if beyond else Address(through=hop), connected=False)
    none_left = error.ConnectBindError(errno.EMFILE, "Too many open files")
    dial.reactor.tcpClients[0][2].clientConnectionFailed(None, Failure(none_left))
    assert (type(dial.fault), dial.fault.status) == (OutOfSockets, 503) and hop.told == []


def test_without_a_host_the_proxy_itself_is_meant():
    hop = Parent()
    dial = Dial(hop, Address(through=hop))
    (upstream,) = dial.results
    assert dial.take() == b"" and hop.told == ["reached"]
    dial.send(b"x")
    assert upstream.received == b"x"


@pytest.mark.parametrize("connected", [True, False])
def test_a_dial_that_is_given_up_ends_at_once_and_says_nothing_of_the_proxy(connected):
    dial = Dial(Parent(), connected=connected)
    dial.dialing.cancel()
    assert not isinstance(dial.fault, DialError)
    assert not dial.hop.told and not dial.reactor.getDelayedCalls()
    assert dial.transport.disconnecting is connected


def test_a_host_that_the_proxy_has_no_words_for_is_the_requests_fault():
    hop = Parent(SocksClient)
    dial = Dial(hop, Address("x" * 256, 443, through=hop), connected=False)
    assert isinstance(dial.fault, RequestError) and not dial.reactor.tcpClients


def test_the_way_is_part_of_what_makes_connections_the_same():
    here, there = Parent(), Parent()
    there.key = "another"
    a = Address("a.example", 443)
    by_here, by_there = Address("a.example", 443, through=here), Address("a.example", 443, through=there)
    assert len({a.key, by_here.key, by_there.key, Address(through=here).key}) == 4
    assert by_here.key == Address("a.example", 443, through=here).key
    assert str(by_here) == "a.example:443 through http://10.0.0.9:3128"
    assert str(Address(through=here)) == "http://10.0.0.9:3128"


def test_an_address_to_connect_from_is_used_and_makes_another_connection():
    reactor = MemoryReactorClock()
    bound = Address("10.0.0.1", 80, bind="192.0.2.1")
    Dialer(reactor, 5).dial(bound, Upstream)
    Dialer(reactor, 5).dial(Address("2001:db8::1", 80, bind="2001:db8::2"), Upstream)
    Dialer(reactor, 5).dial(Address("10.0.0.1", 80), Upstream)
    assert [client[4] for client in reactor.tcpClients] == [("192.0.2.1", 0), ("2001:db8::2", 0), None]
    assert bound.key != Address("10.0.0.1", 80).key and str(bound) == "10.0.0.1:80"
