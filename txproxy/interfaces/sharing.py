"""What several processes have in common: each has it whole for itself, and tells the others what is new of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol


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
