"""What Squid calls what became of a request (``TCP_MISS``), and the way that it went (``HIER_DIRECT``)."""

from __future__ import annotations

from typing import Any, Final

from txproxy.errors import DnsError
from txproxy.interfaces.answers import Outcome
from txproxy.interfaces.record import AttemptRecord, FinishedExchange

# Types of RFC 9209 that say that policy has refused.
_DENIED: Final = frozenset({"http_request_denied", "destination_ip_prohibited"})
# What asks for other credentials, or refuses these, in the proxy's own name.
_LOGIN_WANTED: Final = frozenset({401, 407})
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
# The response has not gone out: its client has left, or was left.
CUT: Final = frozenset({"client-gone", "slow-response", "stopped"})
NO_REQUEST: Final = b"error:invalid-request"


def result(record: FinishedExchange, now: float = 0.0) -> bytes:
    """Squid's ``%Ss``."""
    word = _result(record)
    # What was cut by the client is called so, whatever it was.
    return word + b"_ABORTED" if record.outcome in CUT else word


def _result(record: FinishedExchange) -> bytes:
    context = record.context
    if not record.request.method:
        return b"NONE_NONE"
    if context.cache is not None:
        said: bytes = context.cache.squid_word
        return said
    verdict = context.verdict
    if not record.attempts or record.outcome in _DENIED:
        denied = verdict is not None and verdict.outcome is Outcome.DENY
        if denied or record.outcome in _DENIED or record.status in _LOGIN_WANTED:
            return b"TCP_DENIED"
    connect = record.request.method == b"CONNECT"
    if record.outcome == "tunnel" or record.status == 101 or (connect and 200 <= record.status < 300):
        return b"TCP_TUNNEL"
    if connect:
        # There was none.
        return b"NONE_NONE"
    if record.attempts or record.outcome in CUT:
        return b"TCP_MISS"
    if record.outcome == "answered":
        return b"TCP_REDIRECT" if record.status in _REDIRECTS else b"TCP_MISS"
    return b"NONE_NONE"


def stream_result(stream: Any, now: float) -> bytes:
    """The same of a raw stream."""
    return b"TCP_TUNNEL_ABORTED" if stream.outcome == "client-gone" else b"TCP_TUNNEL"


def is_lost(attempt: AttemptRecord) -> bool:
    """Whether there is nowhere that it could have gone: the name was not found."""
    return attempt.fault is not None and attempt.fault.error == DnsError.error


def hierarchy(record: FinishedExchange, now: float = 0.0) -> bytes:
    """Squid's ``%Sh``. Upstreams of a pool are peers to it, and so are parents."""
    if not record.attempts or is_lost(record.attempts[-1]):
        return b"HIER_NONE"
    attempt = record.attempts[-1].attempt
    peer = getattr(attempt, "upstream", None) is not None or getattr(attempt, "parent", None) is not None
    return b"FIRSTUP_PARENT" if peer or attempt.address.through is not None else b"HIER_DIRECT"
