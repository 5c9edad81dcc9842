"""splice(2): bytes from socket to socket within the kernel (Linux).

A direction begins with plain reads and writes, which are cheapest for small pieces, and goes over to a pipe when the
pieces are large. A pipe is taken from a pool for a move and given back when it is empty, so that ten thousand idle
tunnels hold none of them.
"""

from __future__ import annotations

import errno
import fcntl
import os
import select
import socket
from contextlib import suppress
from typing import Any, Final, NamedTuple, Protocol

from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

AVAILABLE: Final = hasattr(os, "splice") and hasattr(select, "epoll")

_PIPE_SIZE: Final = 1 << 20
_READ_SIZE: Final = 65536
_TURNS: Final = 4  # moves in one go, before others get theirs
FLAGS: Final = getattr(os, "SPLICE_F_NONBLOCK", 0) | getattr(os, "SPLICE_F_MOVE", 0)
_POOL_SIZE: Final = 64


class Pipe:
    """A pipe and what is in it."""

    __slots__ = ("read_fd", "write_fd", "size", "filled")

    def __init__(self) -> None:
        self.read_fd, self.write_fd = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.filled = 0
        try:
            self.size = fcntl.fcntl(self.write_fd, fcntl.F_SETPIPE_SZ, _PIPE_SIZE)
        except OSError:
            # over the user's allowance: the default is slower, and works
            self.size = fcntl.fcntl(self.write_fd, fcntl.F_GETPIPE_SZ)

    def close(self) -> None:
        """Close both ends."""
        os.close(self.read_fd)
        os.close(self.write_fd)


class PipePool:
    """Empty pipes for the next move."""

    def __init__(self) -> None:
        self._pipes: list[Pipe] = []

    def take(self) -> Pipe:
        """An empty pipe. ``OSError`` if there are no descriptors left."""
        return self._pipes.pop() if self._pipes else Pipe()

    def give_back(self, pipe: Pipe) -> None:
        """A pipe that is not needed any more; one with bytes in it is closed."""
        if pipe.filled or len(self._pipes) >= _POOL_SIZE:
            pipe.close()
        else:
            self._pipes.append(pipe)

    def close(self) -> None:
        """Close them all."""
        while self._pipes:
            self._pipes.pop().close()


class Standing(NamedTuple):
    """How one side is: what was read of it and is ``waiting`` to be written to the other, and whether its end was read,
    and told to the other.
    """

    waiting: bytes = b""
    ended: bool = False


_BEGINNING: Final = Standing()


class Watcher(Protocol):
    """Who wants to know how the bytes fare."""

    def moved(self) -> None:
        """Bytes have moved."""

    def half_closing(self) -> None:
        """One side has closed."""

    def splice_ended(self, clean: bool, by_first: bool | None = None) -> None:
        """Both sides have closed, or one of them failed: ``by_first`` says whether its peer has cut off the first
        socket, or the second; None where one had closed before.
        """


