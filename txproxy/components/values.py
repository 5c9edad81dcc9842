"""Values of options and files: each function takes one and gives what it means, or says what is accepted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final, TypeVar

from txproxy.components.outside_text import called
from txproxy.components.rates import parse_rate
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen

T = TypeVar("T")

_SIZE: Final = re.compile(r"([0-9]{1,15})([kKmMgG]?)")
_DURATION: Final = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d|w)?")
_SIZE_UNITS: Final = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_DURATION_UNITS: Final = {None: 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_TIME_ACCEPTED: Final = "accepted is a number of seconds, or one with ms, s, m, h, d or w, above 0"
_LONGEST: Final = 60
_LONG_WORD: Final = re.compile(r"\S{200,}")
_LEAST_HEAD: Final = 256
_LEAST_CACHE: Final = 64 << 10
# RFC 9113 6.9.2: that of a connection is that large before anybody says so, and none is larger than 2**31 - 1.
_LEAST_WINDOW: Final = 64 << 10
_MOST_WINDOW: Final = (1 << 31) - 1
_LEAST_DISK_CACHE: Final = 1 << 20
# As a whole number, as many as there may be of anything.
MOST: Final = 10**9


def parse_size(text: str) -> int:
    """Bytes from ``64k``, ``10M``, ``1G`` (binary) or a bare number."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ConfigError(f"{text!r} is no size", "accepted is a number of bytes, or one with k, M or G")
    return int(match[1]) * _SIZE_UNITS[match[2].lower()]


def parse_duration(text: str) -> float:
    """Seconds from ``500ms``, ``30s``, ``5m``, ``1h``, ``7d``, ``1w`` or a bare number of seconds; more than none."""
    match = _DURATION.fullmatch(text)
    seconds = float(match[1]) * _DURATION_UNITS[match[2]] if match is not None else 0.0
    if not seconds:
        raise ConfigError(f"{text!r} is no time", _TIME_ACCEPTED)
    return seconds


def parse_whole(least: int, most: int) -> Callable[[str], int]:
    """Takes the text of a whole number within these bounds."""

    def parse(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 10 or not least <= int(text) <= most:
            bounds = f"{least} or more" if most == MOST else f"{least} to {most}"
            raise ConfigError(f"{text!r} is no number", f"accepted is {bounds}")
        return int(text)

    return parse


def parse_head_size(text: str) -> int:
    """A size that a request head fits in."""
    return _head_size(parse_size(text), text)


def parse_target_size(text: str) -> int:
    """A size that a request target fits in."""
    return _target_size(parse_size(text), text)


def parse_window_size(text: str) -> int:
    """A size that a window of HTTP/2 can have."""
    return _window_size(parse_size(text), text)


def _window_size(size: int, given: object) -> int:
    if not _LEAST_WINDOW <= size <= _MOST_WINDOW:
        raise ConfigError(f"{given!r} is no size of a window", "accepted is 64k to 2047M")
    return size


def parse_cache_size(text: str) -> int:
    """A size that a cache can do something with."""
    return _cache_size(parse_size(text), text)


def _cache_size(size: int, given: object) -> int:
    if size < _LEAST_CACHE:
        raise ConfigError(f"{given!r} is too little for a cache", "accepted is 64k or more")
    return size


def parse_disk_cache_size(text: str) -> int:
    """A size that a cache on a disk can do something with."""
    return _disk_cache_size(parse_size(text), text)


def _disk_cache_size(size: int, given: object) -> int:
    if size < _LEAST_DISK_CACHE:
        raise ConfigError(f"{given!r} is too little for a cache on a disk", "accepted is 1M or more")
    return size


def _target_size(size: int, given: object) -> int:
    if not size:
        raise ConfigError(f"{given!r} is too little for any target", "accepted is 1 or more")
    return size


def _head_size(size: int, given: object) -> int:
    if size < _LEAST_HEAD:
        raise ConfigError(f"{given!r} is too little for any request", f"accepted is {_LEAST_HEAD} or more")
    return size


def parse_pseudonym(text: str) -> str | None:
    """A name for Via, or None for ``none``."""
    # RFC 9110 7.6.3: a pseudonym is a token.
    if not text.isascii() or not text.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise ConfigError(f"{text!r} is no pseudonym", "accepted are letters, digits, - _ and ., or none")
    return None if text == "none" else text


def one_of(accepted: Sequence[str]) -> Callable[[object], str]:
    """Takes one of these words."""

    def parse(value: object) -> str:
        if value not in accepted:
            raise ConfigError(f"{shown(value)} is not known{hint(value, accepted)}", f"accepted: {', '.join(accepted)}")
        return str(value)

    return parse


def one_of_numbers(accepted: Sequence[int]) -> Callable[[object], int]:
    """Takes one of these numbers."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or value not in accepted:
            raise ConfigError(f"{shown(value)} is none of those accepted: {', '.join(map(str, accepted))}")
        return value

    return parse


def hint(given: object, known: Sequence[str]) -> str:
    """What may have been meant, as the end of a clause; empty if nothing is like it."""
    if not isinstance(given, str) or not given:
        return ""
    close = get_close_matches(given, known, 1) or [word for word in known if word.startswith(given)]
    return f" (is {called(close[0])} meant?)" if close else ""


def brief(line: str) -> str:
    """A line of an error in which no word is so long that nobody would find the end of it."""
    return _LONG_WORD.sub(lambda match: f"{match[0][:_LONGEST]}...", line)


# -- values of a file, which have types


def shown(value: object) -> str:
    """A value as a message has it: on one line, and not too long."""
    if isinstance(value, bool):
        return "true" if value else "false"
    text = repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."


def text(value: object) -> str:
    """A text with something in it, on one line."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{shown(value)} is no text", "accepted is a text in quotes, not an empty one")
    if has_control(value):
        raise ConfigError(f"{shown(value)} has control characters in it", "accepted is one line of text")
    return value


