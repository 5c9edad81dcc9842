"""Messages between the processes of one program, over a UNIX socket, with descriptors where they need some.

A message is a kind and a content, which is pickled: only processes of one program, over sockets that nobody else has,
speak so with each other.
"""

from __future__ import annotations

import os
import pickle
import socket
import struct
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import attrs
from twisted.internet.interfaces import IReadWriteDescriptor
from zope.interface import implementer

# How long the content is, and how many descriptors belong to it.
_FRONT: Final = struct.Struct("!II")
_PIECE: Final = 1 << 16
# The kernel takes 253 in one message (SCM_MAX_FD).
MOST_DESCRIPTORS: Final = 250


@attrs.frozen
class Message:
    """``descriptors`` are the receiver's to close."""

    kind: str
    content: Any = None
    descriptors: tuple[int, ...] = ()


Received: TypeAlias = Callable[[Message], None]


def encoded(kind: str, content: Any = None, descriptors: int = 0) -> bytes:
    """A message with so many ``descriptors``, as it goes over the socket."""
    data = pickle.dumps((kind, content), pickle.HIGHEST_PROTOCOL)
    return _FRONT.pack(len(data), descriptors) + data


class MessageBuffer:
    """Bytes and descriptors as they come, and the messages that they make."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._descriptors: deque[int] = deque()

    def __bool__(self) -> bool:
        """Whether a part of a message is there."""
        return bool(self._data)

    def take(self, data: bytes, descriptors: Sequence[int]) -> list[Message]:
        """The messages that are whole by now."""
        self._data += data
        self._descriptors.extend(descriptors)
        messages = []
        while len(self._data) >= _FRONT.size:
            size, count = _FRONT.unpack_from(self._data)
            end = _FRONT.size + size
            if len(self._data) < end:
                break
            kind, content = pickle.loads(self._data[_FRONT.size : end])
            del self._data[:end]
            messages.append(Message(kind, content, tuple(self._descriptors.popleft() for _ in range(count))))
        return messages


@implementer(IReadWriteDescriptor)
class Channel:
    """One end. It blocks until :meth:`start` gives it to a reactor: until then messages are had by :meth:`receive`."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._reactor: Any = None
        self._received: Received | None = None
        self._lost: Callable[[], None] | None = None
        self._buffer = MessageBuffer()
        # what came along with a message that was waited for
        self._early: deque[Message] = deque()
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self.waiting = 0  # bytes that are still to be sent
        # is called when what had to wait has been sent
        self.on_sent: Callable[[], None] | None = None
        self.closed = False

    def start(self, reactor: Any, received: Received, lost: Callable[[], None]) -> None:
        """From now on ``received`` gets each message, and ``lost`` is called when the other end has gone."""
        self._reactor, self._received, self._lost = reactor, received, lost
        self._socket.setblocking(False)
        reactor.addReader(self)
        for message in self._take_early():
            received(message)

    # -- to send

    def send(self, kind: str, content: Any = None, descriptors: Sequence[int] = ()) -> None:
        """Send a message. Of the descriptors the other end gets its own; these stay the caller's."""
        self.send_encoded(encoded(kind, content, len(descriptors)), descriptors)

    def send_encoded(self, data: bytes, descriptors: Sequence[int] = ()) -> None:
        """The same for what goes to several: it is encoded once."""
        if self.closed:
            return
        # Copies, since the caller may close its own before they are sent.
        self._unsent.append((data, tuple(map(os.dup, descriptors))))
        self.waiting += len(data)
        if self._reactor is None:
            try:
                while self._unsent:
                    self._send_some()
            except ConnectionError:
                # That it has gone is heard where it is read.
                self._forget_unsent()
        elif len(self._unsent) == 1:
            self.doWrite()

    def _send_some(self) -> None:
        data, descriptors = self._unsent[0]
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))] if descriptors else []
        sent = self._socket.sendmsg([data], rights)
        for descriptor in descriptors:
            os.close(descriptor)
        self.waiting -= sent
        if sent == len(data):
            self._unsent.popleft()
        else:
            self._unsent[0] = data[sent:], ()

    def doWrite(self) -> None:
        """For the reactor."""
        try:
            while self._unsent:
                self._send_some()
        except BlockingIOError:
            self._reactor.addWriter(self)
            return
        except OSError:
            self._forget_unsent()
        self._reactor.removeWriter(self)
        if self.on_sent is not None:
            self.on_sent()

    def _forget_unsent(self) -> None:
        for _, descriptors in self._unsent:
            for descriptor in descriptors:
                os.close(descriptor)
        self._unsent.clear()
        self.waiting = 0

    def finish(self, seconds: float) -> None:
        """The reactor has stopped: send what is left, if it is taken in this time."""
        if not self.closed:
            self._socket.settimeout(seconds)
            with suppress(OSError):
                while self._unsent:
                    self._send_some()

    def settle(self, seconds: float) -> None:
        """Send and hear the rest of what has begun: the next who speaks here knows nothing of it."""
        self.finish(seconds)
        with suppress(OSError):
            while self._buffer and not self.closed:
                messages = self._read()
                if messages is None:
                    return
                for message in messages:
                    if self._received is not None:
                        self._received(message)
        if not self.closed:
            self._socket.setblocking(False)

    # -- to receive

    def receive(self) -> Message | None:
        """Wait for the next message; None when the other end has gone."""
        while not self._early:
            messages = self._read()
            if messages is None:
                return None
            self._early.extend(messages)
        return self._early.popleft()

    def receive_all(self) -> list[Message] | None:
        """Wait until something comes, and give what is whole by then; None when the other end has gone."""
        messages = self._read()
        return messages if messages is None else [*self._take_early(), *messages]

    def _take_early(self) -> list[Message]:
        early, self._early = self._early, deque()
        return list(early)

    def _read(self) -> list[Message] | None:
        """What is there; None for the end."""
        room = MOST_DESCRIPTORS * array("i").itemsize
        flags = getattr(socket, "MSG_CMSG_CLOEXEC", 0)
        try:
            data, rights, told, _ = self._socket.recvmsg(_PIECE, socket.CMSG_SPACE(room), flags)
        except ConnectionError:
            return None
        descriptors = array("i")
        for level, kind, content in rights:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                descriptors.frombytes(content[: len(content) - len(content) % descriptors.itemsize])
        if told & socket.MSG_CTRUNC:
            # There was no room for some of them in this process, and nobody could say whose the others are.
            for descriptor in descriptors:
                os.close(descriptor)
            return None
        return self._buffer.take(data, descriptors) if data else None

    def doRead(self) -> None:
        """For the reactor."""
        try:
            messages = self._read()
        except BlockingIOError:
            return
        if messages is None:
            lost = self._lost
            self.close()
            assert lost is not None, "it was started"
            lost()
            return
        for message in messages:
            if self.closed:
                return
            assert self._received is not None, "it was started"
            self._received(message)

    # -- the end

    def close(self) -> None:
        """Speak and hear no more."""
        if self.closed:
            return
        self.closed = True
        if self._reactor is not None:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
        self._forget_unsent()
        self._socket.close()

    def connectionLost(self, reason: object) -> None:
        """For the reactor: it ends."""
        self.close()

    def fileno(self) -> int:
        """For the reactor."""
        return self._socket.fileno()

    def logPrefix(self) -> str:
        """For the reactor."""
        return "workers"


def channel_pair() -> tuple[Channel, socket.socket]:
    """This process's end, and the other's."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    return Channel(ours), theirs
