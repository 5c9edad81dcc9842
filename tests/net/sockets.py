"""A proxy between real sockets, with the test as the reactor: it says whose turn it is."""

import contextlib
import select
import socket

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed
from twisted.internet.posixbase import _DisconnectSelectableMixin
from twisted.internet.protocol import Protocol
from twisted.internet.task import Clock

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.net.transports.turn_writes import TurnWrites


def connected_pair(kernel):
    """Two ends of a TCP connection over loopback, for which the kernel holds about so many bytes."""
    here = socket.socket()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        for one in (here, listening):
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, kernel)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, kernel)
        here.connect(listening.getsockname())
        there, _ = listening.accept()
    return here, there


def _received(end):
    with contextlib.suppress(BlockingIOError):
        return end.recv(65536)
    return b""


class SocketPeer:
    """What a peer of other tests takes for a connection, at this ``end``."""

    def __init__(self, end):
        self.end = end
        self.send = end.sendall

    def take(self):
        """What has come since the last call."""
        return _received(self.end)


class Turns(_DisconnectSelectableMixin, Clock):
    """A reactor whose turns are the test's, and which ends none of them: what is due at the end is in ``due``."""

    def __init__(self):
        super().__init__()
        self.readers, self.writers = set(), set()
        self.addReader, self.addWriter = self.readers.add, self.writers.add
        self.removeReader, self.removeWriter = self.readers.discard, self.writers.discard
        self.due = []
        self.turn_writes = TurnWrites(self.due.append)

    def read(self, patience=0):
        """Let all read that can; wait ``patience`` seconds for the first."""
        for one in select.select(list(self.readers), [], [], patience)[0]:
            if one in self.readers:
                self._after(one, one.doRead(), True)

    def write(self):
        """Let all write that can."""
        for one in select.select([], list(self.writers), [], 0)[1]:
            if one in self.writers:
                self._after(one, one.doWrite(), False)

    def _after(self, one, why, reading):
        if why is not None:
            self._disconnectSelectable(one, why, reading)

    def end_turn(self):
        """Run what is due."""
        due = self.due[:]
        self.due.clear()
        for call in due:
            call()
        self.advance(0)

    def turn(self):
        """A whole turn."""
        self.read()
        self.write()
        self.end_turn()


def plain_transport(kernel=65536):
    """A plain connection with a protocol that does nothing, and the test's end of it. Its turns are the test's."""
    here, there = connected_pair(kernel)
    here.setblocking(False)
    return tcp.Server(here, Protocol(), here.getpeername(), None, 0, Turns()), there


def close(transport, there):
    """Close the sockets of both ends, whatever the transport still had in mind."""
    there.close()
    transport.socket.close()


class World:
    """A reverse proxy, one client and its upstreams: ``client`` and ``upstreams`` are the test's ends of sockets. More
    can wait in the kernel to come from an upstream than to go to the client.
    """

    def __init__(self, limits=None, middleware=(), upstream="http://10.0.0.1:80", h2c=False):
        self.reactor = Turns()
        self.factory = ReverseProxyFactory(
            Pool([upstream]),
            limits=limits or Limits(),
            middleware=middleware,
            h2c=h2c,
            reactor=self.reactor,
            via=None,
        )
        self.factory.services.dialer = self
        self.upstreams, self.sockets = [], []
        self.client, self.downstream = self.connect()

    def connect(self, kernel=16384):
        """One more client: the test's end of its connection, and the protocol at the other."""
        return self._connect(self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000)), kernel)

    def dial(self, address, build):
        """See :class:`txproxy.interfaces.IDialer`."""
        end, protocol = self._connect(build(), kernel=200_000)
        self.upstreams.append(end)
        return succeed(protocol)

    def _connect(self, protocol, kernel):
        end, other = connected_pair(kernel)
        end.setblocking(False)
        self.sockets.append(end)
        transport = tcp.Server(other, protocol, other.getpeername(), None, 0, self.reactor)
        transport.repstr = "a connection"
        protocol.makeConnection(transport)
        return end, protocol

    @property
    def waiting(self):
        """How many bytes for the client are in the proxy's memory."""
        transport = self.downstream.transport
        return len(transport.dataBuffer) - transport.offset + transport._tempDataLen

    def turns(self, number=3):
        """So many turns."""
        for _ in range(number):
            self.reactor.turn()

    def until(self, condition, what):
        """Take turns until ``condition()`` gives something, and give that."""
        for _ in range(10_000):
            result = condition()
            if result:
                return result
            self.reactor.read(patience=0.001)
            self.reactor.write()
            self.reactor.end_turn()
        raise AssertionError(f"not within ten thousand turns: {what}")

    def hear(self, end):
        """What comes to the test's end of a connection."""
        return self.until(lambda: _received(end), "something comes")

    def request(self, data):
        """The client sends, and an upstream gets it: the one that is there, or a new one."""
        self.client.sendall(data)
        return self.until(
            lambda: next(filter(None, map(_received, self.upstreams[-2:])), b""), "the request comes to an upstream"
        )

    def carry(self, source, data, sink, size=None, gulp=1 << 20):
        """Send ``data`` into ``source`` and read ``size`` bytes, or until the end, from ``sink``, in whole turns."""
        received = bytearray()
        left = memoryview(data)
        for _ in range(100_000):
            if size is not None and len(received) >= size:
                break
            if left:
                with contextlib.suppress(BlockingIOError):
                    left = left[source.send(left) :]
            self.reactor.turn()
            try:
                piece = sink.recv(gulp)
            except BlockingIOError:
                continue
            if not piece:
                break
            received += piece
        return bytes(received)

    def close(self):
        """Everybody leaves; what is left behind is an ``AssertionError``."""
        for one in self.sockets:
            one.close()
        self.turns()
        self.factory.stop()
        self.turns()
        assert not self.reactor.readers and not self.reactor.writers
        assert not self.reactor.getDelayedCalls()
