"""Answers that were given a moment ago, and are the same now: the short cut of what is asked for again and again.

Whoever asks plainly for what is fresh gets the same bytes as the one before, until the age has come to another second.
Its slow twin is the plain way of :mod:`txproxy.proxy.caching.cache_middleware`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from txproxy.cache.answering.cache_status import CacheVerdict
from txproxy.cache.stored import Entry
from txproxy.interfaces.answers import RelayedAnswer

# By what is asked for: path, authority, schemes and the name of the route or rule.
Asked: TypeAlias = "tuple[bytes, bytes, bytes | None, str, str]"

# When there are more, all are forgotten: those that count are there again at once.
MOST: Final = 8192

# A request with one of these may get another answer than others.
NOT_PLAIN: Final = frozenset(
    b"authorization cache-control connection if-match if-modified-since if-none-match if-range if-unmodified-since "
    b"pragma range upgrade".split()
)


class HotAnswer:
    """The ``answer`` that is made of ``entry`` until a time, with the ``verdict`` on it, while ``mark`` is the last
    purge.
    """

    __slots__ = ("entry", "answer", "verdict", "until", "mark")

    def __init__(self, entry: Entry, answer: RelayedAnswer, verdict: CacheVerdict, until: float, mark: int) -> None:
        self.entry = entry
        self.answer = answer
        self.verdict = verdict
        self.until = until
        self.mark = mark


class HotAnswers:
    """Those of one listener and scope; and what else is known of a plain GET, so that it need not be looked for."""

    __slots__ = ("_answers", "get")

    def __init__(self) -> None:
        self._answers: dict[Asked, Any] = {}
        # what is known of a plain GET of that; None if nothing is
        self.get: Callable[[Asked], Any] = self._answers.get

    def remember(
        self, asked: Asked, entry: Entry, answer: RelayedAnswer, verdict: CacheVerdict, now: float, mark: int
    ) -> None:
        """It is the same until the next second of its age, as long as it is fresh."""
        head = entry.head
        if head.vary:
            return
        age = head.age(now)
        # What Cache-Status says is left is at most one second too much by then.
        until = min(now + 1.0 - (age - math.floor(age)), head.expiry())
        self.know(asked, HotAnswer(entry, answer, verdict, until, mark))

    def know(self, asked: Asked, what: Any) -> None:
        """This is known of it."""
        if len(self._answers) >= MOST:
            self._answers.clear()
        self._answers[asked] = what
