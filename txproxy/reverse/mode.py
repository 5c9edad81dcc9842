"""Request head to an upstream of a pool, by way of a route, or a refusal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, Protocol

from zope.interface import implementer

from txproxy.errors import ConfigError, LoopDetected
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import IMode, tolls_of
from txproxy.interfaces.plan import Decision
from txproxy.interfaces.record import Audit
from txproxy.net.dns.resolver import Resolver
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.proxy.factory import ProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.proxy.services import Observer, Services
from txproxy.reverse.actions.standing_to_pool import StandingToPool
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.told_before import ToldBefore
from txproxy.reverse.actions.treatments import Action, Treated, Treatment
from txproxy.reverse.actions.wrapped_action import WrappedAction
from txproxy.reverse.client_identity import Trust, peer_alone
from txproxy.reverse.routing.matches import host_of
from txproxy.reverse.routing.route import Route, Sticky
from txproxy.reverse.routing.routes import Routes
from txproxy.tls.client_certificates import NO_CERTIFICATE_LINES, peer_certificate
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.pool import Pool
from txproxy.wire.forwarding import Via, max_forwards, via_entry
from txproxy.wire.message import RequestHead

# Methods of which some requests are for the proxy itself.
_SPECIAL: Final = frozenset({b"TRACE", b"CONNECT", b"OPTIONS"})
_NOBODY: Final[tuple[None, tuple[Any, ...]]] = None, ()
_ALLOW: Final = (b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH",)


class Served(Protocol):
    """A TLS listener's certificates, as far as the mode is concerned."""

    def serves(self, host: str) -> bool:
        """Whether one of them is for ``host``."""


