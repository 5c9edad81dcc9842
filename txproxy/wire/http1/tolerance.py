"""What upstreams may do wrong in their responses, where they are told to be tolerated: old devices, most of all."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.wire import grammar
from txproxy.wire.http1.body import MAX_CHUNK_LINE, State
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.message import EndOfMessage, ResponseHead
from txproxy.wire.size_limits import WireLimits


class BareLfClientCodec(ClientCodec):
    """One for upstreams that end lines with LF alone, as a recipient may take them (RFC 9112 section 2.2): those
    of heads and trailers, and those that frame chunks.
    """

    __slots__ = ()

    def next_event(self) -> ResponseHead | bytes | EndOfMessage | None:
        """See :class:`ClientCodec`."""
        if self._state is State.HEAD:
            self._end_lines(grammar.ANY_END_OF_HEAD)
        return super().next_event()

    def _end_lines(self, last: grammar.Pattern) -> None:
        """Write what has come, up to the ``last`` end of a line, as it should be."""
        buffer, checked = self._buffer, self._checked
        end = last.search(buffer, max(0, checked - 2))
        size = end.end() if end is not None else len(buffer)
        # What was found to be without fault is as it should be; a CR at its end may be half of an end of line.
        begin = checked - (buffer[checked - 1 : checked] == b"\r") if checked else 0
        if grammar.BARE_LF.search(buffer, begin, size):
            self._buffer = buffer[:begin] + grammar.BARE_LF.sub(b"\r\n", buffer[begin:size]) + buffer[size:]

    def _next_of_chunked(self) -> bytes | EndOfMessage | None:
        # Not a line at a time, which would copy what has come for each of them.
        buffer = self._buffer
        position = 0
        parts: list[bytes] = []
        while True:
            if self._state is State.CHUNK_SIZE:
                end = buffer.find(b"\n", position) + 1
                if not end:
                    self._check_chunk_line(buffer, position)
                    break
                match = grammar.ANY_CHUNK_SIZE.fullmatch(buffer, position, end)
                if match is None or end - position > MAX_CHUNK_LINE:
                    raise self._fault("malformed chunk size or extension")
                position = end
                self._remaining = int(match[1], 16)
                self._state = State.CHUNK_DATA if self._remaining else State.TRAILERS
            elif self._state is State.CHUNK_DATA:
                part = buffer[position : position + self._remaining]
                if not part:
                    break
                parts.append(part)
                position += len(part)
                self._remaining -= len(part)
                if self._remaining:
                    break
                self._state = State.CHUNK_END
            elif self._state is State.CHUNK_END:
                line_end = grammar.ANY_END_OF_LINE.match(buffer, position)
                if line_end is None:
                    if buffer[position:] not in (b"", b"\r"):
                        raise self._fault("no end of line after a chunk")
                    break
                position = line_end.end()
                self._state = State.CHUNK_SIZE
            else:
                break
        self._buffer = buffer[position:]
        return self._end_of_chunks(parts)

    def _next_of_trailers(self) -> EndOfMessage | None:
        self._end_lines(grammar.ANY_END_OF_TRAILERS)
        return super()._next_of_trailers()


# What upstreams may do wrong, where they are told to be tolerated.
BARE_LF: Final = "bare-lf"
TOLERABLE: Final = (BARE_LF,)


def tolerated(faults: Iterable[str]) -> frozenset[str]:
    """``faults`` if each can be tolerated; else ``ConfigError``."""
    found = frozenset(faults)
    for fault in sorted(found.difference(TOLERABLE)):
        raise ConfigError(f"{fault!r} is not tolerated", f"accepted: {', '.join(TOLERABLE)}")
    return found


def response_codec(limits: WireLimits, tolerate: Collection[str]) -> ClientCodec:
    """A codec for the responses of an upstream that may do what is in ``tolerate``, of :data:`TOLERABLE`."""
    return BareLfClientCodec(limits) if BARE_LF in tolerate else ClientCodec(limits)
