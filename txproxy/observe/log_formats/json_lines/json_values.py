"""How values stand in a line of JSON."""

from __future__ import annotations

from json.encoder import encode_basestring_ascii
from math import floor
from typing import Final

# numbers with three digits
THREE: Final = tuple(f"{number:03d}" for number in range(1000))
FIRST_BYTE: Final = ',"first_byte":'
# Durations of fewer millionths of a second are kept as they are written: those of most small requests.
_KEPT: Final = 4096


def json_bytes(value: bytes | None) -> str:
    """What is no UTF-8 is shown as it is written in Python."""
    return "null" if value is None else encode_basestring_ascii(value.decode("utf-8", "backslashreplace"))


def json_text(value: str | None) -> str:
    """An empty one is none."""
    return encode_basestring_ascii(value) if value else "null"


def json_number(value: int | None) -> str:
    """A whole number, or none."""
    return "null" if value is None else str(value)


def json_flag(value: bool) -> str:
    """Whether it is so."""
    return "true" if value else "false"


def json_seconds(value: float | None) -> str:
    """With six digits after the point."""
    return "null" if value is None else _micros(floor(value * 1e6 + 0.5))


def _micros(micros: int) -> str:
    """So many millionths."""
    if micros <= 0:
        return "0.000000"
    if micros < 1000000:
        return f"0.{THREE[micros // 1000]}{THREE[micros % 1000]}"
    return f"{micros // 1000000}.{micros % 1000000:06d}"


class AtOnce(list["bytes | None"]):
    """The durations of exchanges whose responses have begun and ended at once, with when they began, as lines have
    them, by millionths of a second: those that are None are still to be made, by :meth:`made`.
    """

    def __init__(self) -> None:
        super().__init__([None] * _KEPT)

    def made(self, micros: int) -> bytes:
        """That of so many, which is kept if there is a place for it."""
        text = _micros(micros)
        both = f"{text}{FIRST_BYTE}{text}".encode("ascii")
        if 0 <= micros < _KEPT:
            self[micros] = both
        return both
