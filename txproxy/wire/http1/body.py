"""What both roles of HTTP/1.1 share, sans-I/O (RFC 9112): the bytes received, and bodies, read and written.

Feed a codec with ``receive``, pull events with ``next_event`` until that gives None. An event is a head, ``bytes`` of
body, or an ``EndOfMessage``; each message ends with one. After it, no further message is read until ``next_message``
says that the one before is dealt with: that is what keeps pipelined requests in order. What breaks the rules raises,
and from then on the connection is of no use: no event comes any more, whatever else is received.

:class:`txproxy.wire.http1.server.ServerCodec` reads requests and writes responses,
:class:`txproxy.wire.http1.client.ClientCodec` the other way round.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

from txproxy.errors import ExchangeError
from txproxy.wire import grammar
from txproxy.wire.headers import Headers, normal_lines
from txproxy.wire.http1 import trailers
from txproxy.wire.message import CHUNKED, END, UNTIL_CLOSE, EndOfMessage
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# A line of chunk size and extensions is short; who sends a long one wants something else.
MAX_CHUNK_LINE: Final = 1024
# The lines before chunks of one digit's size.
_SMALL_CHUNKS: Final = {b"%b\r\n" % bytes([digit]): int(chr(digit), 16) for digit in b"123456789abcdefABCDEF"}
# So many chunks in what has come at once are more work than they need be.
_MANY_CHUNKS: Final = 256


class State(Enum):
    """Where in a message a codec stands."""

    HEAD = "head"  # waiting for, or within, a head
    LENGTH = "length"  # within a body of known length
    CHUNK_SIZE = "chunk size"
    CHUNK_DATA = "chunk data"
    CHUNK_END = "chunk end"  # the CRLF after a chunk
    TRAILERS = "trailers"
    UNTIL_CLOSE = "until close"
    END = "end"  # the body is complete, its EndOfMessage is due
    DONE = "done"  # nothing more is read until next_message
    RAW = "raw"  # the connection has become a tunnel
    BROKEN = "broken"  # a body broke the rules


# A look-up in an Enum class costs on each event; these are the same objects.
_HEAD: Final = State.HEAD
_LENGTH: Final = State.LENGTH
_CHUNK_SIZE: Final = State.CHUNK_SIZE
_CHUNK_DATA: Final = State.CHUNK_DATA
_CHUNK_END: Final = State.CHUNK_END
_TRAILERS: Final = State.TRAILERS
_UNTIL_CLOSE: Final = State.UNTIL_CLOSE
_END: Final = State.END
_DONE: Final = State.DONE
_RAW: Final = State.RAW
_BROKEN: Final = State.BROKEN


class Codec:
    """The buffer, where in a message it stands, and bodies; a role adds heads."""

    # how a trailer section is read
    _trailers = grammar.TRAILERS
    __slots__ = ("limits", "many_chunks", "_buffer", "_state", "_remaining", "_checked", "_sending", "_received_body")

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        # whether the peer has ever sent its body in very small chunks
        self.many_chunks = False
        self._buffer = b""
        self._state = _HEAD
        # bytes left of the body, or of the chunk
        self._remaining = 0
        # how much of an incomplete head or trailer section was found to be without fault
        self._checked = 0
        self._received_body = 0
        # how the body being sent is framed: bytes left, CHUNKED, UNTIL_CLOSE
        self._sending = 0

    # -- receiving

    def receive(self, data: bytes) -> None:
        """Take bytes from the peer."""
        self._buffer = self._buffer + data if self._buffer else data

    @property
    def buffered(self) -> int:
        """How many bytes were received and not yet read."""
        return len(self._buffer)

    @property
    def started(self) -> bool:
        """Whether part of a message has come, or is being read."""
        return self._state is not _HEAD or bool(self._buffer)

    @property
    def passable(self) -> int:
        """How many bytes of a body of known length are still to come, with none in the buffer: they may pass by."""
        return self._remaining if self._state is _LENGTH and not self._buffer else 0

    def passed_in(self, size: int) -> None:
        """So many bytes of the body being received went another way."""
        self._remaining -= size
        if not self._remaining:
            self._state = _END

    def passed_out(self, size: int) -> None:
        """So many bytes of the body being sent went another way; it was framed by its length."""
        self._sending -= size

    @property
    def at_end(self) -> bool:
        """Whether no message is being read, and nothing has come of another."""
        return (self._state is _HEAD or self._state is _DONE) and not self._buffer

    def whole_body(self) -> bytes | None:
        """All of the body, and with it the message's end, if it has come and its length is known; else None.

        What ``next_event`` would give in pieces.
        """
        state = self._state
        if state is _LENGTH:
            buffer = self._buffer
            remaining = self._remaining
            if len(buffer) < remaining:
                return None
            self._buffer = buffer[remaining:]
            self._state = _DONE
            return buffer[:remaining]
        if state is _END:
            self._state = _DONE
            return b""
        return None

    def skip_end(self) -> None:
        """Instead of pulling the ``EndOfMessage`` of a message without a body."""
        assert self._state is _END, self._state
        self._state = _DONE

    def next_message(self) -> bool:
        """The message before is dealt with: go on to the next. Gives whether something of it has come already."""
        assert self._state is _DONE, self._state
        self._state = _HEAD
        self._received_body = 0
        return bool(self._buffer)

    def take_buffered(self) -> bytes:
        """End reading messages, for a tunnel: what came after the head."""
        data, self._buffer, self._state = self._buffer, b"", _RAW
        return data

    def _begin_body(self, body: int) -> None:
        if body > 0:
            self._state = _LENGTH
            self._remaining = body
        elif body == 0:
            self._state = _END
        elif body == CHUNKED:
            self._state = _CHUNK_SIZE
        else:
            self._state = _UNTIL_CLOSE

    def _next_of_body(self) -> bytes | EndOfMessage | None:
        state = self._state
        if state is _END:
            self._state = _DONE
            return END
        buffer = self._buffer
        if not buffer or state is _DONE or state is _RAW:
            return None
        if state is _LENGTH:
            remaining = self._remaining
            if len(buffer) <= remaining:
                self._buffer = b""
                self._remaining = remaining - len(buffer)
            else:
                self._buffer = buffer[remaining:]
                buffer = buffer[:remaining]
                self._remaining = 0
            if not self._remaining:
                self._state = _END
            return buffer
        if state is _UNTIL_CLOSE:
            self._buffer = b""
            return buffer
        return self._next_of_chunked()

    def _next_of_chunked(self) -> bytes | EndOfMessage | None:
        """RFC 9112 section 7.1. All data at hand comes as one event, so that many small chunks cost one write."""
        buffer = self._buffer
        position = 0
        parts: list[bytes] = []
        while True:
            if self._state is _CHUNK_SIZE:
                size = _SMALL_CHUNKS.get(buffer[position : position + 3])
                # All of a small chunk at once: there may be ten thousand of them in what has come.
                while size is not None and buffer[(end := position + 3 + size) : end + 2] == b"\r\n":
                    parts.append(buffer[position + 3 : end])
                    position = end + 2
                    size = _SMALL_CHUNKS.get(buffer[position : position + 3])
                end = buffer.find(b"\r\n", position)
                if end < 0:
                    self._check_chunk_line(buffer, position)
                    break
                match = grammar.CHUNK_SIZE.fullmatch(buffer, position, end + 2)
                if match is None or end - position > MAX_CHUNK_LINE:
                    raise self._fault("malformed chunk size or extension")
                position = end + 2
                self._remaining = int(match[1], 16)
                self._state = _CHUNK_DATA if self._remaining else _TRAILERS
            elif self._state is _CHUNK_DATA:
                part = buffer[position : position + self._remaining]
                if not part:
                    break
                parts.append(part)
                position += len(part)
                self._remaining -= len(part)
                if self._remaining:
                    break
                self._state = _CHUNK_END
            elif self._state is _CHUNK_END:
                if not buffer.startswith(b"\r\n", position):
                    self._check_chunk_end(buffer, position)
                    break
                position += 2
                self._state = _CHUNK_SIZE
            else:
                break
        self._buffer = buffer[position:]
        return self._end_of_chunks(parts)

    def _end_of_chunks(self, parts: list[bytes]) -> bytes | EndOfMessage | None:
        if parts:
            if len(parts) > _MANY_CHUNKS:
                self.many_chunks = True
            data = b"".join(parts)
            self._received_body += len(data)
            self._check_body_size()
            return data
        return self._next_of_trailers() if self._state is _TRAILERS else None

    def _check_chunk_line(self, buffer: bytes, position: int) -> None:
        # One byte more than the line may be the CR after it.
        if len(buffer) - position > MAX_CHUNK_LINE + 1 or grammar.STRAY_CONTROL.search(buffer, position):
            raise self._fault("malformed chunk size or extension")
        if len(buffer) > position and buffer[position] not in b"0123456789abcdefABCDEF":
            raise self._fault("malformed chunk size or extension")

    def _check_chunk_end(self, buffer: bytes, position: int) -> None:
        if buffer[position:] not in (b"", b"\r"):
            raise self._fault("no CRLF after a chunk")

    def _check_body_size(self) -> None:
        pass

    def _next_of_trailers(self) -> EndOfMessage | None:
        buffer = self._buffer
        if buffer.startswith(b"\r\n"):
            self._buffer = buffer[2:]
            self._state = _DONE
            return END
        limits = self.limits
        checked = self._checked
        if buffer.find(b"\r\n\r\n", max(0, checked - 3)) < 0:
            if grammar.STRAY_CONTROL.search(buffer, max(0, checked - 1)):
                raise self._fault("malformed trailer section")
            if len(buffer) > limits.max_head:
                raise self._fault("the trailer section is too large", 431)
            self._checked = len(buffer)
            return None
        self._checked = 0
        match = self._trailers.match(buffer)
        if match is None:
            raise self._fault("malformed trailer section")
        self._buffer = buffer[match.end() :]
        lines = normal_lines(match[1])
        if match.end() > limits.max_head:
            raise self._fault("the trailer section is too large", 431)
        fields = Headers.from_lines(lines)
        self._check_trailers(fields)
        self._state = _DONE
        return EndOfMessage(trailers.permitted(fields))

    def _check_trailers(self, fields: Headers) -> None:
        pass

    def _fault(self, detail: str, status: int = 400) -> ExchangeError:
        """The error to raise for a fault in a body, after which nothing more is read."""
        raise NotImplementedError

    # -- sending

    def send_data(self, data: bytes) -> bytes:
        """``data`` of the body, framed as the head announced."""
        sending = self._sending
        if sending == CHUNKED:
            return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        if sending >= 0:
            assert len(data) <= sending, "more body than the head announced"
            self._sending = sending - len(data)
        return data

    def send_end(self, fields: Headers) -> bytes:
        """The end of the body; ``fields`` are sent as trailers where the framing has a place for them."""
        sending, self._sending = self._sending, 0
        if sending != CHUNKED:
            assert sending == 0 or sending == UNTIL_CLOSE, "less body than the head announced"
            return b""
        if not fields.lines:
            return b"0\r\n\r\n"
        return b"0\r\n%b\r\n\r\n" % b"\r\n".join(fields.lines)

    def unframed(self, pieces: list[bytes], ended: bool) -> list[bytes]:
        """The parts of a body, of which ``send_data`` has given these ``pieces``, and ``send_end`` the last if it has
        ``ended``.
        """
        chunked = pieces.pop() != b"" if ended else self._sending == CHUNKED
        return [piece[piece.index(b"\n") + 1 : -2] if chunked else piece for piece in pieces if piece]
