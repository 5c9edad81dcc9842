"""The master: what it listens on, and what it tells workers of a new configuration."""

import os
import signal
import socket
import subprocess
import sys

import attrs
import pytest
from twisted.internet import reactor as real
from twisted.logger import capturedLogs, formatEvent

from tests.admin.conftest import Client, read
from tests.runtime.workers.played import PlayedMould, Reactor
from txproxy.admin.api_call import ApiCall
from txproxy.cluster.record_locks import open_lock_file
from txproxy.config import Config, ForwardListener, parse
from txproxy.errors import ConfigError
from txproxy.forward.policy import ForwardPolicy
from txproxy.runtime.proxy_service import make_service
from txproxy.runtime.workers import master_service
from txproxy.runtime.workers.inheritance import Inheritance
from txproxy.runtime.workers.master_service import MasterService

FILE = """
workers = 2
[log]
access = "none"
[[listeners]]
listen = "tcp:0:interface=127.0.0.1"
[[routes]]
name = "all"
path = "/"
respond = { status = 200, body = "one" }
"""
MORE = FILE.replace('"tcp:0:interface=127.0.0.1"', '["tcp:0:interface=127.0.0.1", "[::1]:0"]')


class Played:
    """A master whose mould and workers are the test."""

    def __init__(self, folder, text=FILE, by_options=False):
        self.file = folder / "edge.toml"
        self.reactor = Reactor()
        self.mould = PlayedMould(self.reactor)
        config = parse(text, str(self.file))
        if by_options:
            config = attrs.evolve(config, source="")
        self.service = MasterService(config, self.reactor, self.mould.start)

    def start(self):
        """Start it, with all workers."""
        self.service.privilegedStartService()
        self.service.startService()
        self.mould.turn()
        for number, worker in enumerate(self.mould.workers):
            (first,) = worker.hears()
            worker.sockets = first.descriptors
            worker.says("ready", 100 + number)

    def stop(self):
        """Stop it: what is given has something in it when that has ended."""
        ended = []
        self.service.stopService().addCallback(ended.append)
        return ended

    def read_again(self, text):
        """What the master says when it has read this, and what it has logged."""
        self.file.write_text(text)
        with capturedLogs() as events:
            self.service.read_again()
            self.mould.turn()
        return [formatEvent(event) for event in events]

    def heard(self):
        """What workers have been told since then: kind and content, without descriptors."""
        return [
            [(message.kind, message.content, len(message.descriptors)) for message in worker.hears()]
            for worker in self.mould.workers
        ]


@pytest.fixture
def master(tmp_path):
    made = []

    def master(text=FILE, by_options=False):
        made.append(Played(tmp_path, text, by_options))
        made[-1].start()
        return made[-1]

    yield master
    for one in made:
        ended = one.stop()
        one.mould.turn()
        for worker in one.mould.workers:
            worker.channel.close()
        one.reactor.turn()
        assert ended and not one.reactor.getDelayedCalls() and not one.reactor.getReaders()
        one.mould.close()


def address(descriptor):
    with socket.socket(fileno=os.dup(descriptor)) as one:
        return one.getsockname()


def test_several_workers_are_a_master(tmp_path):
    text = FILE.replace("workers = 2", "workers = 1")
    assert isinstance(make_service(parse(FILE, "a.toml"), real), MasterService)
    assert not isinstance(make_service(parse(text, "a.toml"), real), MasterService)


def test_each_worker_gets_a_socket_of_its_own_at_the_same_address(master):
    played = master()
    (listening,) = played.service.ports
    host = listening.getHost()
    sockets = [address(descriptor) for worker in played.mould.workers for descriptor in worker.sockets]
    assert sockets == [(host.host, host.port)] * 2


