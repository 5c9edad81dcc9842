"""The client's role in HTTP/2: writes requests, reads responses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from txproxy.errors import ExchangeError
from txproxy.wire.headers import Headers
from txproxy.wire.http2 import frames
from txproxy.wire.http2.events import StreamReset
from txproxy.wire.http2.faults import REFUSED_STREAM, ConnectionFault, StreamFault
from txproxy.wire.http2.field_blocks.block_writer import fields_block, request_block
from txproxy.wire.http2.field_blocks.response_heads import ResponseReader
from txproxy.wire.http2.frames import PREFACE
from txproxy.wire.http2.own_settings import DEFAULT_SETTINGS, Http2Settings
from txproxy.wire.http2.session import Session
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import END, RequestHead
from txproxy.wire.size_limits import DEFAULT_LIMITS, WireLimits

# RFC 9113 6.5.2: as long as the peer has said nothing, it is well not to open more.
_DEFAULT_STREAMS: Final = 100
_MOST_INFORMATIONAL: Final = 16


class ClientSession(Session):
    """A connection to a server."""

    def __init__(self, limits: WireLimits = DEFAULT_LIMITS, settings: Http2Settings = DEFAULT_SETTINGS) -> None:
        super().__init__(limits, settings)
        self._heads = ResponseReader(limits)
        # whether the server has said that it takes no more streams
        self.going_away = False
        # how many streams the server has said that it takes; None before it has said anything
        self.takes: int | None = None
        said = [(frames.ENABLE_PUSH, 0), (frames.MAX_HEADER_LIST_SIZE, limits.max_head), *settings.lines()]
        self.sending.out.append(PREFACE + frames.settings(said))
        self.receiving.open()

    # -- what is written

    @property
    def capacity(self) -> int:
        """How many more requests it takes now."""
        if self.going_away or self.fault is not None or self.last_made >= frames.LAST_STREAM - 2:
            return 0
        theirs = self.peer.get(frames.MAX_CONCURRENT_STREAMS, _DEFAULT_STREAMS)
        return max(0, min(theirs, self.settings.streams) - self.active)

    @property
    def takes_protocols(self) -> bool:
        """Whether the server speaks extended CONNECT (RFC 8441)."""
        return self.peer.get(frames.ENABLE_CONNECT_PROTOCOL) == 1

    def send_request(self, request: RequestHead, scheme: bytes, ended: bool, protocol: bytes = b"") -> Stream:
        """Open a stream for a request, which has ``ended`` with its head or goes on; there has to be capacity for it.
        ``request.headers`` has Host, and of the hop-by-hop fields at most TE. ``protocol`` makes an extended CONNECT.
        """
        assert self.fault is None and not self.going_away, "no stream more"
        number = self.last_made + 2 if self.last_made else 1
        self.last_made = number
        stream = self.streams[number] = Stream(number, self.receiving.of_streams, self.sending.initial_window)
        stream.method = b"CONNECT" if protocol else request.method
        self.active += 1
        self.sending.head(stream, request_block(request, scheme, protocol), ended)
        return stream

    def send_trailers(self, stream: Stream, trailers: Headers) -> None:
        """The request is complete, and these come after it."""
        self.send_end(stream, fields_block(trailers))

    # -- what is read

    def _is_idle(self, number: int) -> bool:
        return number % 2 == 0 or number > self.last_made

    def _head(self, number: int, block: bytes, ended: bool) -> None:
        stream = self.streams.get(number)
        if stream is None or not stream.may_receive:
            # What it says of the table holds, whatever becomes of it.
            with suppress(StreamFault, ExchangeError):
                self._heads.read_trailers(block)
            self._check_gone(number)
        elif stream.headed:
            self._trailers(stream, block, ended)
        else:
            self._response(stream, block, ended)

    def _response(self, stream: Stream, block: bytes, ended: bool) -> None:
        try:
            head = self._heads.read(block, stream.method, ended)
            if head.status < 200:
                stream.received -= 1
                if stream.received < -_MOST_INFORMATIONAL:
                    raise StreamFault("too many informational responses")
        except StreamFault as fault:
            self._break(stream, fault)
            return
        except ExchangeError as fault:
            self._events.append((stream, fault))
            return
        if head.status >= 200:
            stream.headed = True
            stream.received = 0
            stream.expected = head.body
        self._events.append((stream, head))
        if ended:
            self._ended(stream, END)

    def _data(self, number: int, flags: int, payload: bytes) -> None:
        size = len(payload)
        stream = self.streams.get(number)
        if (
            flags == frames.END_STREAM
            and stream is not None
            and stream.headed
            and (stream.expected == size or stream.expected < 0)
            and 0 < size <= stream.receive_window
            and stream.may_receive
        ):
            # Most bodies are one frame: the same as below, in fewer steps.
            self.receiving.came(size)
            stream.receive_window -= size
            stream.unread += size
            stream.peer_ends()
            self._events += (stream, payload), (stream, END)
        else:
            super()._data(number, flags, payload)

    def _read_trailers(self, block: bytes) -> Headers:
        return self._heads.read_trailers(block)

    def _setting(self, name: int, value: int) -> None:
        if name == frames.ENABLE_PUSH and value:
            # RFC 9113 6.5.2
            raise ConnectionFault("a server that says that it is pushed to")
        super()._setting(name, value)

    def _settings(self, number: int, flags: int, payload: bytes) -> None:
        super()._settings(number, flags, payload)
        self.takes = self.peer.get(frames.MAX_CONCURRENT_STREAMS, _DEFAULT_STREAMS)

    def _goaway(self, number: int, flags: int, payload: bytes) -> None:
        super()._goaway(number, flags, payload)
        self.going_away = True
        last, _ = frames.read_goaway(payload)
        # RFC 9113 6.8: those were not seen, and may be sent elsewhere.
        for stream in [one for one in self.streams.values() if one.id > last]:
            self._close(stream)
            reset: Any = StreamReset(REFUSED_STREAM, "the server goes away", by_peer=True, full=last > 0)
            self._events.append((stream, reset))
