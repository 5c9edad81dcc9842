"""Limits over real sockets: what is shaped arrives whole and no sooner than it may, and the kernel's bytes count."""

import datetime
import hashlib
import os
import socket
import subprocess
import time

import pytest
from twisted.internet import endpoints
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from tests.integration.conftest import DEADLINE, PATIENT, need
from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.limits.allotments import Allotments
from txproxy.limits.quotas import Quota
from txproxy.limits.shaping import Bandwidth
from txproxy.limits.sqlite import SqliteStore
from txproxy.limits.usage import DAY, Usage

SIZE = 1_000_000
RATE = 2_000_000
NOW = datetime.datetime(2026, 3, 30, 12)
TODAY = NOW.date()


@pytest.fixture
def in_thread(reactor):
    """Calls functions in a thread. The reactor's own threads run only while it runs by itself."""
    pool = ThreadPool(0, 1)
    pool.start()
    yield lambda function, *words: deferToThreadPool(reactor, pool, function, *words)
    pool.stop()


@pytest.fixture
def forward(reactor, turn, in_thread):
    """A forward proxy in this process; gives its port."""
    made = []

    def run(allotments):
        policy = ForwardPolicy(
            allow_destinations=["127.0.0.0/8"], allow_ports=["1-65535"], bounds=allotments.bounds, usage=allotments.used
        )
        factory = ForwardProxyFactory(policy, reactor=reactor)
        listening = endpoints.serverFromString(reactor, "tcp:0:interface=127.0.0.1").listen(factory)
        made.append((allotments, factory, listening.result))
        return listening.result.getHost().port

    yield run
    for allotments, factory, port in made:
        stopped = Deferred.fromCoroutine(_stop(port, factory, allotments))
        turn(lambda stopped=stopped: stopped.called, "it has stopped")


async def _stop(port, factory, allotments):
    await port.stopListening()
    factory.stop()
    await allotments.stop()


@pytest.fixture
def fetch(turn):
    """Runs curl while the reactor runs; gives what it printed."""

    def run(*words):
        process = subprocess.Popen([need("curl"), "-sS", *PATIENT, "--noproxy", "", *words], stdout=subprocess.PIPE)
        with process:
            turn(lambda: process.poll() is not None, "curl has ended")
            assert process.returncode == 0
            return process.stdout.read().decode()

    return run


@pytest.fixture
def origin(run_nginx, tmp_path):
    made = run_nginx()
    data = os.urandom(SIZE)
    (made.directory / "www" / "large").write_bytes(data)
    (tmp_path / "large").write_bytes(data)
    made.digest = hashlib.sha256(data).hexdigest()
    return made


@pytest.mark.parametrize("way", ["plain", "tunnel"])
def test_a_shaped_download_is_whole_and_no_faster_than_it_may_be(reactor, forward, fetch, origin, tmp_path, way):
    port = forward(Allotments(reactor, bandwidths=[Bandwidth(down=RATE)]))
    words = ("--proxytunnel",) if way == "tunnel" else ()
    begun = time.monotonic()
    fetch("-x", f"http://127.0.0.1:{port}", *words, "-o", str(tmp_path / "got"), f"{origin.url}/large")
    took = time.monotonic() - begun
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == origin.digest
    # A quarter of a second is saved up.
    assert took >= SIZE / RATE - 0.25


def test_a_shaped_upload_is_whole_and_no_faster_than_it_may_be(reactor, forward, fetch, origin, tmp_path):
    port = forward(Allotments(reactor, bandwidths=[Bandwidth(up=RATE)]))
    begun = time.monotonic()
    said = fetch("-x", f"http://127.0.0.1:{port}", "--data-binary", f"@{tmp_path / 'large'}", f"{origin.url}/upload")
    assert said == f"{SIZE}\n"
    assert time.monotonic() - begun >= SIZE / RATE - 0.25


@pytest.mark.parametrize("words", [(), ("--proxytunnel",)])
def test_bytes_count_however_they_pass(reactor, turn, in_thread, forward, fetch, origin, tmp_path, words):
    file = str(tmp_path / "usage.db")
    store = SqliteStore(file, TODAY)
    usage = Usage(reactor, store, interval=0.05, now=lambda: NOW, in_thread=in_thread)
    allotments = Allotments(reactor, usage=usage)
    port = forward(allotments)
    fetch("-x", f"http://127.0.0.1:{port}", *words, "-o", str(tmp_path / "got"), f"{origin.url}/large")
    assert hashlib.sha256((tmp_path / "got").read_bytes()).hexdigest() == origin.digest

    def used():
        return allotments.used("127.0.0.1", None, DAY)

    # A tunnel ends with its connections, which the proxy may hear of after curl is gone.
    turn(lambda: used() >= SIZE, "it is counted")
    other = SqliteStore(file, TODAY)
    turn(lambda: other.load(TODAY.isoformat()) == {"client 127.0.0.1": used()}, "it is written")
    assert used() < SIZE + 2000
    other.close()


def test_a_tunnel_that_goes_over_a_quota_is_closed_and_the_next_refused(reactor, turn, forward, fetch):
    port = forward(Allotments(reactor, quotas=[Quota(day=1000)]))
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(("127.0.0.1", port)) as client:
        server.settimeout(DEADLINE)
        place = f"127.0.0.1:{server.getsockname()[1]}"
        client.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode())
        client.setblocking(False)
        received = []

        def receive():
            try:
                data = client.recv(65536)
            except BlockingIOError:
                return False
            except ConnectionResetError:
                data = b""
            received.append(data)
            return True

        turn(receive, "the tunnel stands")
        assert received[0].startswith(b"HTTP/1.1 200 ")
        there, _ = server.accept()
        with there:
            there.sendall(bytes(2000))
            turn(lambda: receive() and received[-1] == b"", "the tunnel is closed")
    assert sum(map(len, received[1:])) == 2000
    said = fetch("-x", f"http://127.0.0.1:{port}", "-w", "%{http_code}", f"http://{place}/")
    assert said == "403 Forbidden\nclient 127.0.0.1 has used up the day's 1000 bytes.\n403"
