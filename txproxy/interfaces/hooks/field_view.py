"""Fields of a head as texts, to be read and changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from txproxy.wire import grammar
from txproxy.wire.forwarding import HOP_BY_HOP
from txproxy.wire.headers import Headers

# Where a message ends, what is between two hops, and to whom it goes, is for the proxy alone to say.
_OWN: Final = HOP_BY_HOP | {b"content-length", b"trailer", b"host"}


class Fields:
    """The fields of one head, which take any case of their names. A value that is no UTF-8 has surrogate escapes.

    A name or a value that can be none is a ``ValueError``, and so is a change of one that says where a message ends, or
    to whom it goes (``Host``, ``Content-Length``, ``Connection`` and their like): those are the proxy's own to say.
    """

    __slots__ = ("_lines", "changed")

    def __init__(self, headers: Headers) -> None:
        self._lines = headers.lines
        # whether anything was
        self.changed = False

    @property
    def lines(self) -> list[bytes]:
        """Them all, as they go out."""
        return self._lines

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of a field; those of one that is repeated are joined with ``", "``."""
        values = self.get_all(name)
        return ", ".join(values) if values else default

    def get_all(self, name: str) -> list[str]:
        """Each value of a field, in order."""
        wanted = name.lower()
        return [value for other, value in self if other.lower() == wanted]

    def set(self, name: str, value: str) -> None:
        """One field of that name, in place of all that there are."""
        line = _line(name, value)
        self._lines = [*self._without(name), line]
        self.changed = True

    def add(self, name: str, value: str) -> None:
        """One more."""
        self._lines = [*self._lines, _line(name, value)]
        self.changed = True

    def remove(self, name: str) -> None:
        """None of that name, be there one or not."""
        _name(name)
        kept = self._without(name)
        if len(kept) != len(self._lines):
            self._lines, self.changed = kept, True

    def _without(self, name: str) -> list[bytes]:
        gone = name.lower().encode("ascii", "replace")
        return [line for line in self._lines if line.partition(b":")[0].lower() != gone]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self.get_all(name))

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self._lines:
            name, _, value = line.partition(b":")
            yield name.decode("ascii"), value.strip(b" \t").decode("utf-8", "surrogateescape")

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        # Values may be secrets.
        return f"Fields({[name for name, _ in self]})"


def _name(name: str) -> bytes:
    given = name.encode("ascii", "replace")
    if not grammar.TOKEN.fullmatch(given):
        raise ValueError(f"not a field name: {name!r}")
    if given.lower() in _OWN:
        raise ValueError(f"{name} is the proxy's own to say")
    return given


def _line(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    if not grammar.FIELD_VALUE.fullmatch(data):
        raise ValueError(f"not a value of {name}: control characters, or space at its ends")
    return _name(name) + b": " + data