def test_who_takes_the_place_of_a_worker_gets_the_same_socket(master):
    played = master()
    first = played.mould.workers[0]
    # What waits in its backlog is there for the next one.
    with socket.create_connection(address(first.sockets[0])):
        first.ends()
        played.mould.turn()
        (greeting,) = played.mould.workers[2].hears()
        inodes = {os.fstat(one).st_ino for one in (*first.sockets, *greeting.descriptors)}
        assert len(inodes) == 1


def test_what_is_sound_goes_to_all_and_is_said_once_all_have_it(master):
    played = master()
    assert "runs" not in "".join(played.read_again(MORE))
    told = played.heard()
    for (((kind, (revision, config, places), count),),) in [told[:1], told[1:]]:
        assert (kind, revision, len(config.listeners[0].listen), len(places), count) == ("reload", 1, 2, 1, 1)
    assert len(played.mould.configured) == 2
    with capturedLogs() as events:
        played.mould.workers[0].says("taken", 1)
        assert not events
        played.mould.workers[1].says("taken", 1)
    assert [formatEvent(event) for event in events] == [f"{played.file} was read again, and runs"]


def test_without_a_file_each_reads_again_what_options_name(master):
    played = master(by_options=True)
    assert not played.service.read_again()
    assert played.heard() == [[("read again", None, 0)]] * 2


def test_keys_stay_what_they_were(master):
    played = master()
    played.read_again(MORE)
    (before, _), (after, _) = played.mould.configured
    assert before.listeners[0].via_mark == after.listeners[0].via_mark is not None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (FILE.replace("respond", "respnd"), "respnd: no such key"),
        (MORE.replace("[::1]:0", "haproxy:tcp:0"), "several workers cannot listen there"),
        (FILE.replace("listen = ", "middleware = 'no.such:thing'\nlisten = "), "no.such"),
    ],
)
def test_what_is_wrong_changes_nothing_anywhere(master, wrong, said):
    played = master()
    before = list(played.service.ports)
    lines = played.read_again(wrong)
    assert said in "".join(lines) and lines[-1].endswith("the configuration that runs is kept")
    assert played.heard() == [[], []] and played.service.ports == before and len(played.mould.configured) == 1


def test_a_worker_that_refuses_makes_room_for_one_that_has_it(master):
    played = master()
    played.read_again(MORE)
    played.heard()
    played.mould.workers[1].says("taken", 1)
    with capturedLogs() as events:
        played.mould.workers[0].says("refused", (1, "there is no disk"))
    assert [formatEvent(event) for event in events] == [
        "worker 1: there is no disk",
        f"{played.file} was read again, and runs",
    ]
    played.mould.turn()
    assert [[kind for kind, _, _ in told] for told in played.heard()] == [
        ["hand over", "drain"],
        ["take over"],
        ["sockets"],
    ]


def test_one_that_ends_before_it_has_said_so_is_not_waited_for(master):
    played = master()
    played.read_again(MORE)
    taken = []
    played.service.when_taken().addCallback(taken.append)
    played.mould.workers[0].says("taken", 1)
    assert not taken
    with capturedLogs() as events:
        played.mould.workers[1].ends()
    assert taken and formatEvent(events[-1]) == f"{played.file} was read again, and runs"
    played.mould.turn()
    # Once more there is nobody to wait for.
    played.service.when_taken().addCallback(taken.append)
    assert len(taken) == 2


def test_more_workers_get_sockets_and_less_of_them_leave(master):
    played = master()
    played.read_again(FILE.replace("workers = 2", "workers = 3"))
    played.mould.turn()
    assert len(played.mould.workers) == 3
    (greeting,) = played.mould.workers[2].hears()
    assert len({address(one) for one in (*greeting.descriptors, *played.mould.workers[0].sockets)}) == 1
    played.read_again(FILE.replace("workers = 2", "workers = 1"))
    assert [told[-1][0] for told in played.heard()] == ["take over", "drain", "drain"]
    assert len(played.service.ports[0].sockets) == 1


