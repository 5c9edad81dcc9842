"""Ports and sets of them: one grammar for what may be reached, rules, exceptions and URL patterns, in all modes.

A port is a number from 1 to 65535, of at most five digits, and a range is two of them (``8000-8999``). Port 0 is none:
only who listens may name it, for any that is free.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from txproxy.errors import ConfigError

PortRange: TypeAlias = "tuple[int, int]"
"""The first and the last of some ports."""

HIGHEST: Final = 65535

_PORT: Final = re.compile(r"[0-9]{1,5}")
_ACCEPTED: Final = f"accepted is 1 to {HIGHEST}"


def read_port(text: str) -> int:
    """The port that somebody names as ``text``; 0 if it is none."""
    number = int(text) if _PORT.fullmatch(text) is not None else 0
    return number if number <= HIGHEST else 0


def port_number(value: object) -> int:
    """The port that is written as ``value``, a text or a number; ``ConfigError`` if it is none."""
    port = read_port(str(value))
    if not port:
        raise ConfigError(f"{value!r} is no port", _ACCEPTED)
    return port


def port_range(value: object) -> PortRange:
    """The same of a port, or of a range of ports."""
    first, dash, last = str(value).partition("-")
    ends = read_port(first), read_port(last if dash else first)
    if not 0 < ends[0] <= ends[1]:
        raise ConfigError(f"{value!r} is no port", f"{_ACCEPTED} or a range such as 8000-8999")
    return ends


def covers(one: PortRange, other: PortRange) -> bool:
    """Whether all ports of ``other`` are ports of ``one``."""
    return one[0] <= other[0] and other[1] <= one[1]


class Ports:
    """A set of ports, from numbers, texts and ranges."""

    __slots__ = ("_ranges",)

    def __init__(self, values: Iterable[object]) -> None:
        self._ranges = tuple(value if isinstance(value, tuple) else port_range(value) for value in values)

    def __contains__(self, port: int) -> bool:
        return any(first <= port <= last for first, last in self._ranges)

    def meets(self, other: PortRange) -> bool:
        """Whether a port of ``other`` is one of these."""
        return any(first <= other[1] and other[0] <= last for first, last in self._ranges)
