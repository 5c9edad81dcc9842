"""Real peers, over real sockets. A missing peer skips its tests, or fails them if TXPROXY_REQUIRE_PEERS is set."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from benchmarks.ports import free_port
from tests.integration.fork_server import ForkServer

# For hangs alone: what takes a second where nobody else is takes half a minute where many are.
DEADLINE = 60
# Such options of curl's that it says itself what it waits for.
PATIENT = ("--max-time", str(DEADLINE - 10))


def need(program):
    """The path of ``program``, or a skip that says so."""
    path = shutil.which(program, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin:/sbin")
    if path is None:
        absent = os.environ.get("TXPROXY_ABSENT_PEERS", "").split()
        if os.environ.get("TXPROXY_REQUIRE_PEERS") and program not in absent:
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    return path


def until(condition, what):
    """Look again and again until ``condition()`` is true."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f"not within {DEADLINE} s: {what}")


def answers(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


_FORK_SERVER = pytest.StashKey[ForkServer]()


@pytest.fixture(scope="session")
def fork_server(pytestconfig):
    """Where Python programs are forked from: one for all folders that have this fixture."""
    if _FORK_SERVER not in pytestconfig.stash:
        pytestconfig.stash[_FORK_SERVER] = server = ForkServer()
        pytestconfig.add_cleanup(server.close)
    return pytestconfig.stash[_FORK_SERVER]


def descendants(pid):
    """The processes that ``pid`` has started, and those that these have."""
    of_parents = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text().rpartition(") ")[2].split()
            of_parents.setdefault(int(fields[1]), []).append(int(entry.name))
    found = []
    waiting = [pid]
    while waiting:
        children = of_parents.get(waiting.pop(), [])
        found += children
        waiting += children
    return found


@pytest.fixture
def processes(request):
    """Starts programs, and ends them all."""
    started = []

    def start(*words, port=None, **options):
        if words[0] == sys.executable and subprocess.PIPE not in options.values():
            process = request.getfixturevalue("fork_server").start(words, **options)
        else:
            process = subprocess.Popen(words, stdin=subprocess.DEVNULL, **options)
        started.append(process)
        if port is not None:
            until(lambda: process.poll() is not None or answers(port), f"{words[0]} listens on {port}")
            assert process.poll() is None, f"{words} ended with {process.returncode}"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in started:
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            # Workers serve on where only their master is killed.
            others = descendants(process.pid)
            process.kill()
            for pid in others:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(5)


@pytest.fixture
def run_program(fork_server):
    """Runs a Python program to its end, and gives what it said, as ``subprocess.run`` does."""

    def run(*words, input="", cwd=None):
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            given.write(input.encode())
            given.seek(0)
            process = fork_server.start(words, cwd=cwd, stdin=given, stdout=out, stderr=err)
            try:
                process.wait(DEADLINE)
            finally:
                process.kill()
            said = []
            for file in (out, err):
                file.seek(0)
                said.append(file.read().decode())
            return subprocess.CompletedProcess(words, process.returncode, *said)

    return run


class Proxy:
    """A running ``twistd txproxy``."""

    def __init__(self, process, port, log):
        self.process = process
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self._log = log

    @property
    def log(self):
        return self._log.read_text()

    def says(self, text):
        """Wait until ``text`` is in the log: a line may be written after the client has its answer."""
        until(lambda: text in self.log, f"{text!r} in the log")


@pytest.fixture
def run_proxy(processes, tmp_path):
    """Runs a mode under twistd, on a reactor."""

    def run(*words, reactor="epoll", listen="--listen"):
        port = free_port()
        log = tmp_path / f"{words[0]}-{port}.log"
        with log.open("wb") as out:
            process = processes(
                sys.executable, "-c", "from twisted.scripts.twistd import run; run()",
                "--nodaemon", "--pidfile=", f"--reactor={reactor}", "txproxy", *words,
                listen, f"tcp:{port}:interface=127.0.0.1",
                port=port, stdout=out, stderr=out, cwd=tmp_path,
            )  # fmt: skip
        return Proxy(process, port, log)

    return run


# Origins of tests are at loopback addresses and any port.
OPEN = {"allow_destinations": ["127.0.0.0/8", "localhost"], "allow_ports": ["1-65535"]}


@pytest.fixture
def run_forward(processes, tmp_path):
    """Runs a forward proxy from Python; the words are settings of its policy, ``more`` those of the script."""

    def run(more=None, **policy):
        port = free_port()
        log = tmp_path / f"forward-{port}.log"
        script = str(Path(__file__).parent / "forward_proxy.py")
        settings = json.dumps({"port": port, "policy": {**OPEN, **policy}, **(more or {})})
        with log.open("wb") as out:
            process = processes(sys.executable, script, settings, port=port, stdout=out, stderr=out, cwd=tmp_path)
        return Proxy(process, port, log)

    return run


OPEN_TO_ALL = ("http_access allow all",)
NCSA_AUTH = "/usr/lib/squid/basic_ncsa_auth"


class Squid:
    def __init__(self, port, directory):
        self.port = port
        self.directory = directory
        self._log = directory / "access.log"

    @property
    def log(self):
        return self._log.read_text() if self._log.exists() else ""

    def says(self, text):
        until(lambda: text in self.log, f"{text!r} in Squid's log")


@pytest.fixture(scope="session")
def open_folders():
    with tempfile.TemporaryDirectory(prefix="txproxy-tests-") as name:
        Path(name).chmod(0o755)
        yield name


@pytest.fixture
def open_folder(open_folders):
    """A folder for a program that changes its user. Only the owner gets into ``tmp_path``, or everybody until the next
    pytest of this machine begins.
    """
    folder = Path(tempfile.mkdtemp(dir=open_folders))
    folder.chmod(0o777)
    return folder


@pytest.fixture
def run_squid(processes, open_folder):
    """Runs a Squid that serves everybody, or those who know the password of bob, or follows other lines of its file.
    It keeps no response, if ``storing`` does not say otherwise.
    """

    def run(password=None, access=OPEN_TO_ALL, storing=("cache deny all",)):
        squid, port = need("squid"), free_port()
        spool = open_folder / f"squid-{port}"
        spool.mkdir()
        spool.chmod(0o777)
        lines = [
            f"http_port 127.0.0.1:{port}",
            *storing,
            f"access_log stdio:{spool}/access.log",
            "logfile_rotate 0",
            f"cache_log {spool}/cache.log",
            f"coredump_dir {spool}",
            "pid_filename none",
            "shutdown_lifetime 0",
            "buffered_logs off",
        ]
        if os.geteuid() == 0:
            lines.append("cache_effective_user proxy")
        if password is not None:
            if not Path(NCSA_AUTH).exists():
                need(NCSA_AUTH)
            hashed = subprocess.run(
                [need("openssl"), "passwd", "-apr1", password], capture_output=True, check=True, text=True
            ).stdout
            (spool / "users").write_text(f"bob:{hashed}")
            (spool / "users").chmod(0o644)
            lines += [
                f"auth_param basic program {NCSA_AUTH} {spool}/users",
                "auth_param basic children 1",
            ]
            if access == OPEN_TO_ALL:
                access = ("acl known proxy_auth REQUIRED", "http_access allow known", "http_access deny all")
        lines += access
        config = spool / "squid.conf"
        config.write_text("\n".join(lines) + "\n")
        processes(squid, "-N", "-f", str(config), port=port)
        return Squid(port, spool)

    return run


NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; root {dir}/www; client_max_body_size 0; client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{
    listen 127.0.0.1:{port}; listen unix:{dir}/nginx.sock;
    location = /name {{ return 200 "{name}\\n"; }}
    location = /echo {{ return 200 "$request_method $host $http_x_forwarded_for $http_x_forwarded_proto\\n"; }}
    location = /fields {{
      return 200 "$http_authorization|$http_user_agent|$http_referer|$http_cookie|$http_x_forwarded_for\\n";
    }}
    location = /upload {{ proxy_pass http://127.0.0.1:{port}/length; }}
    location = /length {{ return 200 "$content_length\\n"; }}
  }}
  server {{
    listen 127.0.0.1:{tls_port} ssl; ssl_certificate {dir}/cert.pem; ssl_certificate_key {dir}/key.pem;
    location / {{ return 200 "secret\\n"; }}
  }}
}}
"""


class Nginx:
    def __init__(self, directory, port, tls_port, process):
        self.directory = directory
        self.port = port
        self.tls_port = tls_port
        self.process = process
        self.url = f"http://127.0.0.1:{port}"


@pytest.fixture
def certificate(tmp_path):
    """A self-signed certificate for localhost and 127.0.0.1, and its key."""
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(
        [need("openssl"), "req", "-x509", *curve, "-nodes", "-days", "30", *names, *files],
        check=True,
        capture_output=True,
        timeout=DEADLINE,
    )
    return cert, key


@pytest.fixture
def run_nginx(processes, tmp_path, certificate):
    """Runs an nginx as an upstream or origin."""

    def run(name="nginx"):
        program = need("nginx")
        directory = tmp_path / f"{name}-upstream"
        (directory / "www").mkdir(parents=True)
        for file in certificate:
            shutil.copy(file, directory / file.name)
        port, tls_port = free_port(), free_port()
        text = NGINX.format(dir=directory, port=port, tls_port=tls_port, name=name)
        if os.geteuid() == 0:
            text = "user root;" + text
        (directory / "nginx.conf").write_text(text)
        process = processes(program, "-p", str(directory), "-c", str(directory / "nginx.conf"), port=port)
        return Nginx(directory, port, tls_port, process)

    return run


@pytest.fixture
def curl():
    """Runs curl and gives its output; ``code`` is the exit status that it must have, None for any."""

    def run(*words, code=0):
        done = subprocess.run(
            [need("curl"), "-sS", *PATIENT, "--noproxy", "", *words], capture_output=True, timeout=DEADLINE
        )
        assert code is None or done.returncode == code, (done.returncode, done.stderr)
        return done.stdout.decode()

    return run


@pytest.fixture
def reactor():
    """The process's own reactor, for what is used from Python; what a test leaves behind in it is a fault. Nobody runs
    it but ``turn``.
    """
    from twisted.internet import reactor

    timers, readers = set(reactor.getDelayedCalls()), {*reactor.getReaders(), reactor.waker}
    yield reactor
    for _ in range(5):
        # What is aborted or closed is gone a turn later.
        reactor.iterate()
    assert set(reactor.getDelayedCalls()) <= timers
    assert set(reactor.getReaders()) <= readers


@pytest.fixture
def turn(reactor):
    """Runs the reactor until a condition is true."""

    def run(condition, what):
        end = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < end, f"not within {DEADLINE} s: {what}"
            reactor.iterate(0.02)

    return run


ECHO = (
    "import asyncio, sys, websockets\n"
    "async def echo(peer):\n"
    "    async for message in peer: await peer.send(message)\n"
    "async def main():\n"
    "    async with websockets.serve(echo, '127.0.0.1', int(sys.argv[1]), max_size=None): await asyncio.Future()\n"
    "asyncio.run(main())\n"
)


@pytest.fixture
def echo(processes):
    """A WebSocket server that says again what it is told: its port."""
    port = free_port()
    processes(sys.executable, "-c", ECHO, str(port), port=port)
    return port
