"""A file, pipe, terminal or socket that takes lines and never makes who writes them wait.

Lines are gathered in memory, and a thread of the log's own writes them: a pipe that nobody reads, a full disk or one
that hangs stops that thread alone. What does not fit in the buffer is dropped, counted, and said once lines flow again.
"""

from __future__ import annotations

import errno
import os
import select
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from threading import Condition, RLock, Thread
from typing import Final, Protocol

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.observe.log_destinations import STANDARD_OUTPUT, Destination, FileDestination

_log = Logger()

LARGEST: Final = 1 << 20  # what waits to be written, in bytes
# IOV_MAX of most systems: so many pieces can be written together.
_MOST_AT_ONCE: Final = 1024
# A log that cannot be written is tried again so often, in seconds.
_RETRY: Final = 1.0


class _State(Enum):
    HELD = "held"  # lines are gathered, and nothing is written yet
    ASLEEP = "asleep"  # nothing to write; the thread waits, or has not begun
    AWAKE = "awake"
    CLOSING = "closing"  # what is there is written, then the thread ends
    CLOSED = "closed"


def _apart(lines: bytes) -> list[bytes]:
    """Each by itself, with its end; the last one may have none."""
    *whole, rest = lines.split(b"\n")
    return [*(line + b"\n" for line in whole), *filter(None, (rest,))]


class LineMaker(Protocol):
    """Who gathers what lines are to be made of, and makes some of them together."""

    def make(self) -> None:
        """Write those that there are; may be called in any thread."""