def test_who_has_not_left_in_time_is_ended(tmp_path):
    played = Played(tmp_path)
    played.start()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as hanging:
        played.mould.workers[0].says("ready", hanging.pid)
        ended = played.stop()
        assert [told[-1][0] for told in played.heard()] == ["drain", "drain"]
        played.mould.workers[1].ends()
        played.reactor.advance(34)
        assert hanging.poll() is None and not ended
        played.reactor.advance(1)
        assert hanging.wait() == -signal.SIGKILL
    played.mould.workers[0].ends()
    assert ended and not played.reactor.getDelayedCalls()
    played.mould.close()


def test_a_configuration_that_no_other_process_can_have_is_refused():
    policy = ForwardPolicy(ask=lambda question: None)
    config = Config(listeners=(ForwardListener(listen=("tcp:1",), policy=policy),), workers=2)
    with pytest.raises(ConfigError, match="workers = 2: other processes cannot be told of this configuration"):
        make_service(config, real)


def test_quotas_need_a_file():
    text = FILE + "[[quotas]]\nday = '1M'\n"
    with pytest.raises(ConfigError, match="2 workers count quotas in a file"):
        parse(text, "a.toml")


def test_the_admin_api_asks_the_workers_and_goes_where_the_file_says(master):
    admin = '[admin]\nlisten = "127.0.0.1:{0}"\n'
    played = master(FILE + admin.format(9090))
    (number, site, *_) = played.reactor.tcpServers[0]
    client = Client(played.reactor, site)
    assert number == 9090 and client.ask("GET", "/api/").status == 200
    assert client.ask("GET", "/healthz") is None
    first, second = ([*worker.hears()] for worker in played.mould.workers)
    ((kind, (question, *asked)),) = [(one.kind, one.content) for one in second]
    assert (kind, asked) == ("asked", ["GET", "/healthz", ApiCall(accept="")]) and len(first) == 1
    played.mould.workers[1].says("answered", (question, ("given", {"status": "ok"})))
    (answer,) = read(client.connection.take())
    assert answer.json == {"status": "ok"}
    # One of two that is gone is not waited for.
    client.ask("GET", "/api/pools")
    first, _ = ([*worker.hears()] for worker in played.mould.workers)
    played.mould.workers[0].says("answered", (first[-1].content[0], ("given", {"pools": []})))
    played.mould.workers[1].ends()
    (answer,) = read(client.connection.take())
    assert answer.json == {"pools": []}
    said = played.read_again(FILE + admin.format(9091))
    assert "admin API at 127.0.0.1:9091" in said
    assert played.reactor.tcpServers[1][0] == 9091
    said = played.read_again(FILE + admin.format("x"))
    assert "the configuration that runs is kept" in said[-1] and len(played.reactor.tcpServers) == 2
    # The first endpoint is left, with who was there.
    played.reactor.advance(0)
    assert client.connection.closed


def test_all_moulds_are_sent_the_same_file_of_locks_and_so_is_the_program_that_follows(master):
    played = master()
    played.mould.channel.close()
    played.reactor.turn()
    played.reactor.advance(10)
    played.mould.turn()
    assert played.mould.starts == 2
    handed = played.service.hand_over()
    first, second = (os.fstat(descriptor).st_ino for descriptor in played.mould.locks)
    assert first == second == os.fstat(handed.locks).st_ino


def test_a_program_that_has_inherited_a_file_of_locks_makes_none(tmp_path):
    played, kept = Played(tmp_path), open_lock_file()
    played.service.inherit(Inheritance(b"s" * 32, {}, [], locks=kept))
    played.start()
    assert os.fstat(played.mould.locks[0]).st_ino == os.fstat(kept).st_ino
    ended = played.stop()
    for worker in played.mould.workers:
        worker.ends()
    assert ended
    played.mould.close()


def test_where_there_can_be_no_such_file_it_is_said(tmp_path, monkeypatch):
    def fails():
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(master_service, "open_lock_file", fails)
    with pytest.raises(ConfigError, match="for their locks: Too many open files"):
        Played(tmp_path).start()
