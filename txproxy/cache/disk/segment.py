"""A segment: a file that is appended to by one process, and read by all."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
from typing import Final

from txproxy.cache.disk.record_format import PAGE

_HEADER: Final = struct.Struct("<8sQ48x")
_MAGIC: Final = b"TxSegmt1"
SEGMENT_START: Final = _HEADER.size
_NOWAIT: Final = getattr(os, "RWF_NOWAIT", 0)
_allocate: Final = getattr(os, "posix_fallocate", None)
# What a file system says that has no such thing.
_NO_ALLOCATION: Final = frozenset({errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS})


class NotInMemory(Exception):
    """What is to be read would have to be waited for."""


def segment_header(number: int) -> bytes:
    """What a segment begins with."""
    return _HEADER.pack(_MAGIC, number)


class Segment:
    """A segment of a ``number``. It closes its file when nobody has it any more, also nobody who has a body in it.
    ``end`` is where the next record goes, for who writes it.
    """

    __slots__ = ("fd", "number", "end", "_verified", "_seen", "_top")

    def __init__(self, fd: int, number: int) -> None:
        self.fd = fd
        self.number = number
        self.end = 0
        # How long the file was when that was looked at last, and how long it is at least, by what was written here.
        self._seen = 0
        self._top = 0
        # A bit for each page at which a body begins that was found to be what was written.
        self._verified = bytearray()

    def __del__(self) -> None:
        os.close(self.fd)

    @property
    def removed(self) -> bool:
        """Whether the file has no name any more. Where it is shorter than it was, nothing is believed of it that was
        verified: what somebody has cut off, a hole of zeros may stand in the place of.
        """
        there = os.fstat(self.fd)
        if there.st_size < self._seen:
            self._verified = bytearray()
        self._seen = there.st_size
        return there.st_nlink == 0

    @property
    def is_whole(self) -> bool:
        """Whether the file has its name, and is as long as what this process has written to it."""
        return not self.removed and self._seen >= self._top

    def is_verified(self, offset: int) -> bool:
        """Whether the body at that page was found to be what was written, since this process has the file open."""
        place, bit = divmod(offset // PAGE, 8)
        return place < len(self._verified) and bool(self._verified[place] >> bit & 1)

    def set_verified(self, offset: int) -> None:
        """Say that it was."""
        place, bit = divmod(offset // PAGE, 8)
        if place >= len(self._verified):
            self._verified.extend(bytes(place + 1 - len(self._verified)))
        self._verified[place] |= 1 << bit

    def set_unverified(self, offset: int) -> None:
        """Say that it may be something else."""
        place, bit = divmod(offset // PAGE, 8)
        if place < len(self._verified):
            self._verified[place] &= ~(1 << bit)

    def lock(self) -> bool:
        """Have it for writing as long as it is open; whether nobody else has."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def unlock(self) -> None:
        """Write no more records to it."""
        fcntl.flock(self.fd, fcntl.LOCK_UN)

    def append(self, data: bytes) -> None:
        """Write after what is there. An OSError says that it could not be, and that nothing has changed."""
        self.write(data, self.end)
        self.end += len(data)

    def allocate(self, offset: int, size: int) -> None:
        """Have the disk keep room for so many bytes there; an OSError says that it has none. Where a file system cannot
        do that, it turns out when they are written.
        """
        if _allocate is not None:
            try:
                _allocate(self.fd, offset, size)
            except OSError as error:
                if error.errno not in _NO_ALLOCATION:
                    raise
            else:
                self._top = max(self._top, offset + size)

    def write(self, data: bytes | memoryview, offset: int) -> None:
        """Write all of it there, or raise an OSError: also where the file has been cut, as what is written behind a
        hole would make zeros of all that stood in it.
        """
        if os.fstat(self.fd).st_size < self._top:
            raise OSError(errno.EIO, "a segment was cut while it was written to")
        view = memoryview(data)
        while view:
            count = os.pwrite(self.fd, view, offset)
            view = view[count:]
            offset += count
        self._top = max(self._top, offset)

    def read(self, offset: int, size: int, wait: bool) -> bytes:
        """What stands there, as far as there is something. If that must not be waited for, NotInMemory is raised where
        it would have to be.
        """
        buffer = bytearray(size)
        view = memoryview(buffer)
        done = 0
        while done < size:
            count = self._read_into(view[done:], offset + done, wait)
            if not count:
                break
            done += count
        return bytes(view[:done])

    def _read_into(self, view: memoryview, offset: int, wait: bool) -> int:
        if wait:
            return os.preadv(self.fd, [view], offset)
        if not _NOWAIT:
            raise NotInMemory
        try:
            return os.preadv(self.fd, [view], offset, _NOWAIT)
        except OSError as error:
            # Some file systems cannot tell.
            if error.errno in (errno.EAGAIN, errno.EOPNOTSUPP):
                raise NotInMemory from None
            raise
