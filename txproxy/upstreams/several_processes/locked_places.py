"""The places of an upstream that may have a few requests at once: of all processes together never more than that.

Each request takes one of so many places (:mod:`txproxy.cluster.record_locks`) when it is given to the upstream, and
frees it at its end. A process that finds none looks again a moment later, as nobody tells it of one that is free. So
that one with much to do is not always first, which knows of its own ends at once, it takes turns: others who wait stand
at a place of their own, and who has had his turn and sees them there leaves what he frees to them for a moment.
"""

from __future__ import annotations

from collections.abc import Callable
from random import random
from typing import Final, Protocol

import attrs

from txproxy.cluster.record_locks import SPAN, RecordLocks

# Where others wait, after how long one leaves them what it frees, and for how long: each of them looks more often than
# that. In seconds.
TURN: Final = 0.025
LEAVES: Final = 0.005
# How soon to look again for a free place, at the least and at the most: by lot, so that not always the same is first.
_LEAST: Final = 0.001
_MOST: Final = 0.004
# Who waits stands at the last place of the row.
_WAITING: Final = SPAN - 1


class Door(Protocol):
    """What leads to the upstream in this process."""

    def shut(self, seconds: float) -> None:
        """It gets no more requests before so many seconds have passed, or one of its own has ended."""

    def seconds(self) -> float:
        """The time."""


@attrs.frozen
class PassedPlace:
    """A place with which another process goes on; ``number`` is what that has to know."""

    number: int
    _locks: RecordLocks

    def free(self) -> None:
        """That has it by now."""
        self._locks.free_passed(self.number)


class LockedPlaces:
    """``most`` places from ``first`` on. ``lot`` draws a number from 0 to 1."""

    __slots__ = (
        "most", "enforced", "standing", "_locks", "_first", "_door", "_lot",
        "_held", "_over", "_at", "_waited", "_turn_ends", "_leaves_until",
    )  # fmt: skip

    def __init__(
        self, locks: RecordLocks, first: int, most: int, door: Door, lot: Callable[[], float] = random
    ) -> None:
        self.most = most
        # whether requests are bounded by them; if not, they are counted only
        self.enforced = True
        # whether this process stands where those do who wait
        self.standing = False
        self._locks = locks
        self._first = first
        self._door = door
        self._lot = lot
        self._held: list[int] = []
        # so many requests have none
        self._over = 0
        # where to look first
        self._at = 0
        # whether it has found none since it freed one: then the next one begins its turn
        self._waited = False
        self._turn_ends = self._leaves_until = 0.0

    def begin(self, active: int) -> None:
        """So many requests are here by now."""
        for _ in range(active):
            if not self._take_one():
                self._over += 1

    def _take_one(self) -> bool:
        take, first, most, at = self._locks.take, self._first, self.most, self._at
        for number in (*range(at, most), *range(at)):
            if take(first + number):
                self._held.append(first + number)
                return True
        return False

    def take(self) -> bool:
        """A request is about to begin: whether it may."""
        if not self.enforced:
            self._over += 1
            return True
        begins = self._waited and not self._held
        if self._take_one():
            if begins:
                self._turn_ends = self._door.seconds() + TURN
            return True
        self._waited = True
        self._door.shut(_LEAST + (_MOST - _LEAST) * self._lot())
        return False

    def give_back(self) -> None:
        """One has ended."""
        if self._over:
            self._over -= 1
            return
        place = self._held.pop()
        self._locks.free(place)
        self._waited = False
        number = place - self._first
        self._at = number if 0 <= number < self.most else 0
        if not self.enforced:
            return
        now = self._door.seconds()
        if now < self._leaves_until:
            self._door.shut(self._leaves_until - now)
        elif now >= self._turn_ends:
            self._end_turn(now)

    def _end_turn(self, now: float) -> None:
        if self._locks.others_stand(self._first + _WAITING, self.standing):
            self._leaves_until = now + LEAVES
            self._turn_ends = now + LEAVES + TURN
            self._door.shut(LEAVES)
        else:
            self._turn_ends = now + TURN

    def stand(self, waits: bool) -> None:
        """Whether requests here wait for a place is to be seen by other processes."""
        if waits and not self.standing:
            self.standing = self._locks.stand(self._first + _WAITING)
        elif self.standing and not waits:
            self.standing = False
            self._locks.free(self._first + _WAITING)

    # -- to another process, and from there

    def pass_on(self) -> PassedPlace | None:
        """A request goes on in another process, with its place if it has one. It is about to end here."""
        if not self._held:
            return None
        place = self._held.pop()
        self._over += 1
        self._locks.pass_on(place)
        return PassedPlace(place, self._locks)

    def take_over(self, number: int | None) -> None:
        """A request comes from another process, with the place of this ``number`` if it has one. It goes on in any
        case.
        """
        if number is not None and self._locks.take_over(number):
            self._held.append(number)
        elif not self._take_one():
            self._over += 1
