r"""A line of JSON for each request or raw stream: one object, whose keys are always there, and null where nothing is
known. It is ASCII, whatever was sent: bytes that are no UTF-8 are shown as ``\xff``.

What most requests have none of (TLS, a cache, a verdict) is one constant text for all its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.interfaces.answers import Verdict
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord, FinishedExchange, FinishedStream
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import Connections, TlsFacts
from txproxy.observe.log_formats.json_lines.brief_lines import LONGEST_KNOWN, LONGEST_TEXT, MOST_KNOWN, BriefLines
from txproxy.observe.log_formats.json_lines.json_values import (
    json_bytes,
    json_flag,
    json_number,
    json_seconds,
    json_text,
)
from txproxy.observe.log_formats.own_names import cache_ttl, connect_seconds, proxy_error
from txproxy.observe.log_formats.steady_line import Alike, Remembered, remember
from txproxy.wire.grpc.calls import is_call
from txproxy.wire.message import VERSIONS

_UPSTREAM: Final = '"pool":%s,"upstream":%s,"upstream_status":%s,"connect":%s,"attempts":%d,"retries":%d,'
_NO_UPSTREAM: Final = _UPSTREAM % ("null", "null", "null", "null", 0, 0)
_CACHE: Final = (
    '"cache":"%s","cache_forwarded":%s,"cache_ttl":%s,"cache_stored":%s,"cache_collapsed":%s,"cache_detail":%s,'
)
_NO_CACHE: Final = _CACHE.replace('"%s"', "%s") % (("null",) * 6)
_VERDICT: Final = '"verdict":"%s","verdict_rule":%s,"verdict_list":%s,"verdict_reason":%s,'
_NO_VERDICT: Final = _VERDICT.replace('"%s"', "%s") % (("null",) * 4)
_TLS: Final = '"tls_version":%s,"tls_cipher":%s,"tls_server_name":%s,"tls_client":%s,'
_NO_TLS: Final = _TLS % (("null",) * 4)
_LIMIT: Final = '"limit":%s,"limit_outcome":"%s",'
_NO_LIMIT: Final = '"limit":null,"limit_outcome":null,'
_PROTOCOLS: Final = tuple(f'"HTTP/{version.decode("ascii")}"' for version in VERSIONS)
# of outcomes that are no fault
_WELL: Final = frozenset({"ok", "answered", "tunnel"})


def _none(brief: Any) -> None:
    """There is no other line."""


class JsonLines(BriefLines):
    """Makes lines of it, for the requests of a ``listener``."""

    def __init__(self, listener: str, connections: Connections) -> None:
        super().__init__()
        self._listener = json_text(listener)
        self._connections = connections
        # what was written before, as most of it comes again
        self._known: dict[bytes, str] = {}
        # what lines of several connections have in common, so that it is there once
        self._texts: Remembered[str, str] = Remembered(str, MOST_KNOWN, LONGEST_TEXT)

    def _bytes(self, value: bytes | None) -> str:
        if value is None:
            return "null"
        known = self._known
        text = known.get(value)
        if text is None:
            text = json_bytes(value)
            if len(value) <= LONGEST_KNOWN:
                if len(known) >= MOST_KNOWN:
                    known.clear()
                known[value] = text
        return text

    def exchange(self, over: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        brief = self.brief(over, now, False)
        return self.whole(over, now) if brief is None else self.of_briefs((brief,), _none)

    def whole(self, over: FinishedExchange, now: float) -> bytes:
        """The same, made of whatever there is. It is the slow twin of what lines of a connection have in common."""
        over = ExchangeRecord.of(over)
        request, context, outcome = over.request, over.context, over.outcome
        index = request.headers.index
        identifier = facts.request_id(over)
        start = self._start(over)
        middle = f',"listener":{self._listener},"route":{json_text(context.rule)},'
        end = "".join((
            ",",
            _NO_VERDICT if context.verdict is None else _verdict(context.verdict),
            _NO_LIMIT if context.limit is None else _LIMIT % (json_text(context.limit.name), context.limit.outcome),
            _NO_CACHE if context.cache is None else _cache(over, now),
            self._tls(context.connection),
            f'"referer":{self._bytes(index.get(b"referer"))},"user_agent":{self._bytes(index.get(b"user-agent"))}',
            ',"stream":null}\n' if over.stream is None else ',"stream":',
        ))  # fmt: skip
        call = request.minor == 2 and is_call(index.get(b"content-type"))
        if context.cache is None and context.limit is None and outcome == "ok" and not call:
            texts = self._texts
            routed = self._routed[context.rule, request.method, middle]
            identified = f"{json_bytes(request.headers.request_id)}{end}"
            protocol = f',"protocol":{_PROTOCOLS[request.minor]},"status":'
            alike = Alike(self, over, texts[f'Z"{start}'], protocol, routed, texts[end], identified.encode("ascii"))
            remember(self, self._connections.facts(context.connection), alike)
        target = request.path if request.scheme is None and request.path else facts.target(over)
        grpc = "null" if request.minor != 2 else json_number(facts.grpc_status(over))
        return "".join((
            self._moment(now),
            'Z"',
            start,
            json_bytes(target) if target or request.method else "null",
            f',"protocol":{_PROTOCOLS[request.minor] if request.method else "null"},"status":{over.status or "null"}',
            f',"sent":{over.sent},"received":{over.received},"duration":{json_seconds(over.seconds)}',
            f',"first_byte":{json_seconds(over.first_byte)}',
            middle,
            _upstream(over, facts.upstream_status) if over.attempts else _NO_UPSTREAM,
            f'"outcome":"{outcome}","error":{"null" if outcome in _WELL else json_text(proxy_error(outcome))}',
            f',"detail":{json_text(over.detail)},"grpc_status":{grpc}',
            f',"request_id":{"null" if identifier is None else json_bytes(identifier)}',
            end,
            "" if over.stream is None else f"{over.stream}}}\n",
        )).encode("ascii")  # fmt: skip

    def _start(self, over: FinishedExchange) -> str:
        """From the client to the host."""
        request, context = over.request, over.context
        asked = '"method":null,"scheme":null,"host":null'
        # What came in the place of a request has none of them.
        if request.method:
            scheme = f'"{context.scheme}"' if request.scheme is None else json_bytes(request.scheme)
            host = self._bytes(facts.host(over))
            asked = f'"method":{self._bytes(request.method)},"scheme":{scheme},"host":{host}'
        return f',"client":"{context.client_ip}","user":{json_text(context.user)},{asked},"target":'

    def stream(self, stream: FinishedStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        record, context = stream.record, stream.context
        assert record is not None
        verdict, limit = context.verdict, context.limit
        return "".join((
            self._moment(now),
            f'Z","client":"{stream.client_ip}","user":null,"method":null,"scheme":null,"host":{json_text(stream.server_name)}',
            f',"target":null,"protocol":"TCP","status":null,"sent":{stream.sent},"received":{stream.received}',
            f',"duration":{json_seconds(record.seconds)},"first_byte":{json_seconds(record.first_byte)}',
            f',"listener":{self._listener},"route":{json_text(context.rule)},',
            _upstream(record, _no_status) if record.attempts else _NO_UPSTREAM,
            f'"outcome":"{stream.outcome}","error":{json_text(proxy_error(stream.outcome))}',
            f',"detail":{json_text(stream.detail)},"grpc_status":null,"request_id":null,',
            _NO_VERDICT if verdict is None else _verdict(verdict),
            _NO_LIMIT if limit is None else _LIMIT % (json_text(limit.name), limit.outcome),
            _NO_CACHE,
            self._tls(context.connection),
            '"referer":null,"user_agent":null,"stream":null}\n',
        )).encode("ascii")  # fmt: skip

    def _tls(self, connection: ClientConnection) -> str:
        known = connection.facts or self._connections.facts(connection)
        tls: TlsFacts = known.tls
        if tls.version is None:
            return _NO_TLS
        return _TLS % (
            json_bytes(tls.version),
            json_bytes(tls.cipher),
            json_bytes(tls.server_name),
            json_bytes(tls.subject),
        )


def _no_status(attempt: AttemptRecord) -> int:
    return 0


def _upstream(record: FinishedExchange, status_of: Callable[[AttemptRecord], int]) -> str:
    attempts = record.attempts
    last = attempts[-1]
    return _UPSTREAM % (
        json_text(facts.pool(record)),
        json_bytes(facts.upstream_place(last)),
        last.status or status_of(last) or "null",
        "0.000000" if last.reused else json_seconds(connect_seconds(record)),
        len(attempts),
        len(attempts) - 1,
    )


def _verdict(said: Verdict) -> str:
    return _VERDICT % (said.outcome.value, json_text(said.rule), json_text(said.list_name), json_text(said.reason))


def _cache(record: FinishedExchange, now: float) -> str:
    cache: Any = record.context.cache
    ttl = cache_ttl(record, now)
    return _CACHE % (
        cache.word,
        json_bytes(None if cache.forwarded is None else cache.forwarded.value),
        "null" if ttl is None else ttl,
        json_flag(cache.stored),
        json_flag(cache.collapsed),
        json_text(cache.detail),
    )
