"""The wire cases of tests/corpus, and how they are run through the codecs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from txproxy.errors import ExchangeError, ResponseError
from txproxy.wire.headers import Headers
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead
from txproxy.wire.size_limits import WireLimits

FOLDER = Path(__file__).parents[2] / "corpus"
NEXT_REQUEST = b"GET /next HTTP/1.1\r\nHost: a\r\n\r\n"
NEXT_RESPONSE = b"HTTP/1.1 299 Next\r\nContent-Length: 0\r\n\r\n"

_REPEATED = re.compile(r"\\\*\{(\d+)\}([^;]*);")


@attrs.frozen
class Case:
    """One file: see tests/corpus/README.md."""

    name: str
    role: str
    data: bytes
    events: list[str]
    status: int | None
    reason: str
    method: bytes
    upgrade: bool
    eof: bool
    limits: WireLimits

    def codec(self) -> ServerCodec | ClientCodec:
        """A codec to which the case can be sent."""
        if self.role == "requests":
            return ServerCodec(self.limits)
        return client_codec(self.method, self.upgrade, self.limits)


def client_codec(method: bytes = b"GET", upgrade: bool = False, limits: WireLimits | None = None) -> ClientCodec:
    """A codec that waits for the response to a request without a body."""
    codec = ClientCodec(limits or WireLimits())
    fields = [(b"Host", b"a"), *([(b"Connection", b"upgrade"), (b"Upgrade", b"websocket")] if upgrade else [])]
    codec.send_head(RequestHead(method, b"/", Headers(fields)))
    return codec


def load(path: Path) -> Case:
    """Read one file."""
    about, _, sent = path.read_text("ascii").partition("---\n")
    told: dict[str, str] = {}
    events: list[str] = []
    for line in about.splitlines()[1:]:
        key, _, value = line.partition(" ")
        if key == "event":
            events.append(value)
        else:
            told[key] = value
    limit, _, bound = told.get("limit", "").partition(" ")
    status = told.get("status")
    return Case(
        name=f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}",
        role=path.parts[-3],
        data=unescaped(sent.replace("\n", "")),
        events=events,
        status=int(status) if status else None,
        reason=told.get("reason", ""),
        method=told.get("method", "GET").encode("ascii"),
        upgrade="upgrade" in told,
        eof="eof" in told,
        limits=WireLimits(**{limit: int(bound)}) if limit else WireLimits(),
    )


def unescaped(text: str) -> bytes:
    """The bytes that the text of a case stands for."""
    text = _REPEATED.sub(lambda match: match[2] * int(match[1]), text)
    return text.encode("ascii").decode("unicode_escape").encode("latin-1")


CASES = [load(path) for path in sorted(FOLDER.glob("*/*/*.http"))]


def cut(data: bytes, positions: Iterable[int]) -> list[bytes]:
    """``data`` in pieces that end at the positions."""
    places = [0, *sorted(positions), len(data)]
    return [data[start:end] for start, end in pairwise(places)]


def single_bytes(data: bytes) -> list[bytes]:
    """``data`` in pieces of one byte."""
    return [data[position : position + 1] for position in range(len(data))]


class Reading:
    """What came out of a codec: ``events`` in words, with the pieces of a body put together, and ``error``."""

    def __init__(self, codec: ServerCodec | ClientCodec, pieces: Iterable[bytes], eof: bool = False) -> None:
        self.codec = codec
        self.events: list[str] = []
        self.error: ExchangeError | None = None
        # How often the codec was asked. It must be no more than there are bytes to answer for.
        self.asked = 0
        self.messages = 0
        self._body = b""
        self._head: RequestHead | ResponseHead | None = None
        self._over = False
        try:
            for piece in pieces:
                codec.receive(piece)
                self._drain()
                if self._over:
                    break
            if eof and isinstance(codec, ClientCodec) and not self._over:
                self._event(codec.receive_eof())
        except ExchangeError as error:
            self.error = error
        if self._body:
            self.events.append(f"body {self._body!r}".replace("body b", "body ", 1))

    def _drain(self) -> None:
        while not self._over:
            event = self.codec.next_event()
            self.asked += 1
            if event is None:
                break
            self._event(event)
        # What an upstream sends after its response is refused by whoever keeps connections, for which the codec tells.
        if isinstance(self.codec, ClientCodec) and self.messages and self.codec.buffered:
            self._over = True
            raise ResponseError("surplus bytes after the response")

    def _event(self, event: Any) -> None:
        if isinstance(event, bytes):
            assert event, "an empty event of body"
            self._body += event
            return
        if self._body:
            self.events.append(f"body {self._body!r}".replace("body b", "body ", 1))
            self._body = b""
        if isinstance(event, EndOfMessage):
            trailers = b"|".join(name + b": " + value for name, value in event.trailers)
            self.events.append(f"end {trailers.decode('latin-1')}".rstrip())
            self.messages += 1
            assert self._head is not None
            if isinstance(self.codec, ServerCodec):
                # The proxy reads no further request after one that ends the connection.
                if self._head.keep_alive:
                    self.codec.next_message()
                else:
                    self._over = True
            return
        self._head = event
        if isinstance(event, RequestHead):
            self.events.append(f"head {event.method.decode()} {event.path.decode()}".rstrip())
        else:
            self.events.append(f"head {event.status}")

    @property
    def verdict(self) -> tuple[object, ...]:
        """What must be the same however the bytes were cut: what was read, or why it was refused."""
        if self.error is not None:
            return (type(self.error), self.error.status, self.error.detail)
        return tuple(self.events)
