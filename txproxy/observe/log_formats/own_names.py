"""Names for what a line may say that nginx has none for."""

from __future__ import annotations

from typing import Any, Final

from txproxy.interfaces.record import FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats import squid_words
from txproxy.observe.log_formats.log_field import LogField, fixed, number, of_text, plain, sure, text
from txproxy.observe.log_formats.nginx_names import USER

# of outcomes that are no fault, and of those with a name of our own
_TYPES: Final = {
    **dict.fromkeys(("ok", "answered", "tunnel", "client-gone", "slow-response", "stopped")),
    **dict.fromkeys(("slow-head", "slow-body"), "http_request_error"),
    **dict.fromkeys(("challenged", "challenge-failed"), "http_request_denied"),
}


def proxy_error(outcome: str) -> str | None:
    """The type of RFC 9209 of what went wrong; None where nothing did, or nobody was told."""
    return _TYPES.get(outcome, outcome)


def retries(record: FinishedExchange) -> int:
    """How many attempts there were after the first one."""
    return max(0, len(record.attempts) - 1)


def connect_seconds(record: FinishedExchange) -> float | None:
    """How long the last attempt took to have a connection; 0 for one that was kept."""
    if not record.attempts or record.attempts[-1].connected is None:
        return None
    return max(0.0, record.attempts[-1].connected - record.attempts[-1].began)


def cache_ttl(record: FinishedExchange, now: float) -> int | None:
    """For so many seconds what the cache had, or has kept, is fresh; less than nothing if it is stale."""
    cache = record.context.cache
    expiry = cache.expiry if cache is not None else None
    if expiry is None or not -_MOST_SECONDS < expiry - now < _MOST_SECONDS:
        return None
    return int(expiry - now)


_MOST_SECONDS: Final = 10.0**12


def _of_float(seconds: float | None) -> bytes | None:
    return None if seconds is None else b"%.3f" % max(0.0, seconds)


def _of_int(value: int | None) -> bytes | None:
    return None if value is None else b"%d" % value


def _of_verdict(name: str) -> LogField:
    def get(record: FinishedExchange, now: float) -> bytes | None:
        said = record.context.verdict
        return None if said is None else of_text(getattr(said, name))

    return text(get)


def _of_cache(name: str) -> LogField:
    def get(record: FinishedExchange, now: float) -> bytes | None:
        cache = record.context.cache
        return None if cache is None else b"1" if getattr(cache, name) else b"0"

    return plain(get)


def _limit(record: FinishedExchange, now: float) -> bytes | None:
    hit = record.context.limit
    return of_text(hit.name) if hit is not None else None


def _limit_outcome(record: FinishedExchange, now: float) -> bytes | None:
    hit = record.context.limit
    return of_text(hit.outcome) if hit is not None else None


def _cache_forwarded(record: FinishedExchange, now: float) -> bytes | None:
    cache = record.context.cache
    return cache.forwarded.value if cache is not None and cache.forwarded is not None else None


def _cache_detail(record: FinishedExchange, now: float) -> bytes | None:
    cache = record.context.cache
    return of_text(cache.detail) if cache is not None else None


def _stream_outcome(stream: Any, now: float) -> bytes:
    said: str = stream.outcome
    return said.encode("ascii")


_FIELDS: Final[dict[str, LogField]] = {
    "client": sure(lambda record, now: record.context.client_ip.encode("ascii")),
    "user": USER,
    "route": text(lambda record, now: of_text(record.context.rule)),
    "pool": text(lambda record, now: of_text(facts.pool(record))),
    "outcome": sure(lambda record, now: record.outcome.encode("ascii"), _stream_outcome),
    "outcome_detail": text(lambda record, now: of_text(record.detail), lambda stream, now: of_text(stream.detail)),
    "proxy_error": plain(
        lambda record, now: of_text(proxy_error(record.outcome)),
        lambda stream, now: of_text(proxy_error(stream.outcome)),
    ),
    "attempts": number(lambda record, now: len(record.attempts)),
    "retries": number(lambda record, now: retries(record)),
    "connect_time": plain(lambda record, now: _of_float(connect_seconds(record))),
    "first_byte_time": plain(lambda record, now: _of_float(record.first_byte)),
    "body_bytes_received": number(lambda record, now: record.received),
    "stream": plain(lambda record, now: _of_int(record.stream)),
    "grpc_status": plain(lambda record, now: _of_int(facts.grpc_status(record))),
    "request_id": text(lambda record, now: facts.request_id(record)),
    "trace_id": plain(lambda record, now: facts.trace_id(record)),
    "verdict": plain(lambda record, now: of_text(facts.verdict(record))),
    "verdict_rule": _of_verdict("rule"),
    "verdict_list": _of_verdict("list_name"),
    "verdict_reason": _of_verdict("reason"),
    "limit": text(_limit),
    "limit_outcome": plain(_limit_outcome),
    "cache_forwarded": plain(_cache_forwarded),
    "cache_ttl": plain(lambda record, now: _of_int(cache_ttl(record, now))),
    "cache_stored": _of_cache("stored"),
    "cache_collapsed": _of_cache("collapsed"),
    "cache_detail": text(_cache_detail),
    "squid_result": sure(squid_words.result, squid_words.stream_result),
    "squid_hierarchy": sure(squid_words.hierarchy),
}
LISTENER: Final = "listener"


def own_fields(listener: str) -> dict[str, LogField]:
    """All of them, by their names, for the requests of a ``listener``."""
    return {**_FIELDS, LISTENER: fixed(of_text(listener))}
