"""Half of the upstreams die under load, and nobody notices."""

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.integration.conftest import free_port

ORIGIN = str(Path(__file__).parent / "origin.py")
CLIENTS = 40
REQUESTS = 200  # of each client
PAUSE = 0.02  # from one request of a client to its next: 2,000 a second in all, where the machine allows
GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


class Load:
    """Idempotent requests over kept-alive connections; ``seen`` counts statuses and bodies, and what was lost."""

    def __init__(self, port):
        self.port = port
        self.seen = Counter()
        self.sent = 0

    async def run(self, at, then):
        """Send them all; when so many have been sent, do ``then()``."""
        self.at, self.then = at, then
        await asyncio.gather(*(self._client(number) for number in range(CLIENTS)))

    async def _client(self, number):
        loop = asyncio.get_running_loop()
        began = loop.time() + PAUSE * number / CLIENTS
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for count in range(REQUESTS):
            await asyncio.sleep(max(0, began + PAUSE * count - loop.time()))
            writer.write(GET)
            self.sent += 1
            if self.sent == self.at:
                self.then()
            try:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                body = await reader.readexactly(length)
            except (OSError, EOFError) as fault:
                self.seen[f"lost: {fault!r}"] += 1
                writer.close()
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                continue
            status = int(head.split(b" ", 2)[1])
            self.seen[status if status == 200 else (head + body).decode()] += 1
            self.seen[body.decode()] += 1
        writer.close()


@pytest.mark.parametrize(
    ("reactor", "checks", "way"),
    [("epoll", False, "keep"), ("epoll", True, "close"), ("txproxy", True, "keep"), ("txproxy", False, "close")],
)
def test_not_one_request_is_lost_when_half_of_the_upstreams_die(run_proxy, processes, reactor, checks, way):
    ports = [free_port() for _ in range(6)]
    # As long as this takes, a good part of the clients has a request at an upstream that dies.
    origins = [processes(sys.executable, ORIGIN, str(port), "15", way, port=port) for port in ports]
    words = [word for port in ports for word in ("--upstream", f"http://127.0.0.1:{port}")]
    if checks:
        words += ["--health-check", "/", "--health-interval", "200ms", "--health-fall", "2", "--health-timeout", "1"]
    proxy = run_proxy("reverse", *words, "--access-log", "none", reactor=reactor)
    load = Load(proxy.port)

    def kill():
        for origin in origins[::2]:
            origin.send_signal(signal.SIGKILL)

    asyncio.run(load.run(CLIENTS * REQUESTS // 2, kill))
    wrong = {what: count for what, count in load.seen.items() if what != 200 and what not in map(str, ports)}
    assert not wrong, (wrong, proxy.log[-3000:])
    assert load.seen[200] == CLIENTS * REQUESTS
    # Each got its part before, and those that are left got the rest.
    assert all(load.seen[str(port)] > CLIENTS * REQUESTS // 24 for port in ports)
    assert sum(load.seen[str(port)] for port in ports[1::2]) > CLIENTS * REQUESTS * 0.7
    assert "Traceback" not in proxy.log
