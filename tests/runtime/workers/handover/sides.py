"""A worker that leaves, and one that stays: the test is the other one."""

import socket

import attrs

from tests.runtime.workers.played import Reactor, readable
from txproxy.net.transports.handed_transports import HandedSocket
from txproxy.proxy.handover.carried import VERSION, Carried
from txproxy.proxy.handover.giving import Given
from txproxy.runtime.workers.channel import Channel, channel_pair
from txproxy.runtime.workers.handover.giver import Giver, Place
from txproxy.runtime.workers.handover.taker import Taker

CARRIED = Carried(client=HandedSocket(2, ("10.0.0.1", 1)), peer_ip="10.0.0.1", peer_scheme="http", left=1.0)


class Client:
    """One that can go, once, if it ``may``; the test has the other end of its socket."""

    def __init__(self, may=True):
        self.may = may
        self.here, self.there = socket.socketpair()
        self.transport = self.here
        self.aborted = False

    def give(self):
        if self.may == "broken":
            raise ZeroDivisionError
        if not self.may:
            return None
        self.may = False
        return Given(CARRIED, (self.here,))

    def abort(self):
        self.aborted = True
        self.here.close()


class Admission:
    def __init__(self, clients):
        self.clients = clients
        self.returned = 0

    def everyone(self):
        return list(self.clients)

    def arrived(self):
        self.returned += 1


@attrs.define(eq=False)
class Factory:
    admission: Admission


class Leaving:
    """A worker that leaves with ``clients``."""

    def __init__(self, *clients):
        self.reactor = Reactor()
        self.clients = list(clients)
        self.back, self.lonely = [], 0
        self.channel, theirs = channel_pair()
        self.place = Place("web", False, Factory(Admission(self.clients)))
        self.giver = Giver(
            self.reactor,
            Channel(theirs),
            lambda: [self.place],
            self.take_back,
            self.alone,
        )
        self.settled = self.giver.begin()

    def take_back(self, place, given):
        self.back.append((place, given))
        return given.sockets[0]

    def alone(self):
        self.lonely += 1

    def turn(self):
        self.reactor.turn()

    def says(self, kind, content):
        self.channel.send(kind, content)
        self.turn()

    def hears(self):
        found = []
        while readable(self.channel):
            came = self.channel.receive_all()
            if came is None:
                break
            found += came
        return found

    def close(self):
        self.giver.end()
        self.channel.close()
        for one in self.clients:
            one.here.close()
            one.there.close()
        assert not self.reactor.getDelayedCalls() and not self.reactor.getReaders()


def is_open(end):
    """Whether somebody has the other end."""
    end.setblocking(False)
    try:
        return end.recv(1) != b""
    except BlockingIOError:
        return True


class Staying:
    """A worker that takes, by ``prepare``."""

    def __init__(self):
        self.reactor = Reactor()
        self.channel, theirs = channel_pair()
        self.answer, self.prepared, self.begun, self.ended = True, [], 0, []
        self.taker = Taker(self.reactor, Channel(theirs), self.prepare, self.ended.append)
        (hello,) = self.hears()
        assert (hello.kind, hello.content) == ("takes", (VERSION,))

    def prepare(self, listener, told, given):
        self.prepared.append((listener, told, given))
        if self.answer == "broken":
            raise ZeroDivisionError
        return self.begin if self.answer else None

    def begin(self):
        self.begun += 1
        # Before the first byte, the other one can know.
        assert self.hears()[-1].kind == "taken"

    hears = Leaving.hears

    def given(self, plain=None):
        here, there = socket.socketpair()
        with here:
            self.channel.send("connection", (7, "web", True, plain or CARRIED.plain()), [here.fileno()])
        self.reactor.turn()
        return there

    def close(self):
        self.channel.close()
        self.reactor.turn()
        for *_, given in self.prepared:
            given.close()
        assert self.ended == [self.taker] and not self.reactor.getReaders()
