"""All modes from one file, which is read again while it serves."""

import http.client
import signal
import socket
import subprocess
import sys
import threading

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until

FILE = """
[log]
access = "none"
[[listeners]]
name = "web"
listen = "tcp:{web}:interface=127.0.0.1"
pool = "app"
[[listeners]]
mode = "forward"
listen = "tcp:{forward}:interface=127.0.0.1"
allow_destinations = "127.0.0.1"
[pools.app]
upstreams = ["{upstream}"]
"""
ROUTE = '[[routes]]\nname = "new"\npath = "=/new"\nrespond = { status = 200, body = "new\\n" }\n'


class Download:
    """A response of which as much is read as is asked for."""

    def __init__(self, port, target):
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        self._connection.request("GET", target)
        self._response = self._connection.getresponse()
        self.received = 0

    def read(self, size):
        while size > 0 and (piece := self._response.read(min(size, 1 << 20))):
            self.received += len(piece)
            size -= len(piece)
        if self._response.isclosed():
            self._connection.close()


def test_a_reload_drops_nothing_and_a_bad_file_changes_nothing(processes, run_nginx, curl, tmp_path):
    origin = run_nginx()
    size = 60 << 20
    with (origin.directory / "www" / "large").open("wb") as large:
        large.truncate(size)
    web, forward = free_port(), free_port()
    text = FILE.format(web=web, forward=forward, upstream=origin.url)
    file, log = tmp_path / "proxy.toml", tmp_path / "proxy.log"
    file.write_text(text)
    with log.open("wb") as out:
        process = processes(
            sys.executable, "-m", "txproxy", "run", "--config", str(file),
            port=forward, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip
    url = f"http://127.0.0.1:{web}"
    assert curl(f"{url}/name") == "nginx\n"
    assert curl("-x", f"http://127.0.0.1:{forward}", f"{origin.url}/name") == "nginx\n"

    def read_again(content, said):
        before = log.read_text().count(said)
        file.write_text(content)
        process.send_signal(signal.SIGHUP)
        until(lambda: log.read_text().count(said) > before, said)

    # These are read here, a part between any two reloads: however long one takes, they run.
    downloads = [Download(web, "/large"), Download(forward, f"{origin.url}/large")]
    read_again(text + ROUTE, "was read again, and runs")
    assert curl(f"{url}/new") == "new\n"
    read_again(text + ROUTE.replace("respond", "respnd"), "the configuration that runs is kept")
    assert "respnd: no such key (is respond meant?)" in log.read_text()
    assert curl(f"{url}/new") == "new\n"
    for _ in range(3):
        for download in downloads:
            download.read(1 << 20)
        read_again(text + ROUTE, "was read again, and runs")
    for download in downloads:
        download.read(size)
        assert download.received == size
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) is not None
    assert "Traceback" not in log.read_text()


REQUEST = b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"


def answer(connection):
    """A whole response to REQUEST; empty where the connection has ended before."""
    received = b""
    while not received.endswith(b"\r\n\r\nnginx\n"):
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


@pytest.fixture
def reloadable(processes, run_nginx, tmp_path):
    """A reverse proxy before nginx, whose file can be written and read again, under load too."""

    class Reloadable:
        def __init__(self):
            self.port, forward = free_port(), free_port()
            self.text = FILE.format(web=self.port, forward=forward, upstream=run_nginx().url)
            self.file, self._log = tmp_path / "proxy.toml", tmp_path / "proxy.log"
            self.file.write_text(self.text)
            with self._log.open("wb") as out:
                self.process = processes(
                    sys.executable, "-m", "txproxy", "run", "--config", str(self.file),
                    port=self.port, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
                )  # fmt: skip
            # Who is answered knows that signals are heard.
            with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
                connection.sendall(REQUEST)
                assert answer(connection)

        @property
        def log(self):
            return self._log.read_text()

    return Reloadable()


