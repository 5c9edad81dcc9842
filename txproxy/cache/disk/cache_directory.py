"""The directory of a disk store: which files may be in it, what they are called, and who may do what.

``lock.v1`` is locked for as long as something is made or removed, ``tidying.v1`` by the process that makes room with
second chances, ``index.v1`` is the table of hints, ``purges.v1`` the journal of purges, and ``NUMBER.v1.segment`` are
the segments, each of which is locked by the process that writes it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from txproxy.cache.disk.hint_index import HintIndex
from txproxy.cache.disk.segment import SEGMENT_START, Segment, segment_header
from txproxy.components.written_files import check_folder
from txproxy.errors import ConfigError

_VERSION: Final = "v1"
_SEGMENT: Final = re.compile(rf"([0-9]{{8,20}})\.{_VERSION}\.segment")
_LOCK: Final = f"lock.{_VERSION}"
_TIDYING: Final = f"tidying.{_VERSION}"
_INDEX: Final = f"index.{_VERSION}"
PURGES: Final = f"purges.{_VERSION}"
_OURS: Final = re.compile(rf"{_SEGMENT.pattern}|(lock|tidying|index|purges)\.{_VERSION}|[a-z0-9]+\.{_VERSION}\.new")
# What a file system has of its own where it is mounted.
_TOLERATED: Final = frozenset({"lost+found"})
_NO_WRITING: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_NONE_KNOWN: Final[Mapping[int, int]] = {}
_ACCEPTED: Final = "accepted is a directory that is empty, is not there yet, or was made by this version"


def _refusal(path: str, said: str) -> ConfigError:
    return ConfigError(f"{path}: {said}", _ACCEPTED)


def _refuse_foreign(path: str, names: list[str]) -> None:
    foreign = sorted(name for name in names if not _OURS.fullmatch(name) and name not in _TOLERATED)
    if foreign:
        raise _refusal(path, f"has {foreign[0]!r} in it, which is no file of a cache")


def look_at_directory(path: str) -> None:
    """A ``ConfigError`` if there could be no :class:`CacheDirectory`. Nothing is made."""
    there = os.path.abspath(path)
    try:
        while not _is_there(there):
            there = os.path.dirname(there)
        check_folder(there)
        names = os.listdir(path) if os.path.isdir(path) else []
    except (FileExistsError, NotADirectoryError):
        raise _refusal(path, "is not a directory") from None
    except (OSError, ValueError) as error:
        raise _refusal(path, f"cannot be used: {_reason(error)}") from None
    _refuse_foreign(path, names)


def _is_there(path: str) -> bool:
    # What cannot be made there, such as a name that is too long, is another error.
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


class CacheDirectory:
    """A directory at ``path`` that is there, can be written to, and has nothing else in it. A ConfigError says what is
    wrong with it.
    """

    __slots__ = ("path", "_lock", "_tidying")

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            os.makedirs(path, 0o700, exist_ok=True)
            names = os.listdir(path)
        except (FileExistsError, NotADirectoryError):
            raise _refusal(path, "is not a directory") from None
        except (OSError, ValueError) as error:
            raise _refusal(path, f"cannot be used: {_reason(error)}") from None
        _refuse_foreign(path, names)
        try:
            self._lock = self._open(_LOCK)
            self._tidying = self._open(_TIDYING)
        except OSError as error:
            raise _refusal(path, f"cannot be used: {_reason(error)}") from None

    def _open(self, name: str) -> int:
        return os.open(self.path_of(name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def _open_locks(self) -> None:
        for before, name in ((self._lock, _LOCK), (self._tidying, _TIDYING)):
            now = self._open(name)
            # Under the same number, so that nobody has one that was closed.
            os.dup2(now, before, inheritable=False)
            os.close(now)

    def path_of(self, name: str) -> str:
        """Where a file of that name is."""
        return os.path.join(self.path, name)

    def close(self) -> None:
        """Be done with it."""
        os.close(self._lock)
        os.close(self._tidying)

    @contextmanager
    def locked(self, wait: bool = False) -> Iterator[bool]:
        """Be the only process that makes or removes something; gives whether this is so. Another that has the lock need
        not be waited for: it may have been stopped.
        """
        if not self._is_current():
            # Somebody has emptied the directory: the lock of those that come is another one.
            self._open_locks()
        with _locked(self._lock, wait) as alone:
            yield alone

    def _is_current(self) -> bool:
        """Whether the lock is the file of that name."""
        try:
            return os.path.samestat(os.stat(self.path_of(_LOCK)), os.fstat(self._lock))
        except FileNotFoundError:
            return False

    @contextmanager
    def tidying(self) -> Iterator[bool]:
        """Be the only process that tidies up, which may take long; gives whether this is so."""
        with _locked(self._tidying, wait=False) as alone:
            yield alone

    def segments(self, known: Mapping[int, int] = _NONE_KNOWN) -> dict[int, int]:
        """The sizes of all segments, by their numbers, the oldest first. Of ``known`` ones nobody asks."""
        sizes = {}
        for name in os.listdir(self.path):
            match = _SEGMENT.fullmatch(name)
            if match:
                number = int(match[1])
                try:
                    sizes[number] = known[number] if number in known else os.stat(self.path_of(name)).st_size
                except FileNotFoundError:
                    # Another process has just removed it.
                    continue
        return dict(sorted(sizes.items()))

    def path_of_segment(self, number: int) -> str:
        """Where the segment of that number is."""
        return self.path_of(f"{number:08}.{_VERSION}.segment")

    def open_segment(self, number: int) -> Segment | None:
        """A segment to read from; None if there is none of that number."""
        path = self.path_of_segment(number)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in _NO_WRITING:
                raise
            # What is there is served from a disk that takes nothing.
            fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        return Segment(fd, number)

    def new_segment(self, number: int) -> Segment:
        """A new one to write to, which is locked as long as it is open."""
        fd = self._new(self.path_of_segment(number), lambda fd: _write(fd, segment_header(number)))
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        segment = Segment(fd, number)
        segment.end = SEGMENT_START
        return segment

    def remove_segment(self, number: int) -> None:
        """Remove one. Those who have it open keep what they have."""
        try:
            os.unlink(self.path_of_segment(number))
        except FileNotFoundError:
            pass

    def has_index(self, index: HintIndex) -> bool:
        """Whether that is the table of hints that who comes now would have."""
        return index.is_at(self.path_of(_INDEX))

    def index(self, slots: int) -> HintIndex:
        """The table of hints; a new one of so many slots, which is empty, if there is none that could be one. To be
        called by who has the lock.
        """
        path = self.path_of(_INDEX)
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            pass
        else:
            try:
                return HintIndex(fd)
            except ValueError:
                os.close(fd)
        try:
            return HintIndex(self._new(path, lambda fd: HintIndex.lay_out(fd, slots)))
        except OSError as error:
            raise _refusal(self.path, f"has no room for an index of {8 * slots} bytes: {_reason(error)}") from None

    def _new(self, path: str, fill: Callable[[int], None]) -> int:
        """A new file that has its name only when it is what it should be."""
        unfinished = f"{path}.new" if path.endswith(f".{_VERSION}") else f"{path.removesuffix('.segment')}.new"
        fd = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            fill(fd)
            os.rename(unfinished, path)
        except BaseException:
            os.close(fd)
            with suppress(OSError):
                os.unlink(unfinished)
            raise
        return fd


@contextmanager
def _locked(fd: int, wait: bool) -> Iterator[bool]:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        yield False
        return
    try:
        yield True
    finally:
        fcntl.flock(fd, fcntl.LOCK_UN)


def _write(fd: int, data: bytes) -> None:
    if os.pwrite(fd, data, 0) < len(data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)
