"""Reads the heads of requests out of field blocks (RFC 9113 section 8.3.1)."""

from __future__ import annotations

from typing import Final, NamedTuple, TypeAlias, final

from txproxy.errors import RequestError
from txproxy.wire.headers import Headers
from txproxy.wire.http1 import trailers
from txproxy.wire.http2.faults import ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.block_reader import DEFAULT_TABLE_SIZE, MOST_FIELDS, BlockReader, read_string
from txproxy.wire.http2.field_blocks.block_shapes import ABSENT, Shape, request_shape, trailers_shape
from txproxy.wire.http2.field_blocks.field_entries import (
    IN_PATHS,
    OVERHEAD,
    PATH_FORM,
    Entry,
    NeverIndexed,
    kind_of,
    line_of,
    name_and_value_of,
    name_of,
    size_of,
)
from txproxy.wire.message import CHUNKED, UNTIL_CLOSE, RequestHead, SharedRequest
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits
from txproxy.wire.target import split_authority

# See txproxy.wire.message.VERSIONS.
_VERSION: Final = 2
_new: Final = object.__new__
# So many blocks, or ends of blocks, are remembered; a browser that asks for a page needs few.
_MOST_REMEMBERED: Final = 32
# All together count for so much at the most, so that a connection does not keep megabytes of what was sent once.
_MOST_SIZE: Final = 65536
# What is larger than this, with what each field counts for, is looked at each time if it changes the table: twice as
# much as that holds.
_MOST_SEEN: Final = 2 * DEFAULT_TABLE_SIZE
# Of lengths of strings that are less, all is in one byte.
_LONG: Final = 0x7F
_SLASH: Final = ord("/")


class Fields(NamedTuple):
    """What a block says but for its path, which is looked at with each request."""

    method: bytes
    headers: Headers
    authority: bytes
    scheme: bytes
    # for extended CONNECT (RFC 8441), or empty
    protocol: bytes
    # what Content-Length says, or CHUNKED without it; UNTIL_CLOSE for a tunnel
    length: int
    # what all of it counts for
    size: int


# Method, fields, authority and scheme, and all of that with the path before it.
_Apart: TypeAlias = "tuple[bytes, Headers, bytes, bytes]"


@final
class KnownRequest:
    """What a block says that is the whole of a request like some before. ``made`` is what has been made of it for all
    of these, by whoever has done so; None before.
    """

    __slots__ = ("method", "headers", "made", "_path", "_authority", "_scheme")

    def __init__(self, path: bytes, method: bytes, headers: Headers, authority: bytes, scheme: bytes) -> None:
        self.method = method
        self.headers = headers
        self.made: SharedRequest | None = None
        self._path = path
        self._authority = authority
        self._scheme = scheme

    def head(self) -> RequestHead:
        """The head of one such request."""
        return RequestHead(self.method, self._path, self.headers, self._authority, self._scheme, 0, _VERSION)

    def shared_head(self) -> SharedRequest:
        """That of all of them where the scheme is that of the connection, so that nobody has to be told."""
        made = self.made
        if made is None:
            made = self.made = SharedRequest(self.method, self._path, self.headers, self._authority, None, _VERSION)
        return made


