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
[pools.app]
upstreams = ["h2c://127.0.0.1:{server}"]
"""


@pytest.fixture
def channel(processes, tmp_path):
    """A channel by the proxy."""
    server, port = free_port(), free_port()
    # It has threads, which a process that is forked is not to have.
    words = (sys.executable, SERVER, str(server))
    processes("/usr/bin/env", *words, port=server)
    file = tmp_path / "proxy.toml"
    file.write_text(TOML.format(port=port, server=server))
    processes("/usr/bin/env", sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    until(lambda: answers(port), "the proxy listens")
    with grpc.insecure_channel(f"127.0.0.1:{port}") as made:
        yield made


def same(data):
    return data


def test_grpc_passes(channel):
    calls_of_each_kind(channel)
    what_goes_wrong(channel)
    deadlines(channel)


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
