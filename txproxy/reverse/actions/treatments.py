"""What routes do besides sending to a pool, and what they add to it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred

from txproxy.errors import ConfigError, ExchangeError
from txproxy.interfaces.answers import Answer
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision, OwnFields, Plan, Postponed
from txproxy.matching.octets import shown
from txproxy.matching.paths import readings, split_path
from txproxy.proxy.services import Services
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror, Passed
from txproxy.reverse.actions.to_pool import none_left
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.upstreams.choice import PoolAttempt, tunnel_attempt
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire import grammar
from txproxy.wire.forwarding import plain
from txproxy.wire.message import RequestHead


class Action(Protocol):
    """What is to be done with the requests of a route.

    It may have an attribute ``repeats``: whether all that it does with a request, before that comes to what stands
    within the mode, follows from the request and its connection alone, and what stands there may say what would answer
    it again (see :class:`~txproxy.interfaces.RequestContext`).
    """

    # whether CONNECT may come here
    takes_connect: bool
    # the pools that it may send to
    pools: tuple[Pool, ...]

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""

    def attach(self, services: Services) -> None:
        """``services`` are those of who serves it: what makes requests of its own makes them by its means."""


class Respond:
    """Answers with the same each time: ``status`` (200 to 599), ``headers`` and ``body``."""

    takes_connect = False
    pools: tuple[Pool, ...] = ()

    def __init__(self, status: int, headers: tuple[tuple[str, str], ...] = (), body: str = "") -> None:
        if not 200 <= status <= 599:
            raise ConfigError(f"{status!r} is no status of an answer", "accepted is 200 to 599", ("status",))
        if body and status in (204, 304):
            raise ConfigError(f"a {status} has none (RFC 9110 section 6.4.1)", "accepted is no body", ("body",))
        lines = []
        for name, value in headers:
            name_bytes, value_bytes = name.encode("latin-1", "replace"), value.encode("utf-8")
            if not grammar.TOKEN.fullmatch(name_bytes) or not grammar.FIELD_VALUE.fullmatch(value_bytes):
                raise ConfigError(
                    f"{name!r}: this is no field", "accepted are a token and printable text", ("headers",)
                )
            if name.lower() in ("content-length", "transfer-encoding", "connection", "date"):
                raise ConfigError(f"{name} is the proxy's own to say", "accepted are others", ("headers",))
            lines.append(name_bytes + b": " + value_bytes)
        if body and not any(name.lower() == "content-type" for name, _ in headers):
            kind = b"text/html" if body.lstrip().startswith("<") else b"text/plain"
            lines.append(b"Content-Type: %b; charset=utf-8" % kind)
        self._answer = Answer(status, tuple(lines), body.encode())

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`Action`."""
        return self._answer

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""


