"""What spans are made of an exchange that is over: one of the server that we are to its client, and one of the client
that we were to an upstream for each attempt, in the words of OpenTelemetry's semantic conventions for HTTP.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import urandom
from typing import Any, Final, TypeAlias

import attrs

from txproxy.errors import masked
from txproxy.interfaces.record import AttemptRecord, FinishedExchange
from txproxy.upstreams.choice import PoolAttempt
from txproxy.wire.target import DEFAULT_PORTS, split_authority
from txproxy.wire.trace_context import FIELD, TraceParent, read_traceparent

Attributes: TypeAlias = "dict[str, str | int | bool]"

SERVER: Final = "server"
CLIENT: Final = "client"
_METHODS: Final = frozenset(b"GET HEAD POST PUT PATCH DELETE OPTIONS TRACE CONNECT QUERY".split())
# as their registry has them
_PROTOCOLS: Final = ("1.0", "1.1", "2")
_WELL: Final = frozenset({"ok", "answered", "tunnel"})
# More of what a client has sent helps nobody.
_LONGEST: Final = 1024


@attrs.frozen
class Span:
    """One, of a ``kind``. Identifiers are numbers; times are in nanoseconds since 1970. ``fault`` is why it has failed,
    empty if it has not.
    """

    kind: str
    name: str
    trace: int
    span: int
    parent: int | None
    start: int
    end: int
    attributes: Attributes
    fault: str = ""


def spans_of(over: FinishedExchange, listener: str, now: int) -> Iterator[Span]:
    """Those of an exchange at a ``listener`` that has ended ``now``. What an attempt was sent with is the span of that;
    it is for who has seen that the trace is written down to ask.
    """
    context, request = over.context, over.request
    traced = context.traced
    assert traced is not None, "it is part of a trace"
    given = read_traceparent(request.headers.index.get(FIELD, b""))
    trace, own = int(traced.trace, 16), _new_id()
    start = now - int(over.seconds * 1e9)
    attributes = _of_request(over, listener)
    failed = _failed(over)
    if failed:
        attributes["error.type"] = failed
    name = f"{_method(over)} {context.rule}" if context.rule else _method(over)
    yield Span(
        SERVER, name, trace, own, int(given.span, 16) if given is not None else None, start, now, attributes,
        over.detail or failed if failed else "",
    )  # fmt: skip
    for number, one in enumerate(over.attempts):
        span = _sent_span(one, traced)
        times = (start + int(one.began * 1e9), start + int(one.ended * 1e9))
        fault = one.fault
        said = fault.detail or fault.error if fault is not None else f"status {one.status}" if one.status >= 400 else ""
        yield Span(CLIENT, _method(over), trace, span, own, *times, _of_attempt(over, one, number), said)


def _sent_span(one: AttemptRecord, traced: TraceParent) -> int:
    """The one that whoever was asked knows as its parent; where nobody was told, it is any."""
    head = one.attempt.head
    sent = read_traceparent(head.headers.index.get(FIELD, b"")) if head is not None else None
    return int(sent.span, 16) if sent is not None and sent.trace == traced.trace else _new_id()


def _new_id() -> int:
    # Zero is none (W3C Trace Context, section 3.2.2.4).
    return int.from_bytes(urandom(8), "big") or 1


def _method(over: FinishedExchange) -> str:
    method = over.request.method
    # A client may make up as many as it likes.
    return method.decode("ascii") if method in _METHODS else "HTTP"


def _failed(over: FinishedExchange) -> str:
    """What has failed, as ``error.type`` has it: a status, or our word for it. What its client has done wrong is no
    failure of a server.
    """
    if over.outcome in _WELL:
        return str(over.status) if over.status >= 500 else ""
    return "" if 400 <= over.status < 500 or over.outcome == "client-gone" else over.outcome


def _methods(over: FinishedExchange) -> Attributes:
    method = over.request.method
    if method in _METHODS:
        return {"http.request.method": method.decode("ascii")}
    return {"http.request.method": "_OTHER", "http.request.method_original": _text(method)}


def _of_request(over: FinishedExchange, listener: str) -> Attributes:
    request, context = over.request, over.context
    found = _methods(over)
    scheme = request.scheme.decode("latin-1") if request.scheme is not None else context.scheme
    index = request.headers.index
    verdict, limit, cache = context.verdict, context.limit, context.cache
    known: dict[str, Any] = {
        "url.scheme": scheme,
        # Without its query, which may have secrets in it.
        "url.path": _text(request.path.partition(b"?")[0]),
        "network.protocol.version": _PROTOCOLS[request.minor] if request.method else None,
        "client.address": context.client_ip,
        "network.peer.address": context.connection.peer_ip,
        "user_agent.original": _text(index[b"user-agent"]) if b"user-agent" in index else None,
        "http.response.status_code": over.status or None,
        "http.request.body.size": over.received or None,
        "http.response.body.size": over.sent or None,
        "txproxy.listener": listener,
        "txproxy.route": context.rule or None,
        "txproxy.outcome": over.outcome,
        "txproxy.verdict": verdict.outcome.value if verdict is not None else None,
        "txproxy.limit": f"{limit.name} {limit.outcome}" if limit is not None else None,
        "txproxy.cache": str(cache.word) if cache is not None else None,
        "txproxy.attempts": len(over.attempts),
        **_server(request.authority, scheme),
    }
    return found | {name: value for name, value in known.items() if value is not None}


def _server(authority: bytes, scheme: str) -> dict[str, Any]:
    try:
        host, port = split_authority(authority)
    except ValueError:
        return {}
    return {
        "server.address": host.strip("[]") or None,
        "server.port": port or DEFAULT_PORTS.get(scheme.encode("latin-1")),
    }


def _of_attempt(over: FinishedExchange, one: AttemptRecord, number: int) -> Attributes:
    attempt, address, fault = one.attempt, one.address, one.fault
    pool = attempt.upstream.pool if isinstance(attempt, PoolAttempt) else None
    peer = one.peer
    head = attempt.head
    scheme = "https" if address.tls is not None else "http"
    known: dict[str, Any] = {
        "url.full": _url(scheme, head.authority, head.path) if head is not None else None,
        "server.address": address.path or address.host,
        "server.port": address.port if not address.path else None,
        "network.peer.address": getattr(peer, "host", None),
        "network.peer.port": getattr(peer, "port", None),
        "http.response.status_code": one.status or None,
        "http.request.resend_count": number or None,
        "error.type": fault.error if fault is not None else str(one.status) if one.status >= 400 else None,
        "txproxy.pool": getattr(pool, "name", None),
        "txproxy.upstream": attempt.upstream.name if isinstance(attempt, PoolAttempt) else str(address),
        "txproxy.connection.reused": one.reused,
    }
    return _methods(over) | {name: value for name, value in known.items() if value is not None}


def _url(scheme: str, authority: bytes, path: bytes) -> str:
    page = _text(path.partition(b"?")[0])
    # A parent proxy is sent all of it.
    return masked(page if "://" in page else f"{scheme}://{_text(authority)}{page}")


def _text(value: bytes) -> str:
    return value[:_LONGEST].decode("utf-8", "backslashreplace")
