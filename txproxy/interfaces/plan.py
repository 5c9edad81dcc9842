"""What is to be done with a request: a plan, an answer, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, Protocol, TypeAlias

import attrs
from twisted.internet.defer import Deferred

from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.tunnels import Gatekeeper
from txproxy.wire.message import RequestHead, ResponseHead


class Party(Protocol):
    """The upstream of an attempt, which learns how that went."""

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """The attempt is over: told once. ``fault`` is None if all went well, or the client left; ``status`` is that of
        the final response, 0 if none came.
        """


class Uploading(Protocol):
    """An exchange whose body comes slowly."""

    @property
    def body_late(self) -> bool:
        """Whether not even the first part of it is there, and the response has not begun."""

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.allowances.Metered`."""


class Shadow(Protocol):
    """Who gets a copy of a request's body."""

    def body(self, data: bytes) -> None:
        """Part of it."""

    def end(self) -> None:
        """It is complete."""

    def cut(self) -> None:
        """No more of it will come."""


@attrs.frozen
class OwnFields:
    """Names of fields that the proxy sets, removes or believes in requests and in responses, besides those of every
    message: lower-case, with ``-`` for ``_``. They pass in no trailer.
    """

    request: tuple[Container[bytes], ...] = ()
    response: tuple[Container[bytes], ...] = ()

    def and_(self, other: OwnFields) -> OwnFields:
        """Those of both."""
        return OwnFields(self.request + other.request, self.response + other.response)


class Plan:
    """What to do with a request: send ``head`` to ``address``. Without a ``head`` it is a tunnel (CONNECT).

    All else is optional, and set where it is needed:

    ``response_lines``: field lines to add to whatever the client gets, be it the response to this attempt or a later
    one, or a refusal; ``attempt_lines``: to the response to this attempt alone. ``map_back(plan, head, context,
    lines)``: gives the lines of a response to the client's ``head`` in place of ``lines``; asked only where a server
    may speak of its own address in them (:data:`txproxy.wire.headers.SERVER_NAMING`). ``rewrite``: makes of a
    response's head and end-to-end lines the lines that the client gets. ``party``: learns how the attempt went.
    ``answered``: called with the status when the head of the final response is there. An ``ExchangeError`` of
    ``answered`` or ``rewrite`` is what the client gets
    in place of the response. ``again(plan, fault, head, client)``: where to go after the attempt failed, as a decision;
    None to give up. It is asked only where another attempt is safe. ``response_timeout``, and ``tunnel_timeout`` of a
    tunnel without a byte: in seconds, in place of the proxy's. ``max_body``: of the request, in bytes. ``shadow``: gets
    a copy of the request's body. ``bounds``: what it may use; those of the first attempt hold for all.
    ``max_response``: of the response's body, in bytes; what is longer is cut. ``gate``: of a tunnel (CONNECT).
    ``cuts``: how often the request was cut off by the end of a connection, in this attempt and those before it.
    ``own_fields``: those that pass in no trailer. ``upstream``, ``tried`` and ``retries`` are the mode's own: where
    this attempt goes, where others went before it, and how many of them were sent.
    """

    __slots__ = (
        "address", "head", "response_lines", "rewrite", "party", "answered", "again", "response_timeout", "max_body",
        "shadow", "bounds", "max_response", "gate", "cuts", "own_fields", "upstream", "tried", "retries",
        "tunnel_timeout", "map_back", "attempt_lines",
    )  # fmt: skip

    def __init__(self, address: Address, head: RequestHead | None, response_lines: tuple[bytes, ...] = ()) -> None:
        self.address = address
        self.head = head
        self.response_lines = response_lines
        self.attempt_lines: tuple[bytes, ...] = ()
        self.map_back: Callable[[Plan, RequestHead, RequestContext, list[bytes]], list[bytes]] | None = None
        self.rewrite: Callable[[ResponseHead, list[bytes]], list[bytes]] | None = None
        self.party: Party | None = None
        self.answered: Callable[[int], None] | None = None
        self.again: Callable[[Plan, ExchangeError, RequestHead, RequestContext], Decision | None] | None = None
        self.response_timeout: float | None = None
        self.tunnel_timeout: float | None = None
        self.max_body: int | None = None
        self.shadow: Shadow | None = None
        self.bounds: Bounds | None = None
        self.max_response: int | None = None
        self.gate: Gatekeeper | None = None
        self.cuts = 0
        self.own_fields: OwnFields | None = None
        self.upstream: Any = None
        self.tried: tuple[Any, ...] = ()
        self.retries = 0

    def give_back(self) -> None:
        """It is not carried out: who is told of its attempt, and who gets a copy of the body, need not wait for it."""
        party, self.party = self.party, None
        if party is not None:
            party.ended(None, 0)
        shadow, self.shadow = self.shadow, None
        if shadow is not None:
            shadow.cut()


@attrs.frozen
class Answer:
    """A whole response of a mode's own making: ``status``, field lines (``b"Location: /new"``) and ``body``.

    Date and Content-Length are added.
    """

    status: int
    lines: tuple[bytes, ...] = ()
    body: bytes = b""


@attrs.frozen
class Refusal:
    """An answer of the proxy's own: ``status``, the RFC 9209 ``error`` type (empty for none), a ``detail`` for the log,
    and further field lines (``b"Allow: GET"``). ``sentence`` tells the client why, where status and error do not say
    it. ``page(html)`` gives content type and body in place of the proxy's own; it may show what it likes of the detail.
    """

    status: int
    error: str = ""
    detail: str = ""
    lines: tuple[bytes, ...] = ()
    page: Callable[[bool], tuple[bytes, bytes]] | None = attrs.field(default=None, eq=False, repr=False)
    sentence: str = attrs.field(default="", eq=False, repr=False)

    @classmethod
    def of(cls, error: ExchangeError) -> Refusal:
        """The refusal that tells a client of ``error``."""
        return cls(error.status, error.error, error.detail, page=error.page, sentence=error.sentence)


@attrs.define(eq=False)
class Postponed:
    """A decision that is made when the first part of the request's body is there (see
    :mod:`txproxy.proxy.early_body`); until then the request takes nobody's turn and nobody's place.

    ``decide(late)`` gives it; None if the body is ``late`` and there is no room for who goes on without it.
    ``lend(party, exchange)`` gives the party of each attempt that does. ``max_body`` is that of the plan to come,
    and ``response_lines`` are those of it that are known already.
    """

    decide: Callable[[bool], Decision | None]
    lend: Callable[[Party, Uploading], Party]
    max_body: int | None = None
    response_lines: tuple[bytes, ...] = ()

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
