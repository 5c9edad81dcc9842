"""The last step of a plan: by which parent proxy a request goes, what that is told, and who is asked if it fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, Final, TypeAlias, cast

import attrs
from twisted.internet.defer import Deferred

from txproxy.errors import ExchangeError, ParentError, ResponseIncomplete, UpstreamClosed
from txproxy.forward.access.destinations import Destinations
from txproxy.forward.parents.no_proxy import NoProxy
from txproxy.forward.parents.parent import Kind, Parent
from txproxy.forward.parents.selection import Parents
from txproxy.interfaces.address import Address, Opening
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision, Plan
from txproxy.interfaces.trace import Trace
from txproxy.wire.forwarding import Via
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead
from txproxy.wire.target import split_authority

_CUT_OFF: Final = (UpstreamClosed, ResponseIncomplete)
# Which parent a request is to take, for embedders: None is as configured, ``parents.direct`` is none at all.
ChooseParent: TypeAlias = "Callable[[RequestHead, RequestContext, Parents], Parent | Deferred[Parent | None] | None]"


class ToParents:
    """Sends plans through ``parents``, but those to ``no_proxy``. Addresses that ``destinations`` does not allow are
    refused as they are without parents; what names stand for is for the parent to find out.

    ``choose`` is asked first: what it chooses is what is done, and if that fails no other is tried.
    """

    def __init__(
        self,
        parents: Parents,
        no_proxy: NoProxy,
        destinations: Destinations,
        *,
        choose: ChooseParent | None = None,
        via: Via | None = None,
    ) -> None:
        self.parents = parents
        self._no_proxy = no_proxy
        self._destinations = destinations
        self._choose = choose
        self._via_lines = (via.request_line(),) if via is not None else ()
        # The same request meets the same Address object again, as it does without parents.
        self._through = lru_cache(maxsize=4096)(self._make_through)
        self._itself = lru_cache(maxsize=64)(_from)

    def plan(self, plan: Plan, head: RequestHead, context: RequestContext) -> Decision:
        """``plan``, which leads to the origin directly, changed to go another way if it has to."""
        if self._choose is None:
            return self._as_configured(plan, head, context)
        chosen = self._choose(head, context, self.parents)
        if isinstance(chosen, Deferred):
            return chosen.addCallback(self._chosen, plan, head, context)
        return self._chosen(chosen, plan, head, context)

    def _chosen(self, parent: Parent | None, plan: Plan, head: RequestHead, context: RequestContext) -> Plan:
        if parent is None:
            return self._as_configured(plan, head, context)
        if not isinstance(parent, Parent):
            raise TypeError(f"{parent!r} is no parent proxy; accepted is a Parent, or None")
        if context.trace is not None:
            context.trace.say("parent", parent.name, "as the program has chosen")
        plan.attempt = self._by(parent, plan.attempt, head)
        return plan

    def _as_configured(self, plan: Plan, head: RequestHead, context: RequestContext) -> Plan:
        origin = plan.attempt
        host = origin.address.host
        trace = context.trace
        if self._no_proxy.has(host, origin.address.port):
            if trace is not None:
                trace.say("parent", "none", f"{host} is in no_proxy")
            return plan
        held = (
            partial(self._held, origin.address, context.connection.connections)
            if context.connection.connections is not None
            else None
        )
        parent = self.parents.choose(host, rule=_rule(context), held=held)
        assert parent is not None
        if trace is not None:
            trace.say("parent", parent.name)
            for one, why in self.parents.explain(host, _rule(context), parent):
                trace.add(one.name, why)
        if parent.direct:
            return plan
        plan.next_attempt = partial(self._next, origin, head, context)
        plan.attempt = self._by(parent, origin, head)
        return plan

    def _next(
        self, origin: Attempt, head: RequestHead, context: RequestContext, plan: Plan, fault: ExchangeError
    ) -> Attempt | None:
        """The attempt by a parent has failed."""
        failed = cast(ParentAttempt, plan.attempt)
        its_own = isinstance(fault, ParentError) or (not failed.address.host and isinstance(fault, _CUT_OFF))
        tried = (*failed.tried, failed.parent)
        other = self.parents.choose(origin.address.host, tried, _rule(context)) if its_own else None
        if other is not None:
            return self._by(other, origin, head, tried)
        context.not_repeated = "no other parent could be tried" if its_own else "it is not the parent that has failed"
        return None

    def _held(self, address: Address, connections: Any, parent: Parent) -> bool:
        """Whether there is a connection of the client's own by ``parent``, on which it may have logged in."""
        itself = self._itself(parent, address.bind) if address.bind else parent.itself
        return bool(connections.has(itself.key) or connections.has(self._through(address, parent).key))

    def _by(self, parent: Parent, origin: Attempt, head: RequestHead, tried: tuple[Parent, ...] = ()) -> Attempt:
        """What was to be the attempt ``origin``, by ``parent``."""
        request, address, answered = origin.head, origin.address, origin.answered
        if not parent.direct:
            self._destinations.check_named(address.host)
            if request is not None and parent.takes_requests and _is_told_all(request, address):
                address = self._itself(parent, address.bind) if address.bind else parent.itself
                request = _absolute(request, parent)
                answered = parent.answered if answered is None else _both(parent.answered, answered)
            elif parent.kind is not Kind.SOCKS5 and b"via" in head.headers.index:
                # A loop of tunnels is found by Via, as one of requests is.
                lines = (b"Via: " + head.headers.index[b"via"], *self._via_lines)
                address = attrs.evolve(address, through=Told(parent, lines), pinned=())
            else:
                address = self._through(address, parent)
        return ParentAttempt(origin, address, request, answered, parent, tried)

    def _make_through(self, address: Address, parent: Parent) -> Address:
        told = self._via_lines and parent.kind is not Kind.SOCKS5
        hop = Told(parent, self._via_lines) if told else parent
        return attrs.evolve(address, through=hop, pinned=())


