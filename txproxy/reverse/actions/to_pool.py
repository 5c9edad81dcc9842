"""The action that sends a request to a pool: which upstream, what it is told, and where to go if it fails."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final, cast

import attrs

from txproxy.errors import (
    ConfigError,
    ConnectTimeout,
    ExchangeError,
    ResponseIncomplete,
    TlsError,
    UpstreamClosed,
    UpstreamUnavailable,
)
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision, Plan, Postponed
from txproxy.proxy.services import Services
from txproxy.reverse.client_identity import peer_alone
from txproxy.reverse.rewriting.header_fields import RouteHead
from txproxy.reverse.rewriting.response_mapping import map_back
from txproxy.tls.client_certificates import CLIENT_CERTIFICATE_FIELDS
from txproxy.upstreams.affinity import Affinity
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import UPSTREAM
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.forwarding import (
    CLIENT_FIELDS,
    HOP_BY_HOP,
    NOT_ALIKE,
    TARGET_FIELDS,
    Via,
    connection_lines,
    end_to_end,
    one_hop_less,
    plain,
    without_lookalikes,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import written_authority

# A request that was at so many upstreams when they died, and then at another, may be what kills them.
_MOST_DEATHS: Final = 3
# Proxy becomes HTTP_PROXY where CGI is spoken, and that the proxy that the upstream itself goes through (httpoxy).
_DROP: Final = HOP_BY_HOP | CLIENT_FIELDS | TARGET_FIELDS | CLIENT_CERTIFICATE_FIELDS | {b"host", b"proxy"}
_NONE: Final[frozenset[bytes]] = frozenset()
# What must not be said in other letters to an upstream that takes _ for -.
_MORE_THAN_FIELDS: Final = frozenset({b"upgrade", b"max-forwards"})
_NOT_ALIKE: Final = CLIENT_FIELDS | TARGET_FIELDS | NOT_ALIKE


_UPSTREAM: Final = UPSTREAM.encode("ascii")


def host_to_send(text: str) -> str:
    """``text`` if it can be a Host field, or is ``upstream``; else ``ConfigError``."""
    try:
        written_authority(text.encode("ascii"))
    except ValueError as fault:
        raise ConfigError(f"{text!r}: {fault}", "accepted is HOST, HOST:PORT or upstream") from None
    return text


def none_left(fault: ExchangeError) -> None:
    """After the ``fault`` of the last upstream that there is to try: raises what the client is told instead, if that is
    another thing. A certificate that cannot be verified, and a handshake that fails, are no outage: 502 (RFC 9209
    section 2.3), as somebody has to mend them.
    """
    if fault.retry_safe and not isinstance(fault, ConnectTimeout | TlsError):
        raise UpstreamUnavailable(f"no upstream can be reached: {fault.detail}", error=fault.error)


@attrs.frozen
class _Past:
    """The attempts before one: where they went, how many of them were sent and count as retries, and how often the
    request was cut off.
    """

    tried: tuple[Upstream, ...] = ()
    retries: int = 0
    cuts: int = 0


_NO_PAST: Final = _Past()


class ToPool:
    """Sends requests to ``pool``.

    ``host`` is what goes upstream as Host: None for the client's own, ``"upstream"`` for the upstream's name, else the
    host itself. ``via`` is the entry in Via, and ``affinity`` pins clients to upstreams. What a client says of itself
    is dropped, except for what a route has set in its place (see
    :class:`txproxy.reverse.rewriting.header_fields.RouteHead`).
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
        self._own_addresses = self.prefaced or bool(pool.settings.tolerate)
        # bound once, not for each request
        self._go_on = self._again

    def plan(self, head: RequestHead, context: RequestContext, begun: bool = False) -> Decision:
        """Where the request goes; ``begun`` says that it is to be decided now, whatever there is of its body."""
        if head.body and not begun and self.pool.counts_places and self.pool.others(()):
            return Postponed(lambda late: self._postponed(head, context, late), self.pool.lend)
        affinity = self._affinity
        upstream = None
        if context.connection.connections is not None:
            upstream = self._bound(context)
        if upstream is None and affinity is not None:
            upstream = affinity.find(head, context)
        if upstream is not None:
            self.pool.take_this(upstream)
        else:
            upstream = self.pool.take(head, context)
            if upstream is None:
                return self._wait(head, context)
        return self._plan_for(upstream, head, context)

    def _postponed(self, head: RequestHead, context: RequestContext, late: bool) -> Decision | None:
        """The first part of the body has come, or is ``late``."""
        pool = self.pool
        if late:
            pool.tick()
            if pool.full and pool.others(()):
                return None
        return self.plan(head, context, begun=True)

    def _bound(self, context: RequestContext) -> Upstream | None:
        """The upstream to which there is a connection of this client alone: it has logged in there, or is about to."""
        pool, connections = self.pool, context.connection.connections
        for upstream in pool.upstreams:
            if upstream.pinnable and connections.has(pool.address_for(upstream, context).key):
                pool.tick()
                return upstream
        return None

    def attach(self, services: Services) -> None:
        """See :class:`txproxy.reverse.Action`."""

    def _wait(self, head: RequestHead, context: RequestContext, past: _Past = _NO_PAST) -> Decision:
        return self.pool.wait(head, context, past.tried).addCallback(
            lambda upstream: self._another(upstream, head, context, past)
        )

    def _plan_for(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> Plan:
        try:
            address = self.pool.address_for(upstream, context) if self._own_addresses else upstream.address
            plan = Plan(address, self._head(head, context, upstream))
            plan.party = plan.upstream = upstream
            plan.again = self._go_on
            plan.map_back = map_back
            if self.pool.curious:
                plan.answered = self.pool.attention(upstream, head.body != 0)
            if self._affinity is not None:
                plan.attempt_lines = self._affinity.pin(upstream, head, context)
        except BaseException:
            # Without a plan nobody would give its place back.
            upstream.ended(None, 0)
            raise
        return plan

    def _another(self, upstream: Upstream, head: RequestHead, context: RequestContext, past: _Past) -> Plan:
        plan = self._plan_for(upstream, head, context)
        plan.tried = past.tried
        plan.cuts = past.cuts
        plan.retries = past.retries
        if past.retries:
            plan.party = retry = self.pool.retry(upstream, plan.answered)
            plan.answered = retry.answered
        return plan

    def _again(self, plan: Plan, fault: ExchangeError, head: RequestHead, context: RequestContext) -> Decision | None:
        """The attempt at ``plan``'s upstream has failed."""
        pool = self.pool
        past = _Past((*plan.tried, plan.upstream), plan.retries, plan.cuts)
        if fault.retry_safe:
            # After a request was cut off, nobody is there to connect to.
            return self._elsewhere(fault, head, context, past) if plan.cuts <= _MOST_DEATHS else None
        # It was sent, and nothing came back: as often as is set, as far as the budget goes (RFC 9110 9.2.2).
        most = pool.settings.retries
        if plan.retries < most and pool.may_retry():
            return self._elsewhere(fault, head, context, attrs.evolve(past, retries=plan.retries + 1))
        if not most or plan.cuts > _MOST_DEATHS or not isinstance(fault, UpstreamClosed | ResponseIncomplete):
            return None

        def found(gone: bool) -> Any:
            decision = self._elsewhere(fault, head, context, past) if gone else None
            if decision is None:
                raise fault
            return decision

        # Both bounds are for what is repeated because an upstream is slow or ill, not for what the dead had.
        return cast(Decision, pool.gone(plan.upstream).addCallback(found))

    def _elsewhere(
        self, fault: ExchangeError, head: RequestHead, context: RequestContext, past: _Past
    ) -> Decision | None:
        other = self.pool.take(head, context, past.tried)
        if other is not None:
            return self._another(other, head, context, past)
        if self.pool.others(past.tried):
            return self._wait(head, context, past)
        none_left(fault)
        return None

    def _head(self, head: RequestHead, context: RequestContext, upstream: Upstream) -> RequestHead:
        host = self._host
        if host is None:
            # HTTP/1.0 knows no Host; the upstream's own name is as good as any.
            host = head.authority or upstream.authority
        elif host == _UPSTREAM:
            host = upstream.authority
        told = context.connection.memo
        if (
            type(told) is _Told
            and told.of is head.headers
            and told.host == host
            and told.authority == head.authority
            and told.lines == context.lines
            and told.by is self
        ):
            headers = told.headers
        else:
            headers = self._fields(head, context, host)
            if _MORE_THAN_FIELDS.isdisjoint(head.headers.index):
                context.connection.memo = _Told(self, head, host, context.lines, headers)
        return RequestHead(head.method, head.path, headers, host, None, head.body)

    def _fields(self, head: RequestHead, context: RequestContext, host: bytes) -> Headers:
        index = head.headers.index
        lines = [b"Host: " + host]
        kept = head.kept if type(head) is RouteHead else _NONE
        lines += end_to_end(head.headers, _DROP - kept if kept else _DROP)
        if b"_" in b"".join(index):
            lines = without_lookalikes(lines, _NOT_ALIKE.difference(map(plain, kept)))
        told = (
            context.lines
            if context.lines is not None
            else peer_alone(context.peer_ip, context.connection.peer_scheme).lines
        )
        lines += [line for line in told if line.partition(b":")[0].lower() not in kept] if kept else told
        # Only a route, or a proxy that is trusted, can have said so already.
        if head.authority and not ((kept or context.lines is not None) and _tells_host(lines)):
            lines.append(b"X-Forwarded-Host: " + head.authority)
        if self._via is not None:
            lines.append(self._via.request_line(head.minor))
        if b"connection" in index or b"te" in index:
            lines += connection_lines(head)
        if b"max-forwards" in index and head.method == b"OPTIONS":
            lines = one_hop_less(lines, head)
        return Headers.from_lines(lines)


def _tells_host(lines: Iterable[bytes]) -> bool:
    """Whether they say which host the client wanted."""
    return any(line.startswith(b"X-Forwarded-Host:") for line in lines)


class _Told:
    """What upstreams were told with the request before: ``headers``, made ``by`` an action ``of`` a client's fields and
    of the ``lines`` that tell of it. A client whose fields are the same again is told of in the same words. The target
    may have another ``authority`` all the same, as it is no field.
    """

    __slots__ = ("by", "of", "authority", "host", "lines", "headers")

    def __init__(
        self, by: ToPool, head: RequestHead, host: bytes, lines: tuple[bytes, ...] | None, headers: Headers
    ) -> None:
        self.by = by
        self.of = head.headers
        self.authority = head.authority
        self.host = host
        self.lines = lines
        self.headers = headers
