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
