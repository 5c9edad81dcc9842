"""The reactor with the faster loop, on real sockets: the test turns it by hand."""

import contextlib
import subprocess
import sys

import pytest
from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed

from tests.net.sockets import connected_pair
from txproxy import Pool, ReverseProxyFactory
from txproxy.reactor import TxproxyReactor

ANSWER = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class World:
    def __init__(self):
        self.reactor = TxproxyReactor()
        self.factory = ReverseProxyFactory(Pool(["http://10.0.0.1"]), via=None, reactor=self.reactor)
        self.factory.services.dialer = self
        self.ends = []
        self.upstreams = []
        self.client, _ = self.connect(self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 5)))

    def dial(self, address, build):
        end, protocol = self.connect(build())
        self.upstreams.append(end)
        return succeed(protocol)

    def connect(self, protocol):
        end, other = connected_pair(65536)
        end.setblocking(False)
        self.ends.append(end)
        protocol.makeConnection(tcp.Server(other, protocol, other.getpeername(), None, 0, self.reactor))
        return end, protocol

    def hear(self, end):
        for _ in range(1000):
            with contextlib.suppress(BlockingIOError):
                return end.recv(65536)
            self.reactor.doPoll(0.01)
            self.reactor.runUntilCurrent()
        raise AssertionError("nothing comes")

    def close(self):
        for end in self.ends:
            end.close()
        self.factory.stop()
        for _ in range(3):
            self.reactor.doPoll(0)
            self.reactor.runUntilCurrent()
        for selectable in self.reactor.removeAll():
            selectable.connectionLost(None)
        self.reactor._poller.close()


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


class WhenRead:
    """Calls a function in the turn in which its socket is readable."""

    def __init__(self, reactor, end, call):
        self.reactor = reactor
        self.end = end
        self.call = call
        reactor.addReader(self)

    def fileno(self):
        return self.end.fileno()

    def doRead(self):
        self.reactor.removeReader(self)
        self.call()

    def connectionLost(self, reason):
        pass

    def logPrefix(self):
        return ""


@pytest.mark.parametrize("method", [b"GET", b"POST"])
@pytest.mark.parametrize("spoken", ["before", "within", "left"])
def test_what_an_upstream_says_before_a_request_goes_out_answers_nobody(world, spoken, method):
    world.client.sendall(GET)
    assert world.hear(world.upstreams[0] if world.upstreams else first_upstream(world)).startswith(b"GET / ")
    world.upstreams[0].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER
    here, there = connected_pair(65536)
    world.ends += [here, there]
    # In the turn in which the client asks, and after it has been read, since it is readable first.
    say = world.upstreams[0].close if spoken == "left" else lambda: world.upstreams[0].sendall(POISON)
    reader = WhenRead(world.reactor, there, say)
    world.client.sendall(GET.replace(b"GET", method))
    if spoken == "before":
        world.reactor.removeReader(reader)
        say()
    else:
        here.sendall(b"x")
    world.reactor.doPoll(1)
    assert len(world.upstreams) == 2
    assert world.hear(world.upstreams[1]).startswith(method + b" / ")
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER


def first_upstream(world):
    world.reactor.doPoll(1)
    return world.upstreams[0]


def test_an_exchange_goes_on_for_as_long_as_there_is_something_to_do(world):
    for number in range(30):
        world.client.sendall(GET)
        assert world.hear(world.upstreams[0] if number else first_upstream(world)).startswith(b"GET / ")
        world.upstreams[0].sendall(ANSWER)
        assert world.hear(world.client) == ANSWER
    assert len(world.upstreams) == 1


def test_timers_come_though_the_time_of_day_is_set_back():
    program = """
import time
real, back = time.time, [0]
time.time = lambda: real() - back[0]
from txproxy.reactor import TxproxyReactor
reactor = TxproxyReactor()
called = []
reactor.callLater(0.05, called.append, "before")
back[0] = 3600
reactor.callLater(0.05, called.append, "after")
for _ in range(40):
    if len(called) == 2:
        break
    reactor.runUntilCurrent()
    reactor.doPoll(0.05)
print(*called)
"""
    # The modules of this process have the clock by now.
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "before after\n", done.stderr


class Asking(tcp.Server):
    """A client's connection from which there is always something to read, which takes ``takes`` seconds."""

    def __init__(self, crowd, end):
        self.crowd = crowd
        self.end = end
        self.reads = 0

    def fileno(self):
        return self.end.fileno()

    def doRead(self):
        self.reads += 1
        self.crowd.read.append(self)
        self.crowd.now += self.crowd.takes


class Crowd:
    """So many clients of a reactor that goes by a clock of its own, all of which ask again as soon as they are read."""

    def __init__(self, count, takes):
        self.reactor = TxproxyReactor()
        self.reactor.seconds = lambda: self.now
        self.now = 0.0
        self.takes = takes
        self.read = []
        self.ends = []
        self.clients = [Asking(self, self.ready()) for _ in range(count)]
        for client in self.clients:
            self.reactor.addReader(client)

    def ready(self):
        here, there = connected_pair(65536)
        self.ends += [here, there]
        here.sendall(b"x")
        return there

    def turn(self):
        """Who was read in one turn."""
        self.read = []
        self.reactor.doPoll(0)
        return self.read

    def close(self):
        self.reactor.removeAll()
        self.reactor._poller.close()
        for end in self.ends:
            end.close()


@pytest.fixture
def make_crowd():
    made = []

    def make_crowd(count, takes):
        made.append(Crowd(count, takes))
        return made[-1]

    yield make_crowd
    for crowd in made:
        crowd.close()


def test_an_upstream_that_answers_does_not_wait_for_all_who_ask(make_crowd):
    crowd = make_crowd(200, takes=0.001)
    assert len(crowd.turn()) == 64
    answers = [WhenRead(crowd.reactor, crowd.ready(), lambda: crowd.read.append("answer")) for _ in range(3)]
    read = crowd.turn()
    assert read[:3] == ["answer"] * 3
    # Another that comes now waits no longer than this takes, nor does what is written.
    assert 3 < len(read) <= 8 + len(answers)


def test_all_who_ask_have_their_turns_where_answers_are_read_first(make_crowd):
    crowd = make_crowd(200, takes=0.001)
    for _ in range(200):
        crowd.turn()
    counts = sorted(client.reads for client in crowd.clients)
    assert counts[0] and counts[-1] <= counts[0] + 1


def test_where_each_takes_but_a_moment_many_are_read_in_a_turn(make_crowd):
    crowd = make_crowd(200, takes=0.00002)
    assert [len(crowd.turn()) for _ in range(3)] == [64] * 3
    # A long turn is none for ever.
    crowd.takes = 0.001
    assert [len(crowd.turn()) for _ in range(2)] == [64, 8]
    crowd.takes = 0.00002
    assert [len(crowd.turn()) for _ in range(2)] == [8, 64]