class RequestReader:
    """Reads what one client sends in the life of a connection.

    The same bytes mean the same request as long as no block changes the table in between; and where they differ in the
    path alone, all the rest is what it was.
    """

    __slots__ = (
        "protocol", "known", "_limits", "_reader", "_whole", "_by_rest", "_known_by_rest", "_before", "_changes",
        "_room", "_seen",
    )  # fmt: skip

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        # of whole blocks that are requests without a body, where nothing else is to be looked at
        self.known: dict[bytes, KnownRequest] = {}
        # what the request that was read last asks for by extended CONNECT (RFC 8441), or empty
        self.protocol = b""
        self._reader = BlockReader()
        self._changes = 0
        self._whole: dict[bytes, tuple[Fields, bytes]] = {}
        self._room = _MOST_SIZE
        # of the last block that has changed the table: where its path was, all other fields, and what they say once it
        # was said twice
        self._seen: tuple[int, list[Entry], Fields | None] | None = None
        # the bytes before a literal path, and what the bytes after it have said
        self._before = b""
        self._by_rest: dict[bytes, Fields] = {}
        # what is known of those as above, with how long a path may be
        self._known_by_rest: dict[bytes, tuple[_Apart, int]] = {}

    def use_limits(self, limits: WireLimits) -> None:
        """Others from now on."""
        self._limits = limits
        self._seen = None
        self._forget()

    def read(self, block: bytes, ended: bool) -> RequestHead:
        """The head of a request, after which the stream has ``ended`` or goes on.

        ``StreamFault`` if it is malformed, ``RequestError`` if it is one that is answered, ``ConnectionFault`` if the
        connection cannot go on after it.
        """
        fields, path = self._whole.get(block) or self._read_path(block) or self._read(block)
        self.protocol = fields.protocol
        limits = self._limits
        if len(path) > limits.max_target:
            raise _too_large("the target is too long", 414, fields)
        if fields.size + len(path) > limits.max_head or len(fields.headers.lines) > limits.max_fields:
            raise _too_large("the head is too large", 431, fields)
        length = fields.length
        if ended:
            if length > 0:
                raise StreamFault("a request that ends before its body")
            length = 0
        elif limits.max_body is not None and length > limits.max_body:
            raise _too_large("the body is too large", 413, fields)
        return RequestHead(fields.method, path, fields.headers, fields.authority, fields.scheme, length, _VERSION)

    def read_trailers(self, block: bytes) -> Headers:
        """The trailers of a request (RFC 9113 section 8.1)."""
        entries, limits = self._read_entries(block), self._limits
        # Of MOST_FIELDS nobody knows whether there were more.
        if (
            len(entries) > limits.max_fields
            or len(entries) >= MOST_FIELDS
            or sum(map(size_of, entries)) > limits.max_head
        ):
            raise RequestError("the trailer section is too large", status=431)
        shape = trailers_shape(bytes(map(kind_of, entries)))
        if shape.fault:
            raise StreamFault(f"trailers with {shape.fault}")
        names = [*map(name_of, entries)]
        if not trailers.REFUSED.isdisjoint(names):
            raise StreamFault("a field that is forbidden in trailers")
        return trailers.permitted_lines(names, [*map(line_of, entries)])

    def _read_path(self, block: bytes) -> tuple[Fields, bytes] | None:
        """What a block says that differs from one before in its path alone; None if it is another."""
        before = self._before
        if not before or not block.startswith(before):
            return None
        try:
            path, end = read_string(block, len(before))
        except IndexError:
            # It ends there, which is said where all of it is read.
            return None
        fields = self._by_rest.get(block[end:])
        if fields is None or path == b"*" or PATH_FORM.fullmatch(path) is None:
            # Whether the asterisk may stand there is for the method to say.
            return None
        return fields, path

    def known_by_rest(self, block: bytes) -> RequestHead | None:
        """The head that a block says which differs from one before in its path alone; None if it is another, or
        something is wrong with it.
        """
        before = self._before
        if not before or not block.startswith(before):
            return None
        at = len(before)
        try:
            size = block[at]
            if size < _LONG:
                # The same as reading any string, which is not in the Huffman code.
                at += 1
                end = at + size
                path = block[at:end]
                if len(path) < size:
                    return None
            else:
                path, end = read_string(block, at)
                size = len(path)
            apart, room = self._known_by_rest[block[end:]]
            # In origin form: no other byte is in it than may be.
            if path[0] != _SLASH or size > room or path.translate(IN_PATHS) != path:
                return None
        except (ConnectionFault, IndexError, KeyError):
            return None
        # Its own constructor takes twice as long.
        head = _new(RequestHead)
        head.path = path
        head.method, head.headers, head.authority, head.scheme = apart
        head.body, head.minor, head.keep_alive = 0, _VERSION, True
        return head

    def _read_entries(self, block: bytes) -> list[Entry]:
        """The fields of any block: where it changes the table, what is remembered means nothing any more."""
        reader = self._reader
        entries = reader.read(block)
        if self._changes != reader.changes:
            self._changes = reader.changes
            # Blocks that add to the table are read each time.
            reader.inserted = None
            self._forget()
        return entries

    def _forget(self) -> None:
        self._whole.clear()
        self.known.clear()
        self._by_rest.clear()
        self._known_by_rest.clear()
        self._before = b""
        self._room = _MOST_SIZE

    def _read(self, block: bytes) -> tuple[Fields, bytes]:
        reader = self._reader
        changes = reader.changes
        entries = self._read_entries(block)
        if len(entries) >= MOST_FIELDS or sum(map(size_of, entries)) > self._limits.max_head + OVERHEAD:
            # Nothing is made of it: a field of the table, repeated by a byte each time, would become megabytes.
            said = next((entry[3] for entry in entries if entry[2] == b"content-type"), None)
            raise RequestError("the head is too large", status=431).of_type(said)
        shape = request_shape(bytes(map(kind_of, entries)))
        if shape.fault:
            raise StreamFault(f"a request with {shape.fault}")
        path = entries[shape.path][3] if shape.path != ABSENT else b""
        if changes != reader.changes and not reader.path_at:
            return self._fields_again(entries, shape, path), path
        found = _fields(entries, shape), path
        if changes == reader.changes:
            self._remember(block, found, reader.path_at)
        else:
            found[0].headers.once = True
        return found

    def _fields_again(self, entries: list[Entry], shape: Shape, path: bytes) -> Fields:
        """What a block says that has changed the table, as all do of those who put each path there. From the second in
        a row on that differ in the path alone, these have the same fields.
        """
        at = shape.path
        others = entries[:at] + entries[at + 1 :]
        seen = self._seen
        # One that is to be in no table is equal to one that may be: those with such go on as each has come.
        secret = NeverIndexed in map(type, map(line_of, others))
        again = not secret and seen is not None and seen[0] == at and seen[1] == others and path != b"*"
        fields = seen[2] if again and seen is not None else None
        if fields is None:
            fields = _fields(entries, shape)
            fields.headers.once = not again
            kept = fields.size < _MOST_SEEN and not secret
            self._seen = (at, others, fields if again else None) if kept else None
        return fields

    def _remember(self, block: bytes, found: tuple[Fields, bytes], path_at: int) -> None:
        size = found[0].size + len(found[1])
        if len(self._whole) >= _MOST_REMEMBERED or self._room < size:
            self._forget()
        self._room -= size
        self._whole[block] = found
        fields = found[0]
        apart = fields.method, fields.headers, fields.authority, fields.scheme
        room = self._room_for_path(fields)
        if room >= len(found[1]):
            self.known[block] = KnownRequest(found[1], *apart)
        # Of a target that is not a path, other things are asked.
        if not path_at or found[1][:1] != b"/":
            return
        before = block[:path_at]
        if before != self._before or len(self._by_rest) >= _MOST_REMEMBERED:
            self._before = before
            self._by_rest.clear()
            self._known_by_rest.clear()
        _, end = read_string(block, path_at)
        rest = block[end:]
        self._by_rest[rest] = fields
        if room >= 0:
            self._known_by_rest[rest] = apart, room

    def _room_for_path(self, fields: Fields) -> int:
        """How long the path of a request without a body may be, of which nothing else is to be looked at; less than 0
        if something is.
        """
        limits, headers = self._limits, fields.headers
        if fields.protocol or fields.length > 0 or b"priority" in headers.index:
            return -1
        return -1 if len(headers.lines) > limits.max_fields else min(limits.max_target, limits.max_head - fields.size)