@pytest.mark.parametrize("more", [[], ["-H", "Connection: close"]], ids=["kept connections", "new connections"])
def test_no_request_is_broken_by_reloads_under_load(reloadable, more):
    said = "was read again, and runs"
    load = subprocess.Popen(
        [need("wrk"), "-t1", "-c32", "-d2s", *more, f"http://127.0.0.1:{reloadable.port}/name"],
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    reloads = 0
    while load.poll() is None:
        if reloads % 2:
            # changed, and changed back
            reloadable.file.write_text(reloadable.text + ROUTE * (reloads // 2 % 2))
        reloadable.process.send_signal(signal.SIGHUP)
        reloads += 1
        until(lambda least=reloads: reloadable.log.count(said) >= least or load.poll() is not None, said)
    report = load.communicate()[0]
    assert "requests in" in report and reloads > 1
    assert "Socket errors" not in report and "Non-2xx" not in report, report
    assert "Traceback" not in reloadable.log


def test_a_kept_connection_is_under_the_new_configuration_from_its_next_request(reloadable):
    connection = http.client.HTTPConnection("127.0.0.1", reloadable.port, timeout=DEADLINE)

    def get(target):
        connection.request("GET", target)
        response = connection.getresponse()
        return response.status, response.read(), connection.sock.getsockname()

    status, _, here = get("/new")
    assert status == 404
    reloadable.file.write_text(reloadable.text + ROUTE)
    reloadable.process.send_signal(signal.SIGHUP)
    until(lambda: "was read again, and runs" in reloadable.log, "the file was read again")
    assert get("/new") == (200, b"new\n", here)
    connection.close()


def test_who_waits_in_the_backlog_when_it_is_to_end_is_answered(reloadable):
    # It does not run while they connect, and has both before it when it goes on.
    reloadable.process.send_signal(signal.SIGSTOP)
    connections = [socket.create_connection(("127.0.0.1", reloadable.port), DEADLINE) for _ in range(300)]
    for connection in connections[::2]:
        connection.sendall(REQUEST)
    reloadable.process.send_signal(signal.SIGTERM)
    reloadable.process.send_signal(signal.SIGCONT)
    for connection in connections[1::2]:
        connection.sendall(REQUEST)
    for connection in connections:
        assert answer(connection)
        connection.close()
    assert reloadable.process.wait(DEADLINE) is not None


def test_no_request_of_a_kept_connection_is_lost_when_it_is_to_end(reloadable):
    lost, begun = [], []

    def ask():
        with socket.create_connection(("127.0.0.1", reloadable.port), DEADLINE) as connection:
            while True:
                connection.sendall(REQUEST)
                received = answer(connection)
                begun.append(1)
                if b"Connection: close" in received:
                    return
                if not received:
                    lost.append(connection)
                    return

    clients = [threading.Thread(target=ask) for _ in range(16)]
    for client in clients:
        client.start()
    until(lambda: len(begun) > 200, "all clients ask")
    reloadable.process.send_signal(signal.SIGTERM)
    for client in clients:
        client.join(DEADLINE)
    assert not lost and not any(client.is_alive() for client in clients)
    assert reloadable.process.wait(DEADLINE) is not None


class CountingOrigin:
    """Answers each request of a connection, and says how many connections there ever were."""

    def __init__(self):
        self.connections = 0
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection = self._listening.accept()[0]
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        received = b""
        with connection:
            while piece := connection.recv(65536):
                received += piece
                while b"\r\n\r\n" in received:
                    received = received.partition(b"\r\n\r\n")[2]
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    def close(self):
        self._listening.close()


def test_what_has_not_changed_keeps_its_connections_to_upstreams(processes, tmp_path, curl):
    origins = [CountingOrigin() for _ in range(2)]
    web, forward = free_port(), free_port()
    text = FILE.format(web=web, forward=forward, upstream=f"http://127.0.0.1:{origins[0].port}")
    file, log = tmp_path / "proxy.toml", tmp_path / "proxy.log"
    file.write_text(text)
    with log.open("wb") as out:
        process = processes(
            sys.executable, "-m", "txproxy", "run", "--config", str(file),
            port=forward, stdout=out, stderr=subprocess.STDOUT, cwd=tmp_path,
        )  # fmt: skip

    def ask():
        assert curl(f"http://127.0.0.1:{web}/") == "ok"
        assert curl("-x", f"http://127.0.0.1:{forward}", f"http://127.0.0.1:{origins[1].port}/") == "ok"

    def read_again(content):
        before = log.read_text().count("was read again, and runs")
        file.write_text(content)
        process.send_signal(signal.SIGHUP)
        until(lambda: log.read_text().count("was read again, and runs") > before, "the file was read again")

    ask()
    for _ in range(2):
        read_again(text)
        ask()
    assert [origin.connections for origin in origins] == [1, 1]
    # The forward listener alone is another one.
    read_again(text.replace("allow_destinations", "pac = false\nallow_destinations"))
    ask()
    assert [origin.connections for origin in origins] == [1, 2]
    for origin in origins:
        origin.close()
