"""A format as a function of what has ended: compiled once, when the configuration is built."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.interfaces.record import ExchangeRecord, FinishedExchange
from txproxy.observe.log_formats.combined import CombinedLines
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_formats.format_text import FormatReader, FormatText, Placed
from txproxy.observe.log_formats.json_lines.brief_lines import RowOf
from txproxy.observe.log_formats.json_lines.json_line import JsonLines
from txproxy.observe.log_formats.log_field import Getter, Kind, StreamGetter
from txproxy.observe.log_formats.nginx_names import nginx_fields
from txproxy.observe.log_formats.own_names import LISTENER, own_fields
from txproxy.observe.log_formats.percent_codes import percent_codes
from txproxy.observe.log_formats.squid_line import TEXT as SQUID_TEXT
from txproxy.observe.log_formats.squid_line import SquidLines

COMBINED: Final = "combined"
JSON: Final = "json"
SQUID: Final = "squid"

# of what has ended, and the time at which it did, in seconds since 1970; gives a line with its end
Line: TypeAlias = "Callable[[Any, float], bytes]"
# the line of what is not known in brief, or None
Whole: TypeAlias = "Callable[[Any], bytes | None]"


def _not_brief(over: FinishedExchange, now: float) -> None:
    """Nothing is known in brief."""


def _wholes(said: Sequence[Any], whole: Whole) -> bytes:
    return b"".join(filter(None, map(whole, said)))


def _one_by_one(of_brief: Callable[[Any], bytes]) -> Callable[[Sequence[Any], Whole], bytes]:
    """Many lines, each made by itself."""

    def of_briefs(briefs: Sequence[Any], whole: Whole) -> bytes:
        return b"".join([(of_brief(one) if one[0] is not None else whole(one)) or b"" for one in briefs])

    return of_briefs


@frozen
class LineFormat:
    """Makes lines of exchanges and of raw streams. ``says_listener`` is whether they have the listener's name,
    ``connections`` what they have to know of connections while these are there, and ``at_once`` whether they can only
    be made then.

    ``brief`` gives the little that ``of_briefs`` makes the line of an exchange of, in the words of ``exchange``: a
    tuple, whose first value is not None, or None where it takes all of it. Who makes lines later need keep no exchange
    for it. ``of_briefs(briefs, whole)`` makes many lines together; what begins with None is no brief one, and ``whole``
    gives its line, or None if there is to be none.

    ``count_in(row_of)``, where that can be, has the last of what is in brief be the row in which the request is to be
    counted, or None, and what plans that stand have to say of their lines is said ``by`` the same (see
    :class:`txproxy.observe.access_log.CountedLog`).
    """

    exchange: Callable[[FinishedExchange, float], bytes]
    stream: Line
    says_listener: bool = False
    connections: Connections | None = None
    at_once: bool = False
    brief: Callable[[FinishedExchange, float], tuple[Any, ...] | None] = _not_brief
    of_briefs: Callable[[Sequence[Any], Whole], bytes] = _wholes
    count_in: Callable[[RowOf], None] | None = None
    by: object = None


def line_format(format: str, listener: str = "", connections: Connections | None = None) -> LineFormat:
    """What ``format`` means for the requests of a ``listener``: ``combined``, ``squid``, ``json`` or a text with names
    and codes. Connections are numbered by ``connections``. ``ConfigError`` says what in it is not known.
    """
    connections = connections or Connections()
    if format == JSON:
        json = JsonLines(listener, connections)
        made = json.brief, json.of_briefs, json.count_in, json
        return LineFormat(json.exchange, json.stream, True, connections, False, *made)
    if format == COMBINED:
        lines: Any = CombinedLines(connections)
        of_briefs = _one_by_one(lines.of_brief)
        return LineFormat(lines.exchange, lines.stream, connections=connections, brief=lines.brief, of_briefs=of_briefs)
    written = _read(SQUID_TEXT if format == SQUID else format, listener, connections)
    of_record, of_stream = _compiled(written, _of_exchange), _compiled(written, _of_stream)
    if format == SQUID:
        lines = SquidLines(of_record, connections)
        of_briefs = _one_by_one(lines.of_brief)
        return LineFormat(lines.exchange, of_stream, connections=connections, brief=lines.brief, of_briefs=of_briefs)

    def exchange(over: FinishedExchange, now: float) -> bytes:
        # The same is asked of it again and again.
        return of_record(ExchangeRecord.of(over), now)

    # What somebody has written may ask for anything.
    return LineFormat(exchange, of_stream, says_listener=LISTENER in written.named, at_once=True)


def _read(text: str, listener: str, connections: Connections) -> FormatText:
    nginx = nginx_fields(connections)
    codes, worded = percent_codes(nginx)
    return FormatReader({**nginx, **own_fields(listener)}, codes, worded).read(text)


def _compiled(written: FormatText, of: Callable[[Placed, bytes], StreamGetter]) -> Line:
    """A function that fills in a template."""
    template = b""
    getters = []
    for piece in written.pieces:
        if isinstance(piece, bytes):
            template += piece.replace(b"%", b"%%")
        else:
            template += b"%" + piece.form + (b"d" if piece.field.kind is Kind.NUMBER else b"b")
            getters.append(of(piece, written.missing))
    template += b"\n"

    def line(subject: Any, now: float) -> bytes:
        return template % tuple([get(subject, now) for get in getters])

    return line


def _of_exchange(placed: Placed, missing: bytes) -> Getter:
    field = placed.field
    return field.fused(placed.escape, missing) if field.fused is not None else _shown(field.get, placed, missing)


def _of_stream(placed: Placed, missing: bytes) -> StreamGetter:
    field = placed.field
    if field.of_stream is not None:
        return _shown(field.of_stream, placed, missing)
    get = _of_exchange(placed, missing)
    return lambda stream, now: get(stream.record, now)


def _shown(get: StreamGetter, placed: Placed, missing: bytes) -> StreamGetter:
    """Gives what stands in the line for what ``get`` gives."""
    kind = placed.field.kind
    unharmed, rewrite = placed.escape.plain, placed.escape.rewrite
    if kind is Kind.SURE or kind is Kind.NUMBER:
        return get

    def shown_plain(subject: Any, now: float) -> bytes:
        value: bytes | None = get(subject, now)
        return missing if value is None else value

    def shown_text(subject: Any, now: float) -> bytes:
        value: bytes | None = get(subject, now)
        if value is None:
            return missing
        return value if not value.translate(None, unharmed) else rewrite(value)

    return shown_plain if kind is Kind.PLAIN else shown_text
