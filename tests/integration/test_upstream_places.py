"""An upstream that may have one request at once, of several processes together."""

import contextlib
import http.client
import os
import select
import signal
import socket
import threading
import time
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, free_port, until
from tests.integration.test_workers import Served, heard

WORKERS = 4
POOLS = """
[pools.old]
upstreams = ["http://127.0.0.1:{port};max=1"]
queue_timeout = "30s"
[[routes]]
name = "old"
path = "/old"
pool = "old"
"""
RAW = """
[[listeners]]
name = "raw"
mode = "tcp"
listen = "127.0.0.1:{raw}"
pool = "raw"
[pools.raw]
upstreams = ["127.0.0.1:{port};max=1"]
queue_timeout = "30s"
"""
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Origin:
    """Answers after some milliseconds, or when it is told to, and knows how many requests it has had at once."""

    def __init__(self):
        self.seconds, self.most, self.answered = 0.003, 0, 0
        # whose client is there
        self.asked = []
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listening.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            received = b""
            while piece := connection.recv(65536):
                received += piece
                if not received.endswith(b"\r\n\r\n"):
                    continue
                received = b""
                with self._lock:
                    self.asked.append(connection)
                    self.most = max(self.most, len(self.asked))
                # Nothing more comes before the answer, but the end where the client has gone.
                gone = select.select([connection], [], [], self.seconds)[0]
                with self._lock:
                    self.asked.remove(connection)
                    self.answered += not gone
                if gone:
                    return
                connection.sendall(ANSWER)

    def close(self):
        self._listening.close()


class Clients:
    """So many of them ask again and again; ``answered`` is how often each was, and ``lost`` what went wrong."""

    def __init__(self, port, count):
        self._port, self._stopped = port, threading.Event()
        self.answered, self.lost = [0] * count, []
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=DEADLINE)
        while not self._stopped.is_set():
            try:
                connection.request("GET", "/old")
                response = connection.getresponse()
                assert (response.status, response.read()) == (200, b"ok")
                self.answered[number] += 1
            except (OSError, http.client.HTTPException, AssertionError) as fault:
                self.lost.append(fault)
                connection.close()
        connection.close()

    def stop(self):
        self._stopped.set()
        for thread in self._threads:
            thread.join(DEADLINE)


@pytest.fixture
def origin():
    origin = Origin()
    yield origin
    origin.close()


def test_never_two_at_once_and_nobody_starves_while_programs_follow_each_other(processes, tmp_path, origin):
    proxy = Served(processes, tmp_path, WORKERS, POOLS.format(port=origin.port))
    clients = Clients(proxy.port, 16)
    until(lambda: min(clients.answered) >= 20, "each of them has been answered")
    before = list(proxy.workers.values())
    proxy.process.send_signal(signal.SIGUSR2)
    proxy.says("of the one before it finish and leave")
    so_far = list(clients.answered)
    until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in before), "the old ones leave")
    until(lambda: all(now >= then + 20 for now, then in zip(clients.answered, so_far, strict=True)), "all go on")
    clients.stop()
    assert origin.most == 1 and not clients.lost and origin.answered == sum(clients.answered)
    proxy.end()


def test_what_a_worker_has_is_free_when_it_is_killed(processes, tmp_path, origin):
    proxy = Served(processes, tmp_path, WORKERS, POOLS.format(port=origin.port))
    origin.seconds = DEADLINE
    asking = []
    for _ in range(16):
        asking.append(socket.create_connection(("127.0.0.1", proxy.port), DEADLINE))
        asking[-1].sendall(b"GET /old HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: origin.asked, "one of them is there")
    # Three workers stand where those do who wait, or they have nobody who does.
    time.sleep(0.3)
    (first,) = origin.asked
    port = first.getpeername()[1]
    (owner,) = [pid for pid in proxy.workers.values() if port in local_ports(pid)]
    os.kill(owner, signal.SIGKILL)
    began = time.monotonic()
    until(lambda: any(one is not first for one in origin.asked), "another one is there")
    # It did not wait for what the killed one would have been answered.
    assert time.monotonic() - began < DEADLINE / 4
    time.sleep(0.2)
    assert len(origin.asked) == 1
    for one in asking:
        one.close()
    proxy.end()


def local_ports(pid):
    """Ports of the TCP sockets that a process has."""
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):
            inodes.add(os.readlink(entry))
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if f"socket:[{row[9]}]" in inodes}


def test_a_tunnel_keeps_its_place_when_it_goes_to_the_program_that_follows(processes, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE)
        raw = free_port()
        proxy = Served(processes, tmp_path, 2, RAW.format(raw=raw, port=listening.getsockname()[1]))
        client = socket.create_connection(("127.0.0.1", raw), DEADLINE)
        upstream, _ = listening.accept()
        before = list(proxy.workers.values())
        proxy.process.send_signal(signal.SIGUSR2)
        proxy.says("of the one before it finish and leave")
        until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in before), "the old ones leave")
        for one, other in ((client, upstream), (upstream, client)):
            one.sendall(b"word")
            assert heard(other, 4) == b"word"
        waiting = [socket.create_connection(("127.0.0.1", raw), DEADLINE) for _ in range(8)]
        for number, one in enumerate(waiting):
            one.sendall(b"%d" % number)
        # Whoever waits has been asked many times whether there is a place by now.
        assert select.select([listening], [], [], 0.5)[0] == []
        client.close()
        assert upstream.recv(1) == b""
        upstream.close()
        # One after the other, each when the one before has gone.
        for _ in waiting:
            upstream, _ = listening.accept()
            number = int(heard(upstream, 1))
            assert select.select([listening], [], [], 0.02)[0] == []
            upstream.close()
            waiting[number].close()
        proxy.end()
