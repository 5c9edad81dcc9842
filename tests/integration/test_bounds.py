"""Bandwidths, quotas, audit logs and connection filters of a file, over real sockets, in modes that read no policy."""

import hashlib
import json
import os
import socket
import sys
import time
from contextlib import suppress

import pytest

from tests.integration.conftest import DEADLINE, free_port, until

SIZE = 1_000_000
RATE = 2_000_000
GATE = """
class NotFrom:
    def admit(self, connection):
        return connection.peer_ip != "127.0.0.2"

    def closed(self, connection):
        pass
"""


@pytest.fixture
def origin(run_nginx):
    made = run_nginx()
    (made.directory / "www" / "large").write_bytes(os.urandom(SIZE))
    made.digest = hashlib.sha256((made.directory / "www" / "large").read_bytes()).hexdigest()
    return made


@pytest.fixture
def run(processes, origin, certificate, tmp_path):
    """Runs a proxy with a reverse, a TLS and a tcp listener, each of which has these lines; gives their ports."""

    def run(lines):
        ports = [free_port() for _ in range(3)]
        web, tls, tcp = (f'"tcp:{port}:interface=127.0.0.1"' for port in ports)
        cert, key = certificate
        pair = f"certificates = [{{ cert = '{cert}', key = '{key}' }}]"
        (tmp_path / "gate.py").write_text(GATE)
        (tmp_path / "proxy.toml").write_text(
            f'python_path = "."\nusage_file = "usage.sqlite"\n[log]\naccess = "access.log"\n'
            f'[[listeners]]\nname = "web"\nlisten = {web}\npool = "web"\n{lines}\n'
            f'[[listeners]]\nname = "tls"\ntls_listen = {tls}\n{pair}\npool = "web"\n{lines}\n'
            f'[[listeners]]\nname = "tcp"\nmode = "tcp"\nlisten = {tcp}\npool = "tcp"\n{lines}\n'
            f'[pools.web]\nupstreams = "{origin.url}"\n[pools.tcp]\nupstreams = "127.0.0.1:{origin.port}"\n'
        )
        words = (sys.executable, "-m", "txproxy", "run", "--config", str(tmp_path / "proxy.toml"))
        processes(*words, port=ports[0], cwd=tmp_path)
        return ports

    return run


@pytest.mark.parametrize("listener", [0, 2])
def test_a_download_is_whole_and_no_faster_than_it_may_be(run, origin, curl, tmp_path, listener):
    port = run(f"bandwidths = [{{ down = {RATE} }}]")[listener]
    begun = time.monotonic()
    curl(f"http://127.0.0.1:{port}/large", "-o", str(tmp_path / "got"))
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == origin.digest
    # A quarter of a second is saved up.
    assert time.monotonic() - begun >= SIZE / RATE - 0.25


def test_who_is_over_a_quota_is_refused_where_it_is_and_nowhere_else(run, curl, tmp_path):
    web, _, tcp = run("quotas = [{ day = 1000 }]")
    curl(f"http://127.0.0.1:{web}/large", "-o", str(tmp_path / "got"))

    def refused():
        said = curl(f"http://127.0.0.1:{web}/name", "-w", "%{http_code}")
        return said == "403 Forbidden\nclient 127.0.0.1 has used up the day's 1000 bytes.\n403"

    until(refused, "the quota of the one listener is used up")
    assert curl(f"http://127.0.0.1:{tcp}/name") == "nginx\n"


def test_an_audit_log_has_what_each_mode_did(run, origin, curl, tmp_path):
    web, _, tcp = run('audit = "audit.json"')
    assert curl(f"http://127.0.0.1:{web}/name?x") == curl(f"http://127.0.0.1:{tcp}/name") == "nginx\n"

    def entries():
        with open(tmp_path / "audit.json", encoding="ascii") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    until(lambda: len(entries()) == 2, "both are written down")
    request, stream = sorted(entries(), key=lambda one: one["method"] is None)
    assert (request["url"], request["verdict"], request["status"]) == (f"http://127.0.0.1:{web}/name?...", "allow", 200)
    assert request["to"] == stream["to"] == f"127.0.0.1:{origin.port}"
    assert (request["sent"], stream["verdict"], stream["outcome"]) == (6, "allow", "ok")
    assert stream["received"] > 50 and stream["sent"] > 100


def test_who_may_not_connect_is_closed_before_a_byte_is_read(run):
    ports = run('middleware = "gate:NotFrom"')
    for port in ports:
        # It may be reset before the system has told the client that it was there.
        with (
            suppress(ConnectionResetError),
            socket.create_connection(("127.0.0.1", port), DEADLINE, ("127.0.0.2", 0)) as client,
        ):
            # Of TLS not even a handshake is waited for.
            assert client.recv(1) == b""
    with socket.create_connection(("127.0.0.1", ports[0]), DEADLINE) as client:
        client.sendall(b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(12) == b"HTTP/1.1 200"
