"""Gives a client what is stored of a body: whole, in parts, and while it is still coming."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

from twisted.logger import Logger

from txproxy.cache.answering.ranges import Piece
from txproxy.cache.disk.file_body import bodies_on_disk
from txproxy.cache.stored import FileRange, StoredBody
from txproxy.errors import UpstreamClosed
from txproxy.interfaces.answers import BodyReceiver
from txproxy.wire.headers import Headers

_log = Logger()

_NO_FIELDS: Final = Headers()
# What goes out in one go before others have their turn.
_TURN: Final = 1 << 20
# What is read of a file at once, for who cannot have it from the kernel.
_READ: Final = 65536
_SENDFILE: Final = hasattr(os, "sendfile")


class Growth(Protocol):
    """A body that is still coming, as far as its readers are concerned."""

    @property
    def available(self) -> int:
        """How many bytes of it there are."""

    def reader_waits(self, reader: Reader) -> None:
        """The reader has had all that there is. It is told to go on when there is more, or that there will be none."""

    def reader_gone(self, reader: Reader) -> None:
        """The reader wants no more of it."""


class Reader:
    """Gives the ``pieces`` of a stored ``body`` (see :class:`txproxy.interfaces.BodySource`), ``length`` bytes in all.
    None is as long as it gets, in one piece. ``growth`` is told of it where the body is still coming. ``later`` has
    something called in the next turn of the reactor.
    """

    __slots__ = (
        "length",
        "_body",
        "_pieces",
        "_growth",
        "_later",
        "_receiver",
        "_at",
        "_position",
        "_held",
        "_busy",
    )

    def __init__(
        self,
        body: StoredBody,
        pieces: Sequence[Piece],
        length: int | None,
        later: Callable[[Callable[[], None]], object],
        growth: Growth | None = None,
    ) -> None:
        self.length = length
        self._body = body
        self._pieces = pieces
        self._growth = growth
        self._later = later
        self._receiver: BodyReceiver | None = None
        # which piece it is at, and where in it
        self._at = 0
        self._position = -1
        # the client is slow
        self._held = False
        self._busy = False

    # -- what the exchange calls

    def start(self, receiver: BodyReceiver) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._receiver = receiver
        self.go_on()

    def pause_response(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._held = True

    def resume_response(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._held = False
        self.go_on()

    def close(self) -> None:
        """See :class:`txproxy.interfaces.BodySource`."""
        self._receiver = None
        self._leave()

    # -- what a growing body calls

    @property
    def held(self) -> bool:
        """Whether its client is slow."""
        return self._held

    @property
    def position(self) -> int:
        """How much of the body it has got."""
        return max(self._position, 0)

    @property
    def needed(self) -> int:
        """From where on it needs the body."""
        pieces, at = self._pieces, self._at
        if len(pieces) == 1 and not isinstance(pieces[0], bytes):
            return max(self._position, pieces[0][0])
        # Parts may be asked for in any order.
        starts = [piece[0] for piece in pieces[at:] if not isinstance(piece, bytes)]
        if self._position >= 0:
            starts[0] = self._position
        return min(starts, default=self.position)

    def fail(self) -> None:
        """No more of the body comes, though it is not complete."""
        receiver, self._receiver = self._receiver, None
        self._growth = None
        if receiver is not None:
            receiver.source_failed(UpstreamClosed("the response that was kept was cut short"))

    def complete(self, body: StoredBody) -> None:
        """Nothing more comes, and ``body`` is all of it."""
        self._body = body
        self._growth = None
        self.go_on()

    def go_on(self) -> None:
        """Give what there is, as long as the client takes it."""
        if self._busy:
            return
        self._busy = True
        try:
            self._give_turn()
        except OSError as error:
            _log.error("what is stored could not be read: {why}", why=error)
            for body in bodies_on_disk(self._body):
                # The next one is not to come as far as this.
                body.set_unverified()
            self._break_off()
        except Exception:
            _log.failure("what is stored could not be read")
            self._break_off()
        finally:
            self._busy = False

    def _break_off(self) -> None:
        # Whoever waits for it is told.
        self._leave()
        self.fail()

    def _give_turn(self) -> None:
        budget = _TURN
        while not self._held and self._receiver is not None:
            if budget <= 0:
                # Others have their turn first.
                self._later(self.go_on)
                return
            given = self._give(self._receiver, budget)
            if given < 0:
                return
            budget -= given

    def _give(self, receiver: BodyReceiver, most: int) -> int:
        """Give at most so many bytes; how many these were, or -1 if it has to wait, or is over."""
        if self._at == len(self._pieces):
            self._receiver = None
            self._leave()
            receiver.response_end(_NO_FIELDS)
            return -1
        piece = self._pieces[self._at]
        if isinstance(piece, bytes):
            self._at += 1
            receiver.response_body(piece)
            return len(piece)
        start, stop = piece
        if self._position < 0:
            self._position = start
        growth = self._growth
        end = stop if stop >= 0 else self._body.length
        there = end if growth is None else min(growth.available, end if stop >= 0 else growth.available)
        if self._position >= there:
            if growth is not None and (stop < 0 or there < stop):
                receiver.flush()
                growth.reader_waits(self)
                return -1
            self._at += 1
            self._position = -1
            return 0
        return self._give_part(receiver, self._position, min(there, self._position + most))

    def _give_part(self, receiver: BodyReceiver, start: int, stop: int) -> int:
        given = 0
        parts = self._body.parts(start, stop)
        if not parts:
            raise LookupError("what is stored has gone")
        for part in parts:
            if isinstance(part, bytes):
                size = len(part)
                self._position += size
                receiver.response_body(part)
            else:
                size = self._send(receiver, part)
            given += size
            if self._held or self._receiver is None or (isinstance(part, FileRange) and size < part.size):
                break
        return given

    def _send(self, receiver: BodyReceiver, part: FileRange) -> int:
        """Send of a file what the client takes now, by the kernel if that may; how many bytes that is."""
        # What was handed on before goes first, and with it.
        handle = receiver.sending_socket() if _SENDFILE else None
        if handle is not None:
            sent = _sendfile(handle, part)
            if sent:
                self._position += sent
                receiver.response_passed(sent)
                return sent
        # The transport keeps what the client does not take, and says so.
        data = os.pread(part.fd, min(part.size, _READ), part.offset)
        if not data:
            raise OSError(errno.EIO, "a file is shorter than it was")
        self._position += len(data)
        receiver.response_body(data)
        receiver.flush()
        return len(data)

    def _leave(self) -> None:
        growth, self._growth = self._growth, None
        if growth is not None:
            growth.reader_gone(self)


def _sendfile(handle: Any, part: FileRange) -> int:
    try:
        return os.sendfile(handle.fileno(), part.fd, part.offset, part.size)
    except OSError:
        # It is full, or gone: the transport finds out.
        return 0
