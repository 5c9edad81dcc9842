r"""A line of JSON for each request or raw stream: one object, whose keys are always there, and null where nothing is
known. It is ASCII, whatever was sent: bytes that are no UTF-8 are shown as ``\xff``.

What most requests have none of (TLS, a cache, a verdict) is one constant text for all its keys.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from json.encoder import encode_basestring_ascii
from math import floor
from typing import Any, Final, TypeAlias

from txproxy.interfaces.answers import Verdict
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord, FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import Connections, TlsFacts, UpstreamFacts
from txproxy.observe.log_formats.log_field import FinishedStream, SecondText
from txproxy.observe.log_formats.own_names import cache_ttl, connect_seconds, proxy_error
from txproxy.observe.log_formats.steady_line import Remembered, Steady, remember, uneventful, words_of
from txproxy.wire.grpc.calls import is_call
from txproxy.wire.headers import Headers
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
# numbers with three digits
_THREE: Final = tuple(f"{number:03d}" for number in range(1000))
_THREE_BYTES: Final = tuple(text.encode("ascii") for text in _THREE)
# of one attempt, on a kept connection
_WENT_WELL: Final = (
    b',"connect":0.000000,"attempts":1,"retries":0,"outcome":"ok","error":null,"detail":null,"grpc_status":null,'
    b'"request_id":'
)
_NONE_RECEIVED: Final = b',"received":0,"duration":'
_PROTOCOLS: Final = tuple(f'"HTTP/{version.decode("ascii")}"' for version in VERSIONS)
# of outcomes that are no fault
_WELL: Final = frozenset({"ok", "answered", "tunnel"})

# So many values of so many bytes at the most are remembered.
_MOST_KNOWN: Final = 500
_LONGEST_KNOWN: Final = 200
# Durations and sizes, which are more.
_MOST_NUMBERS: Final = 4000
# See :meth:`JsonLines.brief`.
Brief: TypeAlias = "tuple[Steady, bytes, bytes, int, int, int, int, float, float | None, Headers, float]"


def _bytes(value: bytes | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))


def _encoded(value: bytes) -> bytes:
    return _bytes(value).encode("ascii")


def _status(protocol: str, status: int) -> bytes:
    """From the protocol to what was sent."""
    return f',"protocol":{protocol},"status":{status or "null"},"sent":'.encode("ascii")


def _text(value: str | None) -> str:
    return encode_basestring_ascii(value) if value else "null"


def _number(value: int | None) -> str:
    return "null" if value is None else str(value)


def _flag(value: bool) -> str:
    return "true" if value else "false"


def _seconds(value: float | None) -> str:
    """With six digits after the point."""
    if value is None:
        return "null"
    return _micros(floor(value * 1e6 + 0.5))


def _micros(micros: int) -> str:
    """So many millionths."""
    if micros <= 0:
        return "0.000000"
    if micros < 1000000:
        return f"0.{_THREE[micros // 1000]}{_THREE[micros % 1000]}"
    return f"{micros // 1000000}.{micros % 1000000:06d}"


def _begun_and_ended(micros: int) -> bytes:
    """How long it took, and when the response began, of one that has come in one piece."""
    text = _micros(micros)
    return f'{text},"first_byte":{text}'.encode("ascii")


class JsonLines:
    """Makes lines of it, for the requests of a ``listener``."""

    def __init__(self, listener: str, connections: Connections) -> None:
        self._listener = _text(listener)
        self._connections = connections
        # the second that was written last, and how
        self._since = -1.0
        self._time, self._second = "", b""
        self._time_of = SecondText('{"time":"%Y-%m-%dT%H:%M:%S.', utc=True)
        # what was written before, as most of it comes again
        self._known: dict[bytes, str] = {}
        self._targets: Remembered[bytes] = Remembered(_encoded, _MOST_KNOWN, _LONGEST_KNOWN)
        self._numbers: Remembered[int] = Remembered(b"%d".__mod__, _MOST_NUMBERS)
        self._at_once: Remembered[int] = Remembered(_begun_and_ended, _MOST_NUMBERS)
        # by the version of the request
        self._statuses = tuple(Remembered(partial(_status, protocol), _MOST_KNOWN) for protocol in _PROTOCOLS)

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

    def _turn_to(self, now: float) -> float:
        """It is a second that no line was of just now; gives when it began."""
        self._since = since = float(int(now))
        self._second = self._time_of(None, now)
        self._time = self._second.decode("ascii")
        return since

    def _moment(self, now: float) -> str:
        since = self._since
        if not since <= now < since + 1.0:
            since = self._turn_to(now)
        return f'{self._time}{_THREE[int((now - since) * 1000.0)]}Z"'

    def exchange(self, over: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        brief = self.brief(over, now)
        return self.whole(over, now) if brief is None else self.of_brief(brief)

    def brief(self, over: FinishedExchange, now: float) -> Brief | None:
        """What a line is made of that has most in common with others of its connection, for :meth:`of_brief`; None
        where it takes all of the exchange.
        """
        request, context = over.request, over.context
        known = context.connection.facts
        steady: Steady | None = known.lines.get(self) if known is not None else None
        if steady is None or request.headers is not steady.headers or words_of(over, request, context) != steady.words:
            return None
        response, kept, status = over.response, over.kept, over.upstream_status
        if response is None or kept is None or not status:
            return None
        plan, there = over.plan, kept.facts
        attempt: Any = plan.attempt if plan is not None else over.attempt
        told = there.told if there is not None else None
        if told is None or told[0] is not attempt.upstream:
            told = self._told(over, kept, attempt.upstream)
        target = request.path if request.scheme is None else facts.target(over)
        return (
            steady, told[1], target, over.status, status, over.sent, over.received, over.seconds, over.first_byte,
            response.headers, now,
        )  # fmt: skip

    def _told(self, over: FinishedExchange, kept: Any, upstream: Any) -> tuple[Any, bytes]:
        """Where the one attempt on the ``kept`` connection went, which was for that ``upstream`` of a pool."""
        known: UpstreamFacts | None = kept.facts
        if known is None:
            kept.facts = known = UpstreamFacts(kept.transport.getPeer())
        record = ExchangeRecord.of(over)
        pool, address = _text(facts.pool(record)), _bytes(facts.upstream_place(record.attempts[-1]))
        told = upstream, f'"pool":{pool},"upstream":{address},"upstream_status":'.encode("ascii")
        known.told = told
        return told

    def of_brief(self, brief: Brief) -> bytes:
        """The line of an exchange of which this is known."""
        steady, place, target, status, answered, sent, received, seconds, first_byte, fields, now = brief
        since = self._since
        if not since <= now < since + 1.0:
            since = self._turn_to(now)
        if first_byte == seconds:
            times = self._at_once[floor(seconds * 1e6 + 0.5)]
        else:
            times = f'{_seconds(seconds)},"first_byte":{_seconds(first_byte)}'.encode("ascii")
        end = steady.ends.get(place)
        if end is None or end[0] != answered or end[1] is not fields:
            end = self._end(steady, place, answered, fields)
        return b"".join((
            self._second,
            _THREE_BYTES[floor((now - since) * 1000.0)],
            steady.start,
            self._targets[target],
            self._statuses[steady.words[2]][status],
            self._numbers[sent],
            _NONE_RECEIVED if not received else b',"received":%d,"duration":' % received,
            times,
            end[2],
        ))  # fmt: skip

    def _end(self, steady: Steady, place: bytes, answered: int, fields: Headers) -> tuple[int, Headers, bytes]:
        """The end of lines of which all this is so, after the time of the first byte."""
        identifier = facts.field_of(fields, b"x-request-id") or steady.headers.index.get(b"x-request-id")
        said = b"null" if identifier is None else _bytes(identifier).encode("ascii")
        rest = b"%b%b%d%b%b%b" % (steady.middle, place, answered, _WENT_WELL, said, steady.end)
        return steady.end_is(place, answered, fields, rest)

    def whole(self, over: FinishedExchange, now: float) -> bytes:
        """The same, made of whatever there is. It is the slow twin of what lines of a connection have in common."""
        over = ExchangeRecord.of(over)
        request, context, outcome = over.request, over.context, over.outcome
        index = request.headers.index
        identifier = facts.response_field(over, b"x-request-id") or index.get(b"x-request-id")
        start = self._start(over)
        middle = f',"listener":{self._listener},"route":{_text(context.rule)},'
        end = "".join((
            ",",
            _NO_VERDICT if context.verdict is None else _verdict(context.verdict),
            _NO_LIMIT if context.limit is None else _LIMIT % (_text(context.limit.name), context.limit.outcome),
            _NO_CACHE if context.cache is None else _cache(over, now),
            self._tls(context.connection),
            f'"referer":{self._bytes(index.get(b"referer"))},"user_agent":{self._bytes(index.get(b"user-agent"))}}}\n',
        ))  # fmt: skip
        call = request.minor == 2 and is_call(index.get(b"content-type"))
        if context.cache is None and context.limit is None and outcome == "ok" and not call:
            self._remember(over, start, middle, end)
        target = request.path if request.scheme is None and request.path else facts.target(over)
        grpc = "null" if request.minor != 2 else _number(facts.grpc_status(over))
        return "".join((
            self._moment(now),
            start,
            _bytes(target) if target or request.method else "null",
            f',"protocol":{_PROTOCOLS[request.minor] if request.method else "null"},"status":{over.status or "null"}',
            f',"sent":{over.sent},"received":{over.received},"duration":{_seconds(over.seconds)}',
            f',"first_byte":{_seconds(over.first_byte)}',
            middle,
            _upstream(over, facts.upstream_status) if over.attempts else _NO_UPSTREAM,
            f'"outcome":"{outcome}","error":{"null" if outcome in _WELL else _text(proxy_error(outcome))}',
            f',"detail":{_text(over.detail)},"grpc_status":{grpc}',
            f',"request_id":{"null" if identifier is None else _bytes(identifier)}',
            end,
        )).encode("ascii")  # fmt: skip

    def _start(self, over: FinishedExchange) -> str:
        """From the client to the host."""
        request, context = over.request, over.context
        asked = '"method":null,"scheme":null,"host":null'
        # What came in the place of a request has none of them.
        if request.method:
            scheme = f'"{context.scheme}"' if request.scheme is None else _bytes(request.scheme)
            host = self._bytes(facts.host(over))
            asked = f'"method":{self._bytes(request.method)},"scheme":{scheme},"host":{host}'
        return f',"client":"{context.client_ip}","user":{_text(context.user)},{asked},"target":'

    def _remember(self, over: FinishedExchange, start: str, middle: str, end: str) -> None:
        words = uneventful(words_of(over, over.request, over.context))
        parts = [part.encode("ascii") for part in (f'Z"{start}', middle, end)]
        remember(self, self._connections.facts(over.context.connection), Steady(over.request.headers, words, *parts))

    def stream(self, stream: FinishedStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        record, context = stream.record, stream.context
        assert record is not None
        verdict, limit = context.verdict, context.limit
        return "".join((
            self._moment(now),
            f',"client":"{stream.client_ip}","user":null,"method":null,"scheme":null,"host":{_text(stream.server_name)}',
            f',"target":null,"protocol":"TCP","status":null,"sent":{stream.sent},"received":{stream.received}',
            f',"duration":{_seconds(record.seconds)},"first_byte":{_seconds(record.first_byte)}',
            f',"listener":{self._listener},"route":{_text(context.rule)},',
            _upstream(record, _no_status) if record.attempts else _NO_UPSTREAM,
            f'"outcome":"{stream.outcome}","error":{_text(proxy_error(stream.outcome))}',
            f',"detail":{_text(stream.detail)},"grpc_status":null,"request_id":null,',
            _NO_VERDICT if verdict is None else _verdict(verdict),
            _NO_LIMIT if limit is None else _LIMIT % (_text(limit.name), limit.outcome),
            _NO_CACHE,
            self._tls(context.connection),
            '"referer":null,"user_agent":null}\n',
        )).encode("ascii")  # fmt: skip

    def _tls(self, connection: ClientConnection) -> str:
        known = connection.facts or self._connections.facts(connection)
        tls: TlsFacts = known.tls
        if tls.version is None:
            return _NO_TLS
        return _TLS % (_bytes(tls.version), _bytes(tls.cipher), _bytes(tls.server_name), _bytes(tls.subject))


def _no_status(attempt: AttemptRecord) -> int:
    return 0


def _upstream(record: FinishedExchange, status_of: Callable[[AttemptRecord], int]) -> str:
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


def _cache(record: FinishedExchange, now: float) -> str:
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
