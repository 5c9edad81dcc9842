"""How many of a key are at work at once, and who waits for the end of one."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable
from typing import Generic, TypeVar

W = TypeVar("W")


class Slots(Generic[W]):
    """``most`` of each key may be at work, and ``queue`` more wait. Only those who are there take memory.

    Who has waited longest is next. Where more than half of the queue is taken there is too much to do, and then it is
    whoever has come last: the others would be late by the time that they were done, and one who is in time is worth
    more than all that are late. Where the queue is full, the one who has waited longest goes.
    """

    __slots__ = ("most", "_queue", "_running", "_waiting", "running", "waiting")

    def __init__(self, most: int, queue: int = 0) -> None:
        self.most = most
        self._queue = queue
        self._running: dict[Hashable, int] = {}
        self._waiting: dict[Hashable, deque[W]] = {}
        # of all keys
        self.running = self.waiting = 0

    def __len__(self) -> int:
        """How many keys have one at work."""
        return len(self._running)

    def of(self, key: Hashable) -> int:
        """How many of ``key`` are at work."""
        return self._running.get(key, 0)

    def enter(self, key: Hashable, over: bool = False) -> bool:
        """Whether one more may begin, which is then at work; ``over`` the bound too."""
        running = self._running.get(key, 0)
        if running >= self.most and not over:
            return False
        self._running[key] = running + 1
        self.running += 1
        return True

    def wait(self, key: Hashable, who: W) -> W | None:
        """``who`` waits; gives who has to go for it, which is itself where nobody may wait."""
        if not self._queue:
            return who
        waiting = self._waiting.setdefault(key, deque())
        waiting.append(who)
        if len(waiting) > self._queue:
            return waiting.popleft()
        self.waiting += 1
        return None

    def give_up(self, key: Hashable, who: W) -> None:
        """It waits no longer."""
        self._waiting[key].remove(who)
        self._one_less(key)

    def leave(self, key: Hashable) -> W | None:
        """One has ended; gives who is at work in its place."""
        waiting = self._waiting.get(key)
        if waiting:
            return self._following(key, waiting)
        self.running -= 1
        left = self._running[key] - 1
        if left:
            self._running[key] = left
        else:
            del self._running[key]
        return None

    def _following(self, key: Hashable, waiting: deque[W]) -> W:
        """Who waits no longer."""
        following = waiting.pop() if 2 * len(waiting) > self._queue else waiting.popleft()
        self._one_less(key)
        return following

    def _one_less(self, key: Hashable) -> None:
        self.waiting -= 1
        if not self._waiting[key]:
            del self._waiting[key]
