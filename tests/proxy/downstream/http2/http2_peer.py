"""A client that speaks HTTP/2, by an implementation that is not ours."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.wire.http2.taken_apart import taken_apart
from txproxy.wire.http2 import frames

GET = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/"))
POST = ((b":method", b"POST"), *GET[1:])


class Response:
    """What has come on one stream."""

    def __init__(self):
        self.heads = []
        self.body = b""
        self.ended = False
        self.reset = None
        self.trailers = None

    @property
    def status(self):
        """That of the last head."""
        return int(dict(self.heads[-1])[b":status"])

    def field(self, name):
        return dict(self.heads[-1]).get(name)


class Http2Peer:
    """A client on a connection in memory. ``windows``: it opens them as it reads, unless told not to."""

    def __init__(self, connection, windows=True):
        self.connection = connection
        self.windows = windows
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding=None))
        self.responses = defaultdict(Response)
        self.settings = {}
        self.goaways = []
        self.frames = []
        self.h2.initiate_connection()
        self.turn()

    def turn(self):
        """Say what there is to say, and hear what is said to that."""
        while True:
            out = self.h2.data_to_send()
            self.connection.send(out)
            came = self.connection.take()
            if not came:
                return self
            self.frames += taken_apart(came)
            for event in self.h2.receive_data(self._without_goaways(came)):
                self._heard(event)

    def _without_goaways(self, data):
        """What h2 is told: after a GOAWAY it would hear nothing more, of the streams that go on neither."""
        kept = b""
        while data:
            high, low, kind, _, _ = frames.read_header(data, 0)
            one, data = data[: (end := 9 + (high << 16 | low))], data[end:]
            if kind == frames.GOAWAY:
                self.goaways.append(frames.read_goaway(one[9:]))
            else:
                kept += one
        return kept

    def _heard(self, event):
        kind = type(event)
        if kind in (h2.events.ResponseReceived, h2.events.InformationalResponseReceived):
            self.responses[event.stream_id].heads.append(event.headers)
        elif kind is h2.events.DataReceived:
            self.responses[event.stream_id].body += event.data
            if self.windows and event.flow_controlled_length:
                self.h2.increment_flow_control_window(event.flow_controlled_length)
                with suppress(h2.exceptions.StreamClosedError):
                    self.h2.increment_flow_control_window(event.flow_controlled_length, event.stream_id)
        elif kind is h2.events.TrailersReceived:
            self.responses[event.stream_id].trailers = event.headers
        elif kind is h2.events.StreamEnded:
            self.responses[event.stream_id].ended = True
        elif kind is h2.events.StreamReset:
            self.responses[event.stream_id].reset = int(event.error_code)

    def ask(self, *fields, stream=None, ended=True):
        """A request with these fields, by default a GET; gives its stream."""
        stream = stream or self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, fields or GET, end_stream=ended)
        self.turn()
        return stream

    def body(self, stream, data, ended=False):
        """Part of a request's body."""
        self.h2.send_data(stream, data, end_stream=ended)
        self.turn()

    def reset(self, stream, code=8):
        """Cancel a request."""
        self.h2.reset_stream(stream, code)
        self.turn()
