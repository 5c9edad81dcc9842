"""What is to be done with a request: a plan, an answer, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Protocol, TypeAlias

import attrs
from twisted.internet.defer import Deferred

from txproxy.errors import ExchangeError
from txproxy.frozen_values import frozen
from txproxy.instance_names import instance_names
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.attempt import Attempt, Tracker
from txproxy.interfaces.context import RequestContext
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


class Uploading(Protocol):
    """An exchange whose body comes slowly."""

    @property
    def body_late(self) -> bool:
        """Whether not even the first part of it is there, and the response has not begun."""

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.allowances.Metered`."""


class Gatekeeper(Protocol):
    """Looks at what a client sends into a tunnel first, before any of it goes on. ``farewell`` is what a client that is
    turned away gets, in the protocol that it speaks there.
    """

    farewell: bytes

    def opens(self, data: bytes) -> bool:
        """Whether the tunnel may begin, given all that the client has sent so far; False if it takes more to tell. An
        ``ExchangeError`` ends the tunnel.
        """


@frozen
class OwnFields:
    """Names of fields that the proxy sets, removes or believes in requests and in responses, besides those of every
    message: lower-case, with ``-`` for ``_``. They pass in no trailer.
    """

    request: tuple[Container[bytes], ...] = ()
    response: tuple[Container[bytes], ...] = ()

    def and_(self, other: OwnFields) -> OwnFields:
        """Those of both."""
        return OwnFields(self.request + other.request, self.response + other.response)


MapBack: TypeAlias = "Callable[[Any, RequestHead, RequestContext, list[bytes]], list[bytes]]"


@instance_names(
    "attempt", "response_timeout", "max_body", "bounds", "map_back", "next_attempt", "cuts", "tunnel_timeout", "gate",
    "own_fields", "asked", "_given_back",
)  # fmt: skip
class Plan:
    """What to do with a request: first ``attempt``, and what may follow it. ``Plan(address, head)`` has a plain one.

    ``attempt`` is the one that is made, or was made last. All else is optional, and set where it is needed:

    ``next_attempt(plan, fault)`` says what to try after ``plan.attempt`` has failed: an :class:`Attempt`, a Deferred of
    one, or None to give up. An ``ExchangeError`` that it raises is what the client is told. It is asked only where
    another attempt is safe; ``asked`` is what it has to know for that, if anything. ``cuts`` is how often the request
    was cut off until now by the end of a connection.

    ``map_back(attempt, head, context, lines)`` gives the lines of a response to the client's ``head`` in place of
    ``lines``, before any filter; it is asked only where a server may speak of its own address in them
    (:data:`txproxy.wire.headers.SERVER_NAMING`).

    ``response_timeout``, and ``tunnel_timeout`` of a tunnel without a byte: in seconds, in place of the proxy's.
    ``max_body``: of the request, in bytes. ``bounds``: what it may use. ``gate``: of a tunnel (CONNECT).
    ``own_fields``: those that pass in no trailer.
    """

    # Most plans have the values that stand here, and those that hardly any is asked for cost nothing so. The others are
    # set: to ask for one that is not takes longer.
    next_attempt: Callable[[Plan, ExchangeError], Attempt | Deferred[Attempt] | None] | None = None
    cuts = 0
    asked: Any = None
    map_back: MapBack | None = None
    response_timeout: float | None
    tunnel_timeout: float | None = None
    max_body: int | None
    bounds: Bounds | None
    gate: Gatekeeper | None = None
    own_fields: OwnFields | None = None
    _given_back = False

    attempt: Attempt

    def __init__(self, address: Address, head: RequestHead | None) -> None:
        self.attempt = Attempt(address, head)
        self.response_timeout = self.max_body = self.bounds = None

    @classmethod
    def of(cls, attempt: Attempt) -> Plan:
        """One that begins with ``attempt``."""
        plan = cls.__new__(cls)
        plan.attempt = attempt
        plan.response_timeout = plan.max_body = plan.bounds = None
        return plan

    def give_back(self) -> None:
        """It is not carried out: who is told of its attempt need not wait for it."""
        if not self._given_back:
            self._given_back = True
            self.attempt.give_back()


class StandingPlan(Protocol):
    """Plans for requests without a body that have the very fields ``of`` and this ``authority``, as far as
    :meth:`head_for` has a head for them. Nobody but the mode has a say in them, which would say the same each time, of
    the same method. ``rule`` is the name of the route that they are on, and ``lines`` what logs have found out that
    their lines have in common, by who makes these; ``known`` is the same by the first of them. ``tolls`` are the limits
    that have a say before the mode: they have the next one ``pay``, if it may go on at that time of the proxy's own
    clock, and ``pay_back`` if it does not; None if there are none.
    """

    of: Headers
    authority: bytes
    rule: str
    lines: dict[Any, Any]
    known: Any
    tolls: Any

    def head_for(self, request: RequestHead) -> RequestHead | None:
        """What is sent for it; None if it is to be decided anew."""

    def take(self) -> Any:
        """The upstream whose turn it is, for which one more request counts from now on, as its ``tracker``; None if
        each has to be decided anew just now.
        """

    def take_all(self, count: int) -> Any:
        """The same for so many requests at once, whose turn all of them have; None, with nothing counted, where each is
        to be taken for itself.
        """

    def plan(self, upstream: Any, request: RequestHead, context: RequestContext) -> Plan:
        """That of one ``request`` alone, which is sent to this ``upstream``, as the mode would have made it; and what
        the mode says of it in its ``context``.
        """


@attrs.define(eq=False)
class Postponed:
    """A decision that is made when the first part of the request's body is there (see
    :mod:`txproxy.proxy.exchanges.early_body`); until then the request takes nobody's turn and nobody's place.

    ``decide(late)`` gives it; None if the body is ``late`` and there is no room for who goes on without it.
    ``lend(tracker, exchange)`` gives the tracker of each attempt that does. ``max_body`` is that of the plan to come.
    """

    decide: Callable[[bool], Decision | None]
    lend: Callable[[Tracker, Uploading], Tracker]
    max_body: int | None = None

    def then(self, treat: Callable[[Any], Any]) -> Postponed:
        """The same, with ``treat`` made of what is decided."""
        decide = self.decide

        def treated(late: bool) -> Any:
            decision = decide(late)
            if isinstance(decision, Deferred):
                return decision.addCallback(treat)
            return treat(decision) if decision is not None else None

        return attrs.evolve(self, decide=treated)


Decided: TypeAlias = "Plan | Refusal | Answer | Postponed"
Decision: TypeAlias = "Decided | Deferred[Decided]"
