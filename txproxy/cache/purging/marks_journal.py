"""The journal of marks: a file that all processes of a directory append to, and read on.

A record has a magic, kind, whether it is soft, the length of its value, its number, a checksum (CRC-32) and the value.
Who appends has the file locked, and has read all that is there, so that numbers rise by one. What is damaged may have
been any mark: it counts as one that makes all stale.
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

from txproxy.cache.purging.mark import LONGEST, Kind, Mark

_MAGIC: Final = b"TxMark1\n"
_RECORD: Final = struct.Struct("<8sHHIQI")
_ALL_STALE: Final = Mark(Kind.ALL, b"", soft=True)


class Numbered(NamedTuple):
    """A mark and its number."""

    seq: int
    mark: Mark


def _pack(numbered: Numbered) -> bytes:
    seq, (kind, value, soft) = numbered
    fields = (_MAGIC, kind, soft, len(value), seq)
    crc = zlib.crc32(value, zlib.crc32(_RECORD.pack(*fields, 0)))
    return _RECORD.pack(*fields, crc) + value


def _unpack(data: bytes, place: int) -> tuple[Numbered, int] | None:
    """The mark of the record there, and where that ends; None if there is no whole one."""
    if len(data) - place < _RECORD.size:
        return None
    magic, kind, soft, length, seq, crc = _RECORD.unpack_from(data, place)
    start = place + _RECORD.size
    value = data[start : start + length]
    if magic != _MAGIC or length > LONGEST or len(value) < length or kind not in Kind._value2member_map_ or soft > 1:
        return None
    if zlib.crc32(value, zlib.crc32(_RECORD.pack(magic, kind, soft, length, seq, 0))) != crc:
        return None
    return Numbered(seq, Mark(Kind(kind), value, bool(soft))), start + length


def _next_whole(data: bytes, place: int) -> int | None:
    """Where the next record begins that is whole, if there is one."""
    while (place := data.find(_MAGIC, place)) >= 0:
        if _unpack(data, place) is not None:
            return place
        place += 1
    return None


class MarksJournal:
    """The file at ``path``, which is made if there is none. An OSError says that it cannot be used.

    One that is new begins with a mark that makes all stale that was stored before: nobody knows what was purged of
    that. Its number is the time in microseconds, which is higher than those of any journal that was lost.
    """

    __slots__ = ("path", "_fd", "_read", "_seq")

    def __init__(self, path: str) -> None:
        self.path = path
        self._seq = 0
        self._open()

    def _open(self) -> None:
        self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self._read = 0

    def _reopen(self) -> None:
        """Have the file that has the name now. Where there can be none, the old one is kept: its number must not be
        used once somebody else's file has it.
        """
        before = self._fd
        try:
            self._open()
        except OSError:
            fcntl.flock(before, fcntl.LOCK_UN)
            raise
        os.close(before)

    def close(self) -> None:
        """Be done with it."""
        os.close(self._fd)

    def flushing(self) -> Callable[[], None]:
        """What has all that was written until now be on the disk, with the name of the file, when it is called. That
        takes as long as the disk does, and may be done in a thread whatever becomes of this meanwhile.
        """
        # The journal may be written anew, and another file may get the number of this one.
        held = _Held(os.dup(self._fd))
        folder = os.path.dirname(self.path)

        def flush() -> None:
            os.fsync(held.fd)
            named = _Held(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            os.fsync(named.fd)

        return flush

    @property
    def size(self) -> int:
        """How long it is, as far as it was read."""
        return self._read

    def begin(self) -> list[Numbered]:
        """All that is in it, once nobody writes to it."""
        with self._locked() as found:
            return found

    def read(self) -> list[Numbered]:
        """What was added since that was asked last; all that is in it if it is another file by now."""
        if not self._is_current():
            return self.begin()
        if os.fstat(self._fd).st_size == self._read:
            return []
        return self._read_on(at_rest=False)

    def append(self, mark: Mark) -> list[Numbered]:
        """Add a mark, with one write; gives what others have added, and this one at the end."""
        with self._locked() as found:
            found.append(self._write(mark, self._seq + 1))
        return found

    def rewrite(self, keep: Callable[[list[Numbered]], list[Numbered]]) -> None:
        """Have in it what ``keep`` gives, which is told what others have added; the last number is to be among that."""
        with self._locked() as found:
            data = b"".join(map(_pack, keep(found)))
            unfinished = f"{self.path}.new"
            fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            try:
                _write_all(fd, data)
                os.fsync(fd)
            finally:
                os.close(fd)
            os.rename(unfinished, self.path)

    def _is_current(self) -> bool:
        """Whether the file is still the one of that name."""
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        mine = os.fstat(self._fd)
        return (now.st_dev, now.st_ino) == (mine.st_dev, mine.st_ino)

    @contextmanager
    def _locked(self) -> Iterator[list[Numbered]]:
        """Have the file of that name to oneself, for a moment; gives what others have added."""
        while True:
            fcntl.flock(self._fd, fcntl.LOCK_EX)
            if self._is_current():
                break
            self._reopen()
        try:
            found = self._read_on(at_rest=True)
            if not self._read:
                found.append(self._write(_ALL_STALE, self._new_seq()))
            yield found
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _read_on(self, at_rest: bool) -> list[Numbered]:
        """What was added. Its end may be just being written, unless the file is ``at_rest``."""
        data = os.pread(self._fd, max(os.fstat(self._fd).st_size - self._read, 0), self._read)
        found: list[Numbered] = []
        place = 0
        while place < len(data):
            unpacked = _unpack(data, place)
            if unpacked is None:
                following = _next_whole(data, place + 1)
                if following is None and not at_rest:
                    break
                # The next has the number after those that were lost.
                known = _unpack(data, following) if following is not None else None
                seq = known[0].seq - 1 if known is not None else self._new_seq()
                unpacked = Numbered(seq, _ALL_STALE), len(data) if following is None else following
            numbered, place = unpacked
            self._seq = max(self._seq, numbered.seq)
            found.append(numbered)
        self._read += place
        return found

    def _new_seq(self) -> int:
        """A number for what comes first, or has lost its own: there may have been any before."""
        return max(self._seq + 1, time.time_ns() // 1000)

    def _write(self, mark: Mark, seq: int) -> Numbered:
        numbered = Numbered(seq, mark)
        data = _pack(numbered)
        _write_all(self._fd, data)
        self._seq = seq
        self._read += len(data)
        return numbered


class _Held:
    """A descriptor, which is closed when nobody has it any more."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __del__(self) -> None:
        os.close(self.fd)


def _write_all(fd: int, data: bytes) -> None:
    if os.write(fd, data) < len(data):
        # What was written is damaged, and so makes all stale.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
