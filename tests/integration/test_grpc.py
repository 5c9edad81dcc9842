"""gRPC from end to end: its own client, the proxy, its own server."""

import os
import queue
import sys
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, answers, free_port, until

if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
    pytest.importorskip("grpc")
import grpc

SERVER = str(Path(__file__).parent / "grpc_server.py")
TOML = """
[[listeners]]
mode = "reverse"
listen = ["127.0.0.1:{port}"]
h2c = true
pool = "app"
[[listeners]]
listen = ["127.0.0.1:{other}"]
h2c = true
pool = "nobody"
[pools.app]
upstreams = ["h2c://127.0.0.1:{server}"]
[pools.nobody]
upstreams = ["h2c://127.0.0.1:{closed}"]
[log]
access = "{log}"
access_format = "$request_method $uri $status $grpc_status"
"""


@pytest.fixture
def channel(processes, tmp_path):
    """A channel by the proxy."""
    server, port, other, closed = (free_port() for _ in range(4))
    # It has threads, which a process that is forked is not to have.
    words = (sys.executable, SERVER, str(server))
    processes("/usr/bin/env", *words, port=server)
    file = tmp_path / "proxy.toml"
    log = tmp_path / "access.log"
    file.write_text(TOML.format(port=port, server=server, other=other, closed=closed, log=log))
    processes("/usr/bin/env", sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    until(lambda: answers(port), "the proxy listens")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as made:
        made.log, made.nobody = log, f"127.0.0.1:{other}"
        yield made


@pytest.fixture
def health(processes, tmp_path):
    """A server that says by itself how it is, and a channel to it by the proxy."""
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("grpc_health")
    from tests.integration.grpc_health import HealthServer

    port, server = free_port(), free_port()
    file = tmp_path / "proxy.toml"
    closed, other, log = free_port(), free_port(), tmp_path / "access.log"
    file.write_text(TOML.format(port=port, server=server, other=other, closed=closed, log=log))
    processes("/usr/bin/env", sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    made = HealthServer(server)
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        channel.log = log
        yield made, channel
    made.stop()


def test_a_client_asks_for_health_through_the_proxy(health):
    from tests.integration.grpc_health import NOT_SERVING, SERVICE_UNKNOWN, SERVING, client, question

    server, channel = health
    asked = client(channel)
    assert asked.Check(question(), timeout=DEADLINE).status == SERVING
    server.servicer.set("app", NOT_SERVING)
    assert asked.Check(question("app"), timeout=DEADLINE).status == NOT_SERVING
    with pytest.raises(grpc.RpcError) as raised:
        asked.Check(question("b"), timeout=DEADLINE)
    assert raised.value.code() is grpc.StatusCode.NOT_FOUND
    # Each answer comes when it is true, on a stream that stays.
    watched, other = asked.Watch(question("app"), timeout=DEADLINE), asked.Watch(question("b"), timeout=DEADLINE)
    assert (next(watched).status, next(other).status) == (NOT_SERVING, SERVICE_UNKNOWN)
    for status in (SERVING, NOT_SERVING):
        for name, stream in (("app", watched), ("b", other)):
            server.servicer.set(name, status)
            assert next(stream).status == status
    watched.cancel()
    until(lambda: "POST /grpc.health.v1.Health/Watch 200 -" in channel.log.read_text(), "what was cancelled is over")
    server.stop()
    with pytest.raises(grpc.RpcError) as raised:
        next(other)
    assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
    until(lambda: "POST /grpc.health.v1.Health/Watch 200 14" in channel.log.read_text(), "the log has what it was")


def test_the_example_of_the_documentation(processes, tmp_path):
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("grpc_health")
    from tests.integration.grpc_health import SERVING, HealthServer, client, question

    text = (Path(__file__).parents[2] / "docs" / "examples" / "grpc.toml").read_text()
    port, *theirs = (free_port() for _ in range(3))
    for written, free in zip(("127.0.0.1:8080", "127.0.0.1:50051", "127.0.0.1:50052"), (port, *theirs), strict=True):
        assert written in text
        text = text.replace(written, f"127.0.0.1:{free}")
    file = tmp_path / "grpc.toml"
    file.write_text(text.replace('"5s"', '"0.1s"'))
    servers = [HealthServer(one) for one in theirs]
    try:
        said = tmp_path / "said"
        with said.open("w") as log:
            words = ("/usr/bin/env", sys.executable, "-m", "txproxy", "run", "--config", str(file))
            processes(*words, port=port, stdout=log, stderr=log)
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            asked = client(channel)
            watched = asked.Watch(question(), timeout=DEADLINE)
            assert next(watched).status == SERVING
            for server in servers:
                server.stop()
                if server is servers[0]:
                    until(lambda: f"127.0.0.1:{theirs[0]} of grpc is unhealthy" in said.read_text(), "a check fails")
                    assert asked.Check(question(), timeout=DEADLINE).status == SERVING
            with pytest.raises(grpc.RpcError) as raised:
                asked.Check(question(), timeout=DEADLINE)
            assert raised.value.code() is grpc.StatusCode.UNAVAILABLE
        lines = {"POST /grpc.health.v1.Health/Check 200 0", "POST /grpc.health.v1.Health/Check 200 14"}
        until(lambda: lines <= set(said.read_text().splitlines()), "the log has how each call has ended")
    finally:
        for server in servers:
            server.stop()


def same(data):
    return data


def test_grpc_passes(channel):
    calls_of_each_kind(channel)
    what_goes_wrong(channel)
    deadlines(channel)
    what_the_proxy_says(channel)


def calls_of_each_kind(channel):
    unary = channel.unary_unary("/t/unary", same, same)
    for message in (b"", b"short", b"x" * 2_000_000):
        assert unary(message, timeout=DEADLINE) == b"got " + message
    assert list(channel.unary_stream("/t/repeat", same, same)(b"x" * 9000, timeout=DEADLINE)) == [b"x" * 9000] * 100
    # Each answer comes before the next question is asked.
    questions = queue.Queue()
    replies = channel.stream_stream("/t/echo", same, same)(iter(questions.get, None), timeout=DEADLINE)
    for number in range(10):
        questions.put(b"%d" % number)
        assert next(replies) == b"got %d" % number
    questions.put(None)
    assert list(replies) == [] and replies.code() is grpc.StatusCode.OK


def what_goes_wrong(channel):
    for method, code, said in (
        ("/t/refuse", grpc.StatusCode.FAILED_PRECONDITION, "not now"),
        ("/t/none", grpc.StatusCode.UNIMPLEMENTED, "Method not found!"),
    ):
        with pytest.raises(grpc.RpcError) as raised:
            channel.unary_unary(method, same, same)(b"", timeout=DEADLINE)
        assert (raised.value.code(), raised.value.details()) == (code, said)


def deadlines(channel):
    with pytest.raises(grpc.RpcError) as raised:
        channel.stream_unary("/t/wait", same, same)(iter(queue.Queue().get, None), timeout=0.3)
    assert raised.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED


def what_the_proxy_says(channel):
    with grpc.insecure_channel(channel.nobody) as made, pytest.raises(grpc.RpcError) as raised:
        made.unary_unary("/t/unary", same, same)(b"", timeout=DEADLINE)
    assert (raised.value.code(), raised.value.details()) == (grpc.StatusCode.UNAVAILABLE, "No upstream is available.")
    lines = {"POST /t/unary 200 0", "POST /t/refuse 200 9", "POST /t/none 200 12", "POST /t/unary 200 14"}
    until(lambda: lines <= set(channel.log.read_text().splitlines()), "the log has the status of each call")