@implementer(IMode)
class ReverseMode:
    """Does with requests what their route says, or ``action`` where none matches (None: 404).

    ``via`` is the entry in Via, or None. ``trust`` says which peers are believed about their clients, ``tls`` which
    hosts the certificates of TLS listeners are for (421 to others), ``client_certificates`` that clients may show some.
    ``sticky`` gives what decides which of the routes that share by weight a client gets (None: chance).
    """

    def __init__(
        self,
        action: Action | None = None,
        routes: Sequence[Route[Action]] = (),
        *,
        via: Via | None = None,
        trust: Trust | None = None,
        tls: Served | None = None,
        client_certificates: bool = False,
        sticky: Sticky | None = None,
    ) -> None:
        self.routes = Routes(routes, sticky=sticky) if routes else None
        self.action = action
        self._via = via
        self._trust = trust
        self._tls = tls
        self._client_certificates = client_certificates
        self._tells = trust is not None or client_certificates
        self._actions = actions = [route.action for route in routes] + ([action] if action is not None else [])
        if not actions:
            raise ConfigError("a reverse proxy needs a pool, or a route")
        self._takes_connect = any(one.takes_connect for one in actions)
        # those whose requests are decided on by what they are and by whom they come from alone, and those of them to
        # which nobody else has anything to say
        self._repeating: tuple[Action, ...] = ()
        self._standing: dict[int, tuple[ToPool, tuple[Any, ...]]] = {}
        # what stands around this where it is served: nobody knows here at which of several places a request has come
        self._tolls: set[tuple[Any, ...]] = set()
        self.pools = tuple(dict.fromkeys(pool for one in actions for pool in one.pools))

    def attach(self, services: Services) -> None:
        """This mode is served by means of ``services``."""
        for action in self._actions:
            action.attach(services)
        by_chance = self.routes is not None and self.routes.by_chance
        self._standing = {}
        self._tolls.add(services.tolls)
        if not self._tells and not by_chance:
            self._repeating = tuple(one for one in self._actions if getattr(one, "repeats", False))
            if len(self._tolls) == 1 and (self._tls is None or hasattr(self._tls, "certificates")):
                self._standing = {id(one): stands for one in self._actions if (stands := _stands(one, services))}

    @property
    def stands(self) -> bool:
        """See :class:`txproxy.proxy.downstream.serving.ServingFactory`."""
        return type(self).plan is ReverseMode.plan and "plan" not in vars(self)

    @property
    def repeats(self) -> bool:
        """See :class:`txproxy.interfaces.IMode`; who does more than this says so anew."""
        return type(self).plan is ReverseMode.plan

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""
        if self._tells:
            # Before all else: who is refused is to be logged as who it is.
            self._tell_of(head, context)
        method = head.method
        if method in _SPECIAL:
            refusal = self._own_answer(head)
            if refusal is not None:
                return refusal
        via = self._via
        if via is not None and b"via" in (head.headers.form or head.headers).index and via.is_in(head.headers):
            raise LoopDetected("the request has been through this proxy before")
        if context.connection.peer_scheme == "https" and self._tls is not None and not self._is_served(head):
            # RFC 9110 15.5.20
            return Refusal(421, "http_request_denied", f"no certificate here is for {head.authority.decode('ascii')}")
        action = self.action
        if self.routes is not None:
            route = self.routes.find(head, context)
            if context.trace is not None:
                self._tell_why(route, head, context)
            if route is not None:
                action = route.action
                context.rule = route.name
            elif action is None:
                return Refusal(404, "", "no route matches")
            if method == b"CONNECT" and not action.takes_connect:
                return Refusal(405, "http_request_denied", "no CONNECT here", _ALLOW)
        elif context.trace is not None:
            self._tell_why(None, head, context)
        assert action is not None
        if self._repeating and action in self._repeating:
            # Of which hosts there are certificates may change meanwhile.
            context.repeats = self._tls is None or context.connection.peer_scheme != "https"
        if self._standing:
            told = context.connection.memo
            if type(told) is ToldBefore and told.of is head.headers and told.first is not None:
                self._let_stand(action, told, told.first, head, context)
        return action.plan(head, context)

    def _let_stand(
        self, action: Action, told: ToldBefore, asked: RequestHead, head: RequestHead, context: RequestContext
    ) -> None:
        """A request has come that is like the one before: others may be so as well, and go the same way."""
        connection = context.connection
        to_pool, places = self._standing.get(id(action), _NOBODY)
        if to_pool is None or told.by is not to_pool or not to_pool.stands:
            # It may be another mode's as well, which has a cache before it.
            return
        if not told.stands_for(head, context.lines) or (
            connection.standing is not None and connection.standing.holds_for(head)
        ):
            return
        any_path = self.routes is None
        if not any_path and (asked.path != head.path or asked.method != head.method):
            # What was asked before, to the same pool, may have come by another route.
            return
        tolls = places[0].standing(places, head, context) if places else None
        if places and tolls is None:
            return
        tls: Any = self._tls if connection.peer_scheme == "https" else None
        connection.standing = StandingToPool(to_pool, head, asked, context.rule, any_path, tls, tolls)

    def _tell_why(self, taken: Route[Action] | None, head: RequestHead, context: RequestContext) -> None:
        trace = context.trace
        assert trace is not None
        if self.routes is not None:
            for route, why in self.routes.explain(head, context, taken):
                trace.say(f"route {route.name}", why)
        if taken is None and self.action is not None:
            trace.say("no route", f"pool {self.action.pools[0].name}", "which is the listener's own")

    def _own_answer(self, head: RequestHead) -> Refusal | None:
        """The answer to a request that goes no further, whatever its route says."""
        method = head.method
        if method == b"OPTIONS":
            # RFC 9110 7.6.2: the last that may pass it on has answered for itself.
            ends = b"max-forwards" in head.headers.index and not max_forwards(head)
            return Refusal(200, lines=_ALLOW) if ends else None
        if method == b"TRACE" or not self._takes_connect:
            return Refusal(405, "http_request_denied", f"{method.decode('ascii')} is not done here", _ALLOW)
        return None

    def _is_served(self, head: RequestHead) -> bool:
        host = host_of(head.authority)
        assert self._tls is not None
        return not host or self._tls.serves(host)

    def _tell_of(self, head: RequestHead, context: RequestContext) -> None:
        """What upstreams are told of the client, where that is more than its connection says."""
        if self._trust is not None:
            believed = self._trust.believe(context.peer_ip, context.connection.peer_scheme, head.headers)
        else:
            believed = peer_alone(context.peer_ip, context.connection.peer_scheme)
        context.client_ip = believed.client_ip
        if context.trace is not None and context.client_ip != context.peer_ip:
            context.trace.say("client", context.client_ip, f"as {context.peer_ip} is a trusted proxy")
        context.scheme = believed.scheme
        lines = believed.lines
        if believed.host:
            lines += (b"X-Forwarded-Host: " + believed.host,)
        if self._client_certificates:
            connection = tls_connection(context.connection.transport)
            if context.connection.certificate is None and connection is not None:
                context.connection.certificate = peer_certificate(connection)
            shown = context.connection.certificate
            lines += shown.lines() if shown is not None else NO_CERTIFICATE_LINES
        context.lines = lines


