"""The action that sends a request to a pool: which upstream, what it is told, and where to go if it fails."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final, cast

from twisted.internet.defer import Deferred

from txproxy.errors import (
    ConfigError,
    ConnectTimeout,
    ExchangeError,
    ResponseIncomplete,
    TlsError,
    UpstreamClosed,
    UpstreamUnavailable,
)
from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, around, repeats
from txproxy.interfaces.plan import Decision, Plan, Postponed
from txproxy.matching.ports import read_port
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.connection_binding import authenticates_connection
from txproxy.reverse.actions.told_before import ToldBefore, remember
from txproxy.reverse.client_identity import peer_alone
from txproxy.reverse.rewriting.response_mapping import map_back
from txproxy.reverse.rewriting.templates import VARIABLES
from txproxy.upstreams.affinity import Affinity
from txproxy.upstreams.choice import PoolAttempt
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import UPSTREAM
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.forwarding import (
    CERTIFICATE_FIELDS,
    CLIENT_FIELDS,
    HOP_BY_HOP,
    NOT_ALIKE,
    TARGET_FIELDS,
    Via,
    connection_lines,
    end_to_end,
    has_unusual,
    one_hop_less,
    passage,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import written_authority

# A request that was at so many upstreams when they died, and then at another, may be what kills them.
_MOST_DEATHS: Final = 3
# Proxy becomes HTTP_PROXY where CGI is spoken, and that the proxy that the upstream itself goes through (httpoxy).
_DROP: Final = HOP_BY_HOP | CLIENT_FIELDS | TARGET_FIELDS | CERTIFICATE_FIELDS | {b"host", b"proxy"}
_NONE: Final[frozenset[bytes]] = frozenset()
_MORE_THAN_FIELDS: Final = frozenset({b"upgrade", b"max-forwards"})
# All for which the proxy itself vouches, or which it has removed, in whatever spelling.
_NOT_ALIKE: Final = _DROP | NOT_ALIKE
# See txproxy.wire.message.VERSIONS.
_HTTP2: Final = 2
_UPSTREAM: Final = UPSTREAM.encode("ascii")
# The client's host without its port, to which another may follow.
_CLIENT_HOST: Final = re.compile(r"\$host(?::([0-9]{1,5}))?")
_client_host: Final = VARIABLES["host"]


def host_to_send(text: str) -> str:
    """``text`` if it can be a Host field, or is ``upstream``, ``$host`` or ``$host:PORT``; else ``ConfigError``."""
    written = _CLIENT_HOST.fullmatch(text)
    if written is not None and (written[1] is None or read_port(written[1])):
        return text
    try:
        written_authority(text.encode("ascii"))
    except ValueError as fault:
        raise ConfigError(f"{text!r}: {fault}", "accepted is HOST, HOST:PORT, $host or upstream") from None
    return text


def none_left(fault: ExchangeError, context: RequestContext) -> None:
    """After the ``fault`` of the last upstream that there is to try: raises what the client is told instead, if that is
    another thing. A certificate that cannot be verified, and a handshake that fails, are no outage: 502 (RFC 9209
    section 2.3), as somebody has to mend them.
    """
    context.not_repeated = "no other upstream could be tried"
    if fault.retry_safe and not isinstance(fault, ConnectTimeout | TlsError):
        raise UpstreamUnavailable(f"no upstream can be reached: {fault.detail}", error=fault.error)


class ToPool:
    """Sends requests to ``pool``.

    ``host`` is what goes upstream as Host: None for the client's own, ``"upstream"`` for the upstream's name,
    ``"$host"`` for the client's without its port (``"$host:8443"``: with another), else the host itself. ``via`` is
    the entry in Via, and ``affinity`` pins clients to upstreams. What a client says of itself is dropped, except for
    what a route has set in its place (see :class:`txproxy.reverse.rewriting.header_fields.RouteHead`).
    """

    takes_connect = False

    def __init__(
        self,
        pool: Pool,
        *,
        host: str | None = None,
        via: Via | None = None,
        affinity: Affinity | None = None,
    ) -> None:
        self.pool = pool
        self.pools: tuple[Pool, ...] = (pool,)
        self._host = host_to_send(host).encode("ascii") if host is not None else None
        self._via = via
        self._affinity = affinity
        # whether upstreams are told of each client by the PROXY protocol
        self.prefaced = bool(pool.settings.proxy_protocol)
        # See txproxy.reverse.Action; without anything within the mode it is the way itself.
        self.plan: Handler = self._plan
        # See txproxy.reverse.Action.
        self.repeats = False
        # Upstreams that come later may have what the pool offers.
        offers = (pool.settings.tls.protocols, *(upstream.address.protocols for upstream in pool.upstreams))
        several = any("http/1.1" in protocols for protocols in offers)
        self._own_addresses = self.prefaced or several or bool(pool.settings.tolerate)
        # whether a first attempt hangs on nothing but what is asked in which words, and the upstream
        by_upstream = host is not None and (host == UPSTREAM or host.startswith("$"))
        self._plain = not (self._own_addresses or by_upstream) and affinity is None
        # what plans have for their next attempts
        self._next_of = self._next

    def _plan(self, head: RequestHead, context: RequestContext, begun: bool = False) -> Decision:
        """Where the request goes; ``begun`` says that it is to be decided now, whatever there is of its body."""
        if head.body and not begun and self.pool.counts_places and self.pool.others(()):
            return Postponed(lambda late: self._postponed(head, context, late), self.pool.lend)
        connection = context.connection
        told = connection.memo
        if type(told) is ToldBefore and told.of is head.headers and told.first is not None and told.by is self:
            asked = told.first
            if (
                asked.path == head.path
                and asked.headers is told.headers
                and asked.method == head.method
                and told.authority == head.authority
                and told.lines == context.lines
                and not head.body
                and context.trace is None
                and connection.connections is None
            ):
                return self._plan_again(asked, head, context)
        affinity = self._affinity
        upstream = None
        if connection.connections is not None:
            upstream = self._bound(head, context)
        if upstream is None and affinity is not None:
            upstream = affinity.find(head, context)
            if context.trace is not None:
                pinned = f"pinned to {upstream.name}" if upstream is not None else "pinned to none yet"
                context.trace.say("sticky", f"the client is {pinned}")
        if upstream is None or not self.pool.take_pinned(upstream):
            upstream = self.pool.take(head, context)
            if upstream is None:
                return self._wait(head, context)
        return self._plan_for(upstream, head, context)

    def _plan_again(self, asked: RequestHead, head: RequestHead, context: RequestContext) -> Decision:
        """The same for one that asks for what the request before has ``asked`` for, in the same words."""
        pool = self.pool
        upstream = pool.take(head, context)
        if upstream is None:
            return self._wait(head, context)
        if pool.curious:
            return self._plan_for(upstream, head, context)
        return self.plan_at(upstream, asked, head, context)

    def plan_at(self, upstream: Upstream, asked: RequestHead, head: RequestHead, context: RequestContext) -> Plan:
        """To send what is ``asked`` of an upstream in place of ``head``, where all else is as it mostly is."""
        plan = Plan.of(PoolAttempt(upstream, upstream.address, asked, upstream, None))
        plan.map_back = map_back
        plan.asked = head, context
        plan.next_attempt = self._next_of
        return plan

    @property
    def stands(self) -> bool:
        """Whether what it does with a request hangs on nothing but what that is, and on its connection: nobody stands
        around it, and it is all the same to the pool who asks.
        """
        pool, strategy = self.pool, self.pool.strategy
        # Who inherits from a strategy, or from a pool, has another way to choose, perhaps; so has who was given one.
        alike: bool = vars(type(strategy)).get("alike", False) and "choose" not in getattr(strategy, "__dict__", ())
        own = type(pool).take is not Pool.take or "take" in vars(pool)
        return alike and not own and self._plain and self.plan == self._plan

    def _postponed(self, head: RequestHead, context: RequestContext, late: bool) -> Decision | None:
        """The first part of the body has come, or is ``late``."""
        pool = self.pool
        if late:
            pool.tick()
            if pool.full and pool.others(()):
                return None
        return self._plan(head, context, begun=True)

    def _bound(self, head: RequestHead, context: RequestContext) -> Upstream | None:
        """The upstream to which there is a connection of this client alone: it has logged in there, or is about to."""
        pool, connections = self.pool, context.connection.connections
        for upstream in pool.upstreams:
            if upstream.pinnable and connections.has(self._address(upstream, head, context).key):
                pool.tick()
                return upstream
        return None

    def attach(self, services: Services) -> None:
        """See :class:`txproxy.reverse.Action`."""
        self.repeats = repeats(services.inner_middleware)
        # Upstreams may be another site by another Host.
        asked = f" as {self._host.decode('ascii')}" if self._host is not None else ""
        self.plan = around(self._plan, services.inner_middleware, f"pool {self.pool.name}{asked}", services)

    def _wait(self, head: RequestHead, context: RequestContext) -> Decision:
        if context.trace is not None:
            context.trace.say(f"pool {self.pool.name}", "no upstream has room just now")
        return self.pool.wait(head, context, ()).addCallback(self._plan_for, head, context)

    def _plan_for(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> Plan:
        plan = Plan.of(self._attempt(upstream, head, context))
        plan.map_back = map_back
        plan.asked = head, context
        plan.next_attempt = self._next_of
        return plan

    def _attempt(
        self,
        upstream: Upstream,
        head: RequestHead,
        context: RequestContext,
        tried: tuple[Upstream, ...] = (),
        retries: int = 0,
    ) -> PoolAttempt:
        pool = self.pool
        try:
            address = self._address(upstream, head, context) if self._own_addresses else upstream.address
            told = self._head(head, context, upstream)
            tracker: Any = upstream
            answered = pool.attention(upstream, head.body != 0) if pool.curious else None
            if retries:
                tracker = pool.retry(upstream, answered)
                answered = tracker.answered
            lines = self._affinity.pin(upstream, head, context) if self._affinity is not None else ()
            attempt = PoolAttempt(upstream, address, told, tracker, answered, lines, tried, retries)
            if self._plain and head.authority and not (head.body or tried or retries or answered):
                remember(context.connection.memo, attempt)
            return attempt
        except BaseException:
            # Without an attempt nobody would give its place back.
            upstream.ended(None, 0)
            raise

    def _address(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> Address:
        """Where it goes. What an upstream of two versions can do in HTTP/1 alone is asked of it in that: to change
        protocols, and to log a connection in (RFC 4559 section 6).
        """
        address = self.pool.address_for(upstream, context)
        if not address.protocols:
            return address
        credentials = head.headers.index.get(b"authorization", b"")
        if (
            context.connection.connections is not None
            or head.upgrade is not None
            or authenticates_connection(credentials)
        ):
            return address.in_http1()
        return address

    def _next(self, plan: Plan, fault: ExchangeError) -> Attempt | Deferred[Attempt] | None:
        """The attempt at an upstream has failed."""
        head, context = plan.asked
        pool = self.pool
        failed = cast(PoolAttempt, plan.attempt)
        retries = failed.retries
        if fault.retry_safe:
            # After a request was cut off, nobody is there to connect to.
            if plan.cuts <= _MOST_DEATHS:
                return self._elsewhere(fault, head, context, failed, retries)
            context.not_repeated = f"{plan.cuts} upstreams have cut it off: it may be what ends them"
            return None
        # It was sent, and nothing came back: as often as is set, as far as the budget goes (RFC 9110 9.2.2).
        most = pool.settings.retries
        if retries < most and pool.may_retry():
            return self._elsewhere(fault, head, context, failed, retries + 1)
        context.not_repeated = _no_retry(pool, retries)
        if not most or plan.cuts > _MOST_DEATHS or not isinstance(fault, UpstreamClosed | ResponseIncomplete):
            return None

        def found(gone: bool) -> Any:
            attempt = self._elsewhere(fault, head, context, failed, retries) if gone else None
            if attempt is None:
                raise fault
            return attempt

        # Both bounds are for what is repeated because an upstream is slow or ill, not for what the dead had.
        return cast("Deferred[Attempt]", pool.gone(failed.upstream).addCallback(found))

    def _elsewhere(
        self, fault: ExchangeError, head: RequestHead, context: RequestContext, failed: PoolAttempt, retries: int
    ) -> Attempt | Deferred[Attempt] | None:
        tried = failed.with_this
        other = self.pool.take(head, context, tried)
        if other is not None:
            return self._attempt(other, head, context, tried, retries)
        if self.pool.others(tried):
            waiting: Any = self.pool.wait(head, context, tried)
            return cast("Deferred[Attempt]", waiting.addCallback(self._attempt, head, context, tried, retries))
        none_left(fault, context)
        return None

    def _head(self, head: RequestHead, context: RequestContext, upstream: Upstream) -> RequestHead:
        host = self._host
        if host is None:
            # HTTP/1.0 knows no Host; the upstream's own name is as good as any.
            host = head.authority or upstream.authority
        elif host == _UPSTREAM:
            host = upstream.authority
        elif host[:1] == b"$":
            # A request without a host is asked of the upstream by its own.
            own = _client_host(head, context, b"")
            host = own + host[len(b"$host") :] if own else upstream.authority
        told = context.connection.memo
        if (
            type(told) is ToldBefore
            and told.host == host
            and told.authority == head.authority
            and told.lines == context.lines
            and told.by is self
            and (told.of is head.headers or told.holds_for(head.headers))
        ):
            headers = told.headers
        else:
            headers = self._tell(head, context, host)
        return RequestHead(head.method, head.path, headers, host, None, head.body)

    def _tell(self, head: RequestHead, context: RequestContext, host: bytes) -> Headers:
        index = head.headers.index
        first = [b"Host: " + host]
        kept, added = self._fields(head, context)
        lines = first + kept + added
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = one_hop_less(lines, head)
        headers = Headers.from_lines(lines)
        if _MORE_THAN_FIELDS.isdisjoint(index):
            if head.minor == _HTTP2 and head.headers.once:
                # They will not be those of the next.
                context.connection.memo = None
                return headers
            way = passage(head.headers, first, kept, added)
            context.connection.memo = ToldBefore(self, head, host, context.lines, headers, way)
        return headers

    def _fields(self, head: RequestHead, context: RequestContext) -> tuple[list[bytes], list[bytes]]:
        """Which lines of the client's go on, and which come after them."""
        index = head.headers.index
        kept = head.kept
        lines = end_to_end(head.headers, _DROP - kept if kept else _DROP)
        if has_unusual(index):
            lines = without_lookalikes(lines, _NOT_ALIKE, kept)
        told = (
            context.lines
            if context.lines is not None
            else peer_alone(context.peer_ip, context.connection.peer_scheme).lines
        )
        added = [line for line in told if line.partition(b":")[0].lower() not in kept] if kept else [*told]
        # Only a route, or a proxy that is trusted, can have said so already.
        if head.authority and not ((kept or context.lines is not None) and _tells_host((*lines, *added))):
            added.append(b"X-Forwarded-Host: " + head.authority)
        if self._via is not None:
            added.append(self._via.request_line(head.minor))
        if b"connection" in index or b"te" in index:
            added += connection_lines(head)
        return lines, added


def _no_retry(pool: Pool, retries: int) -> str:
    """Why a request that was sent, so many times as ``retries``, is not sent once more."""
    most = pool.settings.retries
    if retries < most:
        return "so many requests are sent again just now that the budget for it is spent"
    return f"it was sent again {retries} times, and retries = {most}" if most else "retries = 0"


def _tells_host(lines: Iterable[bytes]) -> bool:
    """Whether they say which host the client wanted."""
    return any(line.startswith(b"X-Forwarded-Host:") for line in lines)
