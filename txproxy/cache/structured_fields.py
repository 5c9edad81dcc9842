"""Structured fields (RFC 9651): dictionaries and lists, read as strictly as section 4.2 has it.

Parameters are checked and left out, as nothing here asks for any. Values are those of Python where there is one: int,
float (a Decimal), bool, str (a String), bytes (a Byte Sequence), tuple (an Inner List); the others have a class.
"""

from __future__ import annotations

import binascii
import re
from typing import Final, NamedTuple, TypeAlias


class Token(NamedTuple):
    """A Token (section 3.3.4)."""

    name: str


class Date(NamedTuple):
    """A Date (section 3.3.7)."""

    seconds: int


class DisplayString(NamedTuple):
    """A Display String (section 3.3.8)."""

    text: str


BareItem: TypeAlias = "int | float | bool | str | bytes | Token | Date | DisplayString"
Member: TypeAlias = "BareItem | tuple[BareItem, ...]"

_KEY: Final = re.compile(rb"[a-z*][a-z0-9_\-.*]*")
_NUMBER: Final = re.compile(rb"-?[0-9]+(\.[0-9]*)?")
_STRING: Final = re.compile(rb'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_ESCAPED: Final = re.compile(rb"\\(.)")
_TOKEN: Final = re.compile(rb"[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*")
_BYTES: Final = re.compile(rb":([A-Za-z0-9+/]*)=*:")
_BOOLEAN: Final = re.compile(rb"\?([01])")
_DISPLAY: Final = re.compile(rb'%"((?:[\x20\x21\x23\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_PERCENT: Final = re.compile(rb"%(..)")
_SPACE: Final = re.compile(rb" *")
_OPTIONAL_SPACE: Final = re.compile(rb"[ \t]*")

# Sections 4.2.4: so many digits has an integer, and before and after the point of a decimal.
_INTEGER_DIGITS: Final = 15
_WHOLE_DIGITS: Final = 12
_FRACTION_DIGITS: Final = 3


class _Wrong(Exception):
    """The field is none: parsing fails as a whole."""


def dictionary(value: bytes) -> dict[bytes, Member] | None:
    """A Dictionary (section 4.2.2) of all lines of a field, which are joined with commas; None if it is none."""
    members: dict[bytes, Member] = {}
    at = _after(_SPACE, value, 0)
    try:
        while at < len(value):
            match = _matched(_KEY, value, at)
            key, at = match[0], match.end()
            if value[at : at + 1] == b"=":
                member, at = _member(value, at + 1)
            else:
                member, at = True, _parameters(value, at)
            # The last one of a name counts, and stands where it is.
            members.pop(key, None)
            members[key] = member
            at = _next(value, at)
    except _Wrong:
        return None
    return members


def item_list(value: bytes) -> list[Member] | None:
    """A List (section 4.2.1) of all lines of a field, which are joined with commas; None if it is none."""
    members = []
    at = _after(_SPACE, value, 0)
    try:
        while at < len(value):
            member, at = _member(value, at)
            members.append(member)
            at = _next(value, at)
    except _Wrong:
        return None
    return members


def _next(value: bytes, at: int) -> int:
    """Where the next member begins; the end if there is none."""
    end = _after(_OPTIONAL_SPACE, value, at)
    if end == len(value):
        return end
    if value[end] != ord(","):
        raise _Wrong
    start = _after(_OPTIONAL_SPACE, value, end + 1)
    if start == len(value):
        raise _Wrong
    return start


def _member(value: bytes, at: int) -> tuple[Member, int]:
    """A member, without its parameters, and where it ends."""
    if value[at : at + 1] != b"(":
        return _item(value, at)
    items = []
    at = _after(_SPACE, value, at + 1)
    while value[at : at + 1] != b")":
        item, at = _item(value, at)
        items.append(item)
        after = _after(_SPACE, value, at)
        if after == at and value[at : at + 1] != b")":
            raise _Wrong
        at = after
    return tuple(items), _parameters(value, at + 1)


def _item(value: bytes, at: int) -> tuple[BareItem, int]:
    item, at = _bare_item(value, at)
    return item, _parameters(value, at)


def _parameters(value: bytes, at: int) -> int:
    """Where the parameters that begin here end (section 4.2.3.2)."""
    while value[at : at + 1] == b";":
        at = _matched(_KEY, value, _after(_SPACE, value, at + 1)).end()
        if value[at : at + 1] == b"=":
            _, at = _bare_item(value, at + 1)
    return at


def _bare_item(value: bytes, at: int) -> tuple[BareItem, int]:
    """An item (section 4.2.3.1), and where it ends."""
    first = value[at : at + 1]
    if first.isdigit() or first == b"-":
        return _number(value, at)
    if first == b'"':
        match = _matched(_STRING, value, at)
        return _ESCAPED.sub(rb"\1", match[1]).decode("ascii"), match.end()
    if first == b"?":
        match = _matched(_BOOLEAN, value, at)
        return match[1] == b"1", match.end()
    if first == b":":
        match = _matched(_BYTES, value, at)
        return _octets(match[1]), match.end()
    if first == b"@":
        number, at = _number(value, at + 1)
        if isinstance(number, float):
            raise _Wrong
        return Date(number), at
    if first == b"%":
        match = _matched(_DISPLAY, value, at)
        return DisplayString(_displayed(match[1])), match.end()
    match = _matched(_TOKEN, value, at)
    return Token(match[0].decode("ascii")), match.end()


def _number(value: bytes, at: int) -> tuple[int | float, int]:
    match = _matched(_NUMBER, value, at)
    whole, point, fraction = match[0].lstrip(b"-").partition(b".")
    if not point:
        if len(whole) > _INTEGER_DIGITS:
            raise _Wrong
        return int(match[0]), match.end()
    if len(whole) > _WHOLE_DIGITS or not 1 <= len(fraction) <= _FRACTION_DIGITS:
        raise _Wrong
    return float(match[0]), match.end()


def _octets(value: bytes) -> bytes:
    try:
        # Section 4.2.7: missing padding is no fault.
        return binascii.a2b_base64(value + b"=" * (-len(value) % 4))
    except binascii.Error:
        raise _Wrong from None


def _displayed(value: bytes) -> str:
    try:
        return _PERCENT.sub(lambda match: bytes([int(match[1], 16)]), value).decode("utf-8")
    except UnicodeDecodeError:
        raise _Wrong from None


def _matched(pattern: re.Pattern[bytes], value: bytes, at: int) -> re.Match[bytes]:
    match = pattern.match(value, at)
    if match is None:
        raise _Wrong
    return match


def _after(pattern: re.Pattern[bytes], value: bytes, at: int) -> int:
    match = pattern.match(value, at)
    return match.end() if match is not None else at
