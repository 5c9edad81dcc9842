"""Statuses, and classes of them, in a list: what ``404`` and ``5xx`` mean."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from txproxy.errors import ConfigError

_STATUS: Final = re.compile(r"[1-5](?:[0-9][0-9]|xx)")


def parse_status(value: object) -> str:
    """A status, as a number or a text, or a class of them (``5xx``), as a text."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _STATUS.fullmatch(text):
        raise ConfigError(f"{value!r} is no status", "accepted is one such as 404, or a class such as 5xx")
    return text


def statuses_of(texts: Iterable[str]) -> frozenset[int]:
    """All statuses that these stand for, each of which :func:`parse_status` has taken."""
    return frozenset(status for text in texts for status in _range(text))


def _range(text: str) -> range:
    first = int(text.replace("x", "0"))
    return range(first, first + (100 if text.endswith("xx") else 1))
