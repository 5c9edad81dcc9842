"""Several processes that serve one configuration."""

import contextlib
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from datetime import date
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, answers, free_port, need, until
from txproxy.limits.sqlite import SqliteStore

REQUEST = b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"
ROUTE = '[[routes]]\nname = "{0}"\npath = "=/{0}"\nrespond = {{ status = 200, body = "{0}\\n" }}\n'
FILE = """
workers = {workers}
[log]
access = "access.log"
[[listeners]]
name = "web"
listen = ["127.0.0.1:{port}", "unix:web.sock"]
{more}
[[routes]]
name = "name"
path = "=/name"
respond = {{ status = 200, body = "served\\n" }}
"""


def children(pid):
    """The processes that ``pid`` has started, and what they are called."""
    found = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            pid_of, _, rest = (entry / "stat").read_text().partition(" (")
            name, _, fields = rest.rpartition(") ")
            if fields.split()[1] == str(pid) and fields.split()[0] != "Z":
                found[int(pid_of)] = name
    return found


def answer(connection, request=REQUEST):
    """What is answered; empty where the connection has ended before."""
    connection.sendall(request)
    received = b""
    while not received.endswith(b"\n") or b"\r\n\r\n" not in received:
        piece = connection.recv(65536)
        if not piece:
            return b""
        received += piece
    return received


class Served:
    """A master, its file and its log."""

    def __init__(self, processes, folder, workers, more="", before=""):
        self.folder, self.port = folder, free_port()
        self.file, self._log = folder / "proxy.toml", folder / "proxy.log"
        self.text = before + FILE.format(workers=workers, port=self.port, more=more)
        self.file.write_text(self.text)
        with self._log.open("wb") as out:
            self.process = processes(
                sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml",
                port=self.port, stdout=out, stderr=subprocess.STDOUT, cwd=folder,
            )  # fmt: skip
        until(lambda: len(self.workers) == workers, "all workers are there")
        assert self.ask()
        # Who is ready has said so.
        for number in range(1, workers + 1):
            self.says(f"[worker {number}] ")

    def ask(self, request=REQUEST):
        with socket.create_connection(("127.0.0.1", self.port), DEADLINE) as connection:
            return answer(connection, request)

    @property
    def mould(self):
        return next(pid for pid, name in children(self.process.pid).items() if name == "txproxy mould")

    @property
    def workers(self):
        """By their numbers."""
        with contextlib.suppress(StopIteration):
            named = children(self.mould).items()
            return {int(name.split()[-1]): pid for pid, name in named if name.startswith("txproxy work")}
        return {}

    @property
    def log(self):
        return self._log.read_text()

    def says(self, text, times=1):
        until(lambda: self.log.count(text) >= times, text)

    def read_again(self, text, said):
        before = self.log.count(said)
        self.file.write_text(text)
        self.process.send_signal(signal.SIGHUP)
        self.says(said, before + 1)

    def end(self, number=signal.SIGTERM):
        mine = [*children(self.process.pid), *self.workers.values()]
        self.process.send_signal(number)
        assert self.process.wait(DEADLINE) is not None
        until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in mine), "all of them have ended")
        assert "Traceback" not in self.log


@pytest.fixture
def served(processes, tmp_path):
    """Starts one with so many workers."""
    return lambda workers, more="": Served(processes, tmp_path, workers, more)


def test_connections_of_a_port_and_of_a_path_are_served_by_all_until_they_end_together(served):
    proxy = served(2)
    held = []
    for _ in range(32):
        connection = socket.create_connection(("127.0.0.1", proxy.port), DEADLINE)
        assert answer(connection)
        held.append(connection)
    for _ in range(8):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(proxy.folder / "web.sock"))
        assert answer(connection)
        held.append(connection)
    of_each = [len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in proxy.workers.values()]
    # Of 40 connections, whoever has fewer has some.
    assert max(of_each) - min(of_each) < 32
    # One that ends leaves the path to the others.
    os.kill(proxy.workers[1], signal.SIGTERM)
    for connection in held:
        connection.close()
    proxy.says("[worker 1] ", 2)
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(proxy.folder / "web.sock"))
        assert answer(connection)
    proxy.end()
    assert not (proxy.folder / "web.sock").exists()
    lines = (proxy.folder / "access.log").read_text().splitlines()
    assert len(lines) == 42 and all(line.endswith('"-" "-"') for line in lines)