class ParentAttempt(Attempt):
    """What was to be the attempt ``origin``, by a ``parent``, after others that were ``tried``."""

    __slots__ = ("parent", "tried")

    def __init__(
        self,
        origin: Attempt,
        address: Address,
        head: RequestHead | None,
        answered: Callable[[int], None] | None,
        parent: Parent,
        tried: tuple[Parent, ...],
    ) -> None:
        super().__init__(address, head, origin.tracker, answered, origin.lines)
        self.parent = parent
        self.tried = tried

    def tell(self, trace: Trace) -> None:
        """See :class:`txproxy.interfaces.Attempt`."""
        trace.hide((b"proxy-authorization",))
        super().tell(trace)


def _both(first: Callable[[int], None], then: Callable[[int], None]) -> Callable[[int], None]:
    """Ask one after the other."""

    def both(status: int) -> None:
        first(status)
        then(status)

    return both


class Told:
    """A parent that is told more ``lines`` when it is asked for a tunnel (see :class:`txproxy.interfaces.Hop`)."""

    __slots__ = ("parent", "lines")

    def __init__(self, parent: Parent, lines: Sequence[bytes]) -> None:
        self.parent = parent
        self.lines = lines

    def __str__(self) -> str:
        return self.parent.name

    def __repr__(self) -> str:
        return repr(self.parent)

    @property
    def address(self) -> Address:
        """The parent's own."""
        return self.parent.address

    @property
    def key(self) -> str:
        """The parent's own: a tunnel that stands goes in no circle."""
        return self.parent.key

    def opening(self, host: str, port: int) -> Opening:
        """CONNECT, with these lines."""
        return self.parent.opening(host, port, self.lines)

    def served(self) -> None:
        """For the parent."""
        self.parent.served()

    def reached(self) -> None:
        """For the parent."""
        self.parent.reached()

    def failed(self, fault: ExchangeError) -> None:
        """For the parent."""
        self.parent.failed(fault)


def _rule(context: RequestContext) -> str:
    """The access rule that has allowed the client's request."""
    return context.verdict.rule if context.verdict is not None else ""


def _from(parent: Parent, bind: str) -> Address:
    return attrs.evolve(parent.itself, bind=bind)


def _is_told_all(request: RequestHead, address: Address) -> bool:
    """Whether the URL of ``request`` says all of where it is to go: not if it is dialled by another name than its own,
    which no parent can be told but by asking it for a tunnel.
    """
    return address.tls is None and split_authority(request.authority)[0] == address.host


def _absolute(request: RequestHead, parent: Parent) -> RequestHead:
    """``request`` as a proxy gets it (RFC 9112 section 3.2.2), credentials for it included."""
    # RFC 9112 3.2.4: without a path, OPTIONS is for the server as a whole.
    path = request.path if request.path != b"*" else b""
    headers = request.headers
    if parent.lines:
        lines = [*headers.lines, *parent.lines]
        block = headers.block
        headers = Headers.from_lines(lines)
        headers.block = b"\r\n".join([block, *parent.lines])
    target = b"http://%b%b" % (request.authority, path)
    return RequestHead(request.method, target, headers, request.authority, None, request.body)
