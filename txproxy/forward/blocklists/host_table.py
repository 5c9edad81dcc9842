"""A million host names in little memory.

A name is kept as the 64 bits of its hash alone, in a table with open addressing: 16 to 32 bytes for each name, in one
block that worker processes share after a fork. A frozenset of the names takes 90, and one of their hashes 85; a sorted
array takes 8, and three times as long for each look-up. The price is that a name may be taken for another: with n names
in the table that happens in n / 2**64 of all questions put to it, which for a million is once in eighteen million
million. Python keys its hash afresh in each process (SipHash), so nobody can look for such a name beforehand either.
"""

from __future__ import annotations

import hashlib
import sys
from array import array
from collections.abc import Callable, Iterable
from typing import Final


def _digest(name: str) -> int:
    """64 bits where Python's own hash has 32: with those, one answer in four thousand would be wrong."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest(), "little", signed=True)


key_of: Final[Callable[[str], int]] = hash if sys.hash_info.width >= 64 else _digest

# No host has a space in it.
_ALONE: Final = " "


def keys() -> array[int]:
    """An empty array of keys, to be filled by :func:`key_of` and :func:`key_alone`."""
    return array("q")


def key_alone(name: str) -> int:
    """The key of a name that stands for itself, and not for the names under it."""
    return key_of(_ALONE + name)


class HostNames:
    """A set of host names, each of which stands for all names under it too. ``alone`` tells that some of the keys are
    of names that stand for themselves only, ``undotted`` that some are of names without a dot.
    """

    __slots__ = ("_alone", "_undotted", "_table", "_mask", "_count")

    def __init__(self, keys: Iterable[int] = (), *, alone: bool = False, undotted: bool = True) -> None:
        known = keys if isinstance(keys, array) else array("q", keys)
        self._alone = alone
        self._undotted = int(undotted)
        # At most half full, so that a look-up seldom has to go on to a second place.
        size = 1 << (2 * len(known)).bit_length() if known else 1
        self._mask = mask = size - 1
        self._table = table = array("q", bytes(8 * size))
        count = 0
        for key in known:
            at = key & mask
            while entry := table[at]:
                if entry == key:
                    break
                at = (at + 1) & mask
            else:
                # Zero marks an empty place. A name of this hash would be left out; none is known.
                table[at] = key
                count += 1
        self._count = count

    @classmethod
    def union(cls, sets: Iterable[HostNames]) -> HostNames:
        """All names of several sets."""
        several = [names for names in sets if len(names)]
        if len(several) == 1:
            return several[0]
        merged = keys()
        for names in several:
            merged.extend(key for key in names._table if key)
        return cls(
            merged,
            alone=any(names._alone for names in several),
            undotted=any(names._undotted for names in several),
        )

    def __len__(self) -> int:
        return self._count

    def find(self, host: str) -> str | None:
        """The name in the set that ``host`` is, or is under; None if there is none. ``host`` is in normal form."""
        if not self._count:
            return None
        table, mask = self._table, self._mask
        if self._alone:
            key = key_alone(host)
            at = key & mask
            while entry := table[at]:
                if entry == key:
                    return host
                at = (at + 1) & mask
        name = host
        for _ in range(host.count(".") + self._undotted):
            key = key_of(name)
            at = key & mask
            while entry := table[at]:
                if entry == key:
                    return name
                at = (at + 1) & mask
            name = name.partition(".")[2]
        return None
