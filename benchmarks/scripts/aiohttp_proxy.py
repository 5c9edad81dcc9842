"""A reverse proxy with aiohttp, on uvloop where that is installed.

Called with KIND PORT ORIGIN CERTIFICATE KEY.
"""

from __future__ import annotations

import ssl
import sys
from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator

import aiohttp
from aiohttp import web

HOP_BY_HOP = frozenset(
    {"connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade", "host"}
)
READ_WHOLE = 65536
"""Bodies up to this many bytes are sent with their head, which is faster; longer ones are streamed."""


def _forwarded(headers: aiohttp.typedefs.LooseHeaders) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in headers.items() if str(name).lower() not in HOP_BY_HOP]  # type: ignore[union-attr]


def application(origin: str) -> web.Application:
    """An application that sends all requests to ``origin``."""
    app = web.Application()
    session = web.AppKey("session", aiohttp.ClientSession)

    async def connections(app: web.Application) -> AsyncIterator[None]:
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(connector=connector, auto_decompress=False) as app[session]:
            yield

    async def handle(request: web.Request) -> web.StreamResponse:
        body = request.content if request.can_read_body else None
        headers = _forwarded(request.headers)
        async with app[session].request(
            request.method, origin + request.raw_path, headers=headers, data=body, allow_redirects=False
        ) as answer:
            headers = _forwarded(answer.headers)
            if answer.content_length is not None and answer.content_length <= READ_WHOLE:
                return web.Response(status=answer.status, headers=headers, body=await answer.read())
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
            await response.write_eof()
            return response

    app.cleanup_ctx.append(connections)
    app.router.add_route("*", "/{path:.*}", handle)
    return app


def main(kind: str, port: str, origin: str, certificate: str, key: str) -> None:
    """Serve until a signal comes."""
    loop: AbstractEventLoop | None = None
    try:
        import uvloop
    except ImportError:
        pass  # asyncio's own loop, then
    else:
        loop = uvloop.new_event_loop()
    context = None
    if kind == "tls":
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.load_cert_chain(certificate, key)
    web.run_app(
        application(f"http://127.0.0.1:{origin}"),
        host="127.0.0.1",
        port=int(port),
        ssl_context=context,
        access_log=None,
        print=None,
        backlog=4096,
        loop=loop,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
