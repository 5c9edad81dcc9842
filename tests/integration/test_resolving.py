"""Names that nobody answers for, in a running proxy: they are in nobody's way."""

import contextlib
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from twisted.names import dns

from tests.integration.conftest import DEADLINE, free_port, until

FILE = """
[log]
access = "none"
[limits]
connect_timeout = 60
drain_timeout = 0.1
[[listeners]]
name = "out"
mode = "forward"
listen = "tcp:{forward}:interface=127.0.0.1"
allow_destinations = "127.0.0.1"
[[listeners]]
name = "in"
listen = "tcp:{reverse}:interface=127.0.0.1"
pool = "app"
[pools.app]
upstreams = ["http://upstream.example:{origin}"]
"""


class NameServer:
    """On a port of its own, by UDP and TCP: every name has this host's address, but for those with ``silent`` in them.
    For those with ``long`` the answer by UDP is truncated.
    """

    def __init__(self):
        self.port = free_port()
        self.heard = []
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._udp.bind(("127.0.0.1", self.port))
        self._tcp = socket.create_server(("127.0.0.1", self.port))
        for serve in (self._serve_udp, self._serve_tcp):
            threading.Thread(target=serve, daemon=True).start()

    def _answer(self, data, by_tcp):
        message = dns.Message()
        message.fromStr(data)
        name = message.queries[0].name.name
        self.heard.append((name.decode(), by_tcp))
        if b"silent" in name:
            return b""
        message.answer = 1
        if b"long" in name and not by_tcp:
            message.trunc = 1
        elif message.queries[0].type == dns.A:
            message.answers = [dns.RRHeader(name, dns.A, ttl=0, payload=dns.Record_A("127.0.0.1"))]
        return message.toStr()

    def _serve_udp(self):
        with contextlib.suppress(OSError):
            while True:
                data, peer = self._udp.recvfrom(4096)
                if answer := self._answer(data, False):
                    self._udp.sendto(answer, peer)

    def _serve_tcp(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._tcp.accept()
                with connection:
                    data = connection.recv(4096)
                    answer = self._answer(data[2:], True)
                    connection.sendall(struct.pack(">H", len(answer)) + answer)

    def close(self):
        self._udp.close()
        self._tcp.close()


@pytest.fixture
def names():
    server = NameServer()
    yield server
    server.close()


class Running:
    def __init__(self, process, forward, reverse, origin, log):
        self.process, self.forward, self.reverse, self._origin, self._log = process, forward, reverse, origin, log

    @property
    def log(self):
        return self._log.read_text()

    def says(self, text):
        until(lambda: text in self.log, f"{text!r} in the log")

    def ask(self, name):
        """A client that waits for what comes of it."""
        client = socket.create_connection(("127.0.0.1", self.forward), DEADLINE)
        client.sendall(f"GET http://{name}/ HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        return client

    def get(self, curl, name):
        return curl("-x", f"http://127.0.0.1:{self.forward}", f"http://{name}:{self._origin}/name")

    def looks_up(self, number):
        """Wait until it does so many names."""

        def does():
            self.process.send_signal(signal.SIGUSR2)
            return self.log.rstrip().endswith(f"running: {number}")

        until(does, f"{number} names are being looked up")


@pytest.fixture
def run(processes, run_nginx, names, tmp_path):
    def start(reactor, names_at=None):
        origin = run_nginx()
        forward, reverse, number = free_port(), free_port(), names_at or names.port
        port = origin.url.rpartition(":")[2]
        (tmp_path / "proxy.toml").write_text(FILE.format(forward=forward, reverse=reverse, origin=port))
        (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30\n")
        (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
        log = tmp_path / "proxy.log"
        script = str(Path(__file__).parent / "resolving_proxy.py")
        with log.open("wb") as out:
            process = processes(
                sys.executable, script, reactor, str(tmp_path / "proxy.toml"), str(tmp_path), str(number),
                port=reverse, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
            )  # fmt: skip
        return Running(process, forward, reverse, port, log)

    return start


def answered(clients):
    """Those that have something to read."""
    return select.select(clients, [], [], 0)[0]


@pytest.mark.parametrize("reactor", ["epoll", "txproxy", "asyncio"])
def test_names_that_nobody_answers_for_are_in_nobodys_way(run, names, curl, reactor):
    proxy = run(reactor)
    waiting = [proxy.ask(f"silent{number}.example") for number in range(200)]
    # One client gets its share, and else an answer at once.
    until(lambda: len(answered(waiting)) == 200 - 64, "the rest has an answer")
    assert {client.recv(12) for client in answered(waiting)} == {b"HTTP/1.1 503"}
    proxy.looks_up(64)
    # Another configuration takes over, and what runs goes on.
    proxy.process.send_signal(signal.SIGHUP)
    proxy.says("was read again, and runs")
    proxy.looks_up(64)
    # A reverse listener in the same process has its upstream by name.
    assert curl(f"http://127.0.0.1:{proxy.reverse}/name") == "nginx\n"
    for client in waiting:
        client.close()
    proxy.looks_up(0)
    assert proxy.get(curl, "known.example") == "nginx\n"
    assert proxy.get(curl, "long.example") == "nginx\n"
    assert ("long.example", True) in names.heard
    staying = [proxy.ask(f"silent{number}.example") for number in range(60)]
    proxy.looks_up(60)
    proxy.process.send_signal(signal.SIGTERM)
    assert proxy.process.wait(DEADLINE) == 0
    for client in staying:
        client.close()
    assert "threads: 0" in proxy.log
    assert "Traceback" not in proxy.log


@pytest.mark.parametrize("reactor", ["txproxy", "select"])
def test_a_name_server_that_is_not_there_is_an_answer_at_once(run, reactor):
    proxy = run(reactor, names_at=free_port())
    with proxy.ask("gone.example") as client:
        assert client.recv(12) == b"HTTP/1.1 502"
    proxy.says("nobody listens at 127.0.0.1")
