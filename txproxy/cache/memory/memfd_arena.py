"""Where bodies live that the kernel sends: a file in memory (memfd), which has no name and goes with the process.

Nothing is ever written over, and no offset is used twice: each body has a range of its own, one after another in a
file that may be 8 EiB long, and the pages of one that is gone are given back by punching a hole. That is not for
convenience. What sendfile(2) has handed to a socket are the pages themselves, not a copy: bytes written over them
would go to a client that has not acknowledged what it was sent. Pages that are cut out of the file live on in the
socket until it is through with them. So each body is in one piece as well, whatever came and went before it.
"""

from __future__ import annotations

import mmap
import os
import sys
from collections import deque
from typing import Final

_PAGE: Final = mmap.PAGESIZE


def _pages(size: int) -> int:
    """``size`` in bytes of whole pages."""
    return -(-size // _PAGE) * _PAGE


class ArenaRange:
    """Part of the arena from ``offset``, for at most ``size`` bytes, with ``written`` bytes in it. Its memory is given
    back when nobody has it any more.
    """

    __slots__ = ("_arena", "offset", "size", "written", "_tried")

    def __init__(self, arena: MemfdArena, offset: int, size: int) -> None:
        self._arena = arena
        self.offset = offset
        self.size = size
        self.written = 0
        # As `written`, and with what a write that failed may have written.
        self._tried = 0

    @property
    def fd(self) -> int:
        """The descriptor of the file that it is in."""
        return self._arena.fd

    @property
    def taken(self) -> int:
        """The bytes of its pages."""
        return _pages(self._tried)

    def more_taken(self, count: int) -> int:
        """By how many bytes it takes more when so many are written."""
        return _pages(self.written + count) - self.taken

    def append(self, data: bytes) -> None:
        """Write after what is there. An OSError says that there is no memory; then nothing may follow."""
        stop = self.written + len(data)
        self._arena.used += _pages(stop) - self.taken
        self._tried = stop
        self._arena.write(self.offset + self.written, data)
        self.written = stop

    def __del__(self) -> None:
        # In whichever thread that is, and wherever that stands: what has to be done is left to the arena.
        if self._tried:
            self._arena.left.append((self.offset, self._tried))


class MemfdArena:
    """The file. ``used`` are the bytes of its pages, and ``left`` the ranges that nobody has any more, which
    :meth:`give_back` gives back.
    """

    __slots__ = ("fd", "used", "left", "_end")

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.used = 0
        self.left: deque[tuple[int, int]] = deque()
        self._end = 0

    @classmethod
    def made(cls) -> MemfdArena | None:
        """A new one; None where the system has not what it takes, or no descriptor."""
        if sys.platform != "linux" or not hasattr(mmap, "MADV_REMOVE"):
            return None
        try:
            return cls(os.memfd_create("txproxy-cache", os.MFD_CLOEXEC))
        except OSError:
            return None

    def reserve(self, size: int) -> ArenaRange:
        """A range for at most ``size`` bytes. What is not written takes no memory."""
        offset = self._end
        self._end += _pages(size)
        return ArenaRange(self, offset, size)

    def write(self, offset: int, data: bytes) -> None:
        """Write all of it there, or raise an OSError."""
        view = memoryview(data)
        while view:
            count = os.pwrite(self.fd, view, offset)
            view = view[count:]
            offset += count

    def give_back(self) -> None:
        """Give the memory of all that was left back to the system."""
        while self.left:
            offset, size = self.left.popleft()
            try:
                self._punch(offset, size)
            except OSError:
                # No descriptor is free, or no room for a mapping: it stays counted, and is tried again.
                self.left.appendleft((offset, size))
                return
            self.used -= _pages(size)

    def _punch(self, offset: int, size: int) -> None:
        # A write that failed may have ended before that.
        there = min(size, os.fstat(self.fd).st_size - offset)
        if there > 0:
            # This is the one way to punch a hole that the standard library has.
            with mmap.mmap(self.fd, there, offset=offset) as mapped:
                mapped.madvise(mmap.MADV_REMOVE)

    def __del__(self) -> None:
        os.close(self.fd)
