"""A worker: what it does as the master says, and what it says."""

import os
import socket

import pytest
from twisted.logger import LogLevel

from tests.runtime.listening import GET, ListeningReactor, Port, answer
from tests.runtime.workers import played
from txproxy.config import Config, ForwardListener, parse
from txproxy.config.endpoints import Bound
from txproxy.errors import ConfigError
from txproxy.forward.policy import ForwardPolicy
from txproxy.net.transports.handed_transports import HandedSocket
from txproxy.proxy.handover.carried import VERSION, Carried
from txproxy.runtime.workers.channel import Channel, channel_pair
from txproxy.runtime.workers.worker_process import MasterLog, Worker, WorkerProcess

FILE = """
[log]
access = "none"
[[listeners]]
name = "web"
listen = "tcp:8080"
[[routes]]
name = "all"
path = "/"
respond = { status = 200, body = "one" }
"""
PLACE = Bound("", 8080)


class Reactor(played.Reactor, ListeningReactor):
    """Adopts what listens. A port is known by the number that the configuration has."""

    def __init__(self):
        super().__init__()
        self.adopts = [8080, 8081]
        self.stopped = False

    def adoptStreamPort(self, descriptor, family, factory):
        """As a reactor does."""
        number = self.adopts.pop(0)
        self.ports[number] = port = Port(number)
        port.factory = factory
        return port

    def stop(self):
        """As a reactor does."""
        self.stopped = True


class Played:
    """A worker, and the master that the test is."""

    def __init__(self, config=None):
        self.reactor = Reactor()
        self.channel, theirs = channel_pair()
        self._listening = socket.create_server(("127.0.0.1", 0))
        worker = Worker(1, Channel(theirs), config or parse(FILE, "edge.toml"), {}, "")
        self.process = WorkerProcess(worker, self.reactor)

    def begin(self):
        """Give it what it listens on."""
        self.channel.send("sockets", ([(PLACE, socket.AF_INET, False)],), [self._listening.fileno()])
        self.process.begin()
        return self.hears()

    def says(self, kind, content=None, descriptors=()):
        """To the worker; gives what that says."""
        self.channel.send(kind, content, descriptors)
        self.reactor.turn()
        return self.hears()

    def hears(self):
        """What it has said."""
        found = []
        while played.readable(self.channel):
            found += [(message.kind, message.content) for message in self.channel.receive_all() or ()]
        return found

    def reload(self, text, revision=1):
        """Another configuration, with one more socket where it has another port."""
        more = [(Bound("", 8081), socket.AF_INET, False)] if "8081" in text else []
        sockets = [self._listening.fileno()] * len(more)
        return self.says("reload", (revision, parse(text, "edge.toml"), more), sockets)

    def close(self):
        """The test is over."""
        self.channel.close()
        self.reactor.turn()
        self.process.drain()
        self.reactor.advance(40)
        self._listening.close()
        assert not self.reactor.getReaders() and not self.reactor.getDelayedCalls()


@pytest.fixture
def worker():
    worker = Played()
    yield worker
    worker.close()


def test_it_serves_on_what_the_master_has_opened_and_says_so(worker):
    assert worker.begin() == [("ready", os.getpid())]
    assert answer(worker.reactor.connect(8080)) == b"one"


def test_it_takes_another_configuration_with_what_is_new_to_listen_on(worker):
    worker.begin()
    text = FILE.replace('"one"', '"two"').replace('"tcp:8080"', '["tcp:8080", "tcp:8081"]')
    assert worker.reload(text, 7) == [("taken", 7)]
    assert [answer(worker.reactor.connect(port)) for port in (8080, 8081)] == [b"two", b"two"]


def test_one_that_it_cannot_take_is_refused_and_changes_nothing(worker, tmp_path):
    worker.begin()
    ((kind, (revision, why)),) = worker.reload(FILE.replace('"none"', f'"{tmp_path}/none/log"'), 3)
    assert (kind, revision) == ("refused", 3) and "No such file or directory" in why
    assert answer(worker.reactor.connect(8080)) == b"one"


def test_without_a_file_it_reads_again_what_options_name(tmp_path):
    names = tmp_path / "ads.txt"
    names.write_text("ads.example\n")
    listener = ForwardListener(
        listen=("tcp:8080",),
        access_log="none",
        policy=ForwardPolicy(filters=(str(names),), allow_clients=("0.0.0.0/0",)),
    )
    worker = Played(Config(listeners=(listener,)))
    worker.begin()
    names.write_text("other.example\n")
    worker.says("read again")
    client = worker.reactor.connect(8080)
    client.send(b"GET http://other.example/ HTTP/1.1\r\nHost: other.example\r\n\r\n")
    worker.close()
    assert b"other.example is on the list ads" in client.received


def test_it_ends_when_what_runs_has_ended(worker):
    worker.begin()
    client = worker.reactor.connect(8080)
    client.send(b"GET / HTTP/1.1\r\n")
    assert worker.says("drain") == [("leaving", None)] and not worker.reactor.stopped
    # Told again, by whom it may be, it is no quicker: a service manager tells all processes.
    worker.process.drain()
    assert not worker.reactor.stopped
    client.send(b"Host: a\r\n\r\n")
    worker.reactor.advance(1)
    assert worker.reactor.stopped


