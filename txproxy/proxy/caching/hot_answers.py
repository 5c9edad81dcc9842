"""Answers that were given a moment ago, and are the same now: the short cut of what is asked for again and again.

Whoever asks plainly for what is fresh gets the same bytes as the one before, until the age has come to another second.
Its slow twin is the plain way of :mod:`txproxy.proxy.caching.cache_middleware`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from txproxy.cache.answering.cache_status import CacheVerdict
from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE, CachePolicy
from txproxy.cache.stored import Entry
from txproxy.interfaces.answers import RelayedAnswer
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import FORWARD
from txproxy.proxy.caching.delivery import whole_answer
from txproxy.proxy.caching.request_keys import RequestKeys
from txproxy.proxy.caching.shared_cache import PolicyOf, SharedCache
from txproxy.proxy.exchanges.responses.answer_sources import BytesSource
from txproxy.wire.message import RequestHead, ResponseHead

# By what is asked for: path, authority, schemes and the name of the route or rule.
Asked: TypeAlias = "tuple[bytes, bytes, bytes | None, str, str]"

# When there are more, or their bodies have more bytes, all are forgotten: those that count are there again at once.
MOST: Final = 8192
MOST_BYTES: Final = 4 << 20

# No purge has this number, so that nobody looks at what is in the place of an entry.
_NEVER: Final = -1
_NOTHING: Final[Any] = None

# A request with one of these may get another answer than others.
_NOT_PLAIN: Final = frozenset(
    b"authorization cache-control connection if-match if-modified-since if-none-match if-range if-unmodified-since "
    b"pragma range upgrade".split()
)


def is_plain(request: RequestHead, context: RequestContext) -> bool:
    """Whether a request gets what all get."""
    return (
        request.method == b"GET"
        and not request.body
        and context.lines is None
        and context.trace is None
        and _NOT_PLAIN.isdisjoint(request.headers.index)
        and not context.errand
        and context.connection.connections is None
    )


def later_body(entry: Entry) -> BytesSource:
    """In the place of a body that each answer has anew."""
    source = BytesSource(b"")
    source.length = entry.body.length
    return source


class HotAnswer:
    """The ``answer`` that is made of ``entry`` for whoever asks plainly, with the ``verdict`` on it; of which more than
    the age changes only when something was purged, or something else is stored. See
    :class:`txproxy.interfaces.answers.LastingAnswer`.
    """

    __slots__ = ("entry", "answer", "verdict", "forms", "_cache", "_until", "_mark", "__weakref__")

    def __init__(self, cache: SharedCache, entry: Entry, answer: RelayedAnswer, verdict: CacheVerdict) -> None:
        self.entry = entry
        self.answer = answer
        self.verdict = verdict
        self.forms: dict[Any, tuple[ResponseHead, bytes]] = {}
        self._cache = cache
        self._mark = cache.marks.seq
        self._until = _until(entry, cache.now())
        cache.hot_answers.add(self)

    def forget(self) -> None:
        """Be of no use any more, whoever has it, and keep nothing of what is stored: its file may have to go."""
        self._mark = _NEVER
        self.entry = _NOTHING
        self.forms.clear()

    def by_now(self) -> RelayedAnswer | None:
        """See :class:`txproxy.interfaces.answers.LastingAnswer`."""
        cache, entry = self._cache, self.entry
        if self._mark != cache.marks.seq:
            # Something was purged, and it may be this.
            return None
        store = cache.store
        variants = store.variants(entry.key)
        if not variants or variants[0] is not entry:
            return None
        now = cache.now()
        if now >= self._until:
            if now >= entry.head.expiry():
                return None
            self.answer = whole_answer(self.answer.body, entry, self.verdict, cache.name, now)
            self.forms.clear()
            self._until = _until(entry, now)
        if cache.tiers is not None and not cache.tiers.is_ready(entry):
            return None
        store.used(entry)
        return self.answer


def _until(entry: Entry, now: float) -> float:
    """Until when an answer of now is the same: the next second of its age, or of the time that is left to it."""
    head = entry.head
    age, expiry = head.age(now), head.expiry()
    left = expiry - now
    # What is left is the same at the very end of a second as before.
    return min(now + 1.0 - (age - math.floor(age)), math.nextafter(now + (left - math.floor(left)), math.inf), expiry)


class HotAnswers:
    """Those of one listener and scope; and what else is known of a plain GET, so that it need not be looked for."""

    __slots__ = ("_answers", "_bytes", "get")

    def __init__(self) -> None:
        self._answers: dict[Asked, Any] = {}
        # those of the bodies that they have, which a store may have no more
        self._bytes = 0
        # what is known of a plain GET of that; None if nothing is
        self.get: Callable[[Asked], Any] = self._answers.get

    def remember(self, asked: Asked, hot: HotAnswer) -> None:
        """Whoever asks for that may have this one."""
        if hot.entry.head.vary:
            return
        body = hot.answer.body
        if isinstance(body, bytes):
            self._bytes += len(body)
        self.know(asked, hot)

    def know(self, asked: Asked, what: Any) -> None:
        """This is known of it."""
        if len(self._answers) >= MOST or self._bytes > MOST_BYTES:
            self._answers.clear()
            self._bytes = 0
        self._answers[asked] = what


class Scope:
    """What the requests of one scope have in common: their keys, and what was answered under its policies."""

    __slots__ = ("usual", "reverse", "hot", "keys")

    def __init__(self, scope: str, rules: set[str]) -> None:
        self.reverse = scope.partition(" ")[0] != FORWARD
        self.usual = _usual(FOR_REVERSE if self.reverse else FOR_FORWARD)
        self.hot = HotAnswers()
        self.keys = RequestKeys(scope, rules)


def _usual(policy: CachePolicy) -> PolicyOf:
    return lambda request, context: policy
