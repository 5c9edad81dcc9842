"""What becomes of a request whose attempt has failed: may the server have seen it, and who is to blame?"""

from __future__ import annotations

from typing import Final, NamedTuple, Protocol

from txproxy.errors import ConnectionFull, ExchangeError, ResponseIncomplete, ResponseTimeout, UpstreamClosed
from txproxy.interfaces.streams import UpstreamStream
from txproxy.matching.methods import IDEMPOTENT
from txproxy.proxy.exchanges.phases import SENT, Phase
from txproxy.wire.message import RequestHead

# A server that takes few requests by each connection (keepalive_requests of nginx) has taken others by each of these.
_MOST_CONNECTIONS: Final = 16
_BODY_GONE: Final = "part of its body had gone, which cannot be sent again"


class Attempting(Protocol):
    """An exchange, as far as this asks. ``held``: the upstream had to wait for the client. ``made_anew``: how often the
    attempt was made again. ``body_seen``: part of the request's body has gone, which could not be sent again.
    """

    request: RequestHead
    phase: Phase
    held: bool
    made_anew: int
    request_done: bool

    @property
    def body_seen(self) -> bool:
        """See above."""


class FailedAttempt(NamedTuple):
    """``cut``: the end of the connection was that of the attempt. ``unseen``: the server has done nothing with the
    request, and will not. ``repeatable``: it may be sent again. ``by_chance``: the server may be well for all that, so
    that the same one is asked again first. ``blame``: what is held against the server. ``why_not``: why it is not
    repeatable, if it is not.
    """

    cut: bool
    unseen: bool
    repeatable: bool
    by_chance: bool
    blame: ExchangeError | None
    why_not: str = ""


def judge(exchange: Attempting, upstream: UpstreamStream, fault: ExchangeError) -> FailedAttempt:
    """Of the attempt of an ``exchange`` by ``upstream`` that has ended with a ``fault``."""
    cut = isinstance(fault, UpstreamClosed | ResponseIncomplete)
    late = isinstance(fault, ResponseTimeout)
    # Nothing has reached the client as long as the final head is not complete.
    unanswered = exchange.phase is SENT
    # RFC 9113 8.7: the upstream has said so, or nothing of it had gone out.
    unseen = unanswered and fault.retry_safe
    # A final head that is malformed is an answer. RFC 9110 9.2.2: an idempotent request may be sent more than once.
    silent = unanswered and (not upstream.received_any or cut or late)
    idempotent = exchange.request.method in IDEMPOTENT
    repeatable = (unseen or (silent and idempotent)) and not exchange.body_seen
    why_not = "" if repeatable else _why_not(exchange, unanswered, unseen or silent)
    # RFC 9112 9.3.1: the upstream closed a kept-alive connection while the request was on its way.
    closed_idle = cut and upstream.reused and not upstream.received_any
    again = _MOST_CONNECTIONS if isinstance(fault, ConnectionFull) else 1
    by_chance = (closed_idle or unseen) and exchange.made_anew < again
    # It may have been tired of the client: of one that is slow to take the response, or of a body that it did not want.
    tired = not late and (exchange.held or not exchange.request_done)
    return FailedAttempt(cut, unseen, repeatable, by_chance, None if by_chance or tired else fault, why_not)


def _why_not(exchange: Attempting, unanswered: bool, silent: bool) -> str:
    """Why a request is not sent again."""
    if not unanswered:
        return "its response had begun"
    if exchange.body_seen:
        return _BODY_GONE
    if not silent:
        return "the upstream has answered it"
    method = exchange.request.method.decode("latin-1")
    return f"the upstream may have done it already, and {method} is not idempotent"
