"""How many of each key there are now, of several processes together."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

from txproxy.interfaces.processes.sharing import MOST_TOLD

# More than so many that are gone do not wait for a hub that does not read.
_MOST_NEW: Final = 65536


class SharedLevels:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`. Each process counts its own, and learns the others' a
    moment later: what they let in meanwhile may be too many, and stays so until it ends. ``on_less`` is told of each
    key of which others have fewer now.
    """

    __slots__ = ("_own", "_others", "_of_peers", "_new", "_wake", "_begins", "on_less")

    def __init__(self) -> None:
        self._own: dict[Hashable, int] = {}
        # of all others, and of each of them
        self._others: dict[Hashable, int] = {}
        self._of_peers: dict[int, dict[Hashable, int]] = {}
        # keys of which nobody has heard what has become
        self._new: dict[Hashable, None] = {}
        self._wake: Callable[[], None] | None = None
        # whether what was told before, of what this takes the place of, is void
        self._begins = False
        self.on_less: Callable[[Hashable], None] | None = None

    def __len__(self) -> int:
        """How many keys there are in this process."""
        return len(self._own)

    def here(self, key: Hashable) -> int:
        """How many of ``key`` there are in this process."""
        return self._own.get(key, 0)

    def elsewhere(self, key: Hashable) -> int:
        """How many of ``key`` there are in all other processes."""
        return self._others.get(key, 0)

    def of(self, key: Hashable) -> int:
        """How many of ``key`` there are in all."""
        return self._own.get(key, 0) + self._others.get(key, 0)

    def change(self, key: Hashable, count: int) -> None:
        """So many more of ``key`` are here, or less."""
        level = self._own.get(key, 0) + count
        if level:
            self._own[key] = level
        else:
            del self._own[key]
        if self._wake is not None:
            if not self._new:
                self._wake()
            elif len(self._new) > _MOST_NEW + len(self._own):
                # Nobody has heard of them for long, and most of them are gone: those that are left say it all.
                self._begins = True
                self._new = dict.fromkeys(self._own)
            self._new[key] = None

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake
        self._begins = True
        self._new = dict.fromkeys(self._own)
        wake()

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = None
        self._new.clear()
        self._of_peers.clear()
        others, self._others = self._others, {}
        self._tell_less(others)

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`: whether that is all of it, and the levels."""
        begins, self._begins = self._begins, False
        told = {key: self._own.get(key, 0) for key in islice(self._new, MOST_TOLD)}
        for key in told:
            del self._new[key]
        return (begins, told) if told or begins else None, bool(self._new)

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        begins, levels = content
        there = self._of_peers.setdefault(peer, {})
        if begins:
            levels = {**dict.fromkeys(there, 0), **levels}
        self._set(there, levels)

    def _set(self, there: dict[Hashable, int], levels: Mapping[Hashable, int]) -> None:
        less = []
        for key, level in levels.items():
            before = there.pop(key, 0)
            total = self._others.get(key, 0) - before + level
            if level < before:
                less.append(key)
            if level:
                there[key] = level
            if total:
                self._others[key] = total
            else:
                self._others.pop(key, None)
        self._tell_less(less)

    def _tell_less(self, keys: Iterable[Hashable]) -> None:
        if self.on_less is not None:
            for key in keys:
                self.on_less(key)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return (True, dict(self._own)) if self._own else None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self.heard(peer, content, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        there = self._of_peers.pop(peer, {})
        self._set(there, dict.fromkeys(there, 0))

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
