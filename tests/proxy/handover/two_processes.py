"""Two processes that the test is both of: connections of one go on in the other, over real sockets, turn by turn."""

import contextlib
import pickle
import socket

from twisted.internet import tcp
from twisted.internet.address import IPv4Address
from twisted.internet.defer import succeed

from tests.net.sockets import Turns, connected_pair
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.forward import ForwardPolicy, ForwardProxyFactory
from txproxy.interfaces.attempt import Attempt
from txproxy.limits.requests.concurrency import hold_places
from txproxy.proxy.handover.carried import Carried
from txproxy.proxy.handover.giving import Given
from txproxy.proxy.handover.taking import connection_of, take_resting, take_tunnel
from txproxy.stream.stream_factory import StreamFactory
from txproxy.upstreams.choice import PoolAttempt

UPGRADE = b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: chat\r\nX-Request-Id: r7\r\n\r\n"
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n"
CONNECT = b"CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: a\r\n\r\n"
GET = b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# More than the kernel holds for an end that reads nothing.
MUCH = 300_000
KINDS = ("upgrade", "connect", "tcp")


class Process:
    """A proxy of a ``kind``; ``records`` are what was said of what has ended."""

    def __init__(self, kind, limits=None, middleware=(), bounds=None, **more):
        self.kind, self.reactor, self.records = kind, Turns(), []
        self.find_bounds, self.limits = bounds, {}
        self.pool = Pool(["http://10.0.0.1:80"], name="app")
        self.upstreams, self.sockets = [], []
        common = {"limits": limits or Limits(), "middleware": middleware, "reactor": self.reactor}
        common |= {"observers": (self.records.append,), **more}
        if kind == "tcp":
            self.factory = StreamFactory(self.pool, bounds=bounds, **common)
        elif kind == "connect":
            policy = ForwardPolicy(allow_destinations=["10.0.0.0/8"], bounds=bounds)
            self.factory = ForwardProxyFactory(policy, **common)
        else:
            self.factory = ReverseProxyFactory(self.pool, via=None, **common)
        self.factory.services.dialer = self

    def dial(self, address, build):
        """See :class:`txproxy.interfaces.IDialer`."""
        end, protocol = self._connect(build())
        self.upstreams.append(end)
        return succeed(protocol)

    def _connect(self, protocol):
        end, other = connected_pair(16384)
        end.setblocking(False)
        # Or the second of two small pieces waits until the first is acknowledged.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sockets.append(end)
        transport = tcp.Server(other, protocol, other.getpeername(), None, 0, self.reactor)
        transport.repstr = "a connection"
        protocol.makeConnection(transport)
        return end, protocol

    def client(self):
        """One that has connected."""
        return self._connect(self.factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000)))[0]

    @property
    def guests(self):
        """Who is there."""
        return self.factory.admission.everyone()

    # -- see txproxy.proxy.handover.taking.Surroundings

    def attempt(self, address, pool, upstream, current, place):
        """See there."""
        (chosen,) = self.pool.upstreams
        if self.kind == "connect":
            assert pool is upstream is None
            return Attempt(address, None)
        assert (pool, upstream) == ("app", chosen.name)
        if current:
            self.pool.take_this(chosen, place)
        return PoolAttempt(chosen, address, None, chosen, None)

    def bounds(self, client_ip, user, rule):
        """See there."""
        return self.find_bounds(client_ip, user, rule) if self.find_bounds is not None else None

    def hold_places(self, context, places):
        """See there."""
        hold_places(context, self.limits, places)


class Both:
    """The ``old`` one and the ``new`` one."""

    def __init__(self, kind, old=None, new=None):
        self.old = old or Process(kind)
        self.new = new or Process(kind)
        self.kind = kind
        self.client = self.upstream = None

    def turns(self, number=3):
        """So many turns of both."""
        for _ in range(number):
            for process in (self.old, self.new):
                process.reactor.turn()

    def hear(self, end, size=None):
        """What comes to the test's end of a connection, so much of it or something; empty for its end."""
        heard = b""
        for _ in range(20_000):
            self.old.reactor.read(patience=0.0005)
            self.turns(1)
            with contextlib.suppress(BlockingIOError):
                piece = end.recv(65536)
                heard += piece
                if not piece or size is None or len(heard) >= size:
                    return heard
        raise AssertionError(f"{len(heard)} bytes have come")

    def open(self):
        """A tunnel in the old one."""
        self.client = self.old.client()
        if self.kind == "upgrade":
            self.client.sendall(UPGRADE)
            self.turns(6)
            self.upstream = self.old.upstreams[-1]
            self.hear(self.upstream)
            self.upstream.sendall(SWITCHED)
            assert self.hear(self.client).startswith(b"HTTP/1.1 101")
        elif self.kind == "connect":
            self.client.sendall(CONNECT)
            assert self.hear(self.client).startswith(b"HTTP/1.1 200")
            self.upstream = self.old.upstreams[-1]
        else:
            self.turns()
            self.upstream = self.old.upstreams[-1]
        self.chat()
        return self

    def chat(self):
        """Something goes each way."""
        for one, other in ((self.client, self.upstream), (self.upstream, self.client)):
            one.sendall(b"word")
            assert self.hear(other, 4) == b"word"

    def give(self):
        """The one connection leaves the old process."""
        (guest,) = self.old.guests
        given = guest.give()
        if given is not None:
            assert self.old.guests == [] and guest.exchanges() == []
        return given

    def hand_over(self, changed=None):
        """It goes to the new one, where it is taken, and begun; it may be ``changed`` on its way."""
        given = self.give()
        # As over a channel.
        carried = Carried.of(pickle.loads(pickle.dumps(given.carried.plain())))
        assert carried == given.carried
        carried = changed(carried) if changed is not None else carried
        copies = tuple(socket.socket(fileno=one.detach()) for one in map(socket.socket.dup, given.sockets))
        start = self.take(Given(carried, copies))
        given.close()
        start()
        return carried

    def take(self, given, process=None):
        """Give what begins it there."""
        process = process or self.new
        carried, sockets = given.carried, given.sockets
        factory = process.factory
        connection = connection_of(carried, process.reactor, sockets[0])
        assert factory.admission.welcomes(connection, moves=True)
        if carried.tunnel is None:
            return take_resting(carried, connection, factory, None)
        if isinstance(factory, StreamFactory):
            return factory.take(carried, connection, sockets[1], process)
        return take_tunnel(carried, connection, factory, sockets[1], process)

    def close(self):
        """Everybody leaves; what is left behind is an ``AssertionError``."""
        for one in self.old.sockets + self.new.sockets:
            one.close()
        self.turns()
        for process in (self.old, self.new):
            process.factory.stop()
            self.turns()
            assert not process.reactor.readers and not process.reactor.writers
            assert not process.reactor.getDelayedCalls()
            assert process.guests == [] and process.pool.upstreams[0].active == 0
