"""Sizes and times as Squid has them, and as our files do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from txproxy.importers.notes import Untranslatable

_SIZES: Final = {"": 1, "bytes": 1, "b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30}
_TIMES: Final = {
    "millisecond": 0.001, "second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800, "fortnight": 1209600,
    "month": 2592000, "year": 31536000,
}  # fmt: skip


def in_seconds(words: Sequence[str]) -> float:
    """A time: ``5 minutes``, or ``5minutes``."""
    number, unit = (*words, "", "")[:2]
    if not unit:
        match = re.fullmatch(r"([0-9.]+)([A-Za-z]*)", number)
        number, unit = match.groups() if match is not None else ("", "")
    try:
        return float(number) * _TIMES[unit.lower().removesuffix("s") or "second"]
    except (ValueError, KeyError):
        raise Untranslatable(f"{' '.join(words)} is no time") from None


def seconds_text(seconds: float) -> str:
    """A time as our files have it; empty for none."""
    for unit, letter in ((3600, "h"), (60, "m")):
        if seconds and seconds % unit == 0:
            return f"{seconds / unit:.0f}{letter}"
    return f"{seconds:.3f}".rstrip("0").rstrip(".") + "s" if seconds >= 0.001 else ""


def in_bytes(words: Sequence[str]) -> int:
    """A size: ``5 MB``."""
    number, unit = (*words, "", "")[:2]
    if not number.isdigit() or unit.lower() not in _SIZES:
        raise Untranslatable(f"{' '.join(words)} is no size")
    return int(number) * _SIZES[unit.lower()]


def size_text(size: int) -> str:
    """A size as our files have it."""
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k")):
        if size and size % unit == 0:
            return f"{size // unit}{letter}"
    return str(size)