def test_a_worker_that_is_killed_is_replaced_and_nobody_is_refused(served):
    proxy = served(2)
    before = proxy.workers
    os.kill(before[1], signal.SIGKILL)
    for _ in range(40):
        assert proxy.ask()
    proxy.says(f"worker 1 (process {before[1]}) has ended by SIGKILL")
    until(lambda: len(proxy.workers) == 2, "another takes its place")
    assert proxy.workers[1] != before[1] and proxy.workers[2] == before[2]
    # The same again, with the process that makes workers gone.
    mould = proxy.mould
    os.kill(mould, signal.SIGKILL)
    until(lambda: mould not in children(proxy.process.pid), "it has ended")
    assert all(proxy.ask() for _ in range(10))
    os.kill(before[2], signal.SIGKILL)
    assert all(proxy.ask() for _ in range(10))
    until(lambda: 2 in proxy.workers, "it is replaced by a new one")


def test_no_request_is_broken_by_reloads_under_load(served):
    proxy = served(2)
    said = "was read again, and runs"
    load = subprocess.Popen(
        [need("wrk"), "-t1", "-c32", "-d2s", f"http://127.0.0.1:{proxy.port}/name"], stdout=subprocess.PIPE, text=True
    )
    reloads = 0
    while load.poll() is None:
        reloads += 1
        proxy.read_again(proxy.text + ROUTE.format("new") * (reloads % 2), said)
    report = load.communicate()[0]
    assert "requests in" in report and reloads > 1
    assert "Socket errors" not in report and "Non-2xx" not in report, report


def test_all_workers_take_over_a_file_and_none_of_them_one_that_is_wrong(served):
    proxy = served(2)
    held = [socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) for _ in range(16)]
    assert all(answer(connection) for connection in held)
    new = REQUEST.replace(b"name", b"new")
    wrong = ROUTE.format("new").replace("respond", "respnd")
    proxy.read_again(proxy.text + wrong, "the configuration that runs is kept")
    assert proxy.log.count("respnd: no such key") == 1
    assert all(b" 404 " in answer(connection, new) for connection in held)
    # Another port and another worker, and then less of both.
    other = free_port()
    text = proxy.text.replace("workers = 2", "workers = 3").replace("listen = [", f'listen = ["127.0.0.1:{other}", ')
    proxy.read_again(text + ROUTE.format("new"), "was read again, and runs")
    assert all(b"new\n" in answer(connection, new) for connection in held)
    for connection in held:
        connection.close()
    until(lambda: len(proxy.workers) == 3, "there is another worker")
    first, proxy.port = proxy.port, other
    assert all(proxy.ask(new) for _ in range(16))
    proxy.read_again(proxy.text, "was read again, and runs")
    until(lambda: len(proxy.workers) == 2, "there is one worker less")
    until(lambda: not answers(other), "nobody listens there any more")
    proxy.port = first
    assert all(proxy.ask() for _ in range(16))
    proxy.end()


def test_tls_is_resumed_whichever_worker_a_client_comes_to(served, certificate):
    cert, key = certificate
    port = free_port()
    proxy = served(4, f'tls_listen = "127.0.0.1:{port}"\ncertificates = [{{ cert = "{cert}", key = "{key}" }}]')
    first = proxy.workers[1]
    for change in ("", 'tls = { min_version = "1.3" }'):
        # After a reload whose TLS is another one as well, and in a worker that came later.
        if change:
            listener = '"unix:web.sock"]\n'
            proxy.read_again(proxy.text.replace(listener, listener + change + "\n"), "was read again, and runs")
            os.kill(first, signal.SIGKILL)
            until(lambda: proxy.workers.get(1, first) != first, "there is another worker")
        context = ssl.create_default_context(cafile=str(cert))
        session, resumed, count = None, 0, 40
        for _ in range(count):
            with (
                socket.create_connection(("127.0.0.1", port), DEADLINE) as plain,
                context.wrap_socket(plain, server_hostname="localhost", session=session) as client,
            ):
                assert answer(client)
                resumed += client.session_reused
                session = client.session
        assert resumed >= 0.95 * (count - 1)
        assert len(set(proxy.workers.values())) == 4


