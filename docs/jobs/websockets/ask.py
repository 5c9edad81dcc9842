import asyncio
import sys

import websockets


async def main():
    async with websockets.connect(sys.argv[1]) as server:
        await server.send("hello")
        print("the server says:", await server.recv())


asyncio.run(main())
