"""Raw TCP, balanced over a pool; TLS may be passed through to pools by the server name that its clients ask for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHalfCloseableProtocol,
    IHandshakeListener,
    IProtocol,
    IProtocolFactory,
    IPushProducer,
)
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConfigError, DialError, ExchangeError, RequestDenied
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.dialers import IDialer
from txproxy.interfaces.middleware import places
from txproxy.interfaces.record import StreamAudit
from txproxy.net.deadlines import NEVER
from txproxy.net.dns.resolver import Resolver
from txproxy.net.peers import ip_of
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.proxy.bounds_middleware import FindBounds, found_bounds
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.downstream.client_limit import make_admission
from txproxy.proxy.limits import Limits
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import Tunnel
from txproxy.stream.chooser import Choice, Chooser
from txproxy.stream.relay import Relay, StreamUpstream
from txproxy.stream.sni_routing import ByName, Heard

_log = Logger()

_FILTERS_ACCEPTED: Final = "accepted is an object with admit(connection) and closed(connection)"


@implementer(IProtocol, IHalfCloseableProtocol, IHandshakeListener, IPushProducer)
class StreamProtocol(Relay):
    """One client's stream. ``upstream`` is where it went, ``outcome`` how that ended (``"ok"``, ``"client-gone"``, or a
    type of RFC 9209) and ``detail`` a sentence to it, ``sent`` what it got and ``received`` what came of it,
    ``seconds`` how long all of it took. ``server_name`` is what a TLS client asked for, where that was looked at.
    """

    def __init__(self, factory: StreamFactory, client_ip: str) -> None:
        super().__init__()
        self.factory = factory
        self.connection = ClientConnection(client_ip)
        self.context = RequestContext(self.connection)
        self.client_ip = client_ip
        self.upstream: Address | None = None
        self.outcome = ""
        self.detail = ""
        self.server_name: str | None = None
        self.sent = self.received = 0
        self.started = self.seconds = 0.0
        self.deadline = NEVER
        self._pool: Chooser | None = factory.pool
        # what came before the tunnel stands, whether it is looked at or the handshake of TLS is waited for, and whether
        # the client has closed its side by then
        self._early = b""
        self._listening = False
        self._ended = False
        self._choice: Choice | None = None
        self._tried: tuple[Choice, ...] = ()
        self._fault: ExchangeError | None = None
        self._dialing: Deferred[Any] | None = None
        self._bounds: Bounds | None = None
        self._tunnel: Tunnel | None = None

    def connectionMade(self) -> None:
        """A client is there; nothing is read of it before an upstream is."""
        self.connection.transport = self.transport
        self.transport.pauseProducing()
        self.started = self.factory.services.seconds()
        if self.factory.admission.admit(self):
            self.admitted()

    def admitted(self) -> None:
        """There is room: connect, or hear first to whom."""
        if self.factory.by_name is None and tls_connection(self.transport) is None:
            self._begin()
            return
        # Who has not even shaken hands yet is no reason to take an upstream's place.
        self._listening = True
        self.deadline = self.factory.services.header_limit.ahead
        self.factory.services.deadlines.watch(self)
        self.transport.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        """Bytes for the tunnel, or from which the pool is to be chosen."""
        if self.end is not None:
            self.end.dataReceived(data)
            return
        if self.outcome:
            return
        self._early += data
        if self._listening:
            by_name = self.factory.by_name
            assert by_name is not None
            heard = by_name.hear(self._early)
            if heard is not None:
                self._go_to(heard)

    def readConnectionLost(self) -> None:
        """The client sends no more."""
        if self.end is not None:
            self.end.readConnectionLost()
            return
        self._ended = True
        if self._listening:
            self._go_to(Heard(None, None, "the client left before it said where to"))

    def handshakeCompleted(self) -> None:
        """The client speaks TLS with us, and the handshake is over."""
        if self._listening and self.factory.by_name is None:
            self._go_to(Heard(self._pool, None, ""))

    def deadline_passed(self) -> None:
        """The client takes too long to say where it wants to go, or to shake hands."""
        what = "say where to" if self.factory.by_name is not None else "shake hands"
        self._go_to(Heard(None, None, f"the client took too long to {what}"))

    def _go_to(self, heard: Heard[Chooser]) -> None:
        self._listening = False
        self.factory.services.deadlines.forget(self)
        self.server_name = heard.server_name
        self._pool = heard.pool
        if heard.pool is not None:
            self.transport.pauseProducing()
            self._begin()
            return
        self._refuse("destination_not_found", heard.why)
        if heard.answer:
            self.transport.write(heard.answer)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def _begin(self) -> None:
        """It is known where to; there may be nothing left that the client may use."""
        find = self.factory.bounds
        if find is not None:
            try:
                self._bounds = found_bounds(find, self.context)
            except RequestDenied as fault:
                self._refuse(fault.error, fault.detail)
                self.transport.abortConnection()
                return
        self._connect()

    def _connect(self) -> None:
        pool = self._pool
        assert pool is not None
        choice = pool.take(None, self.context, self._tried)
        if choice is not None:
            self._chosen(choice)
            return
        self._dialing = waiting = pool.wait(None, self.context, self._tried)
        waiting.addCallbacks(self._chosen, self._nobody)

    def _chosen(self, choice: Choice) -> None:
        self._choice = choice
        self.upstream = choice.address
        assert self._pool is not None
        address = self._pool.address_for(choice, self.context)
        self._dialing = dialing = self.factory.services.dial(address, self.client_ip)
        dialing.addCallbacks(self._dialed, self._dial_failed)

    def _nobody(self, failure: Failure) -> None:
        self._dialing = None
        if not self.outcome:
            why = getattr(failure.value, "detail", "")
            if self._fault is not None:
                why = f"no upstream can be reached: {self._fault.detail}"
            self._refuse("destination_unavailable", why)
            self.transport.abortConnection()

    def _refuse(self, outcome: str, why: str) -> None:
        """The client gets nothing that says why: the log does."""
        self.detail = why
        told = self.factory.services.fault_log
        told.say(outcome, "closed {peer}: {kind}: {why}", peer=self.client_ip, kind=outcome, why=why)
        self._end(outcome)

    def _dialed(self, upstream: Any) -> None:
        self._dialing = None
        if self.outcome:
            upstream.transport.abortConnection()
            return
        assert self._choice is not None
        self._choice.answered(200)
        bounds = self._bounds
        services, client = self.factory.services, self.transport
        self._tunnel = tunnel = Tunnel(services, client, upstream.transport, self._closed, bounds)
        self.end, upstream.end = tunnel.client, tunnel.upstream
        if bounds is not None and bounds.meter is not None:
            bounds.meter.began(self)
        self.transport.resumeProducing()
        early, self._early = self._early, b""
        tunnel.start(early, upstream.early, self._ended)

    def _dial_failed(self, failure: Failure) -> None:
        self._dialing = None
        if self.outcome:
            return
        fault = failure.value
        if not isinstance(fault, ExchangeError):
            _log.failure("dialing failed in an unforeseen way", failure)
            fault = DialError("dialing failed")
        choice, self._choice = self._choice, None
        assert choice is not None
        self._tried = (*self._tried, choice)
        self._fault = fault
        choice.ended(fault, 0)
        self._connect()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        super().connectionLost(reason)
        if self._listening:
            self._listening = False
            self.factory.services.deadlines.forget(self)
        if self._tunnel is None:
            # A tunnel says itself when it is over: what is held back of this client may still have to pass.
            self._end("client-gone")
        if self._dialing is not None:
            self._dialing.cancel()
        self.factory.admission.left(self)

    def carried(self) -> int:
        """See :class:`txproxy.interfaces.Metered`."""
        tunnel = self._tunnel
        return tunnel.received + tunnel.sent if tunnel is not None else 0

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.Metered`."""
        if self._tunnel is not None:
            self._tunnel.end(fault.detail)

    def _closed(self, tunnel: Tunnel) -> None:
        self.sent, self.received = tunnel.sent, tunnel.received
        self.detail = tunnel.why
        bounds = self._bounds
        if bounds is not None and bounds.meter is not None:
            bounds.meter.ended(self)
        self._end("ok")

    def _end(self, outcome: str) -> None:
        if not self.outcome:
            self.outcome = outcome
            self.seconds = self.factory.services.seconds() - self.started
            choice, self._choice = self._choice, None
            if choice is not None:
                choice.ended(None, 200 if self.end is not None else 0)
            for observer in self.factory.observers:
                observer(self)

    def drain(self) -> None:
        """A stream ends when its peers end it; who has not said where to has a moment to do so."""
        if self._listening:
            self.deadline = min(self.deadline, self.factory.services.gone_limit.ahead)

    def retire(self) -> bool:
        """What has begun ends as it has begun."""
        return False

    def abort(self) -> None:
        """Close at once."""
        if self.end is not None:
            self.end.abort()
        else:
            self._end("client-gone")
            self.transport.abortConnection()

    def turn_away(self) -> None:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        # With an outcome it has ended, so that nobody is told.
        self.outcome = "client-gone"
        self.transport.abortConnection()


