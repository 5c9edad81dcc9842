"""Sizes and times of nginx's, as our files have them."""

from __future__ import annotations

import re
from typing import Final

from txproxy.importers.notes import Untranslatable

_UNITS: Final = {
    "y": 31536000, "M": 2592000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "ms": 0.001, "": 1,
}  # fmt: skip
_TIME: Final = re.compile(r"(?:[0-9]+(?:ms|[yMwdhms])?\s*)+")
_PART: Final = re.compile(r"([0-9]+)(ms|[yMwdhms])?")
_SIZE: Final = re.compile(r"([0-9]+)([kKmMgG]?)")
_SIZES: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def seconds(text: str) -> float:
    """A time, as ``1h 30m``; ``Untranslatable`` if it is none."""
    if _TIME.fullmatch(text) is None:
        raise Untranslatable(f"{text or 'nothing'} is no time")
    return sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text))


def duration(text: str) -> str:
    """A time in our words; ``Untranslatable`` if it is none, or no time at all."""
    return duration_of(seconds(text))


def duration_of(number: float) -> str:
    """Seconds as our files have them; ``Untranslatable`` for none."""
    if number <= 0:
        raise Untranslatable("there is no time of 0 here")
    for unit, letter in ((3600, "h"), (60, "m")):
        if number % unit == 0:
            return f"{number / unit:.0f}{letter}"
    return f"{number:.3f}".rstrip("0").rstrip(".") + "s"


def octets(text: str) -> int:
    """A size, as ``8k``; ``Untranslatable`` if it is none."""
    found = _SIZE.fullmatch(text)
    if found is None:
        raise Untranslatable(f"{text or 'nothing'} is no size")
    return int(found[1]) * _SIZES[found[2].lower()]


def size_of(number: int) -> str:
    """Bytes as our files have them."""
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")):
        if number and number % unit == 0:
            return f"{number // unit}{letter}"
    return str(number)


def is_on(text: str) -> bool:
    """``on`` or ``off``; ``Untranslatable`` for anything else."""
    if text.lower() not in ("on", "off"):
        raise Untranslatable(f"{text or 'nothing'} is neither on nor off")
    return text.lower() == "on"
