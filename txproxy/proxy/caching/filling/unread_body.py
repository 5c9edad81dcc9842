"""A body that comes, and that nobody reads any more: it is fetched for the cache alone, as long as it comes along."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from txproxy.net.deadlines import NEVER
from txproxy.proxy.caching.filling.fill_body import AHEAD, FillBody
from txproxy.proxy.services import Services

# In which time as much as AHEAD has to come of it, in seconds.
_ALONE: Final = 60.0


class UnreadBody:
    """Has it given up where it comes so slowly that it may have no end."""

    __slots__ = ("deadline", "_deadlines", "_give_up", "_body", "_there")

    def __init__(self, services: Services) -> None:
        # until when it has to have come further
        self.deadline = NEVER
        self._deadlines = services.deadlines
        # as long as nobody reads it
        self._give_up: Callable[[], None] | None = None
        self._body: FillBody | None = None
        # how far it was
        self._there = 0

    def begin(self, body: FillBody, give_up: Callable[[], None]) -> None:
        """Nobody reads it now; ``give_up`` is called where it does not come along."""
        if self.deadline == NEVER:
            self._body, self._give_up = body, give_up
            self._there = body.available
            self.deadline = self._deadlines.look_ahead() + _ALONE
            self._deadlines.watch(self)

    def end(self) -> None:
        """Somebody does, or it is over."""
        if self.deadline != NEVER:
            self.deadline = NEVER
            self._body = self._give_up = None
            self._deadlines.forget(self)

    def deadline_passed(self) -> None:
        """See :class:`txproxy.net.deadlines.Watched`."""
        body, give_up = self._body, self._give_up
        assert body is not None and give_up is not None
        if body.available - self._there < AHEAD:
            give_up()
        else:
            self._there = body.available
            self.deadline = self._deadlines.look_ahead() + _ALONE