@implementer(IReadWriteDescriptor)
class _Side:
    """One socket, and the direction away from it."""

    __slots__ = ("splice", "socket", "fd", "other", "moved", "ended", "_pipe", "_pending", "_large")

    other: _Side

    def __init__(self, splice: Splice, handle: socket.socket) -> None:
        self.splice = splice
        self.socket = handle
        self.fd = handle.fileno()
        self.moved = 0
        self.ended = False
        # what was read and not yet written: in a pipe, or small and in memory
        self._pipe: Pipe | None = None
        self._pending = b""
        self._large = False

    def fileno(self) -> int:
        """For the reactor."""
        return self.fd

    def logPrefix(self) -> str:
        """For the reactor's log context."""
        return "tunnel"

    def doRead(self) -> None:
        """Move what has come."""
        try:
            for _ in range(_TURNS):
                if not (self._move_by_pipe() if self._large else self._move_by_copy()):
                    break
        except BlockingIOError:
            pass
        except OSError as fault:
            self.splice.cut(self, fault)

    def doWrite(self) -> None:
        """There is room again: go on with what waits on the other side."""
        try:
            self.other.go_on()
        except BlockingIOError:
            pass
        except OSError as fault:
            self.splice.cut(self, fault)

    def connectionLost(self, reason: object) -> None:
        """The reactor has seen an error or a hang-up with nothing left to read."""
        self.splice.cut(self)

    def _move_by_copy(self) -> bool:
        data = self.socket.recv(_READ_SIZE)
        if not data:
            self._read_end()
            return False
        self.moved += len(data)
        self.splice.watcher.moved()
        self._large = len(data) == _READ_SIZE
        try:
            sent = self.other.socket.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as fault:
            self.splice.cut(self.other, fault)
            return False
        if sent < len(data):
            self._pending = data[sent:]
            self._wait()
            return False
        return self._large

    def _move_by_pipe(self) -> bool:
        try:
            pipe = self.splice.pool.take()
        except OSError:
            # There are no descriptors left: slower, and as good.
            return self._move_by_copy()
        try:
            size = os.splice(self.fd, pipe.write_fd, pipe.size, flags=FLAGS)
        except OSError:
            self.splice.pool.give_back(pipe)
            raise
        if not size:
            self.splice.pool.give_back(pipe)
            self._read_end()
            return False
        self.moved += size
        pipe.filled = size
        self._pipe = pipe
        self.splice.watcher.moved()
        self._large = size >= _READ_SIZE
        try:
            emptied = self._empty_pipe()
        except BlockingIOError:
            emptied = False
        except OSError as fault:
            self.splice.cut(self.other, fault)
            return False
        if not emptied:
            self._wait()
            return False
        return self._large

    def _empty_pipe(self) -> bool:
        pipe = self._pipe
        assert pipe is not None
        while pipe.filled:
            pipe.filled -= os.splice(pipe.read_fd, self.other.fd, pipe.filled, flags=FLAGS)
        self._pipe = None
        self.splice.pool.give_back(pipe)
        return True

    def _wait(self) -> None:
        self.splice.reactor.removeReader(self)
        self.splice.reactor.addWriter(self.other)

    def go_on(self) -> None:
        """Write what waits; when all is out, read on."""
        if self._pending:
            self._pending = self._pending[self.other.socket.send(self._pending) :]
            if self._pending:
                return
        if self._pipe is not None:
            self._empty_pipe()
        self.splice.watcher.moved()
        self.splice.reactor.removeWriter(self.other)
        self.splice.reactor.addReader(self)

    def _read_end(self) -> None:
        self.ended = True
        self.splice.reactor.removeReader(self)
        if self.other.ended:
            self.splice.end()
            return
        with suppress(OSError):
            # It may be gone altogether by now: what it has sent before that is read first, and then tells how it went.
            self.other.socket.shutdown(socket.SHUT_WR)
        self.splice.watcher.half_closing()

    def begin(self, waiting: bytes, ended: bool) -> None:
        """Read, once what was read before and is still ``waiting`` has been written; not where the end was read."""
        if waiting:
            self._pending = waiting
            self.splice.reactor.addWriter(self.other)
        elif ended:
            self.ended = True
        else:
            self.splice.reactor.addReader(self)

    def take_waiting(self) -> bytes:
        """What was read and not yet written."""
        waiting, self._pending = [self._pending], b""
        pipe = self._pipe
        while pipe is not None and pipe.filled:
            waiting.append(os.read(pipe.read_fd, pipe.filled))
            pipe.filled -= len(waiting[-1])
        return b"".join(waiting)

    def release(self) -> None:
        """Let go of the reactor and of a pipe."""
        reactor = self.splice.reactor
        reactor.removeReader(self)
        reactor.removeWriter(self)
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            self.splice.pool.give_back(pipe)
        # What has ended leaves no circle, which would wait for the collector. A reactor may say that there is room, or
        # more, to who has just read the end.
        self.splice = self.other = self.socket = _NOBODY
        self._large = False


class _Nobody:
    """What a side has when all is over: nothing comes, nothing waits, and nobody wants to know."""

    def recv(self, size: int) -> bytes:
        """Nothing comes."""
        raise BlockingIOError

    def go_on(self) -> None:
        """Nothing waits."""

    def cut(self, side: _Side, fault: OSError | None = None) -> None:
        """It has ended before."""


_NOBODY: Final[Any] = _Nobody()


class Splice:
    """Moves bytes between two connected sockets, both ways, until both have closed. The sockets stay their owners'."""

    def __init__(
        self, reactor: Any, first: socket.socket, second: socket.socket, pool: PipePool, watcher: Watcher
    ) -> None:
        self.reactor = reactor
        self.pool = pool
        self.watcher = watcher
        self._first = _Side(self, first)
        self._second = _Side(self, second)
        self._first.other = self._second
        self._second.other = self._first
        self._ended = False

    @property
    def moved_from_first(self) -> int:
        """Bytes read from the first socket."""
        return self._first.moved

    @property
    def moved_from_second(self) -> int:
        """Bytes read from the second socket."""
        return self._second.moved

    def start(self, first: Standing = _BEGINNING, second: Standing = _BEGINNING) -> None:
        """Begin to read both, where they are as they are told to be."""
        self._first.begin(*first)
        self._second.begin(*second)

    def stand_still(self) -> tuple[Standing, Standing]:
        """Stop, and give how both sides are, so that another one can go on."""
        self._ended = True
        sides = self._first, self._second
        first, second = (Standing(side.take_waiting(), side.ended) for side in sides)
        for side in sides:
            side.release()
        return first, second

    def end(self) -> None:
        """Both have closed: stop, and tell the watcher."""
        if not self._ended:
            self.stop()
            self.watcher.splice_ended(clean=True)

    def cut(self, side: _Side, fault: OSError | None = None) -> None:
        """The peer of ``side`` is gone, and has not closed: the same."""
        if not self._ended:
            # EPIPE: it had closed, and that was still to be read.
            closed = side.ended or side.other.ended or (fault is not None and fault.errno == errno.EPIPE)
            self.stop()
            self.watcher.splice_ended(clean=False, by_first=None if closed else side is self._first)

    def stop(self) -> None:
        """Stop."""
        if not self._ended:
            self._ended = True
            self._first.release()
            self._second.release()