def some_text(value: object) -> str:
    """A text with something in it, of any lines."""
    if not isinstance(value, str) or not value:
        raise ConfigError(f"{shown(value)} is no text", "accepted is a text in quotes, not an empty one")
    return value


def has_control(given: str) -> bool:
    """Whether a text has characters in it that would break a line of a log or of an error."""
    return any(character < " " or character == "\x7f" for character in given)


def any_text(value: object) -> str:
    """A text, which may be empty."""
    if not isinstance(value, str):
        raise ConfigError(f"{shown(value)} is no text", "accepted is a text in quotes")
    return value


def secret_text(value: object) -> str:
    """The same for what may be a secret: no message shows it."""
    if not isinstance(value, str):
        raise ConfigError("this is no text", "accepted is a text in quotes")
    return value


def flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ConfigError(f"{shown(value)} is neither", "accepted: true, false")
    return value


def whole(least: int, most: int) -> Callable[[object], int]:
    """Takes a whole number within these bounds."""

    def parse(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise ConfigError(f"{shown(value)} cannot be", f"accepted is a whole number from {least} to {most}")
        return value

    return parse


def share(value: object) -> float:
    """A number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise ConfigError(f"{shown(value)} is no share", "accepted is a number from 0 to 1")
    return float(value)


def duration(value: object) -> float:
    """Seconds, from a number or a text such as ``5m``; more than none."""
    return parse_duration(_written(value))


def pause(value: object) -> float:
    """The same, or 0."""
    return 0.0 if value == 0 and not isinstance(value, bool) else duration(value)


def size(value: object) -> int:
    """Bytes, from a number or a text such as ``64k``."""
    return parse_size(_written(value))


def head_size(value: object) -> int:
    """A size that a request head fits in."""
    return _head_size(size(value), value)


def target_size(value: object) -> int:
    """A size that a request target fits in."""
    return _target_size(size(value), value)


def window_size(value: object) -> int:
    """A size that a window of HTTP/2 can have."""
    return _window_size(size(value), value)


def cache_size(value: object) -> int:
    """A size that a cache can do something with."""
    return _cache_size(size(value), value)


def disk_cache_size(value: object) -> int:
    """A size that a cache on a disk can do something with."""
    return _disk_cache_size(size(value), value)


def directory(value: object) -> str:
    """The name of a directory."""
    if not isinstance(value, str) or not value or has_control(value):
        raise ConfigError(f"{shown(value)} is no name of a directory", "accepted is a path")
    return value


def _written(value: object) -> str:
    # Whatever is neither is refused as the text that it is.
    return format(value, "f").rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


@frozen
class Kind:
    """A kind of value: what takes one from a file, where it has a type, and what takes the text of an option."""

    read: Callable[[Any], Any]
    parse: Callable[[str], Any]

    @classmethod
    def counted(cls, least: int, most: int = MOST) -> Kind:
        """Whole numbers."""
        return cls(whole(least, most), parse_whole(least, most))


# What settings are (txproxy.components.settings), by the names of their kinds.
KINDS: Final[dict[str, Kind]] = {
    "duration": Kind(duration, parse_duration),
    "size": Kind(size, parse_size),
    "size of a head": Kind(head_size, parse_head_size),
    "size of a target": Kind(target_size, parse_target_size),
    "size of a cache": Kind(cache_size, parse_cache_size),
    "size of a disk cache": Kind(disk_cache_size, parse_disk_cache_size),
    "size of a window": Kind(window_size, parse_window_size),
    "directory": Kind(directory, directory),
    "count": Kind.counted(1),
    "count or none": Kind.counted(0),
    "rate": Kind(lambda value: parse_rate(text(value)), parse_rate),
    "retries": Kind.counted(0, 100),
    "checks": Kind.counted(1, 1000),
    "streams": Kind.counted(1, 10_000),
    "prefix of IPv6": Kind.counted(1, 128),
}


def texts(parse: Callable[[str], T]) -> Callable[[Any], T]:
    """Takes a text, and what ``parse`` makes of it."""
    return lambda value: parse(text(value))
