"""``python -m benchmarks.attackers KIND PORT``: one hostile client, in a process of its own, until it is killed.

It says ``ready`` once it does all that it is to do. Its address is 127.0.0.2, whoever else is measured has others.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

ADDRESS: Final = "127.0.0.2"
GET: Final = b"GET /small HTTP/1.1\r\nHost: flood.example\r\n\r\n"
# ten times what one client may have by its limit
OVER: Final = 1000
HEADS: Final = 5000
BODIES: Final = 500
# of HTTP/2: SETTINGS_INITIAL_WINDOW_SIZE, and updates, as large as they may be
_HELLO: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\6\4\0\0\0\0\0" + b"\0\4\x7f\xff\xff\xff"
_WIDER: Final = b"\0\0\4\x08\0\0\0\0\0" + b"\0\1\0\0"
# :method GET, :scheme http, :path /small, :authority flood.example, none of them for the table; and POST /taken
_BLOCK: Final = b"\x82\x86\x04\x06/small\x01\x0dflood.example"
_POST: Final = b"\x83\x86\x04\x06/taken\x01\x0dflood.example"
# So many streams at once are taken.
_STREAMS: Final = 100


async def _connect(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", port, local_addr=(ADDRESS, 0))


async def _drain(reader: asyncio.StreamReader) -> None:
    with suppress(OSError):
        while await reader.read(1 << 16):
            pass


async def over(port: int) -> None:
    """As many requests as ten times a limit, evenly."""
    reader, writer = await _connect(port)
    reading = asyncio.ensure_future(_drain(reader))
    print("ready", flush=True)
    while not reading.done():
        writer.write(GET * (OVER // 100))
        await asyncio.sleep(0.01)


async def pipelines(port: int) -> None:
    """Requests as fast as they are read, without waiting for an answer."""
    reader, writer = await _connect(port)
    reading = asyncio.ensure_future(_drain(reader))
    print("ready", flush=True)
    while not reading.done():
        writer.write(GET * 1000)
        await writer.drain()


async def streams(port: int) -> None:
    """The same over HTTP/2: as many streams as may be, and as many again once they have their answers."""
    reader, writer = await _connect(port)
    writer.write(_HELLO)
    print("ready", flush=True)
    number = 1
    frame = len(_BLOCK).to_bytes(3, "big") + b"\1\5"
    while True:
        numbers = range(number, number + 2 * _STREAMS, 2)
        number += 2 * _STREAMS
        writer.write(_WIDER + b"".join(frame + one.to_bytes(4, "big") + _BLOCK for one in numbers))
        ended = 0
        while ended < _STREAMS:
            head = await reader.readexactly(9)
            await reader.readexactly(int.from_bytes(head[:3], "big"))
            ended += head[3] in (0, 1) and head[4] & 1


async def frames(port: int) -> None:
    """Bodies over HTTP/2 in frames of a byte, on a stream of which nothing is wanted."""
    reader, writer = await _connect(port)
    reading = asyncio.ensure_future(_drain(reader))
    head = len(_POST).to_bytes(3, "big") + b"\1\4" + (1).to_bytes(4, "big")
    writer.write(_HELLO + head + _POST)
    print("ready", flush=True)
    data = (b"\0\0\1\0\0" + (1).to_bytes(4, "big") + b"x") * 1000
    while not reading.done():
        writer.write(data)
        await writer.drain()


async def chunks(port: int) -> None:
    """A body without end in chunks of a byte."""
    reader, writer = await _connect(port)
    reading = asyncio.ensure_future(_drain(reader))
    writer.write(b"POST /taken HTTP/1.1\r\nHost: flood.example\r\nTransfer-Encoding: chunked\r\n\r\n")
    print("ready", flush=True)
    while not reading.done():
        writer.write(b"1\r\nx\r\n" * 5000)
        await writer.drain()


async def upload(port: int) -> None:
    """A body without end as fast as it is taken."""
    reader, writer = await _connect(port)
    reading = asyncio.ensure_future(_drain(reader))
    writer.write(b"POST /taken HTTP/1.1\r\nHost: flood.example\r\nContent-Length: 1000000000000\r\n\r\n")
    print("ready", flush=True)
    while not reading.done():
        writer.write(b"x" * 1_000_000)
        await writer.drain()


async def connections(port: int) -> None:
    """New connections without a request, as fast as they are taken."""
    print("ready", flush=True)

    async def one() -> None:
        while True:
            with suppress(OSError):
                _, writer = await _connect(port)
                writer.close()

    await asyncio.gather(*(one() for _ in range(16)))


async def _slowly(count: int, port: int, begin: bytes, piece: bytes, pause: float) -> None:
    """So many connections that begin, and then send a piece now and then; another for each that has ended."""
    there = 0

    async def one() -> None:
        nonlocal there
        while True:
            with suppress(OSError):
                reader, writer = await _connect(port)
                writer.write(begin)
                there += 1
                if there == count:
                    print("ready", flush=True)
                ending = asyncio.ensure_future(_drain(reader))
                while not ending.done():
                    writer.write(piece)
                    await asyncio.wait([ending], timeout=pause)
                writer.close()

    async with asyncio.TaskGroup() as group:
        for _ in range(count):
            group.create_task(one())
            await asyncio.sleep(0.001)


async def heads(port: int) -> None:
    """Heads that do not come to their end."""
    await _slowly(HEADS, port, GET[:-2], b"X: 1\r\n", 5.0)


async def bodies(port: int) -> None:
    """Bodies that do not."""
    begin = b"POST /taken HTTP/1.1\r\nHost: flood.example\r\nContent-Length: 1000000\r\n\r\n"
    await _slowly(BODIES, port, begin, b"x", 5.0)


KINDS: dict[str, Callable[[int], Awaitable[None]]] = {
    one.__name__: one for one in (over, pipelines, streams, frames, chunks, upload, connections, heads, bodies)
}


def main() -> None:
    """What the command line asks for."""
    # Who is measured shares a core with it.
    os.nice(19)
    kind, port = sys.argv[1:]
    asyncio.run(KINDS[kind](int(port)))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
