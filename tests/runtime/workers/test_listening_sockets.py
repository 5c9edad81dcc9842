"""What a master listens on for its workers."""

import contextlib
import os
import socket

import pytest
from twisted.internet import reactor

from txproxy.errors import ConfigError
from txproxy.runtime.workers.listening_sockets import open_listening


@pytest.fixture
def listen():
    """Listens, and ends it."""
    made = []

    def listen(text, count=2):
        made.append(open_listening(text, count, reactor))
        return made[-1]

    yield listen
    for one in made:
        closed = one.close()
        if closed is not None:
            reactor.iterate()


def accepted(listening, numbers):
    """How many of those who have connected each worker gets."""
    counts = []
    for number in numbers:
        with socket.socket(fileno=os.dup(listening.descriptor(number))) as one, contextlib.suppress(BlockingIOError):
            one.setblocking(False)
            counts.append(0)
            while True:
                one.accept()[0].close()
                counts[-1] += 1
    return counts


def test_each_worker_has_a_socket_of_its_own_at_one_port(listen):
    listening = listen("tcp:0:interface=127.0.0.1")
    host = listening.getHost()
    assert not listening.shared and listening.descriptor(0) != listening.descriptor(1)
    clients = [socket.create_connection((host.host, host.port)) for _ in range(64)]
    counts = accepted(listening, (0, 1))
    for client in clients:
        client.close()
    assert sum(counts) == 64 and min(counts) > 8


def test_there_are_more_for_more_workers_and_less_for_less(listen):
    listening = listen("tcp:0:interface=127.0.0.1", 1)
    assert len({listening.descriptor(number) for number in range(3)}) == 3
    assert len({one.getsockname() for one in listening.sockets}) == 1
    listening.keep(2)
    assert len(listening.sockets) == 2


def test_where_another_program_listens_nobody_else_does(listen):
    port = listen("tcp:0:interface=127.0.0.1").getHost().port
    with pytest.raises(
        ConfigError, match=f"tcp:{port}:interface=127.0.0.1: cannot listen there: Address already in use"
    ):
        listen(f"tcp:{port}:interface=127.0.0.1")


def test_ipv6(listen):
    listening = listen("[::1]:0")
    host = listening.getHost()
    assert (host.host, listening.family) == ("::1", socket.AF_INET6)
    with socket.create_connection((host.host, host.port)):
        assert sum(accepted(listening, (0, 1))) == 1


def test_a_path_is_shared_and_removed_in_the_end(listen, tmp_path):
    path = tmp_path / "s"
    listening = listen(f"unix:{path}:mode=600")
    assert listening.shared and listening.descriptor(0) == listening.descriptor(1)
    assert listening.getHost().name == os.fsencode(path) and path.stat().st_mode & 0o777 == 0o600
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        assert accepted(listening, (0,)) == [1]
    with pytest.raises(ConfigError, match="another program does already"):
        open_listening(f"unix:{path}", 2, reactor)
    listening.close()
    reactor.iterate()
    assert not path.exists()


def test_a_protocol_of_its_own_in_between_cannot_be_shared(listen):
    with pytest.raises(ConfigError, match="several workers cannot listen there; accepted with workers are TCP ports"):
        listen("haproxy:tcp:0")
