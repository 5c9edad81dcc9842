"""Squid's native form: a text of codes as any other, of which a connection's lines have much in common."""

from __future__ import annotations

from collections.abc import Callable
from math import floor
from typing import Any, Final, TypeAlias

from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.record import ExchangeRecord, FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats import squid_words
from txproxy.observe.log_formats.connection_facts import Connections, UpstreamFacts
from txproxy.observe.log_formats.escaping import in_url, whole_url
from txproxy.observe.log_formats.log_field import of_text
from txproxy.observe.log_formats.steady_line import Remembered, Steady, remember, uneventful, words_of
from txproxy.wire.headers import Headers

TEXT: Final = "%ts.%03tu %6tr %>a %Ss/%03>Hs %<st %rm %ru %[un %Sh/%<a %mt"
_THREE: Final = tuple(b"%03d " % number for number in range(1000))
# So many values of so many bytes at the most are remembered.
_MOST_KNOWN: Final = 1000
_LONGEST_KNOWN: Final = 200
# An upstream that is asked the same again answers the same, for a second.
_MOST_BLOCKS: Final = 256
_LONGEST_BLOCK: Final = 2048
# See :meth:`SquidLines.brief`.
Brief: TypeAlias = "tuple[Steady, bytes, bytes, int, int, float, Any, float]"


def _media_type(block: bytes) -> bytes:
    """What stands at the end of the line of a response with such fields."""
    media = facts.field_of(Headers.of_block(block), b"content-type")
    if media is not None and b";" in media:
        media = media.partition(b";")[0].strip() or None
    return (b"-" if media is None else in_url(media)) + b"\n"


class SquidLines:
    """Makes lines of it. ``whole`` makes one of whatever there is, and is the slow twin of the others."""

    def __init__(self, whole: Callable[[Any, float], bytes], connections: Connections) -> None:
        self._text = whole
        self._connections = connections
        # the second that was written last, and how
        self._since = -1.0
        self._second = b""
        # what was written before, as most of it comes again
        self._targets: Remembered[bytes, bytes] = Remembered(whole_url, _MOST_KNOWN, _LONGEST_KNOWN)
        self._millis: Remembered[int, bytes] = Remembered(b"%6d ".__mod__, _MOST_KNOWN)
        self._statuses: Remembered[int, bytes] = Remembered(b"%03d ".__mod__, _MOST_KNOWN)
        self._media: Remembered[bytes, bytes] = Remembered(_media_type, _MOST_BLOCKS, _LONGEST_BLOCK)
        self._sizes: Remembered[int, bytes] = Remembered(b"%d".__mod__, _MOST_KNOWN)

    def exchange(self, over: FinishedExchange, now: float) -> bytes:
        """The line of a finished exchange."""
        brief = self.brief(over, now)
        return self.whole(over, now) if brief is None else self.of_brief(brief)

    def brief(self, over: FinishedExchange, now: float) -> Brief | None:
        """What a line is made of that has most in common with others of its connection, for :meth:`of_brief`; None
        where it takes all of the exchange.
        """
        request, standing = over.request, over.standing
        steady: Steady | None
        # All else that counts is the same of all that it stands for.
        if standing is not None and request.scheme is None and (steady := standing.lines.get(self)) is not None:
            upstream = over.tracker
        else:
            context = over.context
            try:
                steady = context.connection.facts.lines[self]
            except (AttributeError, KeyError):
                return None
            if steady is None or request.headers is not steady.headers:
                return None
            if words_of(over, request, context) != steady.words:
                return None
            plan = over.plan
            attempt: Any = plan.attempt if plan is not None else over.attempt
            upstream = attempt.upstream
            if upstream is None and (type(attempt) is not Attempt or attempt.address.through is not None):
                # What others do, a parent among them, is not the same for all of a connection.
                return None
            if standing is not None and request.scheme is None:
                standing.lines[self] = steady
        response, kept = over.response, over.kept
        if response is None or kept is None:
            return None
        there = kept.facts
        told = there.squid if there is not None else None
        if told is None or told[0] is not upstream:
            told = self._told(over, kept, upstream)
        return steady, told[1], request.path, over.status, over.sent, over.seconds, response, now

    def of_brief(self, brief: Brief) -> bytes:
        """The line of an exchange of which this is known."""
        steady, place, path, status, sent, seconds, response, now = brief
        if not self._since <= now < self._since + 1.0:
            self._since = float(int(now))
            self._second = b"%d." % int(now)
        fields = response.headers
        return b"".join((
            self._second,
            _THREE[floor(now * 1000) % 1000],
            self._millis[floor(seconds * 1000) if seconds > 0.0 else 0],
            steady.start,
            self._statuses[status],
            self._sizes[sent + facts.STATUS_LINE + len(response.reason) + len(fields.block)],
            steady.middle,
            self._targets[path],
            steady.end,
            place,
            self._media[fields.block],
        ))  # fmt: skip

    def _told(self, over: FinishedExchange, kept: Any, upstream: Any) -> tuple[Any, bytes]:
        """Where the one attempt on the ``kept`` connection went, which was for that ``upstream`` of a pool."""
        known: UpstreamFacts | None = kept.facts
        if known is None:
            kept.facts = known = UpstreamFacts(kept.transport.getPeer())
        record = ExchangeRecord.of(over)
        host = facts.upstream_host(record.attempts[-1])
        known.squid = told = upstream, b"%b/%b " % (squid_words.hierarchy(record), in_url(host))
        return told

    def whole(self, over: FinishedExchange, now: float) -> bytes:
        """The same, made of whatever there is."""
        record = ExchangeRecord.of(over)
        request, context = record.request, record.context
        plain = context.cache is None and context.limit is None and request.method
        if record.outcome == "ok" and plain and record.attempts:
            start = b"%b %b/" % (context.client_ip.encode("ascii"), squid_words.result(record))
            before = b"%b://%b" % (facts.scheme(record), request.authority)
            middle = b" %b %b" % (in_url(request.method), whole_url(before))
            user = of_text(context.user)
            end = b" %b " % (b"-" if user is None else in_url(user))
            words = uneventful(words_of(record, request, context))
            steady = Steady(request.headers, words, start, middle, end)
            remember(self, self._connections.facts(context.connection), steady)
        return self._text(record, now)