def test_a_rate_is_one_of_all_workers_together(served):
    proxy = served(4, 'request_limits = [{ name = "all", rate = "20/d", by = [] }]')
    first, *others = [socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) for _ in range(17)]
    # One has come already, to another worker perhaps, from which it is heard in a moment.
    statuses = [answer(first).split()[1] for _ in range(21)]
    assert statuses[:19] == [b"200"] * 19 and statuses[20] == b"429"
    passed = 0
    for connection in others:
        # Each of those who have not heard of it yet would let 20 through.
        while answer(connection).split()[1] == b"200":
            passed += 1
            time.sleep(0.05)
    assert passed < 15
    for connection in (first, *others):
        connection.close()


ADMIN = '[admin]\nlisten = "unix:admin.sock"\n'
POOL = '[pools.app]\nupstreams = ["http://127.0.0.1:1", "http://127.0.0.1:2"]\n'
TO_POOL = '[[routes]]\nname = "app"\npath = "/app"\npool = "app"\n'


def ask_admin(proxy, path, method="GET", body=None):
    """The status of the admin API's answer, and its text."""
    data = json.dumps(body).encode() if body is not None else b""
    more = "Connection: close\r\n"
    more += f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n" if data else ""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(DEADLINE)
        client.connect(str(proxy.folder / "admin.sock"))
        client.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode() + data)
        head, _, text = b"".join(iter(lambda: client.recv(65536), b"")).partition(b"\r\n\r\n")
    return int(head.split()[1]), text.decode()


def test_the_admin_api_is_that_of_all_workers(served):
    proxy = served(2, ADMIN + POOL + TO_POOL)
    assert ask_admin(proxy, "/healthz") == (200, '{"status": "ok"}\n')
    assert ask_admin(proxy, "/readyz")[0] == 200

    def numbers(begin):
        """Those of the metrics that begin so, summed."""
        lines = ask_admin(proxy, "/metrics")[1].splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(begin))

    for _ in range(19):
        assert proxy.ask()
    # With the one of the start; of 20 connections, each of the workers has had some.
    counted = 'txproxy_requests_total{listener="web",route="name",code="2xx"'
    until(lambda: numbers(counted) == 20, "all of them are counted")
    # What one has counted that has ended still counts.
    first = proxy.workers[1]
    os.kill(first, signal.SIGKILL)
    until(lambda: proxy.workers.get(1, first) != first and numbers("txproxy_workers ") == 2, "another serves")
    assert numbers(counted) == 20
    upstream = "/api/pools/app/upstreams/http%3A%2F%2F127.0.0.1%3A1"
    status, said = ask_admin(proxy, upstream, "PATCH", {"order": "disabled"})
    assert status == 200 and json.loads(said)["state"] == "disabled"
    # If one had it still, it would be named.
    assert ask_admin(proxy, upstream, "DELETE") == (200, '{"removed": "http://127.0.0.1:1"}\n')
    status, said = ask_admin(proxy, upstream)
    assert status == 404 and json.loads(said)["error"].startswith("there is no upstream")
    proxy.end()
    assert not (proxy.folder / "admin.sock").exists()


def test_what_was_used_is_forgotten_by_all_workers_and_in_the_file(processes, tmp_path):
    key, used = "client 127.0.0.1 at web", tmp_path / "usage.db"
    store = SqliteStore(str(used))
    periods = date.today().isoformat(), f"{date.today():%Y-%m}"
    store.add([(period, key, 20000) for period in periods])
    quotas = 'quotas = [{ per = "client", month = 10000 }]\n'
    proxy = Served(processes, tmp_path, 2, quotas + ADMIN + POOL + TO_POOL, before=f'usage_file = "{used.name}"')
    to_pool = b"GET /app HTTP/1.1\r\nHost: a\r\n\r\n"
    # Of so many connections, each of the workers has some.
    assert all(b" 403 " in proxy.ask(to_pool) for _ in range(20))
    (listed,) = json.loads(ask_admin(proxy, "/api/quotas")[1])["used"]
    assert (listed["key"], listed["month"]["left"]) == ("127.0.0.1", 0) and listed["month"]["used"] >= 20000
    assert ask_admin(proxy, "/api/quotas/reset", "POST", {"key": "127.0.0.1"}) == (200, '{"keys": 1}\n')
    # Nobody is there; but that it may be asked.
    assert all(b" 503 " in proxy.ask(to_pool) for _ in range(20))
    assert store.load(periods[1]) == {}
    store.close()
    proxy.end()


