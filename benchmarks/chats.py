"""Clients of a proxy in which something is replaced, and who they talk to."""

from __future__ import annotations

import asyncio
import os
import time
from contextlib import suppress

import attrs

LIMIT = 20.0
"""Seconds that anything may take before it counts as an error."""
GET = b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says all that it hears, once it has agreed to a change of protocols if it is asked for one."""
    with suppress(OSError, asyncio.CancelledError):
        first = True
        while data := await reader.read(65536):
            if first and data.startswith(b"GET "):
                data = SWITCHED
            first = False
            writer.write(data)
            await writer.drain()
    writer.close()


@attrs.define
class Chat:
    """A tunnel, and what went wrong in it."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    words: int = 0
    fault: str = ""

    @classmethod
    async def open(cls, port: int, first: bytes = b"", answer: bytes = b"") -> Chat:
        """One through ``port``, which is asked for with ``first``."""
        chat = cls(*await asyncio.open_connection("127.0.0.1", port))
        if first:
            chat.writer.write(first)
            head = await asyncio.wait_for(chat.reader.readuntil(b"\r\n\r\n"), LIMIT)
            if answer not in head:
                raise OSError(head.decode("latin-1"))
        await chat.say(b"first")
        return chat

    async def say(self, word: bytes) -> None:
        """One word, and its echo."""
        self.writer.write(word)
        if await asyncio.wait_for(self.reader.readexactly(len(word)), LIMIT) != word:
            raise OSError("other bytes came than were sent")
        self.words += 1

    async def go_on(self, stopped: asyncio.Event, pause: float, size: int) -> None:
        """Talk until it is over."""
        try:
            while not stopped.is_set():
                await self.say(os.urandom(size))
                await asyncio.sleep(pause)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as fault:
            self.fault = repr(fault)


async def _ask(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(GET.replace(b"Host", b"Connection: close\r\nHost"))
        if not (await asyncio.wait_for(reader.read(), LIMIT)).endswith(b"served\n"):
            raise OSError("no answer")
    finally:
        writer.close()


async def arrivals(port: int, stopped: asyncio.Event, faults: list[str]) -> list[tuple[float, float]]:
    """New clients, one after the other: when each that was answered had come, and how long it had to wait."""
    waited = []
    while not stopped.is_set():
        began = time.perf_counter()
        try:
            await _ask(port)
            waited.append((began, time.perf_counter() - began))
        except (OSError, TimeoutError) as fault:
            faults.append(repr(fault))
        await asyncio.sleep(0.005)
    return waited
