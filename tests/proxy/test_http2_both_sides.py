"""HTTP/2 from clients to upstreams, by all short cuts there are and by none of them: all that is seen is the same."""

import pytest
from hpack import Encoder

from tests.proxy.both_ways import Sides, assert_same
from tests.proxy.upstream.http2_peer import data_frame
from tests.wire.http2.taken_apart import taken_apart
from txproxy import Pool, ReverseProxyFactory
from txproxy.proxy.downstream.http2.alike_requests import AlikeExchange
from txproxy.proxy.downstream.http2.request_stream import RequestStream
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.standing_exchange import StandingExchange
from txproxy.proxy.upstream.http2.http2_stream import StartedStream
from txproxy.proxy.upstream.http2.http2_upstream import Http2Upstream
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames
from txproxy.wire.http2.client import ClientSession
from txproxy.wire.http2.server import ServerSession
from txproxy.wire.http2.session import Session

pytestmark = pytest.mark.usefixtures("no_time_of_day")

HELLO = frames.PREFACE + frames.settings([]) + frames.SETTINGS_ACK
GET = [(":method", "GET"), (":scheme", "http"), (":authority", "a"), (":path", "/x"), ("user-agent", "u")]
OTHERS = [
    [*GET[:3], (":path", "/y"), GET[4]],
    [(":method", "HEAD"), *GET[1:]],
    [*GET[:4], ("user-agent", "v")],
    [*GET[:2], (":authority", "b"), *GET[3:]],
    [*GET, ("priority", "u=1, i")],
    [GET[0], (":scheme", "https"), *GET[2:]],
]
ALIKE = [(":status", "200"), ("date", "D"), ("content-length", "5")]
ANSWERS = [
    ([(":status", "200"), ("date", "D")], b"longer than it was"),
    ([(":status", "503"), ("date", "D"), ("content-length", "2")], b"no"),
    ([(":status", "302"), ("location", "http://10.0.0.1/y"), ("content-length", "2")], b"to"),
    ([(":status", "204"), ("date", "D")], b""),
    (ALIKE, b"four"),
]


def by_the_slow_twins(patch):
    def start(self, exchange, head, seconds=None):
        exchange.upstream = one = self.open()
        if exchange.started is not None:
            exchange.kept = one
        one.begin(exchange, head, seconds)

    patch.setattr(Http2Upstream, "start", start)
    patch.setattr(RequestStream, "begin", RequestStream._ask)
    patch.setattr(ServerSession, "receive", Session.receive)
    patch.setattr(ClientSession, "send_again", lambda *_: False)