def test_what_was_changed_at_all_workers_is_written_once_and_runs(served):
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("tomlkit")
    proxy = served(2, ADMIN + POOL + TO_POOL)
    upstreams = "/api/pools/app/upstreams"
    assert ask_admin(proxy, f"{upstreams}/http%3A%2F%2F127.0.0.1%3A1", "PATCH", {"order": "draining"})[0] == 200
    assert ask_admin(proxy, upstreams, "POST", {"url": "http://127.0.0.1:3;weight=2"})[0] == 200
    status, said = ask_admin(proxy, "/api/persist", "POST")
    assert status == 200 and json.loads(said)["revision"] == 2 and len(json.loads(said)["changes"]) == 2
    written = '["http://127.0.0.1:1;drain", "http://127.0.0.1:2", "http://127.0.0.1:3;weight=2"]'
    assert proxy.file.read_text() == proxy.text.replace('["http://127.0.0.1:1", "http://127.0.0.1:2"]', written)
    found = json.loads(ask_admin(proxy, upstreams)[1])["upstreams"]
    assert [(one["state"], one["changed"]) for one in found] == [("draining", []), ("healthy", []), ("healthy", [])]
    proxy.file.write_text(proxy.text)
    assert ask_admin(proxy, "/api/persist", "POST")[0] == 409
    proxy.end()


