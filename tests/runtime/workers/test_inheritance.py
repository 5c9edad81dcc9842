"""What one program leaves to the next, in the same process."""

import os
import socket

import pytest
from twisted.internet import reactor

from txproxy.config.endpoints import Bound
from txproxy.net.transports.adopted_ports import LeftSocket
from txproxy.runtime.workers.inheritance import Inheritance, OldWorker
from txproxy.runtime.workers.listening_sockets import open_listening

SECRET = b"\x01" * 32


@pytest.fixture
def handed():
    """Hands on what an endpoint listens on, as to a process of its own."""
    made = []

    def handed(text):
        listening = open_listening(text, 2, reactor)
        ours, theirs = socket.socketpair()
        environment = {}
        worker = OldWorker(1, 77, os.dup(ours.fileno()))
        Inheritance(SECRET, {Bound.of(text): listening}, [worker], 78).leave(environment)
        inheritable = [os.get_inheritable(number) for number in map(int, environment.values())]
        assert inheritable == [True] and os.get_inheritable(listening.descriptor(0))
        for one in (ours, theirs):
            one.close()
        found = Inheritance.find(environment)
        # It is found once, and goes no further.
        assert environment == {} and Inheritance.find(environment) is None
        (after,) = found.listening.values()
        assert not os.get_inheritable(after.descriptor(0)) and not os.get_inheritable(worker.channel)
        os.close(worker.channel)
        # The program before has gone, without a word to the system.
        for one in listening.sockets:
            one.detach()
        made.append(listening)
        return found

    yield handed
    for listening in made:
        if listening.port is not None and listening.port.connected:
            listening.port._bindPath = b"\0"
            listening.port.stopListening()
            reactor.iterate()


def test_all_of_it_is_found(handed):
    found = handed("tcp:0:interface=127.0.0.1")
    assert (found.secret, found.mould) == (SECRET, 78)
    assert [(worker.number, worker.pid) for worker in found.workers] == [(1, 77)]


def test_ports_go_on_and_there_can_be_more_of_them(handed):
    (listening,) = handed("tcp:0:interface=127.0.0.1").listening.values()
    assert not listening.shared and len({listening.descriptor(number) for number in range(3)}) == 3
    with socket.create_connection(listening.sockets[0].getsockname()):
        pass
    listening.close()


def test_a_path_goes_on_and_is_removed_in_the_end(handed, tmp_path):
    path = tmp_path / "s"
    (listening,) = handed(f"unix:{path}").listening.values()
    assert listening.shared and listening.owned_path == str(path)
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listening.close()
    assert list(tmp_path.iterdir()) == []


def test_where_the_admin_api_is_listened_on_goes_on(tmp_path):
    path, environment = tmp_path / "a.sock", {}
    opened = socket.socket(socket.AF_UNIX)
    opened.bind(str(path))
    opened.listen()
    bound = Bound(path=str(path))
    Inheritance(SECRET, {}, [], 0, (bound, LeftSocket(opened, str(path)))).leave(environment)
    assert os.get_inheritable(opened.fileno())
    found_bound, left = Inheritance.find(environment).admin
    assert found_bound == bound and left.socket.fileno() == opened.detach() and not left.socket.get_inheritable()
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    # It is of no use where the next program has no admin API there.
    left.close()
    assert list(tmp_path.iterdir()) == []


def test_without_an_admin_api_there_is_none(handed):
    assert handed("tcp:0:interface=127.0.0.1").admin is None


def test_the_file_of_locks_goes_on_and_a_program_before_may_have_none():
    for locks in (os.memfd_create("locks"), None):
        environment = {}
        Inheritance(SECRET, {}, [], locks=locks).leave(environment)
        assert locks is None or os.get_inheritable(locks)
        found = Inheritance.find(environment)
        assert found.locks == locks
        if locks is not None:
            assert not os.get_inheritable(locks)
            os.close(locks)
