"""The whole way of an exchange, which goes on or is over: what matched, where it was sent, and why there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from typing import Any, Final

from txproxy.admin.connections.connection_listing import url_of
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import ConnectionFacts
from txproxy.upstreams.choice import PoolAttempt, candidates
from txproxy.upstreams.pool import Pool

_UNSEEN: Final = "nothing of it was done there: it goes elsewhere"
_NOWHERE: Final = "there was nowhere else to go"
_ANSWERED: Final = "a response is passed on, whatever it says"


def whole_way(record: ExchangeRecord, known: ConnectionFacts, now: float, phase: str = "ended") -> dict[str, object]:
    """All of it that is told, but its id and its listener. Of one that goes on, in which ``phase``, the ``record`` is
    what there is so far. ``now`` is in seconds since 1970. Queries are left out, as they may have secrets in them.
    """
    request, context = record.request, record.context
    going_on = phase != "ended"
    pool = _pool(record)
    tls = known.tls
    return {
        "time": _iso(now - record.seconds),
        "client": context.client_ip,
        "user": context.user,
        "tls": _text(tls.version),
        "cipher": _text(tls.cipher),
        "server_name": _text(tls.server_name),
        "method": _text(request.method or None),
        "url": url_of(request, context.scheme),
        "protocol": _text(facts.protocol(record)),
        "request_id": _text(facts.request_id(record)),
        "trace_id": _text(facts.trace_id(record)),
        "route": context.rule or None,
        "verdict": _verdict(context),
        "limit": _limit(context),
        "cache": str(context.cache.word) if context.cache is not None else None,
        "phase": phase,
        "status": record.status or None,
        "outcome": record.outcome or None,
        "detail": context.tunnel_ended_by or record.detail or None,
        "seconds": _seconds(record.seconds),
        "first_byte": _seconds(record.first_byte),
        "received": record.received,
        "sent": record.sent,
        "pool": pool.name if pool is not None else None,
        "attempts": _attempts(record.attempts, context, going_on),
        "candidates": _candidates(pool, record.attempts, going_on) if pool is not None else [],
    }


def _attempts(attempts: Sequence[AttemptRecord], context: RequestContext, going_on: bool) -> list[dict[str, object]]:
    told: list[dict[str, object]] = []
    for number, one in enumerate(attempts):
        last = number == len(attempts) - 1
        goes_on = last and going_on and one.fault is None
        told.append(
            {
                **place_of_attempt(one),
                "address": _text(facts.upstream_place(one)),
                "began": _seconds(one.began),
                "connected": _seconds(one.connected),
                "ended": _seconds(one.ended) if not goes_on else None,
                "reused": one.reused,
                "status": one.status or None,
                "error": one.fault.error if one.fault is not None else None,
                "detail": one.fault.detail if one.fault is not None else None,
                "then": None if goes_on else _then(one, context) if last else _why_again(one, attempts[number + 1]),
            }
        )
    return told


def _then(last: AttemptRecord, context: RequestContext) -> str | None:
    """Why no attempt has followed the last one."""
    if last.fault is None:
        return _ANSWERED if last.status >= 500 else None
    return context.not_repeated or _NOWHERE


def _why_again(failed: AttemptRecord, following: AttemptRecord) -> str:
    """Why another attempt has followed one."""
    if failed.fault is None or failed.fault.retry_safe:
        return _UNSEEN
    retries = getattr(following.attempt, "retries", 0)
    return f"its method is idempotent: sent again{f', for the {retries}. time' if retries else ''}"


def place_of_attempt(one: AttemptRecord) -> dict[str, str | None]:
    """Where one went: the ``pool`` and the ``upstream``, as the configuration calls them."""
    attempt: Any = one.attempt
    if isinstance(attempt, PoolAttempt):
        pool = attempt.upstream.pool
        return {"pool": pool.name if isinstance(pool, Pool) else None, "upstream": attempt.upstream.name}
    parent = getattr(attempt, "parent", None)
    return {"pool": None, "upstream": parent.name if parent is not None else str(attempt.address)}


def _pool(record: ExchangeRecord) -> Pool | None:
    """The pool that it was sent to last, or that had no upstream for it."""
    attempt = record.attempts[-1].attempt if record.attempts else None
    pool = attempt.upstream.pool if isinstance(attempt, PoolAttempt) else record.context.waited_for
    return pool if isinstance(pool, Pool) else None


def _candidates(pool: Pool, attempts: Sequence[AttemptRecord], going_on: bool) -> list[dict[str, object]]:
    tried = [one.attempt.upstream for one in attempts if isinstance(one.attempt, PoolAttempt)]
    asked = tried[-1] if tried and going_on and attempts[-1].fault is None else None
    now = pool.seconds()
    return [
        {"upstream": one.name, "state": one.state.value, "age": _seconds(now - one.since), "why": why}
        for one, why in candidates(pool, tried, asked)
    ]


def _verdict(context: RequestContext) -> dict[str, str | None] | None:
    said = context.verdict
    if said is None:
        return None
    return {
        "outcome": said.outcome.value,
        "rule": said.rule or None,
        "list": said.list_name or None,
        "reason": said.reason or None,
    }


def _limit(context: RequestContext) -> dict[str, str] | None:
    hit = context.limit
    return {"name": hit.name, "outcome": hit.outcome} if hit is not None else None


def _text(value: bytes | None) -> str | None:
    return None if value is None else value.decode("utf-8", "backslashreplace")


def _seconds(value: float | None) -> float | None:
    return None if value is None else round(max(0.0, value), 6)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