def test_it_ends_at_once_where_the_master_wants_that(worker):
    worker.begin()
    worker.reactor.connect(8080).send(b"GET / HTTP/1.1\r\n")
    worker.says("drain")
    worker.says("hurry")
    worker.reactor.advance(1)
    assert worker.reactor.stopped


def test_without_a_master_it_serves_on_until_a_signal(worker, capfd):
    worker.begin()
    worker.process.interrupt()
    worker.channel.close()
    worker.reactor.turn()
    client = worker.reactor.connect(8080)
    assert answer(client) == b"one"
    client.send(b"GET / HTTP/1.1\r\n")
    worker.process.interrupt()
    assert not worker.reactor.stopped
    worker.process.interrupt()
    worker.reactor.advance(1)
    assert worker.reactor.stopped


def test_what_others_have_let_through_counts_here_and_what_this_one_has_is_told_them():
    limited = 'listen = "tcp:8080"\nrequest_limits = [{ name = "all", rate = "3/d", by = [] }]'
    text = "workers = 4\n" + FILE.replace('listen = "tcp:8080"', limited)
    worker = Played(parse(text, "edge.toml"))
    worker.begin()
    assert answer(worker.reactor.connect(8080)) == b"one"
    assert worker.hears() == []
    worker.reactor.advance(0.05)
    ((kind, (what, news)),) = worker.hears()
    # And what it has of the places of the listener: a quarter of its share of 10,000.
    rate = next(topic for topic in news if topic.startswith("rate "))
    assert (kind, what) == ("shared", "news") and news[rate] == {"": 1} and news["places web"][2] == 625
    worker.says("shared", ("news", (77, {rate: {"": 1}})))
    assert answer(worker.reactor.connect(8080)) == b"one"
    refused = worker.reactor.connect(8080)
    refused.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert b" 429 " in refused.received
    # A reload that leaves the limit as it is goes on with it.
    worker.says("reload", (1, parse(text.replace('"one"', '"two"'), "edge.toml"), []))
    worker.says("shared", ("lead", True))
    ((_, (what, (to, whole))),) = worker.says("shared", ("joined", 78))
    assert (what, to, whole.keys()) == ("whole", 78, news.keys()) and whole[rate][""] > 1.9
    worker.close()


def test_its_log_is_begun_anew_and_so_is_standard_output(tmp_path):
    log = tmp_path / "log"
    worker = Played(parse(FILE.replace('"none"', f'"{log}"'), "edge.toml"))
    try:
        worker.begin()
        log.rename(tmp_path / "old")
        kept = [os.dup(number) for number in (1, 2)]
        # What it is given for its own, it has.
        worker.says("reopen", None, kept)
        for descriptor in kept:
            os.close(descriptor)
        worker.process.reopen_logs()
        (file,) = worker.process._service.logs()
        assert file.flush(5) and log.exists()
    finally:
        worker.close()


def test_it_is_nothing_without_a_master(worker):
    worker.channel.close()
    with pytest.raises(ConfigError, match="the master has gone"):
        worker.process.begin()


def test_what_is_logged_goes_to_the_master_and_elsewhere_without_one(capfd):
    ours, theirs = channel_pair()
    log = MasterLog(Channel(theirs))
    log({"log_format": "{a} is", "a": 1, "log_level": LogLevel.warn})
    log({"log_format": ""})
    assert ours.receive().content == ("warn", "1 is")
    log._channel.close()
    log({"log_format": "gone", "log_level": LogLevel.info})
    log({"log_format": "wrong", "log_level": LogLevel.error})
    assert capfd.readouterr().err == "wrong\n"
    assert ours.receive() is None
    ours.close()


def test_one_that_leaves_asks_for_another_where_the_one_that_was_to_follow_has_ended(worker):
    worker.begin()
    for count in range(5):
        ours, theirs = channel_pair()
        worker.says("hand over", None, [theirs.fileno()])
        theirs.close()
        ours.send("takes", (VERSION,))
        worker.reactor.turn()
        ours.close()
        worker.reactor.turn()
        # Where none can, it is not asked for ever.
        assert worker.hears() == ([("another", None)] if count < 3 else [])


def test_one_that_stays_says_what_it_understands_and_takes_what_it_can(worker):
    worker.begin()
    ours, theirs = channel_pair()
    worker.says("take over", None, [theirs.fileno()])
    theirs.close()
    assert [(one.kind, one.content) for one in ours.receive_all()] == [("takes", (VERSION,))]
    resting = Carried(client=HandedSocket(2, ("127.0.0.1", 1)), peer_ip="127.0.0.1", peer_scheme="http", left=9.0)
    here, there = socket.socketpair()
    with here, there:
        for number, listener in enumerate(("gone", "web")):
            ours.send("connection", (number, listener, False, resting.plain()), [here.fileno()])
            worker.reactor.turn()
        assert [(one.kind, one.content) for one in ours.receive_all()] == [("refused", 0), ("taken", 1)]
        there.sendall(GET)
        for _ in range(3):
            worker.reactor.turn()
            worker.reactor.advance(0)
        assert b"one" in there.recv(1000)
        ours.close()
        worker.reactor.turn()
        # The reactor of these tests ends nobody.
        worker.process.drain()
        worker.reactor.advance(1.5)
