"""Which configurations have run, one after the other: when each began, by whom, and what it changed."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from difflib import unified_diff
from typing import Final

import attrs

from txproxy.config.sources.included import Included
from txproxy.config.sources.lines import texts_of
from txproxy.frozen_values import frozen

# So many are remembered, with their texts.
_MOST: Final = 20
# What is told of a text has no secrets in it, whatever they are said with: what is called so, fields that are usually
# one, and all that is put into requests so that no client holds it.
_SECRET: Final = re.compile(r"secret|password|sticky_key|token|authorization|api[_-]?key", re.IGNORECASE)
_COMMENTED: Final = re.compile(rf"""(\b[\w-]*(?:{_SECRET.pattern})[\w-]*"?\s*=\s*)("[^"]*"|'[^']*')""", re.IGNORECASE)
_FIELD: Final = re.compile(r"auth|cookie|credential|key\b|session|signature", re.IGNORECASE)
_FIELDS: Final = frozenset({"headers", "set", "add", "replace"})
_INJECTED: Final = "inject"
_OPEN: Final = frozenset({"origin", "rules"})
_CREDENTIALS: Final = re.compile(r"(://)[^/@\s\"']*:[^/@\s\"']*@")
_FILE: Final = re.compile(r"_file\b", re.IGNORECASE)


@frozen
class Revision:
    """One of them: its ``number``, ``at`` which time of the day it began (seconds since the epoch), by whom, and the
    ``text`` that it was read from, empty where there is none, with what that has ``included``.
    """

    number: int
    at: float
    by: str
    text: str = attrs.field(repr=False)
    included: Included = attrs.field(factory=Included, repr=False)


class Revisions:
    """The last ones. ``clock`` tells the time of the day."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._known: deque[Revision] = deque(maxlen=_MOST)

    def __iter__(self) -> Iterator[Revision]:
        return iter(self._known)

    @property
    def current(self) -> int:
        """The number of the one that runs; 0 before there is one."""
        return self._known[-1].number if self._known else 0

    @property
    def text(self) -> str:
        """What the one that runs was read from; empty where there is no such text."""
        return self._known[-1].text if self._known else ""

    @property
    def included(self) -> Included:
        """What that has included."""
        return self._known[-1].included if self._known else Included()

    def add(self, by: str, text: str, included: Included | None = None) -> None:
        """Another one runs now."""
        self._known.append(Revision(self.current + 1, self._clock(), by, text, included or Included()))

    def find(self, number: int) -> Revision | None:
        """The one of that number, if it is still known."""
        return next((one for one in self._known if one.number == number), None)

    def diff(self, number: int) -> str:
        """What that one has changed of the one before it, as ``diff -u`` has it, without secrets; empty where the one
        before is not known.
        """
        one, before = self.find(number), self.find(number - 1)
        if one is None or before is None:
            return ""
        lines = _difference(f"revision {before.number}", f"revision {one.number}", before.text, one.text)
        for file in sorted({*before.included.texts, *one.included.texts}):
            was, now = (each.included.texts.get(file, "") for each in (before, one))
            lines += _difference(f"revision {before.number} {file}", f"revision {one.number} {file}", was, now)
        return "\n".join(lines)


def _difference(before: str, after: str, was: str, now: str) -> list[str]:
    return list(unified_diff(_shown(was).splitlines(), _shown(now).splitlines(), before, after, lineterm=""))


def _shown(text: str) -> str:
    pieces: list[str] = []
    at = 0
    for path, begin, end in texts_of(text):
        if _is_secret([name for name in path if isinstance(name, str)]):
            pieces += text[at:begin], '"..."'
            at = end

    def masked(match: re.Match[str]) -> str:
        return match[0] if _FILE.search(match[1]) else f'{match[1]}"..."'

    # Comments may have some that were in use before.
    return _CREDENTIALS.sub(r"\1...@", _COMMENTED.sub(masked, "".join([*pieces, text[at:]])))


def _is_secret(names: list[str]) -> bool:
    """Whether what is called so, with the tables that it stands in, is not for all who may ask."""
    *tables, name = names
    within = tables[-1] if tables else ""
    if _FILE.search(name) or (name == "file" and within not in _FIELDS):
        # The name of a file is none.
        return False
    if _SECRET.search(name) or (within in _FIELDS and _FIELD.search(name)):
        return True
    return _INJECTED in tables and not (within == _INJECTED and name in _OPEN)
