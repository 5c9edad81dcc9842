"""Reads the heads of responses out of field blocks (RFC 9113 section 8.3.2)."""

from __future__ import annotations

from typing import Final

from txproxy.errors import ResponseError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.trailers import permitted_lines
from txproxy.wire.http2.faults import StreamFault
from txproxy.wire.http2.field_blocks.block_reader import MOST_FIELDS, BlockReader
from txproxy.wire.http2.field_blocks.block_shapes import ABSENT, response_shape, trailers_shape
from txproxy.wire.http2.field_blocks.field_entries import Entry, kind_of, line_of, name_of, size_of
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, ResponseHead, SharedHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# So many blocks are remembered: who is asked the same again answers the same, within a second.
_MOST_REMEMBERED: Final = 32
# RFC 9113 8.6: nothing changes protocols in HTTP/2.
_SWITCHING: Final = 101
# RFC 9110 6.4.1: these have no body, whatever they say of one; 304 tells of another's.
_WITHOUT_BODY: Final = (204, 304)


class ResponseFields:
    """What a block says: ``length`` is that of Content-Length, or ``CHUNKED`` without it. ``made`` is what has been
    made of it where it is the whole of a response but for the body, for whoever has done so; None before.
    """

    __slots__ = ("status", "headers", "length", "made")

    def __init__(self, status: int, headers: Headers, length: int) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        self.made: SharedHead | None = None


class ResponseReader:
    """Reads what one server sends in the life of a connection. The same bytes mean the same response as long as no
    block changes the table in between; and for ever where they name nothing that is there, though they add to it what
    nobody will ever name, as those of nginx do.
    """

    __slots__ = ("limits", "_reader", "_known", "_changes", "_always")

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self._reader = BlockReader()
        self._changes = 0
        self._known: dict[bytes, ResponseFields] = {}
        # with what they add to the table
        self._always: dict[bytes, tuple[ResponseFields, list[Entry]]] = {}

    def read(self, block: bytes, method: bytes, ended: bool) -> ResponseHead:
        """The head of a response to ``method``, after which the stream has ``ended`` or goes on. ``StreamFault`` if it
        is malformed, ``ResponseError`` if it is too large, ``ConnectionFault`` if the connection cannot go on after it.
        """
        found = self._known.get(block) or self._read(block)
        status, length = found.status, found.length
        if status < 200:
            if ended or status == _SWITCHING:
                raise StreamFault("an informational response that is the last, or changes protocols")
            length = 0
        elif method == b"HEAD" or status in _WITHOUT_BODY:
            length = 0
        elif ended:
            if length > 0:
                raise StreamFault("a response that ends before its body")
            length = 0
        elif method == b"CONNECT" and status < 300:
            # RFC 9110 9.3.6
            length = UNTIL_CLOSE
        return ResponseHead(status, found.headers, b"", length)

    def known(self, block: bytes) -> ResponseFields | None:
        """What a final response with these bytes is that has a body, if they are known and to read them changes
        nothing: else None.
        """
        found = self._known.get(block)
        if found is None:
            always = self._always.get(block)
            if always is None or not self._reader.is_steady(always[1]):
                return None
            found = always[0]
        return found if found.status >= 200 and found.status not in _WITHOUT_BODY else None

    def _read(self, block: bytes) -> ResponseFields:
        reader = self._reader
        known = self._always.get(block)
        if known is not None:
            reader.insert_all(known[1])
            if self._changes != reader.changes:
                self._see_changes()
            return known[0]
        changes = reader.changes
        entries = self._read_entries(block)
        if len(entries) >= MOST_FIELDS or sum(map(size_of, entries)) > self.limits.max_head:
            raise ResponseError("the head is too large")
        shape = response_shape(bytes(map(kind_of, entries)))
        if shape.fault:
            raise StreamFault(f"a response with {shape.fault}")
        length = int(entries[shape.length][3]) if shape.length != ABSENT else CHUNKED
        headers = Headers.parsed([*map(line_of, entries[shape.first :])])
        found = ResponseFields(int(entries[shape.status][3]), headers, length)
        if changes == reader.changes:
            if len(self._known) >= _MOST_REMEMBERED:
                self._known.clear()
            self._known[block] = found
        elif reader.inserted is not None:
            if len(self._always) >= _MOST_REMEMBERED:
                self._always.clear()
            self._always[block] = found, reader.inserted
        return found

    def _read_entries(self, block: bytes) -> list[Entry]:
        """The fields of any block."""
        entries = self._reader.read(block)
        self._see_changes()
        return entries

    def _see_changes(self) -> None:
        """Where a block has changed the table, what is remembered means nothing any more."""
        if self._changes != self._reader.changes:
            self._changes = self._reader.changes
            self._known.clear()

    def read_trailers(self, block: bytes) -> Headers:
        """The trailers of a response."""
        entries = self._read_entries(block)
        if len(entries) >= MOST_FIELDS or sum(map(size_of, entries)) > self.limits.max_head:
            raise ResponseError("the trailer section is too large")
        shape = trailers_shape(bytes(map(kind_of, entries)))
        if shape.fault:
            raise StreamFault(f"trailers with {shape.fault}")
        return permitted_lines([*map(name_of, entries)], [*map(line_of, entries)])
