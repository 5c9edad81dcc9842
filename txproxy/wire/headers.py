"""Header fields: order, case and duplicates survive; look-up is by lower-case name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias, cast

from txproxy.wire import grammar

_new: Final = object.__new__
# What is in no repr, and so in no traceback.
_SECRET: Final = frozenset({b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"})
# What may have a server's own address in it.
SERVER_NAMING: Final = frozenset({b"location", b"content-location", b"refresh", b"set-cookie"})


# Takes some of the lines of fields, or of what else there is one of for each.
Picking: TypeAlias = "Callable[[Sequence[Any]], Sequence[Any]]"


class Form:
    """What fields have in common that came one after another on a connection and differ in values alone: their names,
    in order, and the values of those that say what becomes of others. What was found for one of a form holds for all.

    ``index`` is that of one of them, whose names are those of all. ``onward`` takes from their lines those that are not
    for one hop, and ``names_server`` and ``tells_of_caches`` are what they are for each; None and no matter until that
    was found.
    """

    __slots__ = ("index", "onward", "names_server", "tells_of_caches")

    def __init__(self, index: dict[bytes, bytes]) -> None:
        self.index = index
        self.onward: Picking | None = None
        self.names_server = self.tells_of_caches = False


class Template(Protocol):
    """What fields have in common that differ in some values alone (:mod:`txproxy.wire.http1.field_template`)."""

    def lines_of(self, values: tuple[bytes, ...]) -> list[bytes]:
        """The lines of those that have these values."""

    def index_of(self, values: tuple[bytes, ...]) -> dict[bytes, bytes]:
        """Their index."""

    def differ_in(self, names: Iterable[bytes]) -> bool:
        """Whether they may have other values of one of these lower-case ``names``."""

    def written(self, pick: Picking) -> tuple[bytes, Picking | None]:
        """What gives the block of their lines that ``pick`` takes, by ``%``, and what takes the values for that; None
        where it is all of them.
        """


class Headers:
    """The fields of one head or trailer section (RFC 9110 section 5). It is a value: each change is a new one, and one
    may stand for the same fields of many messages.

    It keeps whole lines (``b"Name: value"``), since most of them are forwarded as they came, and an index from
    lower-case name to value. Values of a repeated name are joined with ``b", "`` in the index (RFC 9110 section 5.2),
    so that a repeated ``Host`` or ``Content-Length`` can satisfy no grammar of a single one; ``get_all`` and
    iteration keep them apart.

    ``Headers([(b"Name", b"value")])`` checks names and values; a wrong one is a ``ValueError``.
    """

    __slots__ = (
        "lines", "index", "block", "form", "onward", "names_server", "tells_of_caches", "content_length", "template",
        "values", "field_block", "around", "request_id", "once",
    )  # fmt: skip

    lines: list[bytes]
    index: dict[bytes, bytes]
    block: bytes
    # None for fields that have it to themselves
    form: Form | None
    # the same without what is for one hop, for whoever has parsed it
    onward: Headers | None
    # whether the server may speak of its own address in them
    names_server: bool
    # whether a cache on the way has said in them what it has done (RFC 9211)
    tells_of_caches: bool
    # the value of that field, or None
    content_length: bytes | None
    # what has read them, and the values that it is these by; None where lines or a block are there
    template: Template | None
    values: tuple[bytes, ...]
    # the same as a field block of HTTP/2, for whoever has written one; None before
    field_block: bytes | None
    # the value of X-Request-Id, or None
    request_id: bytes | None
    # what is written around the number of the stream for a whole message of HTTP/2 that has these, after all else that
    # it hangs on: of a response the status and the size of its body, of a request scheme, path and method; None before
    around: Any
    # whether who has read them knows that they are not those of another request: the same bytes would mean others
    once: bool

    def __init__(self, fields: Iterable[tuple[bytes, bytes]] = ()) -> None:
        lines = []
        for name, value in fields:
            if not grammar.TOKEN.fullmatch(name):
                raise ValueError(f"not a field name: {name!r}")
            if not grammar.FIELD_VALUE.fullmatch(value):
                raise ValueError(f"not a field value: {value!r}")
            lines.append(name + b": " + value)
        self.lines = lines

    @staticmethod
    def from_lines(lines: list[bytes]) -> Headers:
        """Headers of lines that are known to be well formed: ``name: value``, no space around the value."""
        self = _new(Headers)
        self.lines = lines
        return self

    @staticmethod
    def parsed(lines: list[bytes]) -> Headers:
        """The same, indexed at once, for those that will be looked into."""
        self = _new(Headers)
        self.lines = lines
        self.form = self.onward = None
        index: dict[bytes, bytes] = {}
        for line in lines:
            name, _, value = line.partition(b": ")
            index[name.lower()] = value
        self.index = index if len(index) == len(lines) else _joined(lines)
        return self

    @staticmethod
    def indexed(lines: list[bytes], index: dict[bytes, bytes]) -> Headers:
        """What :meth:`parsed` would make of ``lines``, by who has found their lower-case names and values as well: the
        last one of each name that is repeated.
        """
        self = _new(Headers)
        self.lines = lines
        self.form = self.onward = None
        self.once = False
        self.index = index if len(index) == len(lines) else _joined(lines)
        return self

    def goes_on(self, lines: list[bytes]) -> Headers:
        """Remember that these are its ``lines`` that are not for one hop; gives them."""
        self.onward = onward = Headers.from_lines(lines)
        onward.tells_of_caches = tells = b"cache-status" in self.index
        form = self.form
        if form is not None and form.onward is None:
            form.onward = picking(self.lines, lines)
            form.names_server = self.names_server
            form.tells_of_caches = tells
        return onward

    def and_lines(self, lines: Iterable[bytes]) -> Headers:
        """The same with these ``lines`` after its own, to be sent."""
        block = self.block
        return Headers.of_block(b"\r\n".join((block, *lines) if block else lines))

    @staticmethod
    def of_block(block: bytes) -> Headers:
        """Headers of such lines that were joined already."""
        self = _new(Headers)
        self.block = block
        self.template = None
        return self

    def __getattr__(self, name: str) -> Any:
        # Reached only while the slot is empty: heads that are only sent are never indexed, and those that are only
        # read are never joined.
        if name == "lines":
            template = self.template
            self.lines = lines = self.block.split(b"\r\n") if template is None else template.lines_of(self.values)
            return lines
        if name == "index":
            template = self.template
            self.index = index = (
                Headers.parsed(self.lines).index if template is None else template.index_of(self.values)
            )
            return index
        if name == "block":
            self.block = block = b"\r\n".join(self.lines)
            return block
        if name == "names_server":
            self.names_server = names = not SERVER_NAMING.isdisjoint(self.index)
            return names
        if name == "tells_of_caches":
            self.tells_of_caches = tells = b"cache-status" in self.index
            return tells
        if name == "form":
            self.form = None
            return None
        if name == "template":
            self.template = None
            return None
        if name == "content_length":
            self.content_length = length = self.index.get(b"content-length")
            return length
        if name == "request_id":
            # Most have none, and their blocks are there: they need no index for it.
            has_one = b"x-request-id" in self.block.lower()
            self.request_id = identifier = self.index.get(b"x-request-id") if has_one else None
            return identifier
        if name == "field_block":
            self.field_block = None
            return None
        if name == "around":
            self.around = None
            return None
        if name == "once":
            self.once = False
            return False
        raise AttributeError(name)

    def get(self, name: bytes) -> bytes | None:
        """The value under a lower-case ``name``, repeated ones joined with ``b", "``; or None."""
        return self.index.get(name)

    def get_all(self, name: bytes) -> list[bytes]:
        """Each value under a lower-case ``name``, in order."""
        return [value for other, value in self if other.lower() == name]

    def tokens(self, name: bytes) -> list[bytes]:
        """The members of a comma-separated list under a lower-case ``name``, in lower case (RFC 9110 section 5.6.1)."""
        value = self.index.get(name)
        if value is None:
            return []
        return [token for item in value.lower().split(b",") if (token := item.strip(b" \t"))]

    def with_one(self, name: bytes, value: bytes) -> Headers:
        """The same with a single field of a lower-case ``name`` that is there, where its first one is."""
        names = list(self.names())
        place = names.index(name)
        lines = [line for line, other in zip(self.lines, names, strict=True) if other != name]
        lines.insert(place, self.lines[place].partition(b":")[0] + b": " + value)
        return Headers.parsed(lines)

    def names(self) -> Iterable[bytes]:
        """The lower-case name of each line, in order, repeated where the line is."""
        if len(self.index) == len(self.lines):
            return self.index
        return [line.partition(b":")[0].lower() for line in self.lines]

    def __contains__(self, name: object) -> bool:
        return name in self.index

    def __len__(self) -> int:
        return len(self.lines)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        for line in self.lines:
            name, _, value = line.partition(b":")
            yield name, value.strip(b" \t")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Headers) and self.lines == other.lines

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = [(name, b"..." if name.lower() in _SECRET else value) for name, value in self]
        return f"Headers({shown!r})"


def picking(lines: list[bytes], kept: list[bytes]) -> Picking:
    """What takes from the lines of others of a form those that were ``kept``, in order, of its ``lines``."""
    numbers = {id(line): place for place, line in enumerate(lines)}
    places = [numbers[id(line)] for line in kept]
    first = places[0] if places else 0
    if places == list(range(first, first + len(places))):
        return cast(Picking, itemgetter(slice(first, first + len(places))))
    return cast(Picking, itemgetter(*places))


def _joined(lines: list[bytes]) -> dict[bytes, bytes]:
    index: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b": ")
        name = name.lower()
        index[name] = index[name] + b", " + value if name in index else value
    return index


def normal_lines(block: bytes) -> list[bytes]:
    """The lines of a well-formed ``block`` (CRLF between them) with optional white space made plain."""
    lines = []
    for line in block.split(b"\r\n"):
        if line:
            name, _, value = line.partition(b":")
            lines.append(name.rstrip(b" \t") + b": " + value.strip(b" \t"))
    return lines
