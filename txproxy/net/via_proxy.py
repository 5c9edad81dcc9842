"""Connecting through a proxy on the way: its TLS, what it has to be told, and then the connection is the other's.

Nothing stays in between: when the proxy has answered, the protocol that the connection is for gets the transport.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

from twisted.internet import endpoints, error
from twisted.internet.defer import CancelledError, Deferred, fail
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import (
    ConnectTimeout,
    DialError,
    ExchangeError,
    OutOfSockets,
    ParentError,
    ParentRefused,
    RequestError,
    ResponseError,
)
from txproxy.interfaces.address import Address, Hop, Opening
from txproxy.net.transports.any_transports import replace_protocol
from txproxy.net.transports.tls_record_transports import after_handshake
from txproxy.net.transports.unread import read_waiting

# Our error for one of Twisted's or OpenSSL's, at an address.
Convert = Callable[[BaseException | None, Address], ExchangeError]


def parent_error(fault: ExchangeError) -> ExchangeError:
    """The same ``fault``, as one of the proxy on the way, if it is not our own."""
    if isinstance(fault, OutOfSockets):
        return fault
    return ParentError(fault.detail, status=fault.status, error=fault.error)


def spoke_early(address: Address) -> ExchangeError:
    """The error of who has said something on a connection to ``address`` before it was asked: of an upstream, or of the
    proxy on the way if it is the one to ask, which has failed then.
    """
    hop = address.through
    if hop is None or address.host:
        return ResponseError(f"{address} spoke before it was asked")
    fault = early_parent(hop)
    hop.failed(fault)
    return fault


def early_parent(hop: Hop) -> ParentError:
    """The error of a proxy on the way that has."""
    return ParentError(f"{hop} spoke before it was asked", error=ResponseError.error)


@implementer(IStreamClientEndpoint)
class ThroughEndpoint:
    """Connects to ``address`` through the proxy that it names, to which ``endpoint`` leads.

    ``timeout`` in seconds is what the proxy has to answer, the TLS handshake with it included.
    """

    def __init__(
        self, endpoint: IStreamClientEndpoint, address: Address, reactor: Any, timeout: float, convert: Convert
    ) -> None:
        assert address.through is not None
        self._hop: Hop = address.through
        tls = self._hop.address.tls
        self._endpoint = endpoints.wrapClientTLS(tls, endpoint) if tls is not None else endpoint
        self._address = address
        self._reactor = reactor
        self._timeout = timeout
        self._convert = convert

    def connect(self, protocolFactory: Any) -> Deferred[IProtocol]:
        """See ``twisted.internet.interfaces.IStreamClientEndpoint``."""
        address = self._address
        try:
            opening = self._hop.opening(address.host, address.port)
        except ValueError as fault:
            return fail(RequestError(str(fault)))
        opener = _Opener(opening, address, protocolFactory, self._convert)
        opener.start(self._endpoint, self._reactor, self._timeout)
        return opener.done.addCallbacks(self._reached, self._failed)

    def _reached(self, protocol: IProtocol) -> IProtocol:
        self._hop.served()
        return protocol

    def _failed(self, failure: Failure) -> Failure:
        fault = failure.value
        if isinstance(fault, ParentError):
            self._hop.failed(fault)
        elif isinstance(fault, DialError) and not isinstance(fault, ConnectTimeout | OutOfSockets):
            # It has answered, and it is the destination that cannot be reached.
            self._hop.served()
        return failure


class _Stage(Enum):
    CONNECTING = "connecting"
    SHAKING_HANDS = "shaking hands"  # TLS, if the proxy speaks it
    SPEAKING = "speaking"  # what it said before is no answer
    ASKING = "asking"
    LED_ON = "led on"  # the connection is another protocol's
    CLOSED = "closed"


@implementer(IProtocol, IHalfCloseableProtocol, IHandshakeListener)
class _Opener:
    """Asks the proxy, and gives the connection over. ``done`` fires with the protocol that has it then."""

    def __init__(self, opening: Opening, address: Address, factory: Any, convert: Convert) -> None:
        assert address.through is not None
        self.transport: Any = None
        self.done: Deferred[IProtocol] = Deferred(self._cancel)
        self._opening = opening
        self._hop = address.through
        self._address = address
        self._factory = factory
        self._convert = convert
        self._stage = _Stage.CONNECTING
        self._connecting: Deferred[Any] | None = None
        self._timer: IDelayedCall | None = None
        # what has the connection, where the transport goes on calling us
        self._inner: Any = None

    def start(self, endpoint: IStreamClientEndpoint, reactor: Any, timeout: float) -> None:
        """Connect."""
        self._reactor = reactor
        self._timeout = timeout
        self._connecting = connecting = endpoint.connect(_Builder(self, self._factory))
        connecting.addErrback(self._not_connected)

    def _not_connected(self, failure: Failure) -> None:
        if not failure.check(CancelledError, error.ConnectingCancelledError):
            self._fail(self._of_hop(failure.value))

    def _cancel(self, _: object) -> None:
        stage, self._stage = self._stage, _Stage.CLOSED
        self._stop_timer()
        if self.transport is not None:
            self.transport.abortConnection()
        elif stage is _Stage.CONNECTING and self._connecting is not None:
            self._connecting.cancel()

    # -- what Twisted calls

    def makeConnection(self, transport: Any) -> None:
        """Connected to the proxy."""
        self.transport = transport
        self.connectionMade()

    def connectionMade(self) -> None:
        """Ask."""
        replace_protocol(self.transport, self)
        self._timer = self._reactor.callLater(self._timeout, self._too_late)
        if self._hop.address.tls is not None:
            self._stage = _Stage.SHAKING_HANDS
        else:
            self._say(self._opening.take_output())

    def _ask(self) -> None:
        # Who has spoken in the meantime has failed.
        if self._stage is _Stage.SHAKING_HANDS:
            self._say(self._opening.take_output())

    def handshakeCompleted(self) -> None:
        """The proxy has shown a certificate that is its own."""
        if self._stage is _Stage.SHAKING_HANDS:
            after_handshake(self.transport, self._ask)
        elif self._inner is not None and IHandshakeListener.providedBy(self._inner):
            self._inner.handshakeCompleted()

    def _say(self, output: bytes) -> None:
        self._stage = _Stage.SPEAKING
        read_waiting(self.transport)
        if self._stage is _Stage.SPEAKING:
            self._stage = _Stage.ASKING
            self.transport.write(output)

    def dataReceived(self, data: bytes) -> None:
        """An answer, or part of one."""
        if self._inner is not None:
            self._inner.dataReceived(data)
        if self._stage is _Stage.SHAKING_HANDS or self._stage is _Stage.SPEAKING:
            self._close(early_parent(self._hop))
        if self._stage is not _Stage.ASKING:
            return
        try:
            self._opening.receive(data)
        except DialError as fault:
            told = fault.said_of(self._address)
            told.sentence = fault.sentence
            self._close(told)
            return
        output = self._opening.take_output()
        if output:
            self._say(output)
        if self._opening.open:
            self._lead_on()

    def readConnectionLost(self) -> None:
        """The proxy sends no more."""
        if self._inner is None:
            self._close(self._unanswered())
        elif IHalfCloseableProtocol.providedBy(self._inner):
            self._inner.readConnectionLost()
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """A half-close went out."""
        if self._inner is not None and IHalfCloseableProtocol.providedBy(self._inner):
            self._inner.writeConnectionLost()

    def connectionLost(self, reason: Failure) -> None:
        """The connection is gone."""
        if self._inner is not None:
            self._inner.connectionLost(reason)
        elif reason.check(error.ConnectionDone, error.ConnectionLost, error.ConnectionAborted):
            self._fail(self._unanswered())
        else:
            self._fail(self._of_hop(reason.value))

    # -- the end

    def _lead_on(self) -> None:
        """The transport is another's from now on."""
        self._stage = _Stage.LED_ON
        self._stop_timer()
        transport = self.transport
        protocol = self._factory.buildProtocol(transport.getPeer())
        if not replace_protocol(transport, protocol):
            self._inner = protocol
        protocol.makeConnection(transport)
        early = self._opening.take_buffered()
        if early:
            # Before anybody begins with the connection: a tunnel wants these first.
            protocol.dataReceived(early)
        self.done.callback(protocol)

    def _too_late(self) -> None:
        self._timer = None
        if self._stage is _Stage.SHAKING_HANDS:
            late = ConnectTimeout(f"the TLS handshake with {self._hop} took too long")
            self._close(parent_error(late))
        else:
            # Most likely it is the destination that does not answer.
            self._close(ConnectTimeout(f"connecting to {self._address} took too long"))

    def _unanswered(self) -> ParentError:
        kind = ParentRefused if self._stage is _Stage.ASKING else ParentError
        return kind(f"{self._hop} closed the connection before it answered")

    def _of_hop(self, value: BaseException | None) -> ExchangeError:
        hop = self._hop
        return parent_error(self._convert(value, Address(through=hop, bind=self._address.bind or hop.address.bind)))

    def _close(self, fault: ExchangeError) -> None:
        self.transport.abortConnection()
        self._fail(fault)

    def _fail(self, fault: ExchangeError) -> None:
        if self._stage not in (_Stage.LED_ON, _Stage.CLOSED):
            self._stage = _Stage.CLOSED
            self._stop_timer()
            self.done.errback(fault)

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()


@implementer(IProtocolFactory)
class _Builder:
    """What an endpoint wants in order to connect an opener."""

    def __init__(self, opener: _Opener, factory: Any) -> None:
        self._opener = opener
        self._factory = factory

    def buildProtocol(self, addr: object) -> IProtocol:
        return self._opener

    def doStart(self) -> None:
        self._factory.doStart()

    def doStop(self) -> None:
        self._factory.doStop()
