"""Where access lines go, and what they are like, as a configuration says it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from txproxy.observe.log_destinations import destination_of, is_file
from txproxy.observe.log_formats.format_text import WORDS
from txproxy.observe.log_formats.line_format import COMBINED, line_format
from txproxy.observe.log_level import LEVELS

DEFAULT_LINES: Final = COMBINED
NAMED_LINES: Final = WORDS
LOG_LEVELS: Final = LEVELS


def parse_log_place(place: str, file_name: Callable[[str], str]) -> str:
    """Where access lines go: a file, whose whole name ``file_name`` gives, ``-``, ``none``, a syslog server or the
    journal; else ``ConfigError``.
    """
    if place == "none":
        return place
    destination_of(place)
    return file_name(place) if is_file(place) else place


def parse_log_lines(text: str) -> str:
    """``text`` if it is the name of a format, or says what a line is like; else ``ConfigError``."""
    line_format(text)
    return text
