"""A mould and workers that a test plays, over real socket pairs, with a reactor that is none."""

import os
import select
import socket

from twisted.internet.testing import MemoryReactorClock

from txproxy.runtime.workers.channel import Channel, channel_pair


def readable(channel):
    """Whether something has come, or the end has."""
    return bool(select.select([channel], [], [], 0)[0])


class Reactor(MemoryReactorClock):
    """Reads what has come."""

    def turn(self):
        """Let all that is there be read and written."""
        while ready := [one for one in self.getReaders() if readable(one)]:
            for one in ready:
                # What one has heard may have ended another.
                if one in self.getReaders():
                    one.doRead()
        for one in list(self.getWriters()):
            if one in self.getWriters():
                one.doWrite()


class PlayedWorker:
    """What a forked worker would be."""

    def __init__(self, number, descriptor, reactor):
        self.number = number
        self._reactor = reactor
        self.channel = Channel(socket.socket(fileno=descriptor))

    def says(self, kind, content=None):
        """To the master, which hears it."""
        self.channel.send(kind, content)
        self._reactor.turn()

    def hears(self, shared=False):
        """What the master has said by now; what others have told is heard by who asks for what is ``shared``."""
        messages = []
        while readable(self.channel):
            came = self.channel.receive_all()
            if came is None:
                break
            messages += came
        return [message for message in messages if (message.kind == "shared") is shared]

    def ends(self):
        """It is gone."""
        self.channel.close()
        self._reactor.turn()


class PlayedMould:
    """What the mould would be: ``start`` is given to who starts one. ``workers`` are all that were asked for."""

    def __init__(self, reactor):
        self._reactor = reactor
        self.starts = 0
        self.workers = []
        self.configured = []
        self.became = []
        # descriptors of the file for locks, as each start was sent it
        self.locks = []
        self.channel = None

    def start(self):
        """Start it, once more perhaps."""
        self.starts += 1
        ours, theirs = channel_pair()
        self.channel = Channel(theirs)
        return ours, self

    pid = 0

    def poll(self):
        """Its status."""

    def turn(self):
        """Do what was asked for, and let the master hear of it."""
        while readable(self.channel):
            messages = self.channel.receive_all()
            if messages is None:
                self.channel.close()
                break
            for message in messages:
                if message.kind == "configure":
                    self.configured.append(message.content)
                    self.channel.send("configured")
                elif message.kind == "become":
                    self.became.append(message.content)
                elif message.kind == "locks":
                    self.locks += message.descriptors
                else:
                    self.workers.append(PlayedWorker(message.content, message.descriptors[0], self._reactor))
            self._reactor.turn()

    def says(self, kind, content=None):
        """To the master, which hears it."""
        self.channel.send(kind, content)
        self._reactor.turn()

    def close(self):
        """The test is over."""
        for descriptor in self.locks:
            os.close(descriptor)
        for worker in self.workers:
            worker.channel.close()
        if self.channel is not None:
            self.channel.close()
