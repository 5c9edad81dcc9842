"""A bound of what several processes have at once, together: each claims what it may need, and learns what others have
claimed a moment later.
"""

from __future__ import annotations

from typing import Final

# After one has claimed more, what others have claimed at the same time is known by then, in seconds.
PAUSE: Final = 0.1
# One that has just come has heard of all others by then.
FIRST_PAUSE: Final = 0.25
# This part of what is not used is given back each time.
_PART: Final = 16


class Claim:
    """What one process may have of ``most``: ``claimed``, which is at least 1 (or ``least``), so that nobody is shut
    out. Who wants more takes his part of what is free, where others may take theirs just now: so all together have no
    more than ``most``, but for less than one for each of them.
    """

    __slots__ = ("most", "least", "claimed", "_others", "_ready_at")

    def __init__(self, most: int, now: float, least: int = 1) -> None:
        self.most = most
        self.claimed = self.least = least
        self._others: dict[int, int] = {}
        self._ready_at = now + FIRST_PAUSE

    def grow(self, now: float) -> bool:
        """More is wanted than is claimed; whether there is more."""
        free = self.most - self.claimed - sum(self._others.values())
        if free <= 0 or now < self._ready_at:
            return False
        self.claimed += -(-free // (len(self._others) + 1))
        self._ready_at = now + PAUSE
        return True

    def cover(self, used: int) -> bool:
        """So much is used, which may be more than was claimed where it has begun in another process, and goes on here;
        whether it was.
        """
        if used <= self.claimed:
            return False
        self.claimed = used
        return True

    def shrink(self, used: int) -> bool:
        """Give back some of what is not used; whether that was something."""
        spare = self.claimed - max(used, self.least)
        if spare <= 0:
            return False
        self.claimed -= -(-spare // _PART)
        return True

    def heard(self, peer: int, claimed: int) -> None:
        """So much another process has claimed."""
        self._others[peer] = claimed

    def gone(self, peer: int) -> None:
        """It has ended, and what it had is free."""
        self._others.pop(peer, None)
