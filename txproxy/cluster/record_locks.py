"""Places that several processes on one machine have in common, each of which one process has at a time.

A place is a byte of a file without a name, and who has it has a lock on it (fcntl(2), "record locks"): to take one is a
call that asks the kernel, waits for nobody, and needs no other process to be there. The kernel frees what a process has
when that ends, however it ends. The file has no bytes, as locks may lie anywhere behind its end; it is made before the
processes are forked, who find it by its descriptor.

Two things are to be known of these locks. They belong to a process, and not to a descriptor: a child has none of them,
and a process is never in its own way, so that what it has is noted here. And all of them are gone when the process
closes *any* descriptor of the file: so there is one, which is neither copied nor closed.
"""

from __future__ import annotations

import os
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, lockf
from hashlib import blake2b
from typing import Final

# The places of one name are so many in a row.
SPAN: Final = 4096
# What an offset in a file may have, in bytes; and those of the row are in the last of its bits.
_NAME_BYTES: Final = 8
_LARGEST: Final = (1 << 63) - SPAN


def open_lock_file() -> int:
    """The descriptor of a new one, which no program finds that is started by this one."""
    if hasattr(os, "memfd_create"):
        return os.memfd_create("txproxy locks", os.MFD_CLOEXEC)
    import tempfile

    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def first_place(*names: str) -> int:
    """The first of the places that are of these names: the same in all processes, which need not agree on it. If two
    names ever had the same (of a thousand: once in 4,500,000,000 times), they would have their places together, each of
    them no more than it may.
    """
    digest = blake2b(digest_size=_NAME_BYTES)
    for name in names:
        data = name.encode("utf-8", "surrogateescape")
        digest.update(b"%d:%b" % (len(data), data))
    return int.from_bytes(digest.digest(), "big") % _LARGEST // SPAN * SPAN


class RecordLocks:
    """Those of the file with this ``descriptor``, as one process has them: there is one of these in each."""

    __slots__ = ("_descriptor", "_held", "_passed")

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._held: set[int] = set()
        # those of them with which another process is to go on
        self._passed: set[int] = set()

    def take(self, place: int) -> bool:
        """Have ``place`` from now on; False where somebody has it, this process or another."""
        if place in self._held:
            return False
        try:
            lockf(self._descriptor, LOCK_EX | LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        self._held.add(place)
        return True

    def free(self, place: int) -> None:
        """Have it no more."""
        self._held.discard(place)
        lockf(self._descriptor, LOCK_UN, 1, place)

    def _lock(self, kind: int, place: int) -> bool:
        try:
            lockf(self._descriptor, kind | LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):
            return False
        return True

    # -- from one process to another, without a moment in which a third one could take it

    def pass_on(self, place: int) -> None:
        """Another process goes on with ``place``, which both have until this one calls :meth:`free_passed`."""
        self._lock(LOCK_SH, place)
        self._passed.add(place)

    def take_over(self, place: int) -> bool:
        """Go on with what another process passes on, or with what this one has, after all; whether that could be."""
        if place in self._passed:
            self._passed.discard(place)
            return True
        if place in self._held or not self._lock(LOCK_SH, place):
            return False
        self._held.add(place)
        return True

    def free_passed(self, place: int) -> None:
        """The other process has it by now, unless this one has gone on with it."""
        if place in self._passed:
            self._passed.discard(place)
            self.free(place)

    # -- places where any number of processes may stand

    def stand(self, place: int) -> bool:
        """Be one of those who stand at ``place``, until it is freed; False if that is not possible just now."""
        return self._lock(LOCK_SH, place)

    def others_stand(self, place: int, here: bool) -> bool:
        """Whether another process stands at ``place``, as this one does if it is ``here``."""
        if not self._lock(LOCK_EX, place):
            return True
        lockf(self._descriptor, LOCK_SH if here else LOCK_UN, 1, place)
        return False
