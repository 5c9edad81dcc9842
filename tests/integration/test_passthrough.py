"""TLS passed through by server name: who decrypts is the upstream, and who is seen is the upstream."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, free_port, need
from tests.tls.authority import new_ca

PROGRAM = str(Path(__file__).parent / "passthrough.py")
NAMES = {"a.example": "a.example", "b": "x.b.example"}


@pytest.fixture
def upstreams(processes, tmp_path):
    """Two TLS servers, each with a CA, a certificate and a directory of its own: ports, and files of the CAs."""
    ports, authorities = {}, {}
    for short, name in NAMES.items():
        directory = tmp_path / short
        directory.mkdir()
        (directory / "name").write_text(f"{name}\n")
        authority = new_ca(f"the CA of {name}")
        authorities[short] = authority.write(directory, "ca")[0]
        cert, key = authority.issue(name).write(directory, "site")
        ports[short] = port = free_port()
        processes(
            need("openssl"), "s_server", "-accept", f"127.0.0.1:{port}", "-cert", cert, "-key", key, "-WWW", "-quiet",
            port=port, cwd=directory, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
    return ports, authorities


@pytest.fixture(params=["epoll", "asyncio", "txproxy"])
def run(request, processes, upstreams):
    """Runs the proxy before them; gives its port."""

    def run(default="-"):
        ports, _ = upstreams
        port = free_port()
        named = [f"a.example=127.0.0.1:{ports['a.example']}", f"*.b.example=127.0.0.1:{ports['b']}"]
        processes(sys.executable, PROGRAM, request.param, str(port), default, *named, port=port)
        return port

    return run


def get(curl, port, name, authority, path="name", **options):
    words = ["--connect-to", f"{name}:443:127.0.0.1:{port}", "--cacert", authority, f"https://{name}/{path}"]
    return curl(*words, **options)


def test_the_upstreams_own_certificates_and_contents_arrive(run, upstreams, curl, tmp_path):
    _, authorities = upstreams
    content = os.urandom(5 << 20)
    (tmp_path / "b" / "large").write_bytes(content)
    port = run()
    for short, name in NAMES.items():
        for _ in range(3):
            assert get(curl, port, name, authorities[short]) == f"{name}\n"
        other = next(one for one in NAMES if one != short)
        get(curl, port, name, authorities[other], code=60)
    got = tmp_path / "got"
    get(curl, port, "y.b.example", authorities["b"], "large", code=60)  # the certificate is for x
    words = ["--connect-to", f"x.b.example:443:127.0.0.1:{port}", "--cacert", authorities["b"]]
    curl(*words, "-o", str(got), "https://x.b.example/large")
    assert got.read_bytes() == content
    assert subject(port, "a.example") == "a.example"
    assert subject(port, "x.b.example") == "x.b.example"


def subject(port, name):
    done = subprocess.run(
        [need("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-servername", name],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE,
    )  # fmt: skip
    found = re.search(rb"subject=.*CN ?= ?([^\s,]+)", done.stdout)
    return found[1].decode() if found else (done.stdout + done.stderr).decode()


def test_nobody_else_gets_anywhere_without_a_default(run):
    port = run()
    assert "unrecognized name" in subject(port, "other.example")
    # who speaks no TLS, and who says nothing for as long as the time limit is
    for said in (b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", b""):
        with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            client.sendall(said)
            assert client.recv(1000) == b""


def test_all_others_go_to_the_default(run, upstreams, run_nginx, curl):
    _, authorities = upstreams
    nginx = run_nginx("default")
    port = run(f"127.0.0.1:{nginx.port}")
    assert curl(f"http://127.0.0.1:{port}/name") == "default\n"
    assert get(curl, port, "a.example", authorities["a.example"]) == "a.example\n"


def test_a_configuration_file_says_the_same(upstreams, processes, curl, tmp_path):
    ports, authorities = upstreams
    port = free_port()
    (tmp_path / "edge.toml").write_text(f"""
[[listeners]]
mode = "tcp"
listen = "tcp:{port}:interface=127.0.0.1"
sni = {{ "a.example" = "a", "*.b.example" = "b" }}

[pools.a]
upstreams = "127.0.0.1:{ports["a.example"]}"

[pools.b]
upstreams = "127.0.0.1:{ports["b"]}"
""")
    words = ["-m", "txproxy", "run", "--config", "edge.toml"]
    processes(sys.executable, *words, port=port, cwd=tmp_path, stdout=subprocess.DEVNULL)
    for short, name in NAMES.items():
        assert get(curl, port, name, authorities[short]) == f"{name}\n"
