"""What a client gets that no upstream has said, and what policy says of requests."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final, Protocol

import attrs

from txproxy.errors import ExchangeError
from txproxy.frozen_values import frozen
from txproxy.interfaces.allowances import Bounds
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

_new: Final = object.__new__
_set: Final = object.__setattr__


class BodyReceiver(Protocol):
    """Who gets a body: an exchange."""

    def response_body(self, data: bytes) -> None:
        """Part of it."""

    def response_end(self, trailers: Headers) -> None:
        """It is complete."""

    def source_failed(self, fault: ExchangeError) -> None:
        """The rest of it cannot be had."""

    def flush(self) -> None:
        """No more of it is at hand just now."""

    def sink(self) -> Any:
        """The transport to which its bytes may pass by ``response_body``, in full; None if they may not. All that was
        handed on before has been written to it.
        """

    def sending_socket(self) -> Any:
        """The plain socket to which bytes of it are to go at once, past ``response_body``, as many as it takes; None if
        they may not. What was handed on before has been written to it then, and goes out with them.
        """

    def response_passed(self, size: int) -> None:
        """So many bytes have."""


class BodySource(Protocol):
    """A body that is not at hand as bytes. ``length`` is how many bytes it has, or None where nobody knows yet."""

    length: int | None

    def start(self, receiver: BodyReceiver) -> None:
        """Give all of it to ``receiver``, at once or as it comes. Called once, or never."""

    def pause_response(self) -> None:
        """Give no more: the receiver has enough to do with what it got."""

    def resume_response(self) -> None:
        """Go on."""

    def close(self) -> None:
        """Nobody wants the rest, or any of it; the receiver learns nothing."""


@frozen
class Answer:
    """A whole response of a mode's own making: ``status``, field lines (``b"Location: /new"``) and ``body``.

    Date and Content-Length are added; without the latter where a :class:`BodySource` does not know it.
    """

    status: int
    lines: tuple[bytes, ...] = ()
    body: bytes | BodySource = b""

    def give_back(self) -> None:
        """Nobody gets it."""
        if not isinstance(self.body, bytes):
            self.body.close()


@frozen(kw_only=True)
class RelayedAnswer(Answer):
    """A response that somebody else has made: its ``head`` is complete, and goes out as it is. Being an upstream's, it
    is subject to what bounds those: ``bounds``.
    """

    head: ResponseHead
    bounds: Bounds | None = None

    def with_body(self, body: bytes | BodySource) -> RelayedAnswer:
        """The same with another ``body``, which is as long."""
        # For less than what attrs takes: it is made for each request.
        other = _new(RelayedAnswer)
        for name, value in (("status", self.status), ("lines", self.lines), ("head", self.head)):
            _set(other, name, value)
        _set(other, "body", body)
        _set(other, "bounds", self.bounds)
        return other


class LastingAnswer(Protocol):
    """An answer that is given again and again, and changes with time alone. ``forms`` are the heads that the answer of
    now was made into, each with its bytes, by whatever they depend on besides; whoever made them looks for them there.
    """

    forms: dict[Any, tuple[ResponseHead, bytes]]

    def by_now(self) -> RelayedAnswer | None:
        """The answer of now, which counts as one more use of what it is made from; None where that has to be found out
        anew. Another one than before has no ``forms`` yet.
        """


@frozen
class Refusal:
    """An answer of the proxy's own: ``status``, the RFC 9209 ``error`` type (empty for none), a ``detail`` for the log,
    and further field lines (``b"Allow: GET"``). ``sentence`` tells the client why, where status and error do not say
    it. ``page(html)`` gives content type and body in place of the proxy's own; it may show what it likes of the detail.
    ``outcome`` is what logs and counts call it, where they do not go by the type.
    """

    status: int
    error: str = ""
    detail: str = ""
    lines: tuple[bytes, ...] = ()
    page: Callable[[bool], tuple[bytes, bytes]] | None = attrs.field(default=None, eq=False, repr=False)
    sentence: str = attrs.field(default="", eq=False, repr=False)
    outcome: str = attrs.field(default="", eq=False)

    @classmethod
    def of(cls, error: ExchangeError) -> Refusal:
        """The refusal that tells a client of ``error``."""
        return cls(
            error.status, error.error, error.detail, page=error.page, sentence=error.sentence, outcome=error.outcome
        )


class Outcome(Enum):
    """What the rules say of a request: an action, or what they have to know before."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"
    NEEDS_ADDRESSES = "needs addresses"
    NEEDS_USER = "needs user"


@frozen(kw_only=True)
class Verdict:
    """What came of the rules. ``rule`` is the name of the one that decided (or has to know more), ``reason`` a sentence
    for the client and the log, ``list_name`` the list that the request is on, if that decided. With ``challenge`` the
    client is asked for other credentials.
    """

    outcome: Outcome
    rule: str
    reason: str = ""
    list_name: str = ""
    challenge: bool = False