def test_a_start_that_fails_in_the_workers_is_one_line_and_status_1(tmp_path):
    (tmp_path / "cache").write_text("no directory")
    done = subprocess.run(
        [
            sys.executable, "-m", "txproxy", "reverse", "--upstream", "http://127.0.0.1:1", "--workers", "2",
            "--listen", f"127.0.0.1:{free_port()}", "--cache", "1M", "--cache-dir", "cache",
        ],
        cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "accepted is a directory" in done.stderr, done.stderr
    assert "Traceback" not in done.stdout


def test_a_second_program_at_the_same_port_is_refused(served):
    proxy = served(2)
    done = subprocess.run(
        [sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml"],
        cwd=proxy.folder, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot listen there: Address already in use" in done.stderr and done.stderr.count("\n") == 1


def test_workers_without_a_master_serve_on_until_they_are_told_to_end(served):
    proxy = served(2)
    workers = list(proxy.workers.values())
    proxy.process.kill()
    assert proxy.process.wait(DEADLINE) is not None
    proxy.says("the master has gone; this worker serves on", 2)
    assert all(proxy.ask() for _ in range(16))
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
    until(lambda: not any(Path(f"/proc/{pid}/fd").exists() for pid in workers), "they have ended")
    with pytest.raises(OSError):
        proxy.ask()


def test_one_that_has_just_been_asked_for_leaves_where_another_program_comes(served):
    proxy = served(2)
    mould, first = proxy.mould, proxy.workers[1]
    # It does what it is asked for only when there is another program.
    os.kill(mould, signal.SIGSTOP)
    os.kill(first, signal.SIGKILL)
    proxy.process.send_signal(signal.SIGUSR2)
    proxy.says("the program that is installed takes this one's place")
    os.kill(mould, signal.SIGCONT)
    proxy.says("those of the one before it finish and leave")
    mine = {*proxy.workers.values()}

    def others():
        found = set()
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                worker = (entry / "comm").read_text().startswith("txproxy work")
                if worker and os.readlink(entry / "cwd") == str(proxy.folder):
                    found.add(int(entry.name))
        return found - mine

    until(lambda: not others(), "those of the program before have left")
    proxy.end()


def test_a_second_signal_ends_them_at_once(served):
    proxy = served(2)
    with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as client:
        client.sendall(REQUEST[:-2])
        client.sendall(b"Expect: 100-continue\r\n")
        proxy.process.send_signal(signal.SIGTERM)
        proxy.says("waiting for 1 connection")
        proxy.end(signal.SIGINT)


def test_what_is_cut_off_at_the_end_of_a_drain_does_not_look_whole(served):
    listening = socket.create_server(("127.0.0.1", 0))
    pool = f'[pools.app]\nupstreams = ["http://127.0.0.1:{listening.getsockname()[1]}"]\n'
    route = '[[routes]]\nname = "app"\npath = "/app"\npool = "app"\n[limits]\ndrain_timeout = "100ms"\n'
    proxy = served(2, pool + route)
    with listening, socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as client:
        client.sendall(b"GET /app HTTP/1.0\r\n\r\n")
        upstream = listening.accept()[0]
        assert upstream.recv(65536)
        upstream.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n")
        received = client.recv(1000)
        while not received.endswith(b"one"):
            piece = client.recv(1000)
            assert piece
            received += piece
        # All that this client could see of an end is that of the connection.
        assert b"Content-Length" not in received
        proxy.process.send_signal(signal.SIGTERM)
        with pytest.raises(ConnectionResetError):
            client.recv(1000)
        upstream.close()
    proxy.end()


class Client:
    """Asks again and again, on a kept connection and on new ones, or by ``ask``, until it is told to stop. ``lost`` are
    those requests that were not answered.
    """

    def __init__(self, proxy, ask=None):
        self._proxy = proxy
        self._own = ask
        self.lost, self.answered = [], 0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()

    def _ask(self):
        kept = None
        # Without a pause it would take the time of those that are to begin.
        while not self._stopped.wait(0.01):
            try:
                if self._own is not None:
                    assert self._own()
                    self.answered += 1
                    continue
                assert self._proxy.ask()
                kept = kept or socket.create_connection(("127.0.0.1", self._proxy.port), DEADLINE)
                received = answer(kept)
                assert received
                if b"Connection: close" in received:
                    kept.close()
                    kept = None
            except (OSError, AssertionError, IndexError) as fault:
                # An answer that is none has no status.
                self.lost.append(fault)
                return
            self.answered += 1
        if kept is not None:
            kept.close()

    def stop(self):
        self._stopped.set()
        self._thread.join(DEADLINE)


def test_the_program_is_replaced_in_its_process_and_nobody_notices(served):
    proxy = served(2, ADMIN)
    before = proxy.workers
    client = Client(proxy)
    operator = Client(proxy, lambda: ask_admin(proxy, "/healthz")[0] == 200)
    # Its request has begun in the first program, and is read to its end in the second.
    with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as slow:
        slow.sendall(REQUEST[:20])
        proxy.process.send_signal(signal.SIGUSR2)
        proxy.says("of the one before it finish and leave")
        assert answer(slow, REQUEST[20:])
    for count in (1, 2):
        for pid in before.values():
            # Their numbers are not given again so soon.
            until(lambda old=pid: not Path(f"/proc/{old}/fd").exists(), "the old ones leave")
        until(lambda: len(proxy.workers) == 2, "others serve")
        before = proxy.workers
        if count == 1:
            # From the second program on, all that it listens on was handed to it.
            proxy.process.send_signal(signal.SIGUSR2)
            proxy.says("of the one before it finish and leave", 2)
    client.stop()
    operator.stop()
    assert not client.lost and client.answered > 100
    assert not operator.lost and operator.answered > 10
    until(lambda: len(children(proxy.process.pid)) == 1, "there is one mould")
    assert ask_admin(proxy, "/readyz")[0] == 200
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(proxy.folder / "web.sock"))
        assert answer(connection)
    proxy.read_again(proxy.text + ROUTE.format("new"), "was read again, and runs")
    assert b"new\n" in proxy.ask(REQUEST.replace(b"name", b"new"))
    proxy.end()
    # Paths of the first program are the third one's to remove.
    assert not (proxy.folder / "web.sock").exists() and not list(proxy.folder.glob("admin.sock*"))


TUNNELS = """
[[listeners]]
name = "raw"
mode = "tcp"
listen = "127.0.0.1:{raw}"
pool = "raw"
[[listeners]]
name = "out"
mode = "forward"
listen = "127.0.0.1:{out}"
allow_ports = [{chat}]
allow_destinations = ["127.0.0.0/8"]
[pools.raw]
upstreams = ["127.0.0.1:{chat}"]
[pools.chat]
upstreams = ["http://127.0.0.1:{chat}"]
[[routes]]
name = "chat"
path = "/chat"
pool = "chat"
"""
UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"


def heard(end, size):
    """So much of what comes."""
    data = b""
    while len(data) < size and (piece := end.recv(min(65536, size - len(data)))):
        data += piece
    return data


def chatting(listening, port, first=b"", answered=b"", between=b""):
    """Both ends of a tunnel through ``port``, which is asked for and answered so."""
    client = socket.create_connection(("127.0.0.1", port), DEADLINE)
    client.sendall(first)
    upstream, _ = listening.accept()
    upstream.settimeout(DEADLINE)
    if between:
        assert upstream.recv(65536)
        upstream.sendall(between)
    if answered:
        told = b""
        while not told.endswith(b"\r\n\r\n"):
            told += client.recv(65536)
        assert answered in told
    return client, upstream


def test_tunnels_and_kept_connections_go_on_in_the_program_that_follows(served):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(DEADLINE)
        ports = {"raw": free_port(), "out": free_port(), "chat": listening.getsockname()[1]}
        proxy = served(2, ADMIN + TUNNELS.format(**ports))
        connect = b"CONNECT 127.0.0.1:%d HTTP/1.1\r\nHost: a\r\n\r\n" % ports["chat"]
        tunnels = [chatting(listening, ports["raw"]) for _ in range(4)]
        tunnels += [chatting(listening, ports["out"], connect, b" 200 ") for _ in range(4)]
        tunnels += [chatting(listening, proxy.port, UPGRADE, b" 101 ", SWITCHED) for _ in range(4)]
        kept = [socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) for _ in range(8)]
        assert all(answer(one) for one in kept)
        # One whose client takes nothing, one that is half closed, and one whose upstream has just left.
        much = os.urandom(8 << 20)
        tunnels[0][1].setblocking(False)
        sent = 0
        with contextlib.suppress(BlockingIOError):
            while sent < len(much):
                sent += tunnels[0][1].send(much[sent:])
        tunnels[4][0].shutdown(socket.SHUT_WR)
        assert tunnels[4][1].recv(1) == b""
        tunnels[8][1].sendall(b"bye")
        tunnels[8][1].close()
        before = list(proxy.workers.values())
        proxy.process.send_signal(signal.SIGUSR2)
        proxy.says("of the one before it finish and leave")
        until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in before), "the old ones leave")
        assert proxy.log.count(" of the one before it finish and leave") == 1 and "Traceback" not in proxy.log
        tunnels[0][1].settimeout(DEADLINE)
        assert heard(tunnels[0][0], sent) == much[:sent]
        tunnels[4][1].sendall(b"after all")
        assert heard(tunnels[4][0], 9) == b"after all"
        assert heard(tunnels[8][0], 4) == b"bye"
        words = b""
        for leaving in (None, proxy.workers[1]):
            # Nor does one that is told to leave by itself end any.
            if leaving is not None:
                os.kill(leaving, signal.SIGTERM)
                until(lambda pid=leaving: pid not in children(proxy.mould), "it has left")
            words += b"word"
            for number, (client, upstream) in enumerate(tunnels):
                for one, other in ((client, upstream), (upstream, client)) if number not in (4, 8) else ():
                    one.sendall(b"word")
                    assert heard(other, 4) == b"word"
        assert all(answer(one) for one in kept)
        listed = json.loads(ask_admin(proxy, "/api/connections")[1])
        assert {one["state"] for one in listed["connections"]} == {"idle", "tunnel"}
        for one in (*kept, *(end for ends in tunnels for end in ends)):
            one.close()
        log = proxy.folder / "access.log"
        until(lambda: len(log.read_text().splitlines()) == 12 + 2 * 8 + 1, "each is told of")
        lines = log.read_text().splitlines()
        assert sum(f'" 200 {sent + len(words)} ' in line for line in lines) == 1
        assert sum('"GET /chat HTTP/1.1" 101 ' in line for line in lines) == 4
        proxy.end()


