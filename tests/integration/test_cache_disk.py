"""A cache on a real disk that gets full, and whose files are cut under it."""

import contextlib
import mmap
import os
import resource
import socket
import subprocess

import pytest

from tests.integration.conftest import DEADLINE

# Long enough ago that nobody asks again for what was changed then.
YEARS = 5 * 365 * 86400


@pytest.fixture
def site(run_nginx):
    """An origin; gives what makes a file of so many bytes there."""
    nginx = run_nginx()

    def make(name, size):
        data = (b"%b|" % name.encode() * (size // len(name) + 1))[:size]
        path = nginx.directory / "www" / name
        path.write_bytes(data)
        changed = path.stat().st_mtime - YEARS
        os.utime(path, (changed, changed))
        return data

    make.url = nginx.url
    return make


@pytest.fixture
def small_disk(tmp_path):
    """A directory with room for 600 kB, where that may be made; else one for whose processes files may be so long, when
    they are told to :func:`limit`.
    """
    directory = tmp_path / "small"
    directory.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "txproxy-test", str(directory)], capture_output=True
    )
    yield directory, mounted.returncode == 0
    if mounted.returncode == 0:
        subprocess.run(["umount", "-l", str(directory)], check=True)


def ask(port, name):
    """The Cache-Status of a response, and its body."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(f"GET /{name} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
        data = b""
        while piece := client.recv(1 << 20):
            data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    (told,) = [line for line in head.split(b"\r\n") if line.lower().startswith(b"cache-status: ")]
    return told.partition(b": ")[2].decode(), body


def test_a_disk_that_is_full_is_said_once_and_nothing_is_said_to_be_stored_that_is_not(run_proxy, site, small_disk):
    directory, is_small = small_disk
    proxy = run_proxy(
        "reverse", "--upstream", site.url, "--cache", "1M", "--cache-dir", str(directory / "kept"),
        "--cache-dir-size", "8M",
    )  # fmt: skip
    if not is_small:
        resource.prlimit(proxy.process.pid, resource.RLIMIT_FSIZE, (600_000, 600_000))
    # Of 150 kB memory takes none, of 50 kB it does.
    bodies = {f"{size}-{number}": site(f"{size}-{number}", size) for number in range(6) for size in (150_000, 50_000)}
    told = {}
    for name, body in bodies.items():
        told[name], got = ask(proxy.port, name)
        assert got == body
    stored = {name for name, words in told.items() if "; stored" in words}
    assert {name for name in bodies if name.startswith("50000-")} <= stored
    kept_none = [words for name, words in told.items() if name not in stored]
    assert len(kept_none) >= 3 and all(words.endswith('detail="too large"') for words in kept_none)
    for name in sorted(stored):
        words, got = ask(proxy.port, name)
        assert got == bodies[name] and "; hit" in words, (name, words)
    proxy.says(f"the disk keeps no responses, memory does what fits there ({directory}/kept: ")
    assert proxy.log.count("the disk keeps no responses") == 1
    assert "Traceback" not in proxy.log


# In the middle of a page the kernel makes zeros of its rest, in what is on its way as well.
@pytest.mark.parametrize("left", [0, 64 * mmap.PAGESIZE])
def test_a_body_whose_file_is_cut_while_it_is_sent_is_no_whole_one(run_proxy, site, tmp_path, left):
    body = site("large", 8_000_000)
    proxy = run_proxy(
        "reverse", "--upstream", site.url, "--cache", "1M", "--cache-dir", str(tmp_path / "kept"),
        "--cache-dir-size", "1G",
    )  # fmt: skip
    words, got = ask(proxy.port, "large")
    assert got == body and "; stored" in words
    with socket.socket() as client:
        # So that most of it is not on its way yet.
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.settimeout(DEADLINE)
        client.connect(("127.0.0.1", proxy.port))
        client.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        data = client.recv(1000)
        assert b"\r\nContent-Length: 8000000\r\n" in data and b"; hit" in data
        (path,) = (tmp_path / "kept").glob("*.segment")
        os.truncate(path, left)
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(1 << 20):
                data += piece
    got = data.partition(b"\r\n\r\n")[2]
    assert len(got) < 8_000_000 and got == body[: len(got)]
    proxy.says("what is stored could not be read: [Errno 5] a file is shorter than it was")
    # For the next one it is fetched again.
    words, got = ask(proxy.port, "large")
    assert got == body and "fwd=uri-miss" in words
    words, got = ask(proxy.port, "large")
    assert got == body and "; hit" in words