class LogFile:
    """Appends to the file of this name, or writes to standard output (``-``).

    ``counted`` makes a line of its own for the log of how many were dropped. ``held`` is for who forks: nothing is
    written before :meth:`begin`. ``copy`` is a descriptor that is to lead to the same file, whenever it is opened anew,
    or -1. ``destination`` is where lines go, if that is no file. A ``ConfigError`` says why it cannot be opened.
    """

    # The first line after a rest is written at once, and those of this long after it together: in seconds.
    pause = 0.02

    def __init__(
        self,
        path: str,
        *,
        counted: Callable[[int], bytes] | None = None,
        held: bool = False,
        copy: int = -1,
        destination: Destination | None = None,
    ) -> None:
        self._destination: Destination = destination or FileDestination(path)
        self.path = self._destination.path
        self._given = self._destination.given
        self._frame = self._destination.frame
        self._counted = counted
        self._copy = copy
        self._fd = self._destination.open(None)
        self._state = _State.HELD if held else _State.ASLEEP
        self._thread: Thread | None = None
        # Guards all that follows, and tells both sides of what has changed. Twisted writes a line from within its
        # signal handlers, which may come in the middle of another line: such a thread must not wait for itself.
        self._lock = RLock()
        self._changed = Condition(self._lock)
        self._lines: list[bytes] = []
        self._size = 0
        # who has lines for it that are still to be made, and whether the thread has to be told of the next one
        self._makers: dict[LineMaker, None] = {}
        self._resting = self._state is _State.ASLEEP
        self._dropped = 0
        self._reopen = False
        self._hurried = False
        # said already that it cannot be written
        self._failing = False

    # -- for who writes

    def write(self, line: bytes) -> None:
        """Take a line, with its end. Does not wait."""
        if self._frame is not None:
            line = self._frame(line)
        with self._lock:
            self._take(line)
            if self._lines and self._state is _State.ASLEEP:
                self._awaken()

    def _take(self, line: bytes) -> None:
        if self._size + len(line) > LARGEST or self._state is _State.CLOSED:
            self._dropped += 1
        else:
            self._lines.append(line)
            self._size += len(line)

    def write_together(self, lines: bytes) -> None:
        """Take several, of which one follows the other."""
        frame = self._frame
        pieces = [lines] if frame is None else [frame(line) for line in _apart(lines)]
        with self._lock:
            if frame is None and (self._size + len(lines) > LARGEST or self._state is _State.CLOSED):
                # As many as there is room for, and each of the others counts.
                pieces = _apart(lines)
            for piece in pieces:
                self._take(piece)
            if self._lines and self._state is _State.ASLEEP:
                self._awaken()

    def wait_for(self, maker: LineMaker) -> None:
        """Lines are to be made: it does so itself before long. Takes no lock while that goes on anyway."""
        self._makers[maker] = None
        if self._resting:
            with self._lock:
                if self._state is _State.ASLEEP:
                    self._awaken()

    def makes(self, maker: LineMaker) -> None:
        """It is doing so now."""
        self._makers.pop(maker, None)

    def begin(self) -> None:
        """Write what was held, and what comes."""
        with self._changed:
            if self._state is _State.HELD:
                if self._copy >= 0:
                    os.dup2(self._fd, self._copy)
                self._awaken()

    def reopen(self) -> None:
        """After the file was moved away: begin a new one. If that cannot be, the old one is kept."""
        with self._changed:
            self._reopen = self._hurried = True
            if self._state is _State.ASLEEP:
                self._awaken()
            self._changed.notify_all()

    def close(self) -> None:
        """No more lines: those that are there are written, and nobody waits for that."""
        self._make()
        with self._changed:
            if self.closed:
                return
            self._state, self._resting = _State.CLOSING, False
            if self._thread is None:
                self._start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all is written, for so many seconds at the most; whether it is."""
        self._make()
        with self._changed:
            self._hurried = True
            self._changed.notify_all()
            return self._changed.wait_for(self._is_done, seconds)

    def _make(self) -> None:
        for maker in list(self._makers):
            maker.make()

    def _is_done(self) -> bool:
        return not (self._size > 0 or self._reopen or self._state is _State.CLOSING)

    @property
    def waiting(self) -> int:
        """How many bytes are still to be written."""
        return self._size

    @property
    def closed(self) -> bool:
        """Whether nothing more is written, but for what is there."""
        return self._state in (_State.CLOSING, _State.CLOSED)

    def give_to(self, uid: int, gid: int) -> None:
        """Let a user open it again who is not the one that has made it."""
        if self.path != STANDARD_OUTPUT:
            with suppress(OSError):
                os.fchown(self._fd, uid, gid)

    def _awaken(self) -> None:
        self._state, self._resting = _State.AWAKE, False
        if self._thread is None:
            self._start()
        else:
            self._changed.notify_all()

    def _start(self) -> None:
        # As a daemon: a write that hangs is not waited for at the end of the program.
        self._thread = Thread(target=self._run, name=f"log {self.path}", daemon=True)
        self._thread.start()

    # -- the thread

    def _run(self) -> None:
        while True:
            with self._changed:
                while not (self._lines or self._reopen or self._state is _State.CLOSING):
                    self._state = _State.ASLEEP
                    # In this order: who has lines from now on finds that it rests, or is found.
                    self._resting = True
                    if self._makers:
                        self._state, self._resting = _State.AWAKE, False
                        break
                    self._changed.wait()
            self._make()
            with self._changed:
                lines, self._lines = self._lines, []
                reopen = self._reopen
                closing = self._state is _State.CLOSING
            if reopen:
                self._begin_anew()
            written = self._put(lines)
            with self._changed:
                if closing and not (written and self._lines):
                    break
                self._changed.wait_for(self._is_hurried, self.pause if written else _RETRY)
                self._hurried = False
        if self._fd > 2:
            os.close(self._fd)
        with self._changed:
            self._state, self._size = _State.CLOSED, 0
            self._changed.notify_all()

    def _is_hurried(self) -> bool:
        return self._hurried or self._state is _State.CLOSING

    def _put(self, lines: list[bytes]) -> bool:
        """Write them. What cannot be written is kept for the next time."""
        done, largest, some = 0, 1, bool(lines)
        try:
            largest = self._destination.largest(self._fd)
            size = sum(map(len, lines))
            if size <= largest:
                # Most of the time. To look at each would take as long as to write it.
                self._write_together(lines, size)
            elif largest:
                lines[:] = [line for some in lines for line in (_apart(some) if len(some) > largest else (some,))]
            while done < len(lines):
                end, size = done + 1, len(lines[done])
                while end < len(lines) and size + len(lines[end]) <= largest:
                    size += len(lines[end])
                    end += 1
                lines[done:end] = [b"".join(lines[done:end])]
                self._write_whole(lines, done)
                # What is left there is what went out last.
                self._wrote(len(lines[done]))
                done += 1
        except OSError as fault:
            with self._changed:
                self._lines[:0] = lines[done:]
                # Whoever listens at a socket may be another by then.
                self._reopen = self._reopen or not largest
            self._failed(fault)
            return False
        if some:
            self._flows()
        return True

    def _write_together(self, lines: list[bytes], size: int) -> None:
        """Write all of them, which have that ``size``; what does not go out at once is left there as one piece. To put
        them together for that would take as long as to copy them to where they go.
        """
        wrote = 0
        if 1 < len(lines) <= _MOST_AT_ONCE:
            # Who shares it with us may have made it so that it does not wait.
            with suppress(BlockingIOError):
                wrote = os.writev(self._fd, lines)
                self._wrote(wrote)
        lines[:] = [b"".join(lines)[wrote:]] if wrote < size else []

    def _write_whole(self, lines: list[bytes], at: int) -> None:
        """Write one piece; of one that breaks in the middle the rest is left in ``lines``."""
        while True:
            try:
                wrote = os.write(self._fd, lines[at])
            except BlockingIOError:
                # Who shares it with us has made it so.
                select.select((), (self._fd,), (), _RETRY)
                continue
            except OSError as fault:
                if fault.errno != errno.EMSGSIZE:
                    raise
                # It is more than a message may be, today and tomorrow.
                with self._changed:
                    self._dropped += 1
                return
            if wrote == len(lines[at]):
                return
            lines[at] = lines[at][wrote:]
            self._wrote(wrote)

    def _wrote(self, size: int) -> None:
        with self._changed:
            self._size -= size
            if self._size <= 0:
                self._changed.notify_all()

    def _failed(self, fault: OSError) -> None:
        if not self._failing:
            self._failing = True
            _log.error("the log {path} cannot be written: {why}", path=self._given, why=fault.strerror)

    def _flows(self) -> None:
        """Lines could be written; say what happened before."""
        self._failing = False
        with self._changed:
            dropped, self._dropped = self._dropped, 0
            if dropped and self._counted is not None:
                line = self._counted(dropped)
                self._lines.insert(0, line)
                self._size += len(line)
        if dropped:
            _log.error("{count} lines dropped: the log {path} could not be written", count=dropped, path=self._given)

    # -- the file

    def _begin_anew(self) -> None:
        try:
            opened = self._destination.open(os.fstat(self._fd))
        except (ConfigError, OSError) as fault:
            if not self._failing or self._destination.largest(self._fd):
                # What is tried anew each second is said once.
                _log.error("{fault}; the lines go on to where they went before", fault=fault)
        else:
            before, self._fd = self._fd, opened
            if self._copy >= 0:
                os.dup2(opened, self._copy)
            if before != opened:
                os.close(before)
        with self._changed:
            self._reopen = False
            self._changed.notify_all()
