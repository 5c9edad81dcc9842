"""Lines of JSON that have most in common with others of their connection: made of little, and many together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import floor
from typing import Any, Final, TypeAlias

from txproxy.interfaces.record import ExchangeRecord, FinishedExchange
from txproxy.observe.log_formats import record_facts as facts
from txproxy.observe.log_formats.connection_facts import NOT_TOLD, Place, UpstreamFacts
from txproxy.observe.log_formats.json_lines.json_values import (
    FIRST_BYTE,
    THREE,
    AtOnce,
    json_bytes,
    json_seconds,
    json_text,
)
from txproxy.observe.log_formats.log_field import SecondText
from txproxy.observe.log_formats.steady_line import NO_LINE, NO_PLACE, Alike, Last, Remembered, Routed, alike_before
from txproxy.observe.request_counts import Row
from txproxy.wire.message import RequestHead

# of one attempt, on a kept connection
_WENT_WELL: Final = (
    ',"connect":0.000000,"attempts":1,"retries":0,"outcome":"ok","error":null,"detail":null,"grpc_status":null,'
    '"request_id":'
)
# The time of a line is that of the one before if it is of the same millisecond, without the last of that: so much of it
# may be lost where such times are rounded.
_ROUNDED: Final = 2e-6
# So many values of so many bytes at the most are remembered.
MOST_KNOWN: Final = 500
LONGEST_KNOWN: Final = 200
LONGEST_TEXT: Final = 1000
# So many upstreams are told apart on one route. There may be more.
_MOST_PLACES: Final = 256
# See :meth:`BriefLines.brief`.
Brief: TypeAlias = "tuple[bytes, bytes, bytes, float, float | None, float, Row | None]"
# by route, status, method and upstream
RowOf: TypeAlias = "Callable[[str, int, bytes, Any], Row]"


def _routed(parts: tuple[str, bytes, str]) -> Routed:
    return Routed(*parts)


class BriefLines:
    """Makes them, of what :class:`txproxy.observe.log_formats.json_lines.json_line.JsonLines` has found out that they
    have in common.
    """

    def __init__(self) -> None:
        # the second that was written last, and how
        self._since = -1.0
        self._time = ""
        self._time_of = SecondText('{"time":"%Y-%m-%dT%H:%M:%S.', utc=True)
        self._at_once = AtOnce()
        # what was written before, as most of it comes again
        self._targets: Remembered[bytes, str] = Remembered(json_bytes, MOST_KNOWN, LONGEST_KNOWN)
        self._places: Remembered[tuple[str, str], Place] = Remembered(Place, MOST_KNOWN)
        self._routed: Remembered[tuple[str, bytes, str], Routed] = Remembered(_routed, MOST_KNOWN)
        # the start and the rest of what was last made of a line before its duration
        self._last: tuple[str, Last] = ("", NO_LINE)
        # where requests are counted whose lines are made here; see count_in
        self._row_of: RowOf | None = None

    def _moment(self, now: float) -> str:
        """The beginning of a line, up to the millisecond."""
        since = self._since
        if not since <= now < since + 1.0:
            # It is a second that no line was of just now.
            self._since = since = float(int(now))
            self._time = self._time_of(None, now).decode("ascii")
        return f"{self._time}{THREE[int((now - since) * 1000.0)]}"

    def brief(self, over: FinishedExchange, now: float, counted: bool = True) -> Brief | None:
        """What :meth:`of_briefs` makes a line of that has most in common with others; None where it takes all of it."""
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
                # Who goes by it alone has the ID as well, which another head of the same template has another of.
                if standing.known is None and (not alike.identifies or alike.headers is request.headers):
                    standing.known = alike
            attempt: Any = plan.attempt if (plan := over.plan) is not None else over.attempt
            asked = attempt.upstream if attempt is not None else None
        if (response := over.response) is None or (kept := over.kept) is None or not (answered := over.upstream_status):
            return None
        upstream, place, fields = there.told if (there := kept.facts) is not None else NOT_TOLD
        if upstream is not asked:
            place = self._told(over, kept, asked)
        identifier = None
        if response.headers is not fields:
            # To look into fields takes longer than to see that they are those of before.
            identifier = response.headers.request_id or None
            if identifier is None:
                kept.facts.told = asked, place, response.headers
        end = alike.steady_end if identifier is None else b""
        if not end:
            if identifier is None and alike.identifies:
                identifier = request.headers.index[b"x-request-id"]
            end = alike.end if identifier is None else f"{json_bytes(identifier)}{alike.after}".encode("ascii")
        if alike.numbered:
            # What a plan stands for is an exchange, and its downstream is the stream then.
            end = b"%b%d}\n" % (end, over.downstream.id if standing is not None else over.stream)  # type: ignore
        target = request.path if request.scheme is None else facts.target(over)
        status, sent, received = over.status, over.sent, over.received
        own, head = alike.last
        if own != (target, status, sent, received):
            head = self.head(alike, target, status, sent, received)
        its_status, middle, row = alike.places.get(place, NO_PLACE)
        if answered != its_status:
            # Whoever only makes a line, perhaps in another thread, touches nothing of what is counted.
            counted = counted and status == answered < 500 and not received
            middle, row = self._middle(alike.routed, place, answered, asked, counted)
        if status != answered or received:
            row = None  # It is counted elsewhere, or takes more than that.
        return head, middle, end, over.seconds, over.first_byte, now, row

    def count_in(self, row_of: RowOf) -> None:
        """What is in brief from now on has the row in which its request is to be counted, as ``row_of`` gives it; None
        where it has to be counted in another way.
        """
        self._row_of = row_of
        for routed in self._routed.values():
            routed.places.clear()

    def head(self, alike: Alike, target: bytes, status: int, sent: int, received: int) -> bytes:
        """From the client to the duration, which is kept for the next line of the connection."""
        start, last = self._last
        own = target, status, sent, received
        if start is not alike.start or last[0] != own:
            text = f'{alike.start}{self._targets[target]}{alike.protocol}{status or "null"},"sent":{sent}'
            text = f'{text},"received":{received},"duration":'
            last = own, text.encode("ascii")
        if len(last[1]) <= LONGEST_TEXT:
            alike.last = last
            # Another connection may say the same next, and need not have it twice.
            self._last = alike.start, last
        return last[1]

    def head_again(self, alike: Alike, request: RequestHead, status: int, sent: int) -> bytes | None:
        """The same of a ``request`` that the plan stands for of which this is known; None if its line says more."""
        if request.minor != alike.minor or request.scheme is not None:
            return None
        head = self.head(alike, request.path, status, sent, 0)
        alike.again = (request.path, status, sent, request.minor, None), head
        return head

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
        pool, address = json_text(facts.pool(record)), json_bytes(facts.upstream_place(record.attempts[-1]))
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
        at_once, kept = self._at_once, len(self._at_once)
        moment, begins, ends = b"", 0.0, 0.0
        for brief in briefs:
            head, middle, end, seconds, first_byte, now, _ = brief
            if head is None:
                line = whole(brief)
                if line is not None:
                    pieces.append(line)
                continue
            if not begins <= now < ends:
                moment = self._moment(now).encode("ascii")
                begins, ends = now, self._since + (int((now - self._since) * 1000.0) + 1) * 0.001 - _ROUNDED
            if seconds == first_byte:
                micros = floor(seconds * 1e6 + 0.5)
                times = at_once[micros] if 0 <= micros < kept else None
                if times is None:
                    times = at_once.made(micros)
            else:
                times = f"{json_seconds(seconds)}{FIRST_BYTE}{json_seconds(first_byte)}".encode("ascii")
            pieces += moment, head, times, middle, end
        return b"".join(pieces)
