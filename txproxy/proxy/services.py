"""What the connections and exchanges of one proxy share: time and its limits, connections, writes, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from email.utils import formatdate
from time import time
from typing import Any, Final, Protocol, TypeAlias, cast

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.components.named_code import place_of
from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.interfaces.dialers import IClientDialer, IDialer
from txproxy.interfaces.record import ExchangeRecord, FinishedExchange, is_momentary
from txproxy.interfaces.streams import UpstreamStream
from txproxy.net.deadlines import Deadlines, TimeLimit
from txproxy.net.dialing import Dialer
from txproxy.net.dns.resolver import Resolver
from txproxy.net.splice import PipePool
from txproxy.net.transports.turn_writes import TurnWrites
from txproxy.proxy.error_pages import ErrorPages
from txproxy.proxy.exchanges.early_body import MOMENT
from txproxy.proxy.fault_log import FaultLog
from txproxy.proxy.limits import Limits
from txproxy.proxy.minimum_rate import HeadRate, head_grace
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.proxy.upstream.shared_dials import SharedDials
from txproxy.wire.http1.tolerance import tolerated
from txproxy.wire.message import ResponseHead

_log = Logger()
# so many places are told apart at which code of others fails
_MOST_FAILED: Final = 100

# How long to wait, in seconds, for the response to a client that has closed its side of the connection, and for a
# request that may be on its way when nobody listens any more.
GONE: Final = 1.0

# Called with the record of each finished exchange.
Observer: TypeAlias = Callable[[ExchangeRecord], None]
Momentary: TypeAlias = Callable[[FinishedExchange], None]


class Errand(Protocol):
    """An exchange for which no client waits."""

    def client_gone(self) -> None:
        """Nobody wants its end any more."""


class Services:
    """What the connections and exchanges of one proxy share. For its arguments see
    :class:`txproxy.ProxyFactory`; ``build(services, address)`` makes a protocol for a new connection to
    an upstream.
    """

    def __init__(
        self,
        reactor: Any,
        limits: Limits,
        build: Callable[[Services, Address], IProtocol],
        *,
        tolerate: Iterable[str] = (),
        dialer: IDialer | None = None,
        observers: tuple[Observer, ...] = (),
        name: str = "txproxy",
        resolver: Resolver | None = None,
    ) -> None:
        self.reactor = reactor
        self.limits = limits
        self.name = name.encode("ascii")
        self.wire_limits = limits.wire()
        self.tolerate = tolerated(tolerate)
        self.resolver = resolver or Resolver(reactor)
        self.dialer = dialer or Dialer(reactor, limits.connect_timeout, self.resolver)
        self.connections: Connections[Any] = Connections(limits.keep_per_address, limits.keep_in_all)
        self.streams = 0  # of clients that there are
        # who waits for connections that many share
        self.shared_dials = SharedDials(self.dial_alone, limits.upstream_concurrent_streams)
        self._set_limits(reactor, limits)
        self.seconds: Callable[[], float] = reactor.seconds
        self.pipes = PipePool()
        self.turn_writes = TurnWrites.of(reactor)
        self.observed = bool(observers)
        self.fault_log = FaultLog(_log, reactor)
        self._failed: set[str] = set()
        self.pages: ErrorPages | None = None  # in place of the proxy's own small bodies
        # what stands within the mode (see txproxy.interfaces.IInnerMiddleware)
        self.inner_middleware: tuple[Any, ...] = ()
        # See txproxy.interfaces.middleware.tolls_of: what stands around the mode, where all of it is such.
        self.tolls: tuple[Any, ...] = ()
        self.errands: set[Errand] = set()  # exchanges for which no client waits
        self.stopped = False  # whether what is given up now is given up by the proxy
        self._build = build
        # those who are content with the exchange itself, and those who may keep what they are told
        self._momentary = [cast(Momentary, one) for one in observers if is_momentary(one)]
        self._keeping = [one for one in observers if not is_momentary(one)]
        # tells all of them: one that is alone hears it at once
        self.tell = self._momentary[0] if len(self._momentary) == len(observers) == 1 else self.exchange_finished
        self._date = (0, b"")
        # what refusals come to with that date (see txproxy.proxy.exchanges.responses.own_answers)
        self.replies: dict[tuple[Any, ...], tuple[ResponseHead, bytes]] = {}

    def _set_limits(self, reactor: Any, limits: Limits) -> None:
        """How long each thing may take, and how slow it may be."""
        self.deadlines = deadlines = Deadlines(reactor)
        self.header_limit = deadlines.limit(limits.header_timeout)
        self.idle_limit = deadlines.limit(limits.idle_timeout)
        self.response_limit = deadlines.limit(limits.response_timeout)
        self.head_limit = deadlines.limit(head_grace(limits.header_timeout, limits.min_header_rate))
        self.min_body_rate = limits.min_body_rate
        self.min_response_rate = limits.response_rate
        self.keep_limit = deadlines.limit(limits.keep_for)
        self.gone_limit = deadlines.limit(GONE)
        self.moment_limit = deadlines.limit(MOMENT)
        self.linger_limit = deadlines.limit(limits.linger_timeout)

    def http_date(self) -> bytes:
        """The time as Date has it (RFC 9110 section 5.6.7)."""
        now = int(time())
        if self._date[0] != now:
            self._date = (now, formatdate(now, usegmt=True).encode("ascii"))
            self.replies.clear()
        return self._date[1]

    def limit_of(self, seconds: float) -> TimeLimit:
        """A time limit that is not the proxy's own, but a route's."""
        return self.deadlines.limit(seconds)

    def head_rate(self, until: float) -> HeadRate:
        """How fast a head comes that is not there ``until`` its grace is over."""
        return HeadRate(until, self.head_limit.seconds, self.limits.min_header_rate, self.header_limit.seconds)

    # -- connections to upstreams

    def lease_quiet(self, key: str, connections: Connections[Any] | None = None) -> UpstreamStream | None:
        """A stream on a kept connection that has not been closed just now, as far as can be told, for what cannot be
        repeated; on one of these ``connections``, if they are given.
        """
        if connections is None:
            connections = self.connections
        upstream = connections.lease(key)
        while upstream is not None and upstream.unread():
            upstream.close()
            upstream = connections.lease(key)
        return upstream

    def dial(self, address: Address, client_ip: str) -> Deferred[Any]:
        """A connection with room for a request, on behalf of a client: a new one, unless one may serve many."""
        if address.protocols:
            return self.shared_dials.dial(address, client_ip)
        return self.dial_alone(address, client_ip)

    def dial_alone(self, address: Address, client_ip: str) -> Deferred[Any]:
        """A new connection, which nobody else waits for."""
        if not address.protocols:
            return self._dial(address, address, client_ip)
        dialing = self._dial(self.shared_dials.offering(address), address, client_ip)
        # By ALPN it may have become something else.
        return dialing.addCallback(lambda made: made.speaking() if hasattr(made, "speaking") else made)

    def _dial(self, address: Address, known: Address, client_ip: str) -> Deferred[Any]:
        """A protocol for what is ``known`` of an address, connected to it."""
        dialer: Any = self.dialer
        if IClientDialer.providedBy(dialer):
            dialing: Deferred[Any] = dialer.dial_for(client_ip, address, lambda: self._build(self, known))
            return dialing
        return self.dialer.dial(address, lambda: self._build(self, known))

    # -- observers

    def exchange_finished(self, exchange: FinishedExchange) -> None:
        """Tell the observers. One that fails is said loudly, and harms nobody."""
        for observer in self._momentary:
            try:
                observer(exchange)
            except Exception:
                _log.failure("an observer failed")
        if self._keeping:
            record = ExchangeRecord.for_keeping(exchange)
            for keeping in self._keeping:
                try:
                    keeping(record)
                except Exception:
                    _log.failure("an observer failed")

    def say_fault(self, peer_ip: str, fault: ExchangeError, errand: str = "") -> None:
        """One line in the log, for whoever has to find out why, unless there are very many. The fault of an ``errand``
        is no answer to a client.
        """
        if errand:
            self.fault_log.say(
                f"{errand} {fault.error}",
                "{errand} of {peer} failed: {error}: {detail}",
                errand=errand,
                peer=peer_ip,
                error=fault.error,
                detail=fault.detail,
            )
            return
        self.fault_log.say(
            f"{fault.status} {fault.error}",
            "{status} to {peer}: {error}: {detail}",
            status=fault.status,
            peer=peer_ip,
            error=fault.error,
            detail=fault.detail,
        )

    def say_failed(self, what: str, failure: Failure) -> None:
        """Something that an embedder may have written has a fault: in full once for each place in a program, and then
        as the faults of requests are said.
        """
        fault = failure.value
        kind = (
            f"{type(fault).__name__} at {place_of(fault) or 'an unknown place'}" if fault is not None else "a failure"
        )
        if kind not in self._failed and len(self._failed) < _MOST_FAILED:
            self._failed.add(kind)
            _log.failure("{what} failed", failure, what=what)
        else:
            self.fault_log.say(kind, "{what} failed again: {kind}", what=what, kind=kind)

    # -- the end

    def stop(self) -> None:
        """Give up what nobody waits for, and close what is kept."""
        for errand in list(self.errands):
            errand.client_gone()
        self.errands.clear()
        for upstream in self.connections.all():
            upstream.close()
        # What others still have of this one may end later.
        self.connections.keep_none()
        self.fault_log.stop()
        self.pipes.close()
