"""A program: an origin that answers each request in one piece, after a while. ``PORT MILLISECONDS [keep|close]``"""

import asyncio
import sys


class Origin(asyncio.Protocol):
    def __init__(self, delay, answer, keeps):
        self.delay, self.answer, self.keeps = delay, answer, keeps
        self.waiting = b""

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        *heads, self.waiting = (self.waiting + data).split(b"\r\n\r\n")
        for _ in heads:
            asyncio.get_running_loop().call_later(self.delay, self.respond)

    def respond(self):
        self.transport.write(self.answer)
        if not self.keeps:
            self.transport.close()


async def main(port, milliseconds, way="keep"):
    body = b"%d" % int(port)
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n" % len(body)
    answer += (b"Connection: close\r\n\r\n" if way == "close" else b"\r\n") + body
    server = await asyncio.get_running_loop().create_server(
        lambda: Origin(int(milliseconds) / 1000, answer, way == "keep"), "127.0.0.1", int(port), backlog=1024
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