def _stands(action: Action, services: Services) -> tuple[ToPool, tuple[Any, ...]] | None:
    """What sends to a pool in an ``action`` to which nobody else has anything to say, but for limits around it and
    around the mode, by the same clock, the outermost first; None if it is another.
    """
    inner = action.action if type(action) is WrappedAction else action
    if type(inner) is not ToPool or not inner.stands:
        return None
    within = tolls_of(action.plan, inner.plan)
    if within is None:
        return None
    tolls = (*services.tolls, *within)
    return (inner, tolls) if all(one.clock is services.reactor for one in tolls) else None


def mode_to(
    pool: Pool,
    host: str | None,
    via: str | None,
    trusted_proxies: Sequence[str],
    sticky: str | None,
    treatment: Treatment | None = None,
) -> ReverseMode:
    """Sends all requests to ``pool``, with a ``treatment``. For the others see :class:`ReverseProxyFactory`."""
    entry = via_entry(via)
    affinity = affinity_from(sticky, pool) if sticky is not None else None
    to_pool = ToPool(pool, host=host, via=entry, affinity=affinity)
    pool.check_as(host)
    action = Treated(to_pool, treatment) if treatment is not None else to_pool
    return ReverseMode(action, via=entry, trust=Trust(trusted_proxies) if trusted_proxies else None)


class ReverseProxyFactory(ProxyFactory):
    """Protocols of a reverse proxy: ``endpoint.listen(ReverseProxyFactory(Pool([...])))``.

    ``target`` is a pool, or a :class:`ReverseMode` that has routes. For a pool, ``host`` is what goes upstream as Host:
    None for the client's own, ``"upstream"`` for the upstream's name, else the host itself; ``trusted_proxies`` are
    CIDRs of peers that are believed about their clients; ``sticky`` (``cookie``, ``cookie:NAME``, ``ip``,
    ``header:NAME``) keeps clients at their upstreams. ``via`` is the pseudonym in Via, or None. For ``tolerate``,
    ``middleware``, ``audit``, ``http2`` and ``h2c`` see :class:`txproxy.ProxyFactory`.
    """

    def __init__(
        self,
        target: Pool | ReverseMode,
        *,
        host: str | None = None,
        via: str | None = "txproxy",
        trusted_proxies: Sequence[str] = (),
        sticky: str | None = None,
        limits: Limits | None = None,
        tolerate: Iterable[str] = (),
        observers: tuple[Observer, ...] = (),
        resolver: Resolver | None = None,
        middleware: Iterable[Any] = (),
        audit: Audit | None = None,
        http2: bool = False,
        h2c: bool = False,
        reactor: Any = None,
    ) -> None:
        if isinstance(target, Pool):
            target = mode_to(target, host, via, trusted_proxies, sticky)
        super().__init__(
            target,
            limits=limits,
            tolerate=tolerate,
            observers=observers,
            name=via or "txproxy",
            resolver=resolver,
            middleware=middleware,
            audit=audit,
            http2=http2,
            h2c=h2c,
            reactor=reactor,
        )
        target.attach(self.services)
        self.pools = target.pools
        for pool in self.pools:
            pool.use_clock(self.services.reactor)

    def begin(self) -> None:
        """Look after the pools."""
        for pool in self.pools:
            pool.start(
                self.services.reactor,
                lambda address, build: self.services.dialer.dial(address, build),
                self.services.resolver,
                self.services.tolerate,
            )

    def end(self) -> None:
        """No longer."""
        for pool in self.pools:
            pool.stop()
