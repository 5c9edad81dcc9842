"""Static files by a configuration file, over real sockets."""

import hashlib
import os
import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port

SIZE = 200 << 20


@pytest.fixture
def served(processes, tmp_path):
    """Serves a directory at /static; gives the process, its port and the directory."""
    directory = tmp_path / "www"
    directory.mkdir()
    port = free_port()
    (tmp_path / "edge.toml").write_text(f"""
[[listeners]]
listen = "tcp:{port}:interface=127.0.0.1"

[[routes]]
name = "static"
path = "/static"
strip_prefix = "/static"
files = "{directory}"
""")
    words = ["-m", "txproxy", "run", "--config", "edge.toml"]
    process = processes(sys.executable, *words, port=port, cwd=tmp_path, stdout=subprocess.DEVNULL)
    return process, port, directory


def resident(process):
    with open(f"/proc/{process.pid}/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmRSS"))


def test_a_large_file_arrives_whole_in_flat_memory_and_can_be_continued(served, curl, tmp_path):
    process, port, directory = served
    block = os.urandom(1 << 20)
    digest = hashlib.md5()
    with (directory / "large").open("wb") as file:
        for _ in range(SIZE >> 20):
            file.write(block)
            digest.update(block)
    url = f"http://127.0.0.1:{port}/static/large"
    curl(url, "-o", "/dev/null", "-r", "0-0")
    before = resident(process)
    got = tmp_path / "got"
    curl(url, "-o", str(got))
    assert md5(got) == digest.hexdigest()
    os.truncate(got, SIZE // 3)
    curl(url, "-C", "-", "-o", str(got))
    assert md5(got) == digest.hexdigest()
    clients = []
    for _ in range(8):
        # They ask for it, and do not read.
        clients.append(socket.create_connection(("127.0.0.1", port), DEADLINE))
        clients[-1].sendall(b"GET /static/large HTTP/1.1\r\nHost: a\r\n\r\n")
        clients[-1].recv(1000)
    curl(url, "-o", "/dev/null", "-r", "-100")
    assert resident(process) - before < 20 << 20
    for client in clients:
        client.close()


def md5(path):
    digest = hashlib.md5()
    with path.open("rb") as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def test_directories_and_what_is_not_for_anybody(served, curl):
    _, port, directory = served
    (directory / "sub").mkdir()
    (directory / "sub" / "index.html").write_text("sub")
    (directory / ".env").write_text("secret")
    (directory.parent / "outside").write_text("secret")
    url = f"http://127.0.0.1:{port}/static"
    assert curl("-L", "-w", " %{url_effective}", f"{url}/sub") == f"sub {url}/sub/"
    for path in ("/.env", "/../outside", "/%2e%2e/outside", "/..%2foutside", "/"):
        said = curl("--path-as-is", "-w", " %{http_code}", f"{url}{path}")
        assert said.endswith((" 404", " 400")) and "secret" not in said
