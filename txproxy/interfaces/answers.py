"""What a client gets that no upstream has said, and what policy says of requests."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

import attrs

from txproxy.errors import ExchangeError


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


class Outcome(Enum):
    """What the rules say of a request: an action, or what they have to know before."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"
    NEEDS_ADDRESSES = "needs addresses"
    NEEDS_USER = "needs user"


@attrs.frozen(kw_only=True)
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
