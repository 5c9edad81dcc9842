"""A format that somebody has written: nginx's ``$names`` and the percent codes of Apache and Squid, in one text."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from enum import Enum
from typing import Final, TypeAlias

from txproxy.components.values import hint, shown
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.observe.log_formats.escaping import Escape, as_url, in_brackets, in_json, one_word, quoted
from txproxy.observe.log_formats.log_field import LogField
from txproxy.observe.log_formats.nginx_names import FAMILIES
from txproxy.observe.log_formats.percent_codes import Worded

_NAME: Final = re.compile(r"\$(?:\{([A-Za-z0-9_]+)\}|([A-Za-z_][A-Za-z0-9_]*))")
# how to quote, a width as in C, and words in braces
_PERCENT: Final = re.compile(r"""%(["\[#/])?(-?0?(?:[1-9][0-9]{0,2})?(?:\.[0-9]{1,3})?)(?:\{([^{}]*)\})?""")
_BRACES: Final = re.compile(r"\{([^{}]*)\}")
_CODE_LIKE: Final = re.compile(r"[<>]?[A-Za-z][A-Za-z:_>]*")
_ESCAPE_SETTING: Final = re.compile(r"escape=(\S+)\s+")
_ESCAPED: Final = {"%%": "%", "\\\\": "\\", '\\"': '"', "\\'": "'", "\\t": "\t"}
# Squid's signs for how a value is to be quoted: '/' is for shells, and there is no raw one here.
_QUOTING: Final[dict[str, Escape]] = {'"': quoted, "[": in_brackets, "#": as_url, "/": one_word}
# Formats that are no text of fields.
WORDS: Final = ("combined", "squid", "json")
_ACCEPTED: Final = f"accepted are {', '.join(WORDS)}, or a text with $names or %codes in it"


class Within(Enum):
    """What something stands in."""

    NEITHER = "neither"
    QUOTES = "quotes"
    BRACKETS = "brackets"


_OPENS: Final = {'"': Within.QUOTES, "[": Within.BRACKETS, "]": Within.NEITHER}
# where Squid looks at what a value stands in
_IN_PLACE: Final = {Within.QUOTES: quoted, Within.BRACKETS: in_brackets}


@frozen
class Placed:
    """A ``field`` at its place. ``form`` is what a width makes of it (``b"06"``), ``escape`` what its place does."""

    field: LogField
    escape: Escape
    form: bytes = b""


Piece: TypeAlias = "bytes | Placed"


@frozen
class FormatText:
    """What was written: literal text and fields in turn, and what stands for a value that is not known. ``named`` are
    the names in it.
    """

    pieces: tuple[Piece, ...]
    missing: bytes
    named: frozenset[str]


class _Pieces:
    """What was read so far: literal text and fields in turn."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self.within = Within.NEITHER
        self._run: list[str] = []

    def add(self, sign: str) -> None:
        """A sign that stands for itself."""
        self._run.append(sign)
        if self.within is Within.QUOTES:
            self.within = Within.NEITHER if sign == '"' else Within.QUOTES
        else:
            self.within = _OPENS.get(sign, self.within)

    def put(self, placed: Placed) -> None:
        """A field."""
        self._end_run()
        self.pieces.append(placed)

    def done(self) -> tuple[Piece, ...]:
        """All of them."""
        self._end_run()
        return tuple(self.pieces)

    def _end_run(self) -> None:
        if self._run:
            self.pieces.append("".join(self._run).encode("utf-8", "surrogateescape"))
            self._run = []


class FormatReader:
    """Reads texts with these ``names``, ``codes`` and codes with words in braces (``worded``)."""

    def __init__(
        self, names: Mapping[str, LogField], codes: Mapping[str, LogField], worded: Mapping[str, Worded]
    ) -> None:
        self._names = names
        self._codes = codes
        self._worded = worded
        # The longest first: %ts is none of %t.
        self._all_codes = sorted((*codes, *worded), key=len, reverse=True)

    def read(self, text: str) -> FormatText:
        """What ``text`` means; ``ConfigError`` says what in it is not known."""
        escape: Escape | None = None
        setting = _ESCAPE_SETTING.match(text)
        at = 0
        if setting is not None:
            escape = _escape_of(setting[1])
            at = setting.end()
        pieces = _Pieces()
        named: set[str] = set()
        while at < len(text):
            sign = text[at]
            if sign == "$" and (match := _NAME.match(text, at)) is not None:
                name = match[1] or match[2]
                named.add(name)
                pieces.put(Placed(self._of_name(name), escape or quoted))
                at = match.end()
            elif sign == "%" and not text.startswith("%%", at):
                placed, at = self._of_code(text, at, escape, pieces.within)
                pieces.put(placed)
            elif sign in "\\%":
                pieces.add(_unescaped(text[at : at + 2]))
                at += 2
            else:
                pieces.add(sign)
                at += 1
        found = pieces.done()
        if not any(isinstance(piece, Placed) for piece in found):
            raise ConfigError(f"{shown(text)} says nothing of a request{hint(text, WORDS)}", _ACCEPTED)
        return FormatText(found, b"" if escape is in_json else b"-", frozenset(named))

    def _of_name(self, name: str) -> LogField:
        field = self._names.get(name)
        if field is not None:
            return field
        for prefix, make in FAMILIES.items():
            if name.startswith(prefix) and name != prefix:
                return make(name[len(prefix) :])
        known = [*self._names, *(f"{prefix}NAME" for prefix in FAMILIES)]
        raise _unknown("$", name, known)

    def _of_code(self, text: str, at: int, escape: Escape | None, within: Within) -> tuple[Placed, int]:
        """The field of the code that begins ``at``, and where that ends."""
        begun = _PERCENT.match(text, at)
        assert begun is not None
        quote, form, word = begun.groups()
        end = begun.end()
        code = next((one for one in self._all_codes if text.startswith(one, end)), "")
        if not code:
            given = _CODE_LIKE.match(text, end)
            if given is None:
                what = shown(text[at : at + 10])
                raise ConfigError(f"{what}: there is no code after the %", "accepted is %% for a percent sign")
            raise _unknown("%", given[0], [*self._codes, *self._worded])
        field, end = self._field(text, code, word, end + len(code))
        if escape is None:
            # What Apache has is escaped in one way, wherever it stands.
            by_place = within is not Within.NEITHER and field.escape is not quoted
            escape = _IN_PLACE[within] if by_place else field.escape
            escape = _QUOTING[quote] if quote else escape
        return Placed(field, escape, form.encode("ascii")), end

    def _field(self, text: str, code: str, word: str | None, end: int) -> tuple[LogField, int]:
        if code not in self._worded:
            if word is not None:
                raise ConfigError(f"%{{{word}}}{code}: %{code} takes nothing in braces", f"accepted is %{code}")
            return self._codes[code], end
        if word is None and (after := _BRACES.match(text, end)) is not None and code[0] in "<>":
            # Squid's own way to write it since version 5
            word, end = after[1], after.end()
        make, otherwise = self._worded[code]
        if word is None:
            word = otherwise
        if word is None:
            raise ConfigError(f"%{code} needs a name in braces", f"accepted is %{{NAME}}{code}")
        return make(word), end


def _escape_of(word: str) -> Escape:
    if word == "json":
        return in_json
    if word == "default":
        return quoted
    raise ConfigError(f"escape={word} is not known", "accepted are escape=default and escape=json")


def _unescaped(pair: str) -> str:
    if pair not in _ESCAPED:
        raise ConfigError(f"{pair!r} stands for nothing", r"accepted are \\, \", \\' and \\t")
    return _ESCAPED[pair]


def _unknown(sign: str, name: str, known: list[str]) -> ConfigError:
    near = get_close_matches(name, known, 5, 0.5) or sorted(one for one in known if one[:1] == name[:1])[:12]
    listed = ", ".join(f"{sign}{one}" for one in near or known[:12])
    return ConfigError(f"{sign}{name} is not known", f"accepted are {listed} and others")
