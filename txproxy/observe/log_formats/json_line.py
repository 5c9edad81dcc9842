r"""A line of JSON for each request or raw stream: one object, whose keys are always there, and null where nothing is
known. It is ASCII, whatever was sent: bytes that are no UTF-8 are shown as ``\xff``.

What most requests have none of (TLS, a cache, a verdict) is one constant text for all its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from json.encoder import encode_basestring_ascii
from math import floor
from typing import Any, Final, TypeAlias

from txproxy.interfaces.answers import Verdict
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord, FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import NOT_TOLD, Connections, Place, TlsFacts, UpstreamFacts
from txproxy.observe.log_formats.log_field import FinishedStream, SecondText
from txproxy.observe.log_formats.own_names import cache_ttl, connect_seconds, proxy_error
from txproxy.observe.log_formats.steady_line import NO_LINE, Alike, Last, Remembered, Routed, alike_before, remember
from txproxy.observe.request_counts import Row
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
# numbers with three digits
_THREE: Final = tuple(f"{number:03d}" for number in range(1000))
# the same of thousandths, of less than a second
_ZEROS: Final = tuple(f"0.{text}".encode("ascii") for text in _THREE)
_THREE_BYTES: Final = tuple(text.encode("ascii") for text in _THREE)
_FIRST_BYTE: Final = ',"first_byte":'
# the end of a duration, and what follows it
_BEGUN: Final = tuple(f"{text}{_FIRST_BYTE}".encode("ascii") for text in _THREE)
# of one attempt, on a kept connection
_WENT_WELL: Final = (
    ',"connect":0.000000,"attempts":1,"retries":0,"outcome":"ok","error":null,"detail":null,"grpc_status":null,'
    '"request_id":'
)
# The time of a line is that of the one before if it is of the same millisecond, without the last of that: so much of it
# may be lost where such times are rounded.
_ROUNDED: Final = 2e-6
_PROTOCOLS: Final = tuple(f'"HTTP/{version.decode("ascii")}"' for version in VERSIONS)
# of outcomes that are no fault
_WELL: Final = frozenset({"ok", "answered", "tunnel"})

# So many values of so many bytes at the most are remembered.
_MOST_KNOWN: Final = 500
_LONGEST_KNOWN: Final = 200
_LONGEST_TEXT: Final = 1000
# So many upstreams are told apart on one route. There may be more.
_MOST_PLACES: Final = 256
# See :meth:`JsonLines.brief`.
Brief: TypeAlias = "tuple[bytes, bytes, bytes, float, float | None, float, Row | None]"
# by route, status, method and upstream
RowOf: TypeAlias = "Callable[[str, int, bytes, Any], Row]"


def _bytes(value: bytes | None) -> str:
    return "null" if value is None else encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))


def _routed(parts: tuple[str, bytes, str]) -> Routed:
    return Routed(*parts)


def _none(brief: Any) -> None:
    """There is no other line."""


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


class JsonLines:
    """Makes lines of it, for the requests of a ``listener``."""

    def __init__(self, listener: str, connections: Connections) -> None:
        self._listener = _text(listener)
        self._connections = connections
        # the second that was written last, and how
        self._since = -1.0
        self._time = ""
        self._time_of = SecondText('{"time":"%Y-%m-%dT%H:%M:%S.', utc=True)
        # what was written before, as most of it comes again
        self._known: dict[bytes, str] = {}
        self._targets: Remembered[bytes, str] = Remembered(_bytes, _MOST_KNOWN, _LONGEST_KNOWN)
        # what lines of several connections have in common, so that it is there once
        self._texts: Remembered[str, str] = Remembered(str, _MOST_KNOWN, _LONGEST_TEXT)
        self._places: Remembered[tuple[str, str], Place] = Remembered(Place, _MOST_KNOWN)
        self._routed: Remembered[tuple[str, bytes, str], Routed] = Remembered(_routed, _MOST_KNOWN)
        # the start and the rest of what was last made of a line before its duration
        self._last: tuple[str, Last] = ("", NO_LINE)
        # where requests are counted whose lines are made here; see count_in
        self._row_of: RowOf | None = None

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

    def _moment(self, now: float) -> str:
        """The beginning of a line, up to the millisecond."""
        since = self._since
        if not since <= now < since + 1.0:
            # It is a second that no line was of just now.
            self._since = since = float(int(now))
            self._time = self._time_of(None, now).decode("ascii")
        return f"{self._time}{_THREE[int((now - since) * 1000.0)]}"

    def exchange(self, over: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        brief = self.brief(over, now, False)
        return self.whole(over, now) if brief is None else self.of_briefs((brief,), _none)

    def brief(self, over: FinishedExchange, now: float, counted: bool = True) -> Brief | None:
        """What a line is made of that has most in common with others of its connection, for :meth:`of_briefs`; None
        where it takes all of the exchange.
        """
        request, standing = over.request, over.standing
        # All else that counts is the same of all that it stands for.
        alike: Alike | None = standing.lines.get(self) if standing is not None else None
        if alike is not None and request.minor == alike.minor and request.scheme is None:
            asked = over.tracker
        else:
            alike = alike_before(self, over)
            if alike is None:
                return None
            if standing is not None and request.scheme is None:
                standing.lines[self] = alike
            plan = over.plan
            attempt: Any = plan.attempt if plan is not None else over.attempt
            asked = attempt.upstream if attempt is not None else None
        response, kept, answered = over.response, over.kept, over.upstream_status
        if response is None or kept is None or not answered:
            return None
        there = kept.facts
        upstream, place, fields = there.told if there is not None else NOT_TOLD
        if upstream is not asked:
            place = self._told(over, kept, asked)
        identifier = None
        if response.headers is not fields:
            # To look into fields takes longer than to see that they are those of before.
            identifier = response.headers.request_id
            if identifier is None:
                kept.facts.told = asked, place, response.headers
        target = request.path if request.scheme is None else facts.target(over)
        status, sent, received = over.status, over.sent, over.received
        its_target, its_status, its_size, its_own, head = alike.last
        if target != its_target or status != its_status or sent != its_size or received != its_own:
            head = self._head(alike, target, status, sent, received)
        try:
            its_status, middle, row = alike.places[place]
        except KeyError:
            its_status = 0
        if answered != its_status:
            # Whoever only makes a line, perhaps in another thread, touches nothing of what is counted.
            counted = counted and status == answered < 500 and not received
            middle, row = self._middle(alike.routed, place, answered, asked, counted)
        if status != answered or received:
            # It is counted elsewhere, or takes more than that.
            row = None
        end = alike.end if identifier is None else f"{_bytes(identifier)}{alike.after}".encode("ascii")
        return head, middle, end, over.seconds, over.first_byte, now, row

    def count_in(self, row_of: RowOf) -> None:
        """What is in brief from now on has the row in which its request is to be counted, as ``row_of`` gives it; None
        where it has to be counted in another way.
        """
        self._row_of = row_of
        for routed in self._routed.values():
            routed.places.clear()

    def _head(self, alike: Alike, target: bytes, status: int, sent: int, received: int) -> bytes:
        """From the client to the duration, which is kept for the next line of the connection."""
        start, last = self._last
        if start is not alike.start or last[:4] != (target, status, sent, received):
            text = f'{alike.start}{self._targets[target]}{alike.protocol}{status or "null"},"sent":{sent}'
            text = f'{text},"received":{received},"duration":'
            last = target, status, sent, received, text.encode("ascii")
        if len(last[4]) <= _LONGEST_TEXT:
            alike.last = last
            # Another connection may say the same next, and need not have it twice.
            self._last = alike.start, last
        return last[4]

    def _middle(
        self, routed: Routed, place: Place, answered: int, upstream: Any, counted: bool
    ) -> tuple[bytes, Row | None]:
        """From the listener to the request's ID, and the row of such requests if they are ``counted`` here, which are
        kept for others.
        """
        middle = f"{routed.middle}{place.text}{answered}{_WENT_WELL}".encode("ascii")
        row = None
        if self._row_of is not None:
            if not counted:
                return middle, None
            row = self._row_of(routed.route, answered, routed.method, upstream)
        if len(routed.places) >= _MOST_PLACES:
            routed.places.clear()
        routed.places[place] = answered, middle, row
        return middle, row

    def _told(self, over: FinishedExchange, kept: Any, upstream: Any) -> Place:
        """Where the one attempt on the ``kept`` connection went, which was for that ``upstream`` of a pool."""
        known: UpstreamFacts | None = kept.facts
        if known is None:
            kept.facts = known = UpstreamFacts(kept.transport.getPeer())
        record = ExchangeRecord.of(over)
        pool, address = _text(facts.pool(record)), _bytes(facts.upstream_place(record.attempts[-1]))
        text = f'"pool":{pool},"upstream":{address},"upstream_status":'
        # Two upstreams of a pool may be at one address.
        place = self._places[text, getattr(upstream, "name", "")]
        known.told = upstream, place, None
        return place

    def of_briefs(self, briefs: Sequence[Any], whole: Callable[[Any], bytes | None]) -> bytes:
        """The lines of exchanges of which this is known. What is none of these, and begins with None, ``whole`` gives
        the line of, or None if there is to be none.
        """
        pieces: list[bytes] = []
        zeros, three, begun = _ZEROS, _THREE_BYTES, _BEGUN
        moment, begins, ends = b"", 0.0, 0.0
        for brief in briefs:
            if brief[0] is None:
                line = whole(brief)
                if line is not None:
                    pieces.append(line)
                continue
            head, middle, end, seconds, first_byte, now, _ = brief
            if not begins <= now < ends:
                moment = self._moment(now).encode("ascii")
                begins, ends = now, self._since + (int((now - self._since) * 1000.0) + 1) * 0.001 - _ROUNDED
            micros = floor(seconds * 1e6 + 0.5)
            if seconds == first_byte and 0 <= micros < 1000000:
                # In two pieces each, of which each is there.
                millis, rest = zeros[micros // 1000], micros % 1000
                pieces += moment, head, millis, begun[rest], millis, three[rest], middle, end
            else:
                times = f"{_micros(micros)}{_FIRST_BYTE}{_seconds(first_byte)}"
                pieces += moment, head, times.encode("ascii"), middle, end
        return b"".join(pieces)

    def whole(self, over: FinishedExchange, now: float) -> bytes:
        """The same, made of whatever there is. It is the slow twin of what lines of a connection have in common."""
        over = ExchangeRecord.of(over)
        request, context, outcome = over.request, over.context, over.outcome
        index = request.headers.index
        identifier = facts.request_id(over)
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
            texts = self._texts
            routed = self._routed[context.rule, request.method, middle]
            identified = f"{_bytes(request.headers.request_id)}{end}"
            protocol = f',"protocol":{_PROTOCOLS[request.minor]},"status":'
            alike = Alike(over, texts[f'Z"{start}'], protocol, routed, texts[end], identified.encode("ascii"))
            remember(self, self._connections.facts(context.connection), alike)
        target = request.path if request.scheme is None and request.path else facts.target(over)
        grpc = "null" if request.minor != 2 else _number(facts.grpc_status(over))
        return "".join((
            self._moment(now),
            'Z"',
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

    def stream(self, stream: FinishedStream, now: float) -> bytes:
        """The line of a raw stream that has ended."""
        record, context = stream.record, stream.context
        assert record is not None
        verdict, limit = context.verdict, context.limit
        return "".join((
            self._moment(now),
            f'Z","client":"{stream.client_ip}","user":null,"method":null,"scheme":null,"host":{_text(stream.server_name)}',
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
