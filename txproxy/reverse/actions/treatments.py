"""What routes do besides sending to a pool, and what they add to it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar, cast

import attrs
from twisted.internet.defer import Deferred

from txproxy.errors import ConfigError, ExchangeError
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Answer, Decision, OwnFields, Plan, Postponed, Shadow
from txproxy.matching.paths import readings, split_path
from txproxy.proxy.services import Services
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.actions.subrequests import ForwardAuth, Mirror, Passed
from txproxy.reverse.actions.to_pool import none_left
from txproxy.reverse.rewriting.rewrites import RequestRewrite, ResponseLines, ResponseRewrite
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire import grammar
from txproxy.wire.forwarding import plain
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead


class Action(Protocol):
    """What is to be done with the requests of a route."""

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
        return self._to(head, context, ())

    def _to(self, head: RequestHead, context: RequestContext, tried: tuple[Upstream, ...]) -> Decision:
        upstream = self._pool.take(head, context, tried)
        if upstream is None:
            waiting: Any = self._pool.wait(head, context, tried)
            decision: Decision = waiting.addCallback(self._plan, context, tried)
            return decision
        return self._plan(upstream, context, tried)

    def _plan(self, upstream: Upstream, context: RequestContext, tried: tuple[Upstream, ...]) -> Plan:
        try:
            address = self._pool.address_for(upstream, context)
        except BaseException:
            upstream.ended(None, 0)
            raise
        plan = Plan(address, None)
        plan.party = plan.upstream = upstream
        plan.answered = upstream.answered
        plan.tried = tried
        plan.again = self._again
        return plan

    def _again(self, plan: Plan, fault: ExchangeError, head: RequestHead, context: RequestContext) -> Decision | None:
        tried = (*plan.tried, plan.upstream)
        if self._pool.others(tried):
            return self._to(head, context, tried)
        none_left(fault)
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
        # An answer of the route's own has nothing that would have to be mapped back.
        self._own: ResponseRewrite | None = None
        self._own_fields = _own_fields(treatment)
        if isinstance(treatment.response, ResponseRewrite):
            self._own = attrs.evolve(treatment.response, map_back=False, cookie_domains=()) or None

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""
        self._services = services
        self._action.attach(services)

    def plan(self, head: RequestHead, context: RequestContext) -> Decision:
        """See :class:`Action`."""
        auth = self._treatment.auth
        if auth is None:
            return self._go(head, head, context)
        assert self._services is not None, "an action that serves is attached"
        asking: Any = auth.ask(self._services, head, context).addCallback(
            lambda passed: self._pass(head, passed, context) if isinstance(passed, Passed) else passed
        )
        decision: Decision = asking
        return decision

    def _pass(self, asked: RequestHead, passed: Passed, context: RequestContext) -> Decision:
        decision: Any = self._go(asked, passed.head, context)
        lines = passed.lines
        if not lines:
            return cast(Decision, decision)

        def add(decision: Any) -> Any:
            if isinstance(decision, Postponed):
                return attrs.evolve(decision.then(add), response_lines=decision.response_lines + lines)
            if isinstance(decision, Plan):
                decision.response_lines += lines
                return decision
            return attrs.evolve(decision, lines=(*decision.lines, *lines))

        return cast(Decision, decision.addCallback(add) if isinstance(decision, Deferred) else add(decision))

    def _go(self, asked: RequestHead, head: RequestHead, context: RequestContext) -> Decision:
        """``asked`` is what the client sent, ``head`` what the authorization server has made of it."""
        slash = self._slash
        if slash and (location := _with_slash(head, slash)):
            # RFC 9110 15.4.9: 308 keeps the method.
            status = 301 if head.method in (b"GET", b"HEAD") else 308
            redirect: Decision = self._treat(asked, head, context)(Answer(status, (b"Location: " + location,)), None)
            return redirect
        if self._request is not None:
            head = self._request.apply(head, context)
        treat = self._treat(asked, head, context)
        decision = self._action.plan(head, context)
        treated: Decision
        if isinstance(decision, Deferred):
            treated = decision.addCallback(treat, None)
        else:
            treated = treat(decision, None)
        return treated

    def _treat(self, asked: RequestHead, head: RequestHead, context: RequestContext) -> Callable[..., Any]:
        treatment, response = self._treatment, self._response

        def treat(decision: Any, before: Plan | None) -> Any:
            try:
                return apply(decision, before)
            except BaseException:
                if isinstance(decision, Plan):
                    # Nobody else knows of it.
                    decision.give_back()
                raise

        def apply(decision: Any, before: Plan | None) -> Any:
            if isinstance(decision, Answer) and self._own is not None:
                return _rewritten(decision, self._own.bind(asked, context, b""))
            if isinstance(decision, Postponed):
                # Nothing is decided yet, so that nothing is copied either.
                most = _lower(decision.max_body, treatment.max_body)
                return attrs.evolve(decision.then(lambda decided: treat(decided, before)), max_body=most)
            if not isinstance(decision, Plan):
                return decision
            plan = decision
            # An action that is treated itself has its own: of two limits the lower holds.
            plan.response_timeout = _lower(plan.response_timeout, treatment.response_timeout)
            plan.tunnel_timeout = _lower(plan.tunnel_timeout, treatment.tunnel_timeout)
            plan.max_body = _lower(plan.max_body, treatment.max_body)
            if self._own_fields is not None:
                inner = plan.own_fields
                plan.own_fields = self._own_fields if inner is None else self._own_fields.and_(inner)
            if before is not None:
                # The copy that was begun with the first attempt is this one's as well.
                if before.shadow is not None:
                    plan.shadow, before.shadow = before.shadow, None
            elif treatment.mirror is not None and plan.head is not None:
                # Only now: what goes nowhere is not copied either.
                assert self._services is not None, "an action that serves is attached"
                plan.shadow = _both(plan.shadow, treatment.mirror.begin(self._services, head, context))
            if treatment.response is not None:
                # It says whether anything is mapped back, and does it.
                plan.map_back = None
            if response is not None:
                told = plan.head.authority if plan.head is not None else b""
                rewrite = response.bind(asked, context, plan.upstream.authority, told)
                plan.rewrite = rewrite if plan.rewrite is None else _one_after(plan.rewrite, rewrite)
            again = plan.again
            if again is not None:
                plan.again = lambda plan, fault, _head, context: retreat(plan, again(plan, fault, head, context))
            return plan

        def retreat(before: Plan, decision: Any) -> Any:
            if isinstance(decision, Deferred):
                return decision.addCallback(treat, before)
            return treat(decision, before)

        return treat


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


def _one_after(first: ResponseLines, then: ResponseLines) -> ResponseLines:
    def rewrite(head: ResponseHead, lines: list[bytes]) -> list[bytes]:
        lines = first(head, lines)
        # What the first has added is the response's to the second.
        return then(ResponseHead(head.status, Headers.from_lines(lines), reason=head.reason, body=head.body), lines[:])

    return rewrite


class _Both:
    """Two copies of one request's body."""

    def __init__(self, one: Shadow, other: Shadow) -> None:
        self._shadows = (one, other)

    def body(self, data: bytes) -> None:
        """See :class:`txproxy.interfaces.Shadow`."""
        for shadow in self._shadows:
            shadow.body(data)

    def end(self) -> None:
        """See :class:`txproxy.interfaces.Shadow`."""
        for shadow in self._shadows:
            shadow.end()

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.Shadow`."""
        for shadow in self._shadows:
            shadow.cut()


def _both(one: Shadow | None, other: Shadow | None) -> Shadow | None:
    return _Both(one, other) if one is not None and other is not None else one or other


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


def _rewritten(answer: Answer, rewrite: Callable[[ResponseHead, list[bytes]], list[bytes]]) -> Answer:
    lines = list(answer.lines)
    head = ResponseHead(answer.status, Headers.from_lines(lines))
    return attrs.evolve(answer, lines=tuple(rewrite(head, lines[:])))
