"""A bound of what several processes have at once, together: each claims what it may need, and learns what others have
claimed a moment later.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final

# Who does not say for so long that it has heard of a claim has stopped, in seconds.
PATIENCE: Final = 5.0
# One that has just come has heard of all others by then.
FIRST_PAUSE: Final = 0.25
# This part of what is not used is given back each time.
_PART: Final = 16


class Heard:
    """Which of its claims the other processes have heard of. Each process has a mark for itself, and numbers what it
    tells: what it tells has these, and the number of each other that it has heard of last.
    """

    __slots__ = ("mark", "number", "_peers", "_new")

    def __init__(self) -> None:
        self.mark = os.urandom(8)
        self.number = 0
        # of each other process: its mark, its last number, and the last of this one's that it has heard of
        self._peers: dict[int, tuple[bytes, int, int]] = {}
        self._new = False

    def next(self) -> int:
        """Something else is told from now on."""
        self.number += 1
        return self.number

    @property
    def by_all(self) -> int:
        """The last number that all others have heard of."""
        return min((heard for _, _, heard in self._peers.values()), default=self.number)

    def news(self) -> dict[bytes, int]:
        """What is to be told of what was heard since the last time, by marks."""
        new, self._new = self._new, False
        return self.whole() if new else {}

    def whole(self) -> dict[bytes, int]:
        """All that was heard."""
        return {mark: number for mark, number, _ in self._peers.values()}

    def hear(self, peer: int, mark: bytes, number: int, heard: Mapping[bytes, int]) -> bool:
        """What another one tells; whether it is to be told that this was heard."""
        before, last, known = self._peers.get(peer, (mark, 0, 0))
        if before != mark:
            last, known = 0, 0
        self._peers[peer] = mark, number, max(known, heard.get(self.mark, 0))
        new = number > last
        self._new = self._new or new
        return new

    def gone(self, peer: int) -> None:
        """It has ended."""
        self._peers.pop(peer, None)


class Claim:
    """What one process may have of ``most``: ``claimed``, which is at least 1 (or ``least``), so that nobody is shut
    out. Who wants more takes his part of what is free, where others may take theirs just now, and takes more again only
    when all others have ``heard`` of that: what they took before they heard of it is known here by then. So all
    together have no more than ``most``, but for less than one for each of them, however late they hear of each other.
    """

    __slots__ = ("most", "least", "claimed", "_others", "_ready_at", "_number", "_patience_until")

    def __init__(self, most: int, now: float, least: int = 1) -> None:
        self.most = most
        self.claimed = self.least = least
        self._others: dict[int, int] = {}
        self._ready_at = now + FIRST_PAUSE
        # by which number others hear of what was claimed last, and until when that is waited for
        self._number = 0
        self._patience_until = now

    def grow(self, now: float, heard: Heard) -> bool:
        """More is wanted than is claimed; whether there is more."""
        free = self.most - self.claimed - sum(self._others.values())
        if free <= 0 or now < self._ready_at or (heard.by_all < self._number and now < self._patience_until):
            return False
        self.claimed += -(-free // (len(self._others) + 1))
        self._number = heard.next()
        self._patience_until = now + PATIENCE
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

    def heard(self, peer: int, claimed: int) -> bool:
        """So much another process has claimed; whether nothing was known of that one."""
        new = peer not in self._others
        self._others[peer] = claimed
        return new

    def gone(self, peer: int) -> None:
        """It has ended, and what it had is free."""
        self._others.pop(peer, None)