class SendElsewhere:
    """Answers with a redirect."""

    takes_connect = False
    pools: tuple[Pool, ...] = ()

    def __init__(self, redirect: Redirect) -> None:
        self._redirect = redirect

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`Action`."""
        return Answer(self._redirect.status, self._redirect.lines(head, context))

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""


class TunnelTo:
    """Answers CONNECT with a tunnel to an upstream of ``pool``, whatever host the client has asked for."""

    takes_connect = True

    def __init__(self, pool: Pool) -> None:
        self.pools: tuple[Pool, ...] = (pool,)
        self._pool = pool

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`Action`."""
        if head.method != b"CONNECT":
            return Answer(405, (b"Allow: CONNECT",))
        upstream = self._pool.take(head, context)
        if upstream is None:
            waiting: Any = self._pool.wait(head, context, ())
            decision: Decision = waiting.addCallback(self._plan, head, context)
            return decision
        return self._plan(upstream, head, context)

    def _plan(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> Plan:
        plan = Plan.of(tunnel_attempt(upstream, self._pool, context))
        plan.next_attempt = partial(self._next, head, context)
        return plan

    def _next(
        self, head: RequestHead, context: RequestContext, plan: Plan, fault: ExchangeError
    ) -> Attempt | Deferred[Attempt] | None:
        tried = cast(PoolAttempt, plan.attempt).with_this
        upstream = self._pool.take(head, context, tried)
        if upstream is not None:
            return tunnel_attempt(upstream, self._pool, context, tried)
        if self._pool.others(tried):
            waiting: Any = self._pool.wait(head, context, tried)
            return cast("Deferred[Attempt]", waiting.addCallback(tunnel_attempt, self._pool, context, tried))
        none_left(fault, context)
        return None

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""


@attrs.define(kw_only=True)
class Treatment:
    """What a route adds to its action. Timeouts are in seconds, ``max_body`` in bytes. A request for ``slash``, a
    prefix without the slash at its end, is redirected to the one with it, below which relative references work; None
    for the prefix that ``request`` strips, empty for no redirect.
    """

    request: RequestRewrite | None = None
    response: ResponseRewrite | None = None
    response_timeout: float | None = None
    tunnel_timeout: float | None = None
    max_body: int | None = None
    auth: ForwardAuth | None = None
    mirror: Mirror | None = None
    slash: bytes | None = None


class Treated:
    """An action with a treatment: a client that may pass has its request changed and copied, and then its response."""

    def __init__(self, action: Action, treatment: Treatment) -> None:
        self.takes_connect = action.takes_connect
        self.repeats = False
        more = [one.action.pool for one in (treatment.auth, treatment.mirror) if one is not None]
        self.pools = (*action.pools, *more)
        self._action = action
        self._treatment = treatment
        self._services: Services | None = None
        # A rewrite that changes nothing is false.
        self._request = treatment.request or None
        self._slash = treatment.slash
        if treatment.slash is None:
            self._slash = treatment.request.strip if treatment.request is not None and action.pools else b""
        self._response = treatment.response or None
        self._own_fields = _own_fields(treatment)
        # whether somebody stands between it and the pool who may send requests of his own
        self._composed = False

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""
        self._services = services
        self._composed = bool(services.inner_middleware)
        self._action.attach(services)
        treatment = self._treatment
        changes = (treatment.request, treatment.response, treatment.auth, treatment.mirror)
        self.repeats = getattr(self._action, "repeats", False) and not any(one is not None for one in changes)

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`Action`."""
        response = self._response
        if response is not None and response.strict_transport is not None:
            context.filter_responses(response.strict_transport)
        auth = self._treatment.auth
        trace = context.trace
        if auth is not None and trace is not None:
            asked = auth.action.pool.name
            trace.say("first", f"GET {shown(auth.path)} of pool {asked} has to answer 2xx")
        if auth is None or (trace is not None and trace.dry_run):
            return self._go(head, head, context)
        assert self._services is not None, "an action that serves is attached"
        asking: Any = auth.ask(self._services, head, context).addCallback(
            lambda passed: self._pass(head, passed, context) if isinstance(passed, Passed) else passed
        )
        decision: Decision = asking
        return decision

    def _pass(self, asked: RequestHead, passed: Passed, context: RequestContext) -> Decision:
        context.personal = True
        if passed.lines:
            context.add_lines(*passed.lines)
        return self._go(asked, passed.head, context)

    def _go(self, asked: RequestHead, head: RequestHead, context: RequestContext) -> Decision:
        """``asked`` is what the client sent, ``head`` what the authorization server has made of it."""
        rewriting = self._response.of(asked) if self._response is not None else None
        if rewriting is not None:
            context.filter_responses(rewriting)
        slash = self._slash
        if slash and (location := _with_slash(head, slash)):
            # RFC 9110 15.4.9: 308 keeps the method.
            return Answer(301 if head.method in (b"GET", b"HEAD") else 308, (b"Location: " + location,))
        if self._request is not None:
            if context.trace is not None:
                context.trace.hide(self._request.kept)
            head = self._request.apply(head, context)
        if self._composed:
            context.treatments = (
                _TreatmentOfSent(self._treat_sent, head, context, self._treatment.response),
                *context.treatments,
            )
        decision: Decision = self._treat(head, context, self._action.plan(head, context))
        return decision

    def _treat(self, head: RequestHead, context: RequestContext, decision: Any) -> Any:
        """What is ``decision`` for the ``head`` as it goes on."""
        if isinstance(decision, Deferred):
            return decision.addCallback(partial(self._treat, head, context))
        treatment = self._treatment
        if isinstance(decision, Postponed):
            # Nothing is decided yet, so that nothing is copied either.
            most = _lower(decision.max_body, treatment.max_body)
            return attrs.evolve(decision.then(partial(self._treat, head, context)), max_body=most)
        if isinstance(decision, Plan):
            try:
                self._treat_plan(head, context, decision)
            except BaseException:
                # Nobody else knows of it.
                decision.give_back()
                raise
        return decision

    def _treat_plan(self, head: RequestHead, context: RequestContext, plan: Plan) -> None:
        self._change(plan)
        if self._treatment.response is not None:
            # It says whether anything is mapped back, and does it.
            plan.map_back = None
        self._copy(head, context, plan)

    def _treat_sent(self, head: RequestHead, context: RequestContext, plan: Plan, again: bool) -> None:
        """The same of the plan of a request that a cache sends on behalf of one."""
        self._change(plan)
        if self._treatment.response is not None:
            # The rest is done when a client gets it.
            plan.map_back = self._treatment.response.map_to_keep
        if not again:
            self._copy(head, context, plan)

    def _change(self, plan: Plan) -> None:
        treatment = self._treatment
        # An action that is treated itself has its own: of two limits the lower holds.
        plan.response_timeout = _lower(plan.response_timeout, treatment.response_timeout)
        plan.tunnel_timeout = _lower(plan.tunnel_timeout, treatment.tunnel_timeout)
        plan.max_body = _lower(plan.max_body, treatment.max_body)
        if self._own_fields is not None:
            inner = plan.own_fields
            plan.own_fields = self._own_fields if inner is None else self._own_fields.and_(inner)

    def _copy(self, head: RequestHead, context: RequestContext, plan: Plan) -> None:
        treatment = self._treatment
        if treatment.mirror is not None and plan.attempt.head is not None:
            # Only now: what goes nowhere is not copied either.
            if context.trace is not None:
                context.trace.say("copy", treatment.mirror.meaning)
                if context.trace.dry_run:
                    return
            assert self._services is not None, "an action that serves is attached"
            copying = treatment.mirror.begin(self._services, head, context)
            if copying is not None:
                context.filter_requests(copying)


class _TreatmentOfSent:
    """What ``treat`` does with the plans of requests that are sent on behalf of one, the first of which is known."""

    __slots__ = ("maps", "map_to_keep", "_treat", "_head", "_context", "_again")

    def __init__(
        self,
        treat: Callable[[RequestHead, RequestContext, Plan, bool], None],
        head: RequestHead,
        context: RequestContext,
        response: ResponseRewrite | None,
    ) -> None:
        # See txproxy.interfaces.context.Treating.
        self.maps = response is not None
        self.map_to_keep = response.map_to_keep if response is not None else None
        self._treat = treat
        self._head = head
        self._context = context
        self._again = False

    def __call__(self, plan: Plan) -> None:
        again, self._again = self._again, True
        self._treat(self._head, self._context, plan, again)


def _with_slash(head: RequestHead, prefix: bytes) -> bytes:
    """Where a request for the ``prefix`` itself is to go; empty if it is for another path. WebSocket clients follow no
    redirects.
    """
    path, query = split_path(head.path)
    if readings(path)[0] != prefix or b"upgrade" in head.headers.index:
        return b""
    # Relative, so that it holds under whatever prefix others have taken away.
    return b"./" + path.rpartition(b"/")[2] + b"/" + query


L = TypeVar("L", int, float)


def _lower(one: L | None, other: L | None) -> L | None:
    return min(one, other) if one is not None and other is not None else other if one is None else one


def _own_fields(treatment: Treatment) -> OwnFields | None:
    request: frozenset[bytes] = frozenset()
    response: frozenset[bytes] = frozenset()
    if treatment.request is not None:
        request = treatment.request.own_fields
    if treatment.auth is not None:
        request |= frozenset(map(plain, treatment.auth.copy))
    if isinstance(treatment.response, ResponseRewrite):
        response = treatment.response.own_fields
    return OwnFields((request,), (response,)) if request or response else None
