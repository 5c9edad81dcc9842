"""One thing that a line may say: how it is found in a record, and how it stands in a line."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from time import gmtime, localtime, strftime
from typing import Any, Final, TypeAlias

from txproxy.frozen_values import frozen
from txproxy.interfaces.record import FinishedExchange
from txproxy.observe.log_formats.escaping import Escape, quoted

# of the record of an exchange, and the time at which it ended, in seconds since 1970
Getter: TypeAlias = "Callable[[FinishedExchange, float], Any]"
StreamGetter: TypeAlias = "Callable[[Any, float], Any]"


class Kind(Enum):
    """What a getter gives."""

    NUMBER = "an int, always"
    SURE = "bytes that need no escaping, always"
    PLAIN = "the same, or None"
    TEXT = "bytes that may be anything, or None"


@frozen
class LogField:
    """What ``get`` finds of an exchange. Of a raw stream it is the same of its record, if no ``of_stream`` knows
    better. ``escape`` is for texts, where the format has no way of its own. ``fused(escape, missing)`` makes a getter
    that gives at once what stands in the line of an exchange: it is for what most lines say.
    """

    get: Getter
    kind: Kind = Kind.PLAIN
    of_stream: StreamGetter | None = None
    escape: Escape = quoted
    fused: Callable[[Escape, bytes], Getter] | None = None


def number(get: Getter, of_stream: StreamGetter | None = None) -> LogField:
    """A whole number, which is always known."""
    return LogField(get, Kind.NUMBER, of_stream)


def sure(get: Getter, of_stream: StreamGetter | None = None) -> LogField:
    """What is always known, and harmless."""
    return LogField(get, Kind.SURE, of_stream)


def plain(get: Getter, of_stream: StreamGetter | None = None) -> LogField:
    """What is harmless, and may be None."""
    return LogField(get, Kind.PLAIN, of_stream)


def text(
    get: Getter, of_stream: StreamGetter | None = None, fused: Callable[[Escape, bytes], Getter] | None = None
) -> LogField:
    """What somebody else may have chosen, or None."""
    return LogField(get, Kind.TEXT, of_stream, fused=fused)


def fixed(value: bytes | None) -> LogField:
    """What does not change."""
    return text(lambda record, now: value, lambda stream, now: value)


def of_text(value: str | None) -> bytes | None:
    """A text of ours as it goes into a line; None for an empty one."""
    return value.encode("utf-8", "surrogateescape") if value else None


# what a stream has no part of
ABSENT: Final[StreamGetter] = lambda stream, now: None  # noqa: E731


class SecondText:
    """The time in the words of ``strftime``: made once a second, as it takes long."""

    __slots__ = ("_format", "_utc", "_known")

    def __init__(self, format: str, *, utc: bool = False) -> None:
        self._format = format
        self._utc = utc
        # the second, and how it is said, in one: several logs may ask, each in its thread
        self._known = (-1, b"")

    def __call__(self, subject: Any, now: float) -> bytes:
        second = int(now)
        known = self._known
        if second != known[0]:
            moment = gmtime(second) if self._utc else localtime(second)
            self._known = known = second, strftime(self._format, moment).encode("utf-8", "surrogateescape")
        return known[1]


def time_field(format: str, *, utc: bool = False) -> LogField:
    """The time in the words of ``strftime``, local or UTC."""
    said = SecondText(format, utc=utc)
    return sure(said, said)
