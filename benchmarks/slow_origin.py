"""An origin that takes its time, and counts who asks."""

from __future__ import annotations

import asyncio
from collections import Counter
from email.utils import formatdate

import attrs

DELAY = 1.0
"""Seconds that it takes for an answer."""
SIZE = 100_000
PIECES = 20
"""In so many equal pieces a stream comes."""
STREAM_SECONDS = 2.0


@attrs.frozen
class Behaviour:
    """What it does with a request: ``control`` is the Cache-Control of its answers, None where it closes the connection
    in place of an answer. A ``stream`` begins at once, and comes piece by piece.
    """

    control: str | None
    stream: bool = False


BEHAVIOURS = {
    "cacheable": Behaviour("max-age=600"),
    "uncacheable": Behaviour("no-store"),
    "dies": Behaviour(None),
    "stream": Behaviour("max-age=600", stream=True),
    "stale": Behaviour("max-age=1, stale-while-revalidate=600"),
}
"""By the first part of the path."""


class SlowOrigin:
    """Does by the first part of a path what :data:`BEHAVIOURS` says, and counts the ``requests`` for each path."""

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()

    async def listen(self, port: int) -> asyncio.Server:
        """On the loopback address."""
        return await asyncio.start_server(self._connected, "127.0.0.1", port, backlog=4096)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                path = head.split(b" ", 2)[1].decode("ascii")
                self.requests[path] += 1
                behaviour = BEHAVIOURS[path.split("/")[1]]
                if not behaviour.stream:
                    await asyncio.sleep(DELAY)
                if behaviour.control is None:
                    return
                await self._answer(writer, behaviour)
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass  # the proxy has gone, or the run is over
        finally:
            writer.close()

    async def _answer(self, writer: asyncio.StreamWriter, behaviour: Behaviour) -> None:
        head = f"HTTP/1.1 200 OK\r\nDate: {formatdate(usegmt=True)}\r\nCache-Control: {behaviour.control}\r\n"
        writer.write(f"{head}Content-Type: text/plain\r\nContent-Length: {SIZE}\r\n\r\n".encode("ascii"))
        for _ in range(PIECES):
            writer.write(b"x" * (SIZE // PIECES))
            await writer.drain()
            if behaviour.stream:
                await asyncio.sleep(STREAM_SECONDS / PIECES)
