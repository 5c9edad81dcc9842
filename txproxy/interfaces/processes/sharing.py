"""What several processes have in common: each has it whole for itself, and tells the others what is new of it."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, Generic, Protocol, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Shared(Protocol):
    """Something that several processes have together, as one of them has it. Each goes by what it knows, at once, and
    hears of the others a moment later: nobody asks anybody before it acts.

    What is told may be anything that can be pickled. ``now`` is the time, by the clock of this process.
    """

    def join(self, wake: Callable[[], None]) -> None:
        """There are others from now on. ``wake`` is to be called when there is news, once until :meth:`news` is."""

    def part(self) -> None:
        """There are none any more, or something else is shared in its place."""

    def news(self) -> tuple[Any, bool]:
        """What is to be told since the last time, or None; and whether there is more than that."""

    def heard(self, peer: int, content: Any, now: float) -> None:
        """The news of another process."""

    def whole(self, leads: bool, now: float) -> Any:
        """All that one that has just come has to know of this process, or None. What all others could tell it as well
        is told by the one who ``leads``.
        """

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """What another process has told this one, which has just come."""

    def gone(self, peer: int) -> None:
        """Another process has ended."""

    def lead(self, leads: bool) -> None:
        """Whether it is this process that does what is to be done once for all, such as to check upstreams."""


# So many keys are told of at once. Where there are more, the rest has its turn a moment later.
MOST_TOLD: Final = 2048
# More than so many do not wait for a hub that does not read.
_MOST_WAITING: Final = 65536


class News(Generic[K, V]):
    """What is new of keys, and nobody has heard of yet: the values noted last. Nothing is kept where nobody listens."""

    __slots__ = ("_new", "_wake")

    def __init__(self) -> None:
        self._new: dict[K, V] = {}
        self._wake: Callable[[], None] | None = None

    def __bool__(self) -> bool:
        """Whether somebody listens."""
        return self._wake is not None

    def join(self, wake: Callable[[], None]) -> None:
        """See :meth:`Shared.join`."""
        self._wake = wake

    def part(self) -> None:
        """See :meth:`Shared.part`."""
        self._wake = None
        self._new.clear()

    def get(self, key: K, default: V) -> V:
        """What is new of ``key``."""
        return self._new.get(key, default)

    def put(self, key: K, value: V) -> bool:
        """It is told of ``key``, and what was to be told before is not; False if others are not told of for that."""
        if self._wake is None:
            return True
        new, all_told = self._new, True
        if not new:
            self._wake()
        elif len(new) >= _MOST_WAITING and key not in new:
            # Nobody shall wait for what nobody has heard of for long: those that came last are told first.
            new = self._new = dict(islice(new.items(), len(new) - MOST_TOLD, None))
            all_told = False
        new[key] = value
        return all_told

    def drop(self, key: K) -> None:
        """Nothing is to be told of ``key`` after all."""
        self._new.pop(key, None)

    def take(self) -> tuple[dict[K, V] | None, bool]:
        """What is to be told now, or None, and whether there is more: what :meth:`Shared.news` gives."""
        new = self._new
        if len(new) <= MOST_TOLD:
            self._new = {}
            return new or None, False
        self._new = dict(islice(new.items(), MOST_TOLD, None))
        return dict(islice(new.items(), MOST_TOLD)), True
