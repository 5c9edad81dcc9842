"""What a connection begins with."""

import errno

import pytest
from OpenSSL import SSL
from twisted.internet import error
from twisted.internet.defer import CancelledError
from twisted.internet.protocol import Protocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.python.failure import Failure

from txproxy.errors import ConnectionRefused, ConnectTimeout, DialError, OutOfSockets, TlsError
from txproxy.interfaces import Address
from txproxy.net.dialing import Dialer, dial_error
from txproxy.tls.verification import client_connections

PREFACE = b"PROXY TCP4 192.0.2.1 198.51.100.2 4711 443\r\n"


class Upstream(Protocol):
    """Says something as soon as it is told of its connection."""

    handshake_done = None

    def handshakeCompleted(self):
        raise AssertionError("there is no peer to shake hands with")


def dial(address):
    """Dial, and have the connection made: the results so far, the protocols, and what was written."""
    reactor = MemoryReactorClock()
    built, results = [], []

    def build():
        built.append(Upstream())
        return built[-1]

    dialing = Dialer(reactor, 5).dial(address, build)
    dialing.addBoth(results.append)
    kind = reactor.unixClients if address.path else reactor.tcpClients
    factory = kind[0][1 if address.path else 2]
    transport = StringTransport()
    protocol = factory.buildProtocol(None)
    protocol.makeConnection(transport)
    return dialing, results, built, transport


@pytest.mark.parametrize("address", [Address("10.0.0.1", 80, preface=PREFACE), Address(path="/x", preface=PREFACE)])
def test_a_preface_comes_first(address):
    _, results, built, transport = dial(address)
    assert results == built and len(built) == 1
    results[0].transport.write(b"GET")
    assert transport.value() == PREFACE + b"GET"


def test_a_preface_comes_before_tls():
    creator = client_connections("a.example", insecure=True)
    dialing, results, built, transport = dial(Address("10.0.0.1", 443, tls=creator, preface=PREFACE))
    # a handshake record (RFC 8446 section 5.1) follows
    assert transport.value().startswith(PREFACE + b"\x16\x03") and transport.value().count(PREFACE) == 1
    assert len(built) == 1 and not results
    dialing.addErrback(lambda _: None)
    dialing.cancel()


@pytest.mark.parametrize("tls", [None, client_connections("a.example", insecure=True)])
def test_without_a_preface_nothing_is_added(tls):
    dialing, _, _, transport = dial(Address("10.0.0.1", 80, tls=tls))
    assert transport.value()[:1] == (b"\x16" if tls is not None else b"")
    dialing.addErrback(lambda _: None)
    dialing.cancel()


@pytest.mark.parametrize("tls", [None, client_connections("a.example", insecure=True)])
def test_a_connection_that_is_not_made_is_a_dial_error(tls):
    for theirs, ours in ((error.ConnectionRefusedError(), ConnectionRefused), (error.TimeoutError(), ConnectTimeout)):
        reactor = MemoryReactorClock()
        results = []
        address = Address("10.0.0.1", 443, tls=tls, preface=PREFACE)
        Dialer(reactor, 5).dial(address, Upstream).addBoth(results.append)
        factory = reactor.tcpClients[0][2]
        factory.clientConnectionFailed(None, Failure(theirs))
        assert results[0].check(ours)


class Telling(Upstream):
    """Tells the dialer of the end of its connection, as the proxy's own protocols do."""

    def connectionLost(self, reason):
        self.handshake_done(reason)


@pytest.mark.parametrize("end", ["timeout", "cancel"])
def test_the_end_of_a_connection_after_its_handshake_was_given_up_on_is_no_news(end):
    reactor = MemoryReactorClock()
    results = []
    address = Address("10.0.0.1", 443, tls=client_connections("a.example", insecure=True))
    dialing = Dialer(reactor, 5).dial(address, Telling)
    dialing.addBoth(results.append)
    transport = StringTransport()
    connection = reactor.tcpClients[0][2].buildProtocol(None)
    connection.makeConnection(transport)
    if end == "timeout":
        reactor.advance(5)
    else:
        dialing.cancel()
    assert results[0].check(ConnectTimeout if end == "timeout" else CancelledError)
    assert transport.disconnecting
    connection.connectionLost(Failure(error.ConnectionLost()))
    assert len(results) == 1
    assert not reactor.getDelayedCalls()


def test_what_a_connection_begins_with_makes_it_another():
    plain, one = Address("10.0.0.1", 80), Address("10.0.0.1", 80, preface=PREFACE)
    other = Address("10.0.0.1", 80, preface=PREFACE.replace(b"4711", b"4712"))
    assert len({plain.key, one.key, other.key}) == 3
    assert one.key == Address("10.0.0.1", 80, preface=PREFACE).key
    # It is the same place, and says so.
    assert plain == one == other and str(one) == "10.0.0.1:80"


@pytest.mark.parametrize(
    ("theirs", "kind", "error_type"),
    [
        (error.NoRouteError(), DialError, "destination_ip_unroutable"),
        (error.TCPTimedOutError(), ConnectTimeout, "connection_timeout"),
        (error.ConnectError(), DialError, "destination_unavailable"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), TlsError, "tls_certificate_error"),
        (SSL.Error([("SSL routines", "", "tlsv13 alert certificate required")]), TlsError, "tls_alert_received"),
        (SSL.Error([("SSL routines", "", "ssl/tls alert handshake failure")]), TlsError, "tls_alert_received"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), TlsError, "tls_protocol_error"),
        (error.ConnectBindError(errno.EMFILE, ""), OutOfSockets, "proxy_internal_error"),
        (error.ConnectError(errno.EADDRNOTAVAIL, ""), OutOfSockets, "proxy_internal_error"),
    ],
)
def test_what_the_network_says_is_told_apart(theirs, kind, error_type):
    fault = dial_error(theirs, Address("10.0.0.1", 80))
    assert (type(fault), fault.error) == (kind, error_type) and "10.0.0.1:80" in fault.detail


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("wrong version number", "10.0.0.1:80 failed: what it answers is no TLS"),
        ("bad ecpoint", "10.0.0.1:80 failed: bad ecpoint"),
    ],
)
def test_why_a_handshake_has_failed_is_told(reason, said):
    fault = dial_error(SSL.Error([("SSL routines", "", reason)]), Address("10.0.0.1", 80))
    assert fault.detail == f"the TLS handshake with {said}"
    assert dial_error(SSL.SysCallError(-1, "Unexpected EOF"), Address("10.0.0.1", 80)).detail.endswith(" failed")
