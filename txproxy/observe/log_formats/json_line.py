r"""A line of JSON for each request or raw stream: one object, whose keys are always there, and null where nothing is
known. It is ASCII, whatever was sent: bytes that are no UTF-8 are shown as ``\xff``.

What most requests have none of (TLS, a cache, a verdict) is one constant text for all its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from json.encoder import encode_basestring_ascii
from typing import Any, Final

from txproxy.interfaces.answers import Verdict
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import Connections, TlsFacts
from txproxy.observe.log_formats.log_field import FinishedStream, SecondText
from txproxy.observe.log_formats.own_names import cache_ttl, connect_seconds, proxy_error
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
# the whole of a line
_LINE: Final = (
    '{"time":"%s.%03dZ","client":"%s","user":%s,'
    '"method":%s,"scheme":%s,"host":%s,"target":%s,"protocol":%s,"status":%s,"sent":%d,"received":%d,'
    '"duration":%.6f,"first_byte":%s,"listener":%s,"route":%s,%s"outcome":"%s","error":%s,"detail":%s,'
    '"grpc_status":%s,"request_id":%s,%s%s%s%s"referer":%s,"user_agent":%s}\n'
)
_PROTOCOLS: Final = tuple(f'"HTTP/{version.decode("ascii")}"' for version in VERSIONS)
# of outcomes that are no fault
_WELL: Final = frozenset({"ok", "answered", "tunnel"})

# So many values of so many bytes at the most are remembered.
_MOST_KNOWN: Final = 500
_LONGEST_KNOWN: Final = 200


def _bytes(value: bytes | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))


def _text(value: str | None) -> str:
    return encode_basestring_ascii(value) if value else "null"


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _seconds(value: float | None) -> str:
    return "null" if value is None else "%.6f" % (value if value > 0 else 0.0)


class JsonLines:
    """Makes lines of it, for the requests of a ``listener``."""

    def __init__(self, listener: str, connections: Connections) -> None:
        self._time = SecondText("%Y-%m-%dT%H:%M:%S", utc=True)
        self._listener = _text(listener)
        self._connections = connections
        # what was written before, as most of it comes again
        self._known: dict[bytes, str] = {}

    def _bytes(self, value: bytes | None) -> str:
        if value is None:
            return "null"
        known = self._known
        text = known.get(value)
        if text is None:
            text = _bytes(value)
            if len(value) <= _LONGEST_KNOWN:
                if len(known) >= _MOST_KNOWN:
                    known.clear()
                known[value] = text
        return text

    def exchange(self, record: ExchangeRecord, now: float) -> bytes:
        """The line of a finished exchange."""
        context, outcome = record.context, record.outcome
        index = record.request.headers.index
        identifier = facts.response_field(record, b"x-request-id") or index.get(b"x-request-id")
        said = _LINE % (
            self._time(None, now).decode("ascii"),
            int(now * 1000) % 1000,
            context.client_ip,
            _text(context.user) if context.user else "null",
            *self._request(record),
            record.sent,
            record.received,
            record.seconds if record.seconds > 0 else 0.0,
            _seconds(record.first_byte),
            self._listener,
            _text(context.rule),
            _upstream(record, facts.upstream_status) if record.attempts else _NO_UPSTREAM,
            outcome,
            "null" if outcome in _WELL else _text(proxy_error(outcome)),
            _text(record.detail) if record.detail else "null",
            "null" if record.request.minor != 2 else _number(facts.grpc_status(record)),
            "null" if identifier is None else _bytes(identifier),
            _NO_VERDICT if context.verdict is None else _verdict(context.verdict),
            _NO_LIMIT if context.limit is None else _LIMIT % (_text(context.limit.name), context.limit.outcome),
            _NO_CACHE if context.cache is None else _cache(record, now),
            self._tls(context.connection),
            self._bytes(index.get(b"referer")),
            self._bytes(index.get(b"user-agent")),
        )
        return said.encode("ascii")

    def _request(self, record: ExchangeRecord) -> tuple[Any, ...]:
        """Method, scheme, host, target, protocol and status."""
        request = record.request
        status = record.status or "null"
        if not request.method:
            # What came in the place of one.
            return "null", "null", "null", _bytes(request.path or None), "null", status
        return (
            self._bytes(request.method),
            f'"{record.context.scheme}"' if request.scheme is None else _bytes(request.scheme),
            self._bytes(facts.host(record)),
            _bytes(request.path if request.scheme is None and request.path else facts.target(record)),
            _PROTOCOLS[request.minor],
            status,
        )

    def stream(self, stream: FinishedStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        record, context = stream.record, stream.context
        assert record is not None
        said = _LINE % (
            self._time(None, now).decode("ascii"),
            int(now * 1000) % 1000,
            stream.client_ip,
            "null",
            *("null", "null", _text(stream.server_name), "null", '"TCP"', "null"),
            stream.sent,
            stream.received,
            record.seconds if record.seconds > 0 else 0.0,
            _seconds(record.first_byte),
            self._listener,
            _text(context.rule),
            _upstream(record, _no_status) if record.attempts else _NO_UPSTREAM,
            stream.outcome,
            _text(proxy_error(stream.outcome)),
            _text(stream.detail),
            "null",
            "null",
            _NO_VERDICT if context.verdict is None else _verdict(context.verdict),
            _NO_LIMIT if context.limit is None else _LIMIT % (_text(context.limit.name), context.limit.outcome),
            _NO_CACHE,
            self._tls(context.connection),
            "null",
            "null",
        )
        return said.encode("ascii")

    def _tls(self, connection: ClientConnection) -> str:
        known = connection.facts or self._connections.facts(connection)
        tls: TlsFacts = known.tls
        if tls.version is None:
            return _NO_TLS
        return _TLS % (_bytes(tls.version), _bytes(tls.cipher), _bytes(tls.server_name), _bytes(tls.subject))


def _no_status(attempt: AttemptRecord) -> int:
    return 0


def _upstream(record: ExchangeRecord, status_of: Callable[[AttemptRecord], int]) -> str:
    attempts = record.attempts
    last = attempts[-1]
    return _UPSTREAM % (
        _text(facts.pool(record)),
        _bytes(facts.upstream_place(last)),
        last.status or status_of(last) or "null",
        "0.000000" if last.reused else _seconds(connect_seconds(record)),
        len(attempts),
        len(attempts) - 1,
    )


def _verdict(said: Verdict) -> str:
    return _VERDICT % (said.outcome.value, _text(said.rule), _text(said.list_name), _text(said.reason))


def _cache(record: ExchangeRecord, now: float) -> str:
    cache: Any = record.context.cache
    ttl = cache_ttl(record, now)
    return _CACHE % (
        cache.word,
        _bytes(None if cache.forwarded is None else cache.forwarded.value),
        "null" if ttl is None else ttl,
        _flag(cache.stored),
        _flag(cache.collapsed),
        _text(cache.detail),
    )
