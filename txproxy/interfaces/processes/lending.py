"""What several processes may have of a bound together where that must not be exceeded: lent by the hub, and given back.

All that either side says is small, and sent at once. A process says ``(verb, ...)``:

- ``("begin",)``: it has a use for the topic now; the hub answers ``("known", keys)``, which others ask for already
- ``("ask", key, most, own, count)``: so many more of ``key`` want to begin, of ``most`` in all processes; ``own`` of
  them a process may begin by itself, as long as nobody asks. The hub answers ``("answer", key, lent, refused)``
- ``("has", key, count)``: so many it has; the hub has asked for that with ``("count", key)``, and whoever hears that
  asks for each from then on
- ``("back", key, count, waiting)``: so many have ended, and so many wait; each of these gets its ``("turn", key)``
- ``("waits", key, most, waiting)``: so many wait, of ``most`` in all processes
- ``("drop",)``: it has no use for the topic any more

and hears ``("free", key)`` once nobody has asked for ``key`` for a while: it may begin its own again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

# Says something to the hub, or to a process.
SayLoan: TypeAlias = "Callable[[tuple[Any, ...]], None]"


class Borrower(Protocol):
    """One that borrows from the hub, in one of the processes."""

    def borrow(self, say: SayLoan) -> None:
        """There is a hub: ``say`` leads to it. Called again when it may have forgotten who this is."""

    def told(self, content: tuple[Any, ...]) -> None:
        """What the hub says."""

    def part(self) -> None:
        """There is none any more, or somebody else borrows by that topic."""
