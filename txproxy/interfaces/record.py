"""What is known of an exchange when it is over. Logs and metrics learn from that alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.wire.message import RequestHead, ResponseHead


class AttemptRecord:
    """What became of one :class:`Attempt`. All times are in seconds from the beginning of the exchange.

    ``began`` is when it was decided on, ``connected`` when it had a connection (None: it got none), and ``ended`` when
    it was over. ``reused`` says that the connection was a kept one. ``fault`` is why it failed, or None, and ``status``
    that of the final response, 0 if none came. ``upstream`` is the connection, or None, for who wants to know whose it
    was.
    """

    # Not attrs: they are made for each request, and this is the fastest. Nobody changes one.
    __slots__ = ("attempt", "began", "connected", "ended", "reused", "fault", "status", "upstream")

    def __init__(
        self,
        attempt: Attempt,
        began: float,
        connected: float | None,
        ended: float,
        reused: bool,
        fault: ExchangeError | None,
        status: int,
        upstream: Any = None,
    ) -> None:
        self.attempt = attempt
        self.began = began
        self.connected = connected
        self.ended = ended
        self.reused = reused
        self.fault = fault
        self.status = status
        self.upstream = upstream

    def move(self, seconds: float) -> None:
        """Count its times from so much earlier: it was recorded by itself, and is part of a longer exchange."""
        self.began += seconds
        self.ended += seconds
        if self.connected is not None:
            self.connected += seconds

    @property
    def peer(self) -> Any:
        """The address of who was connected to, which may be a proxy on the way; None if nobody was."""
        transport = getattr(self.upstream, "transport", None)
        return None if transport is None else transport.getPeer()

    @property
    def address(self) -> Address:
        """Where it went."""
        return self.attempt.address

    def __repr__(self) -> str:
        how = self.fault.error if self.fault is not None else self.status
        return f"AttemptRecord({str(self.address)!r}, {how!r}, {self.ended - self.began:.3f} s)"


class FinishedExchange(Protocol):
    """One exchange that is over, as an :class:`ExchangeRecord` has it, for who looks at it, and neither keeps nor
    changes anything of it: others may have the same heads.

    ``eventful`` is whether more became of it than one attempt on a kept connection, or none. Where that is not so, and
    its outcome is ``"ok"``, that ``attempt`` was on the connection ``kept`` (None: there was none), and was answered
    with ``upstream_status``.

    ``standing`` is the plan that stands for it and others like it, as long as nobody has asked for its ``context`` or
    its ``plan``, which are made for who does so: its context says of it what the connection says, and the ``rule`` of
    that plan. It has gone well then, in one attempt at the upstream that is its ``tracker``, and is not eventful.
    """

    @property
    def request(self) -> RequestHead:
        """Its head."""

    @property
    def context(self) -> RequestContext:
        """What else is known of that."""

    @property
    def outcome(self) -> str:
        """What became of it."""

    @property
    def detail(self) -> str:
        """A sentence to that."""

    @property
    def status(self) -> int:
        """What the client got."""

    @property
    def sent(self) -> int:
        """Bytes to the client."""

    @property
    def received(self) -> int:
        """Bytes of its own."""

    @property
    def attempts(self) -> tuple[AttemptRecord, ...]:
        """Those that were made."""

    @property
    def first_byte(self) -> float | None:
        """When the final response began."""

    @property
    def seconds(self) -> float:
        """How long all of it took."""

    @property
    def response(self) -> ResponseHead | None:
        """The head of it."""

    @property
    def stream(self) -> int | None:
        """The number of its stream on a connection of HTTP/2, or None."""

    @property
    def standing(self) -> Any:
        """See above."""

    @property
    def tracker(self) -> Any:
        """See above."""

    @property
    def eventful(self) -> bool:
        """See above."""

    @property
    def plan(self) -> Any:
        """What was to be done with it, with the last attempt; None where that is not known any more."""

    @property
    def attempt(self) -> Attempt | None:
        """The last one."""

    @property
    def kept(self) -> Any:
        """See above."""

    @property
    def upstream_status(self) -> int:
        """That of the last one."""


class ExchangeRecord:
    """One exchange that is over: the ``request``, and its ``context``, which has who sent it and what policy said.

    ``outcome`` is ``"ok"``, ``"tunnel"``, ``"answered"`` (by the mode), ``"client-gone"``, ``"slow-head"``,
    ``"slow-body"``, ``"slow-response"`` (the client was too slow with it), ``"stopped"`` (the proxy has ended), or the
    RFC 9209 type of what went wrong, and ``detail`` a sentence to it. ``status`` is what the client got (0: nothing),
    ``sent`` the bytes of body that it got, ``received`` those that came of its own, or the bytes of a tunnel.
    ``attempts`` are those that were made, the last one last. ``seconds`` is how long all of it took, since its head was
    there, or since it was waited for; ``first_byte`` when the final response began, in seconds from the beginning, or
    None. ``response`` is the head of it that the client got, without what is for the one hop to it; None if it got
    none. ``stream`` is the number of its stream on a connection of HTTP/2, or None.
    """

    # See FinishedExchange.
    plan = standing = tracker = None
    # Not attrs: they are made for each request, and this is the fastest. Nobody changes one.
    __slots__ = (
        "request", "context", "outcome", "detail", "status", "sent", "received", "attempts", "first_byte", "seconds",
        "response", "stream",
    )  # fmt: skip

    def __init__(
        self,
        request: RequestHead,
        context: RequestContext,
        outcome: str,
        detail: str,
        status: int,
        sent: int,
        received: int,
        attempts: tuple[AttemptRecord, ...],
        first_byte: float | None,
        seconds: float,
        response: ResponseHead | None = None,
        stream: int | None = None,
    ) -> None:
        self.request = request
        self.context = context
        self.outcome = outcome
        self.detail = detail
        self.status = status
        self.sent = sent
        self.received = received
        self.attempts = attempts
        self.first_byte = first_byte
        self.seconds = seconds
        self.response = response
        self.stream = stream

    @staticmethod
    def of(exchange: FinishedExchange) -> ExchangeRecord:
        """What is known of one that is over, for who keeps it."""
        if isinstance(exchange, ExchangeRecord):
            return exchange
        # First: one whose context is asked for has a request of its own from then on.
        context = exchange.context
        return ExchangeRecord(
            exchange.request,
            context,
            exchange.outcome,
            exchange.detail,
            exchange.status,
            exchange.sent,
            exchange.received,
            exchange.attempts,
            exchange.first_byte,
            exchange.seconds,
            exchange.response,
            exchange.stream,
        )

    @staticmethod
    def for_keeping(exchange: FinishedExchange) -> ExchangeRecord:
        """The same for who may change it as well: others may have the same heads, to whom that is nothing."""
        record = ExchangeRecord.of(exchange)
        request, response = record.request, record.response
        record.request = request.with_fields(request.headers, request.path)
        if response is not None:
            record.response = response.alone()
        return record

    @property
    def client_ip(self) -> str:
        """The believed address of the client."""
        return self.context.client_ip

    @property
    def address(self) -> Address | None:
        """Where the last attempt went; None if there was none."""
        return self.attempts[-1].address if self.attempts else None

    def __repr__(self) -> str:
        return f"ExchangeRecord({self.request!r}, {self.outcome!r}, {self.status}, {self.seconds:.3f} s)"

    @property
    def eventful(self) -> bool:
        """See :class:`FinishedExchange`."""
        attempts = self.attempts
        return len(attempts) > 1 or (bool(attempts) and not attempts[0].reused)

    @property
    def attempt(self) -> Attempt | None:
        """The last one."""
        return self.attempts[-1].attempt if self.attempts else None

    @property
    def kept(self) -> Any:
        """See :class:`FinishedExchange`."""
        return self.attempts[0].upstream if self.attempts and not self.eventful else None

    @property
    def upstream_status(self) -> int:
        """That of the last one."""
        return self.attempts[-1].status if self.attempts else 0


_Told = TypeVar("_Told", bound=Callable[..., Any])


def momentary(observer: _Told) -> _Told:
    """Marks an observer of exchanges that neither keeps nor changes anything of what it is told: it gets the exchange
    itself, as a :class:`FinishedExchange`, and no record has to be made for it.
    """
    observer.momentary = True  # type: ignore[attr-defined]
    return observer


def is_momentary(observer: Callable[..., None]) -> bool:
    """Whether it is marked so."""
    return getattr(observer, "momentary", False)


class FinishedStream(Protocol):
    """A raw stream that has ended, as whoever counts or logs it is told of it: ``record`` is what exchanges have as
    well, or None where nothing was noted.
    """

    client_ip: str
    context: RequestContext
    server_name: str | None
    outcome: str
    detail: str
    sent: int
    received: int
    seconds: float
    record: ExchangeRecord | None

    @property
    def upstream(self) -> object:
        """Where it went, or None."""


class Audit(Protocol):
    """Who writes down what was decided (see :class:`txproxy.AuditLog`)."""

    def exchange(self, record: ExchangeRecord) -> None:
        """A finished exchange."""

    def open(self) -> None:
        """There will be some; ``ConfigError`` if they cannot be written down."""

    def reopen(self) -> None:
        """Begin anew, after files were moved away."""

    def close(self) -> None:
        """There are no more."""


class StreamAudit(Protocol):
    """Who writes down which streams there were (see :class:`txproxy.AuditLog`)."""

    def stream(self, stream: FinishedStream) -> None:
        """One that has ended."""

    def open(self) -> None:
        """There will be some; ``ConfigError`` if they cannot be written down."""

    def close(self) -> None:
        """There are no more."""