def test_a_program_that_could_not_begin_replaces_nothing(served):
    proxy = served(2)
    before = proxy.workers
    proxy.file.write_text(proxy.text.replace("workers = 2", "workers = 1"))
    proxy.process.send_signal(signal.SIGUSR2)
    proxy.says("the one that is installed does not begin")
    assert "one process cannot take the place of several" in proxy.log
    assert proxy.workers == before and proxy.ask()
    proxy.end()


def test_one_process_says_that_it_cannot_be_replaced(run_proxy):
    proxy = run_proxy("reverse", "--upstream", "http://127.0.0.1:1")
    proxy.process.send_signal(signal.SIGUSR2)
    proxy.says("the program is not replaced: that needs 2 workers or more")
    assert proxy.process.poll() is None


@pytest.mark.parametrize("workers", [1, 2])
def test_the_service_manager_is_told_what_it_waits_for(processes, tmp_path, monkeypatch, workers):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(DEADLINE)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        file, port = tmp_path / "proxy.toml", free_port()
        file.write_text(FILE.format(workers=workers, port=port, more=""))
        process = processes(sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml", cwd=tmp_path)
        assert manager.recv(100) == b"READY=1"
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as connection:
            assert answer(connection)
        process.send_signal(signal.SIGHUP)
        assert manager.recv(100).startswith(b"RELOADING=1\n") and manager.recv(100) == b"READY=1"
        if workers > 1:
            # The process stays, and so does whoever is told of it.
            process.send_signal(signal.SIGUSR2)
            assert manager.recv(100).startswith(b"RELOADING=1\n") and manager.recv(100) == b"READY=1"
        process.send_signal(signal.SIGTERM)
        assert manager.recv(100) == b"STOPPING=1"
        assert process.wait(DEADLINE) is not None


def test_a_socket_that_the_service_manager_has_opened_is_served_and_left_to_it(tmp_path):
    ours, theirs = '"127.0.0.1:0", "unix:web.sock"', '"systemd:domain=INET:name=web"'
    (tmp_path / "proxy.toml").write_text(FILE.format(workers=2, port=0, more="").replace(ours, theirs))
    # As the service manager does it: the first socket is descriptor 3, and the process is named (sd_listen_fds(3)).
    code = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', "
        "LISTEN_FDNAMES='web'); os.execv(sys.executable, [sys.executable, '-m', 'txproxy', *sys.argv[2:]])"
    )
    with socket.create_server(("127.0.0.1", 0)) as opened:
        opened.set_inheritable(True)
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(opened.fileno()), "run", "--config", "proxy.toml"],
            cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=[opened.fileno()],
        )  # fmt: skip
        try:
            with socket.create_connection(opened.getsockname(), DEADLINE) as connection:
                assert answer(connection)
            process.terminate()
            assert process.wait(DEADLINE) is not None
            # Who connects now waits for the next start.
            with socket.create_connection(opened.getsockname(), DEADLINE):
                opened.accept()[0].close()
        finally:
            process.kill()
            process.wait()