def _too_large(detail: str, status: int, fields: Fields) -> RequestError:
    return RequestError(detail, status=status).of_type(fields.headers.get(b"content-type"))


def _fields(entries: list[Entry], shape: Shape) -> Fields:
    method = entries[shape.method][3]
    authority = _authority(entries, shape)
    scheme = entries[shape.scheme][3] if shape.scheme != ABSENT else b""
    path = entries[shape.path][3] if shape.path != ABSENT else b""
    protocol = entries[shape.protocol][3] if shape.protocol != ABSENT else b""
    _check(method, scheme, authority, path, protocol)
    headers = _headers(entries, shape, authority)
    length = int(entries[shape.length][3]) if shape.length != ABSENT else CHUNKED
    if method == b"CONNECT" and length <= 0:
        # RFC 9110 9.3.6: it has no body, whatever follows.
        length = UNTIL_CLOSE
    # The path is added for each request.
    size = sum(map(size_of, entries)) - len(path) - OVERHEAD
    return Fields(method, headers, authority, scheme, protocol, length, size)


def _authority(entries: list[Entry], shape: Shape) -> bytes:
    """RFC 9113 section 8.3.1: Host, where there is one as well, has to say the same."""
    host = entries[shape.host][3] if shape.host != ABSENT else b""
    if shape.authority == ABSENT:
        return host
    authority = entries[shape.authority][3]
    if host and host.lower() != authority.lower():
        raise StreamFault("Host is another than :authority")
    return authority


def _check(method: bytes, scheme: bytes, authority: bytes, path: bytes, protocol: bytes) -> None:
    if not authority:
        raise StreamFault("a request with no :authority")
    if method == b"CONNECT" and not protocol:
        # RFC 9113 8.5
        if scheme or path:
            raise StreamFault("CONNECT with :scheme or :path")
        if split_authority(authority)[1] is None:
            raise StreamFault("CONNECT without a port")
    elif not (scheme and path):
        raise StreamFault("a request with no :scheme or :path")
    elif protocol and method != b"CONNECT":
        # RFC 8441 4
        raise StreamFault(":protocol without CONNECT")
    elif path == b"*" and method != b"OPTIONS":
        raise StreamFault("the asterisk is a target of OPTIONS alone")


def _headers(entries: list[Entry], shape: Shape, authority: bytes) -> Headers:
    """The fields, with that of Host first, and one Cookie (RFC 9113 section 8.2.3)."""
    fields = entries[shape.first :]
    lines = [*map(line_of, fields)]
    # As tables have them: what is there once for all connections is not made anew.
    index: dict[bytes, bytes] = {} if shape.authority == ABSENT else {b"host": authority}
    index.update(map(name_and_value_of, fields))
    cookies = shape.cookies
    if len(cookies) > 1:
        index[b"cookie"] = joined = b"; ".join([entries[place][3] for place in cookies])
        lines[cookies[0] - shape.first] = b"cookie: " + joined
        for place in reversed(cookies[1:]):
            del lines[place - shape.first]
    if shape.authority != ABSENT:
        if shape.host != ABSENT:
            lines.remove(entries[shape.host][1])
            index[b"host"] = authority
        lines.insert(0, entries[shape.authority][1])
    return Headers.indexed(lines, index)
