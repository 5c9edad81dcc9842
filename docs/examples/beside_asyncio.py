"""A proxy beside code of asyncio, in one loop: its reactor is installed before anything imports another."""

from __future__ import annotations

import asyncio

from twisted.internet import asyncioreactor

loop = asyncio.new_event_loop()
asyncio.set_event_loop(loop)
asyncioreactor.install(loop)

from twisted.internet import endpoints, reactor  # noqa: E402

from txproxy import Pool, ReverseProxyFactory  # noqa: E402


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A server of asyncio's own, which the proxy has as its upstream."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 19\r\nConnection: close\r\n\r\nhello from asyncio\n")
    await writer.drain()
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", 8001)
    pool = Pool(["http://127.0.0.1:8001"])
    endpoint = endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1")
    listening = endpoint.listen(ReverseProxyFactory(pool))
    port = await listening.asFuture(loop)  # a Deferred, for asyncio
    try:
        await server.serve_forever()
    finally:
        await port.stopListening().asFuture(loop)


loop.run_until_complete(main())