class World(Sides):
    def __init__(self, seed, short, observed):
        super().__init__(seed, short, observed, "h2c://10.0.0.1", h2c=True)
        self.encoders = [Encoder() for _ in self.clients]
        self.numbers = [1 for _ in self.clients]
        self.asked = [[] for _ in self.clients]
        self.peers = {}
        for client in self.clients:
            client.send(HELLO)

    # -- what may happen

    def ask(self):
        """One client asks, for several things at once mostly."""
        place = self.chosen.randrange(len(self.clients))
        data = b""
        for _ in range(self.chosen.choice([1, 1, 2, 5, 9])):
            fields = GET if self.chosen.random() < 0.9 else self.chosen.choice(OTHERS)
            number = self.numbers[place]
            data += frames.headers(number, self.encoders[place].encode(fields), True, 16384)
            self.asked[place].append(number)
            self.numbers[place] += 2
        if self.chosen.random() < 0.1:
            data += frames.rst_stream(self.chosen.choice(self.asked[place]), 8)
        self.send(self.clients[place], data)

    def answer(self):
        """The upstream answers some of what it was asked."""
        for connection, (encoder, open_ones) in self.peers.items():
            data = b""
            for number in open_ones[: self.chosen.choice([1, 3, 20])]:
                fields, body = (ALIKE, b"%05d" % number) if self.chosen.random() < 0.9 else self.chosen.choice(ANSWERS)
                open_ones.remove(number)
                data += frames.headers(number, encoder.encode(fields), not body, 16384)
                data += data_frame(number, body, ended=True) if body else b""
            self.send(connection, data)

    def refuse(self):
        for connection, (_, open_ones) in self.peers.items():
            if open_ones:
                self.send(connection, frames.rst_stream(open_ones.pop(), self.chosen.choice([7, 8])))

    def say_how_many(self):
        for connection in self.peers:
            streams, table = self.chosen.choice([1, 5, 100]), self.chosen.choice([0, 4096])
            said = [(frames.MAX_CONCURRENT_STREAMS, streams), (frames.HEADER_TABLE_SIZE, table)]
            self.send(connection, frames.settings(said))

    def go_away(self):
        for connection, (_, open_ones) in self.peers.items():
            last = self.chosen.choice([*open_ones, 0, 1001])
            self.send(connection, frames.goaway(last, 0))
            open_ones[:] = [number for number in open_ones if number <= last]

    def windows(self):
        client = self.chosen.choice(self.clients)
        said = [(frames.INITIAL_WINDOW_SIZE, 12), (frames.HEADER_TABLE_SIZE, self.chosen.choice([0, 4096]))]
        self.send(client, frames.window_update(0, 100) + frames.settings(said))

    def take_nothing(self):
        client = self.chosen.choice(self.clients)
        client.stop_reading()
        self.answer()
        client.read_on()

    def leave(self):
        for connection in [*self.peers][:1]:
            connection.drop()

    # -- what comes of it

    def look(self):
        for place, connection in enumerate(self.proxy.network.connections):
            data = connection.take()
            if connection.closed or connection.disconnecting:
                self.peers.pop(connection, None)
            elif connection not in self.peers and data:
                self.peers[connection] = Encoder(), []
                connection.send(frames.settings([]) + frames.SETTINGS_ACK)
            for name, flags, number, payload in taken_apart(data.removeprefix(frames.PREFACE)):
                self.seen.append((place, name, flags, number, payload))
                if connection in self.peers and name == "HEADERS":
                    self.peers[connection][1].append(number)
                elif connection in self.peers and name == "RST_STREAM" and number in self.peers[connection][1]:
                    self.peers[connection][1].remove(number)
        for one in self.clients:
            self.seen.append((one.closed, one.disconnecting, one.reset))
            self.seen += taken_apart(one.take())
        for protocol in self.upstreams():
            session = protocol.session
            self.seen.append((protocol.capacity, session.active, protocol.deadline))
            for one in session.streams.values():
                limit = one._limit.seconds if one.open else None
                self.seen.append((one.id, one.state, one.open, one.placed, one.reused, one.request_sent, limit))
                self.seen.append((one.receive_window, one.send_window, one.method, one.headed, one.deadline))

    def upstreams(self):
        return [one._protocol for one in self.proxy.network.connections if isinstance(one._protocol, Http2Upstream)]

    def run(self, several=True):
        steps = [self.ask] * 8 + [self.answer] * 8 + [self.wait, self.windows, self.take_nothing]
        if several:
            steps += [self.refuse, self.say_how_many, self.go_away, self.leave]
        started = 0
        for _ in range(60):
            self.chosen.choice(steps)()
            started += sum(type(one) is StartedStream for up in self.upstreams() for one in up.session.streams.values())
            self.look()
        self.end_all()
        return started


@pytest.mark.parametrize("observed", [True, False], ids=["observed", "unobserved"])
@pytest.mark.parametrize("seed", range(25))
def test_all_is_as_by_the_slow_twins(monkeypatch, seed, observed):
    short = World(seed, True, observed)
    assert short.run() > 0
    by_the_slow_twins(monkeypatch)
    slow = World(seed, False, observed)
    assert slow.run() == 0
    if observed:
        assert {StandingExchange, AlikeExchange} & set(short.kinds) and set(slow.kinds) == {Exchange}
    assert_same(short, slow)


@pytest.mark.parametrize("seed", range(25))
def test_responses_are_told_of_as_each_of_them_alone(monkeypatch, seed):
    # With several connections, which of those that have room is first hangs on when each response is told of.
    worlds = World(seed, True, True), World(seed, True, True)
    worlds[0].run(several=False)
    monkeypatch.setattr(ClientSession, "receive", Session.receive)
    worlds[1].run(several=False)
    assert len(worlds[0].proxy.network.connections) == 1
    assert_same(*worlds)


# RFC 7541 6.2.3
def test_what_is_to_be_in_no_table_is_told_to_be_so_on_both_sides():
    secret, open_ = b"\x10\x08x-secret\x01v", b"\0\x06x-open\x01v"
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["h2c://u"]), h2c=True, reactor=reactor))
    client = proxy.connect()
    block = Encoder().encode(GET) + secret + open_
    client.send(HELLO + b"".join(frames.headers(number, block, True, 16384) for number in (1, 3, 5)))
    upstream = proxy.upstream
    asked = [one for one in taken_apart(upstream.take()[len(frames.PREFACE) :]) if one[0] == "HEADERS"]
    answer = b"\x88" + secret + open_
    upstream.send(
        frames.settings([])
        + b"".join(frames.headers(one[2], answer, False, 16384) + data_frame(one[2], b"ok", True) for one in asked)
    )
    answered = [one for one in taken_apart(client.take()) if one[0] == "HEADERS"]
    assert len(asked) == len(answered) == 3
    assert all(secret in payload and open_ in payload for *_, payload in [*asked, *answered])
    proxy.close()
