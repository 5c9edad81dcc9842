"""An upstream that speaks HTTP/2, played by a test over a connection in memory."""

from __future__ import annotations

from hpack import Decoder, Encoder

from tests.wire.http2.taken_apart import taken_apart
from txproxy.wire.http2 import frames

PREFACE = frames.PREFACE
SETTINGS_ACK = "SETTINGS"


class Http2Peer:
    """Reads what the proxy has written on one ``connection``, and answers in frames."""

    def __init__(self, connection, *settings, silent=False):
        self.connection = connection
        self.decoder = Decoder()
        self.encoder = Encoder()
        self.heads = {}
        self.bodies = {}
        self.ended = set()
        self.resets = {}
        self.others = []
        self._begun = False
        self._rest = b""
        if not silent:
            connection.send(frames.settings(settings))
        self.look()

    def look(self):
        """Take what has come since the last look."""
        data = self._rest + self.connection.take()
        if not self._begun and data:
            assert data.startswith(PREFACE)
            data = data[len(PREFACE) :]
            self._begun = True
        for name, flags, stream, payload in taken_apart(data):
            if name == "HEADERS":
                self.heads.setdefault(stream, []).append(dict(self.decoder.decode(payload)))
            elif name == "DATA":
                self.bodies[stream] = self.bodies.get(stream, b"") + payload
            elif name == "RST_STREAM":
                self.resets[stream] = int.from_bytes(payload, "big")
            else:
                self.others.append((name, flags, stream, payload))
            if name in ("HEADERS", "DATA") and flags & frames.END_STREAM:
                self.ended.add(stream)
        return self

    def head(self, stream):
        """The head of the request on a stream."""
        self.look()
        return self.heads[stream][0]

    def head_frame(self, stream, status=200, *fields, ended=False):
        """A frame with the head of a response."""
        block = self.encoder.encode([(":status", str(status)), *fields])
        return frames.headers(stream, block, ended, 16384)

    def trailers_frame(self, stream, *fields):
        return frames.headers(stream, self.encoder.encode(list(fields)), True, 16384)

    def answer(self, stream, status=200, *fields, body=b""):
        """A whole response."""
        data = self.head_frame(stream, status, *fields, ended=not body)
        self.connection.send(data + (data_frame(stream, body, ended=True) if body else b""))

    def updates(self, stream):
        """By how much the proxy has said that the window of a stream, or of the connection (0), grows."""
        self.look()
        return sum(
            int.from_bytes(payload, "big")
            for name, _, number, payload in self.others
            if name == "WINDOW_UPDATE" and number == stream
        )


def data_frame(stream, data=b"", ended=False):
    return frames.header(len(data), frames.DATA, frames.END_STREAM if ended else 0, stream) + data
