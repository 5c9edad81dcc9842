"""Field sections that repeat but for a few values: a request's identifier, a cookie, a date.

A template is what two sections have in common that differ in values alone: whole lines, and the names of the others. A
section that it fits needs no more than a comparison of bytes for the one, and a look at the other's values. It reads
what the grammar's plain pattern and :meth:`Headers.parsed` would, which are its slow twins, and knows nothing that they
have not found before: where it does not fit, they are asked.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import ne
from typing import Final

from txproxy.wire import grammar
from txproxy.wire.headers import Form, Headers, Picking

# What is longer is read as if it were the first: a template costs its size twice as long as the connection lasts.
LONGEST: Final = 8192
# So many values may differ. Each costs as much as two lines that are read anew.
_MOST_VALUES: Final = 8
# So often a connection's template may be made anew before it has paid for that, as one does that has fitted so often.
_MOST_LESSONS: Final = 32
_WORTHWHILE: Final = 16

# A section with another value of one of these is another: they say what becomes of other fields, or of the message.
FIXED_IN_REQUESTS: Final = frozenset(
    b"connection content-length host max-forwards te transfer-encoding upgrade".split()
)
# A length says nothing of other fields.
FIXED_IN_RESPONSES: Final = frozenset(b"connection transfer-encoding".split())


_new: Final = object.__new__
# These are found for each head.
_match_value: Final = grammar.PLAIN_VALUE.match


class FieldTemplate:
    """A plain field section of HTTP/1, but for the values at ``places`` of its ``lines``; that of ``headers`` is one of
    those that it fits.

    ``end`` is where the section ended that was read last, ``used`` how many it has read, ``form`` theirs, and ``known``
    what its owner has found to be so for each.
    """

    __slots__ = (
        "lines", "places", "lessons", "used", "known", "form", "end", "_parts", "_last", "_index", "_names", "_length",
        "_length_place", "_onward", "_which",
    )  # fmt: skip

    def __init__(self, headers: Headers, places: Iterable[int], lessons: int = 1, form: Form | None = None) -> None:
        self.lines = lines = headers.lines
        self.places = frozenset(places)
        self.lessons = lessons
        self.used = 0
        self.known: tuple[bytes, bytes] | None = None
        self._index = index = headers.index
        self.form = headers.form = form or Form(index)
        self.end = 0
        parts = []
        names = {}
        begin = b"\r\n"
        for place, line in enumerate(lines):
            if place in self.places:
                name = line[: line.index(b": ")]
                begin += name + b": "
                parts.append((begin, len(begin)))
                names[place] = name
                begin = b"\r\n"
            else:
                begin += line + b"\r\n"
        self._parts = tuple(parts)
        # of the lines with those values, by their places
        self._names = names
        lengths = [number for number, name in enumerate(names.values()) if name.lower() == b"content-length"]
        self._length = index.get(b"content-length")
        self._length_place = lengths[0] if lengths else -1
        # what gives the block of those that are not for one hop, once that was found for the form
        self._onward: bytes | None = None
        self._which: Picking | None = None
        # There is one more end of line after the last line.
        last = (b"\r\n" + begin) if len(lines) - 1 in self.places else begin + b"\r\n"
        self._last = last, len(last)

    def read(self, buffer: bytes, at: int) -> Headers | None:
        """The fields whose section, with the empty line after it, is there in ``buffer``; None if it is another, or not
        complete.
        """
        values: tuple[bytes, ...] = ()
        for begin, size in self._parts:
            if not buffer.startswith(begin, at):
                return None
            value = _match_value(buffer, at + size)
            if value is None:
                return None
            values = (*values, value[0])
            at = value.end()
        last, size = self._last
        if not buffer.startswith(last, at):
            return None
        self.end = at + size
        self.used += 1
        headers = _new(Headers)
        headers.template = self
        headers.values = values
        place = self._length_place
        headers.content_length = self._length if place < 0 else values[place]
        headers.form = form = self.form
        pick = form.onward
        if pick is None:
            headers.onward = None
            return headers
        headers.names_server = form.names_server
        text = self._onward
        if text is None:
            text, self._which = self.written(pick)
            self._onward = text
        headers.onward = onward = _new(Headers)
        onward.block = text % (values if self._which is None else self._which(values))
        onward.template = None
        onward.tells_of_caches = form.tells_of_caches
        if not text:
            onward.lines = []
        return headers

    def lines_of(self, values: tuple[bytes, ...]) -> list[bytes]:
        """See :class:`txproxy.wire.headers.Template`."""
        lines = self.lines.copy()
        for (place, name), value in zip(self._names.items(), values, strict=True):
            lines[place] = name + b": " + value
        return lines

    def index_of(self, values: tuple[bytes, ...]) -> dict[bytes, bytes]:
        """See :class:`txproxy.wire.headers.Template`."""
        index = self._index.copy()
        for name, value in zip(self._names.values(), values, strict=True):
            index[name.lower()] = value
        return index

    def differ_in(self, names: Iterable[bytes]) -> bool:
        """See :class:`txproxy.wire.headers.Template`."""
        return not {name.lower() for name in self._names.values()}.isdisjoint(names)

    def written(self, pick: Picking) -> tuple[bytes, Picking | None]:
        """See :class:`txproxy.wire.headers.Template`."""
        known = [*self._names]
        texts, which = [], []
        for place in pick(range(len(self.lines))):
            if place in self._names:
                texts.append(self._names[place].replace(b"%", b"%%") + b": %b")
                which.append(known.index(place))
            else:
                texts.append(self.lines[place].replace(b"%", b"%%"))
        if which == [*range(len(known))]:
            return b"\r\n".join(texts), None
        return b"\r\n".join(texts), lambda values: tuple([values[number] for number in which])


def learned(
    template: FieldTemplate | None, before: Headers, headers: Headers, fixed: frozenset[bytes]
) -> FieldTemplate | None:
    """The template for sections like that of ``headers``, which the ``template`` so far does not fit, and like that
    ``before``. What they have in common says ``fixed`` of which fields it has to be the values.
    """
    lessons = 0
    if template is not None:
        lessons = template.lessons
        places = _differing(template.lines, headers, fixed)
        if places is not None and template.used >= _WORTHWHILE:
            # A date, most likely: it will be the same for a while.
            return _anew(template, headers, template.places, lessons)
        if lessons == _MOST_LESSONS:
            return template
        if places is not None and len(places | template.places) <= _MOST_VALUES:
            return _anew(template, headers, places | template.places, lessons + 1)
    places = _differing(before.lines, headers, fixed)
    if places is not None:
        return FieldTemplate(headers, places, lessons + 1)
    return template


def _anew(template: FieldTemplate, headers: Headers, places: Iterable[int], lessons: int) -> FieldTemplate:
    """One for ``headers`` that differ from others of the ``template``'s form in values alone."""
    made = FieldTemplate(headers, places, lessons, template.form)
    made.known = template.known
    return made


def _differing(known: list[bytes], headers: Headers, fixed: frozenset[bytes]) -> set[int] | None:
    """Which lines of ``headers`` have other values than the ``known``; None if that is not all in which they differ, or
    if they are too many.
    """
    lines = headers.lines
    if len(known) != len(lines) or sum(map(ne, known, lines)) > _MOST_VALUES:
        return None
    places = set()
    index = headers.index
    for place, line in enumerate(lines):
        other = known[place]
        if line != other:
            name, _, value = line.partition(b": ")
            if other.partition(b": ")[0] != name:
                return None
            name = name.lower()
            # The values of a name that is there twice are one in the index.
            if name in fixed or index[name] != value:
                return None
            places.add(place)
    return places