def test_who_is_told_to_end_while_it_begins_leaves_nobody_behind(processes, tmp_path):
    (tmp_path / "proxy.toml").write_text(FILE.format(workers=2, port=free_port(), more=""))
    process = processes(sys.executable, "-m", "txproxy", "run", "--config", "proxy.toml", cwd=tmp_path)
    mould = until(lambda: [*children(process.pid)], "it has begun")[0]
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE) is not None
    until(lambda: not Path(f"/proc/{mould}/fd").exists(), "the mould has ended")
    # Whoever was forked in the same folder by then has ended as well.
    here = [entry for entry in Path("/proc").glob("[0-9]*/cwd") if _leads_to(entry, tmp_path)]
    assert here == [] and not (tmp_path / "web.sock").exists()


def _leads_to(link, folder):
    with contextlib.suppress(OSError):
        return link.readlink() == folder
    return False


SECRET_ROUTE = """[[routes]]
name = "secret"
path = "=/secret"
[routes.respond]
status = "${STATUS:-200}"
body = { file = "../secret" }
"""


def test_values_from_outside_are_those_of_the_last_reload_in_all_processes(processes, tmp_path):
    (tmp_path / "secret").write_text("s3cret-1")
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d/secret.toml").write_text(SECRET_ROUTE)
    proxy = Served(processes, tmp_path, 2, before='include = "conf.d/*.toml"\n')
    request = REQUEST.replace(b"/name", b"/secret").replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")

    def secret():
        with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b"")).rpartition(b"\r\n\r\n")[2]

    assert secret() == b"s3cret-1"
    (tmp_path / "secret").write_text("s3cret-2\n")
    assert secret() == b"s3cret-1"
    proxy.read_again(proxy.text, "was read again, and runs")
    assert secret() == b"s3cret-2"
    (tmp_path / "secret").write_text("s3cret-3\n")
    before = list(proxy.workers.values())
    proxy.process.send_signal(signal.SIGUSR2)
    proxy.says("of the one before it finish and leave")
    until(lambda: not any(Path(f"/proc/{pid}/cmdline").exists() for pid in before), "the old ones leave")
    assert secret() == b"s3cret-3"
    (tmp_path / "secret").unlink()
    proxy.read_again(proxy.text, "the configuration that runs is kept")
    assert "secret.toml:6: routes[1].respond.body: { file = '../secret' }: No such file or directory" in proxy.log
    assert secret() == b"s3cret-3" and "s3cret" not in proxy.log
    proxy.end()
