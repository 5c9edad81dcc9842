"""What the lines of one connection have in common, which is written once: clients ask in the same words again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, Protocol, TypeAlias, TypeVar

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import FinishedExchange
from txproxy.observe.log_formats.connection_facts import ConnectionFacts, Place
from txproxy.observe.request_counts import Row
from txproxy.wire.headers import Headers, Template
from txproxy.wire.message import RequestHead

Key = TypeVar("Key")
Made = TypeVar("Made")

# What lines have in common is found anew so often for a connection.
_MOST_STEADY: Final = 32


class Remembered(dict[Key, Made], Generic[Key, Made]):
    """What ``make`` has made of each key, as far as that was one of the last: no more than ``most``, and none of keys
    longer than ``longest``, where these have a length.
    """

    __slots__ = ("_make", "_most", "_longest")

    def __init__(self, make: Callable[[Key], Made], most: int, longest: int = 0) -> None:
        self._make = make
        self._most = most
        self._longest = longest

    def __missing__(self, key: Any) -> Made:
        made = self._make(key)
        if not self._longest or len(key) <= self._longest:
            if len(self) >= self._most:
                self.clear()
            self[key] = made
        return made


# Lines say no more of the fields of requests than these, and X-Request-Id.
_SAID: Final = (b"referer", b"user-agent")


def template_of(headers: Headers) -> Template | None:
    """What has read these fields, if all that it reads say the same in lines, but for X-Request-Id."""
    template = headers.template
    return template if template is not None and not template.differ_in(_SAID) else None


class Steady:
    """What lines have in common as long as the ``headers`` of requests, or the ``template`` that has read them, and
    these ``words`` of exchanges (see :func:`words_of`, for one) are the same: what they say beside their targets, who
    sends them, and by which rule they are let through. None is made of an exchange that has not gone well, or that a
    limit or a cache has to do with.

    ``start``, ``middle`` and ``end`` are parts of the line; so many were ``made`` of this connection before.
    """

    __slots__ = ("headers", "template", "words", "start", "middle", "end", "made")

    def __init__(
        self,
        headers: Headers,
        words: tuple[Any, ...],
        start: bytes,
        middle: bytes,
        end: bytes,
        template: Template | None = None,
    ) -> None:
        self.headers = headers
        self.template = template
        self.words = words
        self.start = start
        self.middle = middle
        self.end = end
        self.made = 0


# See :class:`Alike`.
Last: TypeAlias = "tuple[tuple[bytes, int, int, int], bytes]"
NO_LINE: Final[Last] = (b"", -1, 0, 0), b""
# the same of where it went: see Routed
NO_PLACE: Final[tuple[int, bytes, Row | None]] = (0, b"", None)
# target, status, bytes sent, the minor version and scheme of a request that a plan stands for, and the piece in Last
Again: TypeAlias = "tuple[tuple[bytes, int, int, int, bytes | None], bytes]"
_NONE_BEFORE: Final[Again] = (b"", -1, 0, 0, None), b""


class Alike:
    """What lines of JSON have in common, as :class:`txproxy.observe.log_formats.steady_line.Steady` has it of others:
    from the time to the target (``start``), from there to the status (``protocol``), and what follows the request's ID
    (``after``). ``end`` is that with the ID of the request itself before it. ``routed`` is what stands between, by the
    upstream that has answered: all that have the same route and method share it. It was found out ``by`` who makes such
    lines. It holds for all fields that its ``template`` has read as well, if it has one; ``identifies`` is whether each
    of these has an ID of its own. ``numbered`` is whether the number of a stream follows what follows the ID, and the
    line ends after it. ``steady_end`` is the ``end`` of all of them; empty where each has an ID of its own.

    ``last`` is what the line before had of its own before its duration (target, status, and bytes sent and received),
    and all of it from the client to there; ``again`` is the same of requests that a plan stands for. Several threads
    may write lines: what belongs together is set at once.
    """

    __slots__ = (
        "by", "headers", "template", "identifies", "words", "minor", "start", "protocol", "routed", "places", "after",
        "end", "numbered", "steady_end", "last", "again", "made",
    )  # fmt: skip

    def __init__(
        self, by: object, over: FinishedExchange, start: str, protocol: str, routed: Routed, after: str, end: bytes
    ) -> None:
        self.by = by
        self.headers = headers = over.request.headers
        self.template = template = template_of(headers)
        self.identifies = template is not None and template.differ_in((b"x-request-id",))
        self.words = uneventful(words_of(over, over.request, over.context))
        self.minor = over.request.minor
        self.start = start
        self.protocol = protocol
        self.routed = routed
        self.places = routed.places
        self.after = after
        self.end = end
        self.numbered = over.stream is not None
        self.steady_end = b"" if self.identifies else end
        self.last: Last = NO_LINE
        self.again: Again = _NONE_BEFORE
        self.made = 0


class OfFields(Protocol):
    """What holds for certain fields."""

    headers: Headers
    template: Template | None


def is_said(headers: Headers, known: OfFields) -> bool:
    """Whether it holds for these."""
    if headers is known.headers:
        return True
    template = known.template
    return template is not None and headers.template is template


def alike_before(lines: object, over: FinishedExchange) -> Alike | None:
    """What one of these ``lines`` has in common with others of its connection, if that was found out before."""
    request, context = over.request, over.context
    try:
        alike: Alike | None = context.connection.facts.lines[lines]
    except (AttributeError, KeyError):
        return None
    if alike is None or not is_said(request.headers, alike):
        return None
    # See words_of: here it is worth the call.
    if alike.words != (
        request.method, request.authority, request.minor, request.scheme, context.client_ip, context.user,
        context.scheme, context.rule, context.verdict, context.limit, context.cache, over.outcome, over.eventful,
        over.detail,
    ):  # fmt: skip
        return None
    return alike


class Routed:
    """What lines of one ``route`` and ``method`` say between their times and the ID of the request. It begins with
    ``middle``; ``places`` has it by the place that was asked, with the status that was answered there last, and the row
    in which such requests are counted, if they are.
    """

    __slots__ = ("route", "method", "middle", "places")

    def __init__(self, route: str, method: bytes, middle: str) -> None:
        self.places: dict[Place, tuple[int, bytes, Row | None]] = {}
        self.route = route
        self.method = method
        self.middle = middle


class MadeAgain(Protocol):
    """What lines have in common: so many were ``made`` of a connection before."""

    made: int


def remember(lines: object, facts: ConnectionFacts, steady: MadeAgain) -> None:
    """What the next of the ``lines`` of a connection may have in common with this one, if there has been one before."""
    before: MadeAgain | None = facts.lines.get(lines)
    if before is not None:
        steady.made = before.made + 1
    if lines in facts.lines and steady.made <= _MOST_STEADY:
        facts.lines[lines] = steady
    else:
        facts.lines.setdefault(lines)


def words_of(over: FinishedExchange, request: RequestHead, context: RequestContext) -> tuple[Any, ...]:
    """All that has to be the same of an exchange beside the fields of its request, last what those that were eventful
    do not have in common with others. To compare one of these with another takes a third of the time of comparing what
    is in them.
    """
    return (
        request.method,
        request.authority,
        request.minor,
        request.scheme,
        context.client_ip,
        context.user,
        context.scheme,
        context.rule,
        context.verdict,
        context.limit,
        context.cache,
        over.outcome,
        over.eventful,
        over.detail,
    )


def uneventful(words: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same words of an exchange that was not: what is found out of one that was holds for those that are not."""
    return *words[:-2], False, ""
