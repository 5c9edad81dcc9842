"""Regular expressions of configurations: Python's, after ``~`` where something else may stand as well."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.matching.octets import as_bytes

EXPRESSION_MARK: Final = "~"


def regular_expression(text: str) -> re.Pattern[str]:
    """The expression that follows the ``~``, over text; ``ConfigError`` if it is none."""
    return _checked(text, lambda: re.compile(text[1:]))


def bytes_expression(text: str, mark: str = EXPRESSION_MARK) -> re.Pattern[bytes]:
    """The same over bytes, as they come over the wire; ``mark`` is empty where nothing stands before it."""
    return _checked(text, lambda: re.compile(as_bytes(text.removeprefix(mark))))


def _checked(text: str, make: Callable[[], re.Pattern[Any]]) -> re.Pattern[Any]:
    try:
        return make()
    except (re.error, OverflowError, RecursionError) as fault:
        # The latter two are of numbers and of nesting beyond all measure.
        raise ConfigError(f"{text!r} is no regular expression: {fault}", "accepted is Python's syntax") from None
