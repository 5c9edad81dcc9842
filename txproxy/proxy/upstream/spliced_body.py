"""Long bodies of plain responses, by splice(2): from the upstream's socket to the client's, past the codecs.

It takes the place of the upstream transport's ``doRead`` while it lasts. Whenever the client's transport still has
bytes of its own to write, and for whatever the kernel does not take at once, the ordinary way is used, with its
backpressure.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from twisted.internet import main

from txproxy.net.splice import AVAILABLE, FLAGS, Pipe, PipePool
from txproxy.net.transports.plain_transports import ordinary_read, plain_socket, read_little, replace_read
from txproxy.wire.message import EndOfMessage

# Below this a body has ended before it pays.
WORTHWHILE: Final = 262144
# What a client that stops reading may have in memory: no more than this of one move.
_MOST: Final = 262144
_TURNS: Final = 4


class Passage:
    """Moves ``left`` bytes of body from ``source`` to ``sink`` (transports). ``moved(size)`` is told of each move."""

    __slots__ = ("_source", "_sink", "_pipes", "_moved", "_left", "_in", "_out")

    def __init__(self, source: Any, sink: Any, left: int, pipes: PipePool, moved: Callable[[int], None]) -> None:
        self._source = source
        self._sink = sink
        self._pipes = pipes
        self._moved = moved
        self._left = left
        self._in: int = source.fileno()
        self._out: int = sink.fileno()

    @classmethod
    def between(
        cls, source: Any, sink: Any, left: int, pipes: PipePool, moved: Callable[[int], None]
    ) -> Passage | None:
        """One that has taken over reading; None where bytes may not pass between these two just now, or there is no
        ``sink``.
        """
        if sink is None or not AVAILABLE or plain_socket(source) is None or plain_socket(sink) is None:
            return None
        passage = cls(source, sink, left, pipes, moved)
        replace_read(source, passage._read)
        return passage

    def end(self) -> None:
        """Give it back."""
        replace_read(self._source, None)

    def ordinary(self, size: int) -> None:
        """So many bytes have come the ordinary way."""
        self._left -= size

    def _read(self) -> Any:
        for _ in range(_TURNS):
            if plain_socket(self._sink) is None:
                # It has bytes to write that come first.
                return ordinary_read(self._source)
            try:
                pipe = self._pipes.take()
            except OSError:
                return ordinary_read(self._source)
            try:
                size = os.splice(self._in, pipe.write_fd, min(self._left, _MOST), flags=FLAGS)
            except BlockingIOError:
                self._pipes.give_back(pipe)
                return None
            except OSError:
                self._pipes.give_back(pipe)
                return main.CONNECTION_LOST
            if not size:
                self._pipes.give_back(pipe)
                return main.CONNECTION_DONE
            pipe.filled = size
            emptied = self._empty(pipe)
            self._pipes.give_back(pipe)
            self._left -= size
            self._moved(size)
            if not emptied or not self._left or size < _MOST // 4:
                break
        return None

    def _empty(self, pipe: Pipe) -> bool:
        try:
            while pipe.filled:
                pipe.filled -= os.splice(pipe.read_fd, self._out, pipe.filled, flags=FLAGS)
        except OSError:
            # The client is slow, or gone: its transport keeps the rest, asks for a pause, or finds out.
            while pipe.filled:
                data = os.read(pipe.read_fd, pipe.filled)
                pipe.filled -= len(data)
                self._sink.write(data)
            return False
        return True


# -- that of one connection, which is :class:`txproxy.proxy.upstream.http1.UpstreamProtocol`


def more_to_come(upstream: Any, exchange: Any, size: int) -> None:
    """``size`` bytes of a response have been read, and it goes on: with a passage, if that pays."""
    exchange.flush()
    codec, services = upstream.codec, upstream.services
    if upstream.passage is not None:
        # What was gathered goes out before the kernel passes the next bytes by it, also where a reactor reads on within
        # the turn.
        services.turn_writes.flush()
        upstream.passage.ordinary(size)
    elif codec.passable >= WORTHWHILE:
        sink, moved = exchange.sink(), partial(_moved, upstream)
        upstream.passage = Passage.between(upstream.transport, sink, codec.passable, services.pipes, moved)
    else:
        read_little(upstream.transport, codec.many_chunks)


def _moved(upstream: Any, size: int) -> None:
    exchange, codec = upstream.exchange, upstream.codec
    upstream.deadline = upstream.limit.ahead
    exchange.response_passed(size)
    codec.passed_in(size)
    end = codec.next_event()
    if end is not None:
        assert type(end) is EndOfMessage
        upstream.response_over(exchange, codec.next_message())
        exchange.response_end(end.trailers)


def end_passage(upstream: Any) -> None:
    """What is read is the codec's again."""
    passage, upstream.passage = upstream.passage, None
    if passage is not None:
        passage.end()
