"""What several processes find out together of how many requests a pool is good for at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.frozen_values import frozen
from txproxy.interfaces.context import LOW
from txproxy.limits.requests.adaptive_concurrency import KEY, LOW_SHARE, AdaptiveLimiter
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds, AdaptiveLimit, Learnt
from txproxy.limits.requests.shared_slots import SharedSlots

# When it is looked at what requests take alone, others hear of that a moment later: one window more.
_WINDOWS: Final = 3


@frozen
class Answered:
    """What one has seen: so many answers, after so many seconds in all; and whether there was none to some request."""

    took: float
    count: int
    failed: bool


class SharedAdaptiveLimiter(AdaptiveLimiter):
    """See :class:`txproxy.interfaces.processes.sharing.Shared`. All tell what their requests took, and how many are
    without an answer; the one that leads learns of that, and tells the limit, which is that of all together.

    If each learnt for itself, each would take the requests of the others for what its own take alone, and none would
    ever see the pool with less than the others send to it.
    """

    def __init__(self, name: str, bounds: AdaptiveBounds, clock: Any) -> None:
        super().__init__(name, bounds, clock)
        self.limit = AdaptiveLimit(bounds, _WINDOWS)
        assert isinstance(self.places.slots, SharedSlots)
        self.slots: SharedSlots[Any] = self.places.slots
        self._wake: Callable[[], None] | None = None
        self._leads = True
        # what those who do not lead have seen, and not told
        self._took, self._count, self._failed = 0.0, 0, False
        self._told: Learnt | None = None

    # -- requests

    def has_room(self, priority: int) -> bool:
        """See :class:`txproxy.limits.requests.adaptive_concurrency.AdaptiveLimiter`."""
        most = self.limit.value * LOW_SHARE if priority == LOW else self.limit.value
        return self.slots.has_room(KEY, max(1, int(most)))

    def refuse(self) -> None:
        """See :class:`txproxy.limits.requests.adaptive_concurrency.AdaptiveLimiter`."""
        super().refuse()
        self.slots.refuse(KEY)

    def answered(self, took: float, now: float) -> None:
        """See :class:`txproxy.limits.requests.adaptive_concurrency.AdaptiveLimiter`."""
        if self._leads:
            self._learn(took, 1, now)
            return
        self._took += took
        self._count += 1
        self._news()

    def failed(self) -> None:
        """See :class:`txproxy.limits.requests.adaptive_concurrency.AdaptiveLimiter`."""
        if self._leads:
            self.limit.failed()
            self._changed()
            return
        self._failed = True
        self._news()

    def _news(self) -> None:
        if self._wake is not None:
            self._wake()

    def _learn(self, took: float, count: int, now: float) -> None:
        before = self.limit.value
        self.limit.answered(took, self.slots.of(KEY), now, count)
        if self.limit.value != before:
            self._changed()

    def _changed(self) -> None:
        self.slots.most = int(self.limit.value)
        self._news()

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = None

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: what was learnt, or what is to be."""
        if self._leads:
            learnt = self.limit.learnt
            told, self._told = self._told, learnt
            return learnt if learnt != told else None, False
        if not self._count and not self._failed:
            return None, False
        seen = Answered(self._took, self._count, self._failed)
        self._took, self._count, self._failed = 0.0, 0, False
        return seen, False

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if isinstance(content, Learnt):
            if not self._leads:
                self.limit.follow(content)
                self.slots.most = int(self.limit.value)
        elif self._leads:
            if content.failed:
                self.limit.failed()
                self._changed()
            if content.count:
                self._learn(content.took, content.count, now)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return self.limit.learnt if leads else None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self.heard(peer, content, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has seen was learnt."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. It learns for all."""
        self._leads = leads
        self._told = None
