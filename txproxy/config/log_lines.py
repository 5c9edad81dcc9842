"""What lines of access logs are like, as a configuration says it."""

from __future__ import annotations

from typing import Final

from txproxy.observe.log_formats.format_text import WORDS
from txproxy.observe.log_formats.line_format import COMBINED, line_format

DEFAULT_LINES: Final = COMBINED
NAMED_LINES: Final = WORDS


def parse_log_lines(text: str) -> str:
    """``text`` if it is the name of a format, or says what a line is like; else ``ConfigError``."""
    line_format(text)
    return text