StreamObserver: TypeAlias = Callable[[StreamProtocol], None]


@implementer(IProtocolFactory)
class StreamFactory:
    """Protocols of the tcp mode: streams go to ``pool``.

    With ``sni``, pools by server name (``a.example``) or wildcard (``*.b.example``), TLS clients go to the pool of the
    name that they ask for, undecrypted, and ``pool`` is for all others, TLS or not; without one they are closed. A
    client has ``limits.header_timeout`` to say where it wants to go. ``observers`` are called with each stream that has
    ended.

    ``bounds(client_ip, None, "")`` is what a client may use (see :class:`txproxy.Allotments`), and ``middleware`` are
    what says who may connect (:class:`txproxy.interfaces.IConnectionFilter`): there are no requests here, and no users.
    ``audit`` (:class:`txproxy.AuditLog`) has a line for each stream; it is opened here, and closed by :meth:`stop`.
    """

    noisy = False

    def __init__(
        self,
        pool: Chooser | None = None,
        *,
        sni: Mapping[str, Chooser] | None = None,
        limits: Limits | None = None,
        dialer: IDialer | None = None,
        observers: tuple[StreamObserver, ...] = (),
        resolver: Resolver | None = None,
        bounds: FindBounds | None = None,
        middleware: Iterable[Any] = (),
        audit: StreamAudit | None = None,
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        found = places(middleware)
        for one in found.around + found.within:
            if one not in found.filters:
                raise ConfigError(f"{one!r} handles requests, and raw streams have none", _FILTERS_ACCEPTED)
        self.limits = limits = limits or Limits()
        self.bounds = bounds
        self.pool = pool
        self.by_name = ByName(sni, pool) if sni else None
        self.pools: tuple[Chooser, ...] = tuple(
            dict.fromkeys(one for one in (pool, *(sni or {}).values()) if one is not None)
        )
        if not self.pools:
            raise ConfigError("a tcp proxy needs a pool, or pools by server name")
        for one in self.pools:
            one.use_clock(reactor)
        self.observers = observers if audit is None else (*observers, audit.stream)
        self.services = Services(
            reactor, limits, lambda services, address: StreamUpstream(), dialer=dialer, resolver=resolver
        )
        self.admission: Admission[StreamProtocol] = make_admission(limits, found.filters)
        self.stopped = False
        self._ports = 0
        self._audit = audit
        if audit is not None:
            audit.open()

    def doStart(self) -> None:
        """A port has begun to listen."""
        self._ports += 1
        if self._ports == 1:
            for pool in self.pools:
                pool.start(
                    self.services.reactor,
                    lambda address, build: self.services.dialer.dial(address, build),
                    self.services.resolver,
                )

    def doStop(self) -> None:
        """A port has ceased to listen."""
        self._ports -= 1
        if not self._ports:
            for pool in self.pools:
                pool.stop()

    def buildProtocol(self, addr: Any) -> StreamProtocol | None:
        """A protocol for a new client."""
        return None if self.stopped else StreamProtocol(self, ip_of(addr))

    def drain(self) -> Deferred[None]:
        """Let all streams end, so that nobody should listen any more; fires when the last one has."""
        self.services.deadlines.look_ahead()
        return self.admission.drain()

    def retire(self) -> Deferred[None]:
        """Another factory serves the listeners now; fires when the last stream of this one has ended."""
        return self.admission.retire()

    def stop(self) -> None:
        """Close all that is open."""
        self.stopped = True
        for stream in self.admission.everyone():
            stream.abort()
        self.services.stop()
        audit, self._audit = self._audit, None
        if audit is not None:
            audit.close()
