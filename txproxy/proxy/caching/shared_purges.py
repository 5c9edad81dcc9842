"""What is gone from the caches of several processes, each of which has a memory of its own.

Where they have a directory together, its journal tells all of them, and this does nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from txproxy.cache.purging.mark import Kind
from txproxy.interfaces.processes.sharing import News
from txproxy.proxy.caching.shared_cache import SharedCache

# what is gone, and whether it may be used once it was validated
_Gone: TypeAlias = "tuple[Kind, bytes, bool]"


def _tell_nobody(kind: Kind, value: bytes, soft: bool) -> None:
    """There is nobody."""


class SharedPurges:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of a ``cache``. What was purged of one, and what a
    request through it has changed, is not used by the others any more.

    Each numbers what it tells. Whoever finds that he has missed some of it, as there was more than he could read,
    forgets all: what was not purged can be asked for again.
    """

    def __init__(self, cache: SharedCache) -> None:
        self._cache = cache
        self._news: News[_Gone, None] = News()
        self._hears = False
        # how much was told, and how much was heard of each other process
        self._told = 0
        self._heard: dict[int, int] = {}

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.join(wake)
        self._cache.on_gone = self._gone

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.part()
        self._cache.on_gone = _tell_nobody

    def _gone(self, kind: Kind, value: bytes, soft: bool) -> None:
        # What was heard of another process is nothing to tell it.
        if not self._hears and self._cache.tiers is None and not self._news.put((kind, value, soft), None):
            self._told += 1

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        gone, more = self._news.take()
        if gone is None:
            return None, more
        self._told += len(gone)
        return (self._told, gone), more

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        cache = self._cache
        if cache.tiers is not None:
            return
        told, gone = content
        self._hears = True
        try:
            for kind, value, soft in gone:
                if kind is Kind.KEY:
                    cache.invalidate(value)
                else:
                    cache.purge(kind, value, soft)
        finally:
            self._hears = False
        self._compare(peer, told, self._heard.get(peer, 0) + len(gone))

    def _compare(self, peer: int, told: int, heard: int) -> None:
        self._heard[peer] = told
        if told != heard:
            self._hears = True
            try:
                self._cache.purge(Kind.ALL)
            finally:
                self._hears = False

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Who has just come keeps nothing yet, and who has
        missed something is to find out.
        """
        return self._told or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if self._cache.tiers is None:
            self._compare(peer, content, self._heard.get(peer, 0))

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has purged is purged."""
        self._heard.pop(peer, None)

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
