"""Hostile peers of HTTP/2, all of them at once: clients over TLS, and upstreams. Each is ended, others are served, and
memory stays small.
"""

import contextlib
import socket
import sys
from concurrent.futures import ThreadPoolExecutor, wait

from benchmarks.http2_attacks import ATTACKS, CONFIG, Ports, attack, forget_most, memory, victims
from tests.integration.conftest import DEADLINE, answers, free_port, until
from tests.proxy.upstream.hostile_frames import HOSTILE
from txproxy.wire.http2 import frames


def test_all_attacks_at_once(processes, curl, certificate, tmp_path):
    cert, key = map(str, certificate)
    ports, file = Ports(), tmp_path / "proxy.toml"
    with victims() as upstream, ThreadPoolExecutor(len(ATTACKS)) as threads:
        file.write_text(CONFIG.format(port=ports.port, hasty=ports.hasty, cert=cert, key=key, upstream=upstream))
        proxy = processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=ports.port)
        until(lambda: answers(ports.hasty), "it listens there as well")

        def ask():
            return curl("--cacert", cert, "--http2", "-w", " %{http_version}", f"https://localhost:{ports.port}/answer")

        assert ask() == "hello 2"
        forget_most(proxy.pid)
        before = memory(proxy.pid)
        attacks = {name: threads.submit(attack, ports, cert, what) for name, what in ATTACKS.items()}
        while wait(attacks.values(), timeout=0.3).not_done:
            assert ask() == "hello 2"
        told = {name: one.result() for name, one in attacks.items()}
        # All of them together, four times what they take.
        assert memory(proxy.pid, "VmHWM") - before < 100 << 20
        assert ask() == "hello 2" and proxy.poll() is None
    for name, what in ATTACKS.items():
        assert told[name].codes[-1:] == ((what.code,) if what.reads else ()), (name, told[name])
    assert told["heads that expand"].statuses.keys() == {b"200", b"431"}
    assert told["windows that stay shut"].resets.keys() == {8}
    assert told["streams beyond those that there may be"].resets.keys() == {7}


FRONT = """
[[listeners]]
listen = "127.0.0.1:{port}"
[[routes]]
name = "answer"
path = "=/answer"
respond = {{ status = 200, body = "hello" }}
[log]
access = "none"
"""
BEHIND = """
[[routes]]
name = "{number}"
path = "=/{number}"
pool = "{number}"
[pools.{number}]
upstreams = "h2c://127.0.0.1:{port}"
retries = 0
"""


def hostile(listening, what):
    """An upstream that answers the first request like that; gives what it was told until the end."""
    listening.settimeout(DEADLINE)
    with listening.accept()[0] as client:
        client.settimeout(DEADLINE)
        told = b""
        while frames.HEADERS not in {kind for kind, *_ in told_in(told)}:
            data = client.recv(65536)
            assert data, "it asks for nothing"
            told += data
        with contextlib.suppress(OSError):
            client.sendall(frames.settings([]) + what.data())
        if what.code is None:
            return told
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                told += data
        return told


def told_in(data):
    """The frames in that, by numbers of their kinds."""
    at = len(frames.PREFACE)
    while len(data) - at >= frames.HEADER_SIZE:
        high, low, kind, _, _ = frames.read_header(data, at)
        end = at + frames.HEADER_SIZE + (high << 16 | low)
        yield kind, data[at + frames.HEADER_SIZE : end]
        at = end


def answer(port, path):
    """The status of a response, and whether it is whole."""
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(b"POST %b HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % path.encode())
        told = b""
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                told += data
    # Hints may come before it.
    head, _, body = told.rpartition(b"HTTP/1.1 ")[2].partition(b"\r\n\r\n")
    return int(head[:3]), b"content-length: %d\r\n" % len(body) in head.lower() + b"\r\n"


def test_all_hostile_upstreams_at_once(processes, tmp_path):
    port, file = free_port(), tmp_path / "proxy.toml"
    with contextlib.ExitStack() as left, ThreadPoolExecutor(2 * len(HOSTILE)) as threads:
        listening = [left.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in HOSTILE]
        routes = [BEHIND.format(number=at, port=one.getsockname()[1]) for at, one in enumerate(listening)]
        file.write_text(FRONT.format(port=port) + "".join(routes))
        proxy = processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
        assert answer(port, "/answer") == (200, True)
        forget_most(proxy.pid)
        before = memory(proxy.pid)
        served = [threads.submit(hostile, *one) for one in zip(listening, HOSTILE.values(), strict=True)]
        asked = [threads.submit(answer, port, f"/{at}") for at in range(len(HOSTILE))]
        while wait(asked, timeout=0.1).not_done:
            assert answer(port, "/answer") == (200, True)
        for (name, what), got, told in zip(HOSTILE.items(), asked, served, strict=True):
            # What is found before anything has gone on of a response that has begun is an answer still.
            assert got.result() in [(502, True), *[(200, False)][: int(what.begun)]], name
            codes = [frames.read_goaway(rest)[1] for kind, rest in told_in(told.result()) if kind == frames.GOAWAY]
            assert codes in ([], [what.code]), name
        assert memory(proxy.pid, "VmHWM") - before < 20 << 20
        assert answer(port, "/answer") == (200, True) and proxy.poll() is None
