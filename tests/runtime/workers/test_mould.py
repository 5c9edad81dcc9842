"""What workers are forked from."""

import gc
import os
import signal
import tempfile
import threading

import pytest
from twisted.internet import epollreactor

from tests.tls.authority import new_ca
from txproxy.config.model import Config, TcpListener
from txproxy.runtime.workers.channel import Channel, channel_pair
from txproxy.runtime.workers.mould import Mould
from txproxy.tls.listener_contexts import ListenerTls

REACTOR = epollreactor.__name__


@pytest.fixture
def lone_process():
    """A mould changes the process that it is."""
    numbers = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD]
    before = [signal.getsignal(number) for number in numbers]
    yield
    signal.set_wakeup_fd(-1)
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    gc.enable()
    gc.unfreeze()


@pytest.fixture
def served(lone_process):
    """Serves what a master ``says``, which is a function of a channel, and leaves; ``run`` is done in each worker."""

    def served(says, run=lambda worker: None):
        ours, theirs = channel_pair()
        master = threading.Thread(target=lambda: (says(ours), ours.close()))
        master.start()
        mould = Mould(Channel(theirs), run)
        assert not mould.serve()
        master.join()

    return served


@pytest.fixture
def tls(tmp_path):
    """TLS of a listener."""
    pem = tmp_path / "pair.pem"
    pair = new_ca().issue("localhost")
    pem.write_bytes(pair.cert_pem + pair.key_pem)
    return ListenerTls(certificates=((str(pem), None),))


def config(tls=None):
    return Config(listeners=(TcpListener(tls_listen=("tcp:1",), tls=tls),), workers=2)


def test_a_worker_has_what_the_mould_has_made_and_its_end_is_told(served, tls):
    answers = []

    def says(master):
        master.send("configure", (config(tls), REACTOR))
        answers.append(master.receive().kind)
        own, theirs = channel_pair()
        with theirs:
            master.send("fork", 3, [theirs.fileno()])
        answers.append(own.receive().content)
        # Its end is the worker's alone.
        answers.append(own.receive())
        number, _, status = master.receive().content
        answers.append((number, status))

    def run(worker):
        context = worker.tls[worker.config.listeners[0].tls].context()
        seen = (worker.number, worker.reactor, context is not None, signal.getsignal(signal.SIGTERM) is signal.SIG_IGN)
        worker.channel.send("here", (*seen, gc.isenabled(), gc.get_freeze_count() > 1000))
        os._exit(7)

    served(says, run)
    assert answers == ["configured", (3, REACTOR, True, True, True, True), None, (3, 7)]


def test_one_that_cannot_be_read_is_said_and_the_one_before_it_stays(served, tls, tmp_path):
    answers = []

    def says(master):
        absent = ListenerTls(certificates=((str(tmp_path / "absent.pem"), None),))
        for one, reactor in [(config(), REACTOR), (config(absent), REACTOR), (config(), "no.such.reactor")]:
            master.send("configure", (one, reactor))
            message = master.receive()
            answers.append((message.kind, message.content))

    served(says)
    assert answers[0] == ("configured", None)
    assert answers[1][0] == "wrong" and "absent.pem: No such file" in answers[1][1]
    assert answers[2] == ("wrong", "No module named 'no'")


def test_tls_that_is_as_it_was_is_kept(served, tls):
    seen = []

    def says(master):
        for _ in range(2):
            master.send("configure", (config(tls), REACTOR))
            assert master.receive().kind == "configured"
            own, theirs = channel_pair()
            with theirs:
                master.send("fork", 1, [theirs.fileno()])
            seen.append(own.receive().content)
            assert master.receive().kind == "ended"

    def run(worker):
        (made,) = worker.tls.values()
        # The same object has the same place in each fork.
        worker.channel.send("tls", id(made.context()))
        os._exit(0)

    served(says, run)
    assert seen[0] == seen[1]


def test_signals_for_the_master_do_not_end_it(served):
    def says(master):
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
            os.kill(os.getpid(), number)
        master.send("configure", (config(), REACTOR))
        assert master.receive().kind == "configured"

    # By then it ignores them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    served(says)


def test_each_worker_has_the_file_of_locks(served):
    answers = []

    def says(master):
        with tempfile.TemporaryFile() as file:
            master.send("locks", None, [file.fileno()])
            master.send("configure", (config(), REACTOR))
            assert master.receive().kind == "configured"
            own, theirs = channel_pair()
            with theirs:
                master.send("fork", 1, [theirs.fileno()])
            answers.append((own.receive().content, os.fstat(file.fileno()).st_ino))

    def run(worker):
        worker.channel.send("here", os.fstat(worker.locks).st_ino)
        os._exit(0)

    served(says, run)
    ((there, here),) = answers
    assert there == here
