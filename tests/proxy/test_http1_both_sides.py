"""HTTP/1 from clients to upstreams, by all short cuts there are and by none of them: all that is seen is the same."""

import pytest

from tests.proxy.both_ways import Sides, assert_same
from txproxy.proxy.exchanges.standing_exchange import StandingExchange
from txproxy.proxy.upstream.http1 import UpstreamProtocol
from txproxy.upstreams import Ejection, PoolSettings
from txproxy.wire.http1.client import ClientCodec
from txproxy.wire.http1.server import ServerCodec

pytestmark = pytest.mark.usefixtures("no_time_of_day")

GET = b"GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"
OTHERS = [
    GET.replace(b"/x", b"/y"),
    GET.replace(b"/x", b"/y"),
    GET.replace(b"/x", b"http://a/x"),
    GET.replace(b"GET", b"HEAD"),
    GET.replace(b"A: b", b"A: c"),
    GET.replace(b"A: b", b"Authorization: NTLM TlRM"),
    GET.replace(b"1.1", b"1.0"),
    GET.replace(b"A: b", b"Connection: close"),
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc",
    b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na",
    b"\r\n" + GET,
    GET * 2,
    GET * 5,
    GET + GET[:9],
]
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\nhello"
ANSWERS = [
    OK.replace(b"hello", b"HELLO"),
    OK.replace(b"5", b"2")[:-3],
    OK.replace(b"D\r", b"E\r"),
    OK.replace(b"Date: D\r\n", b""),
    OK.replace(b"200 OK", b"503 No"),
    OK.replace(b"200 OK", b"404 Not Found"),
    OK.replace(b"200 OK", b"401 Who").replace(b"Date", b"WWW-Authenticate: NTLM\r\nDate"),
    OK.replace(b"200 OK", b"302 Found").replace(b"Date", b"Location: http://10.0.0.1/y\r\nDate"),
    OK.replace(b"HTTP/1.1", b"HTTP/1.0").replace(b"Date", b"Connection: keep-alive\r\nDate"),
    OK.replace(b"Date", b"Connection: close\r\nDate"),
    OK.replace(b"Date", b"Connection: x\r\nX: 1\r\nDate"),
    b"HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n",
    b"HTTP/1.1 103 Early Hints\r\nLink: l\r\n\r\n" + OK,
    b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 2x0 OK\r\n\r\n",
    OK + b"more",
    OK + OK,
    OK[:-2],
]


def by_the_slow_twins(patch):
    def start(self, exchange, head, seconds=None):
        self.capacity = 0
        exchange.upstream = self
        if exchange.started is not None:
            exchange.kept = self
        self.begin(exchange, head, seconds)

    patch.setattr(UpstreamProtocol, "start", start)
    patch.setattr(ServerCodec, "again", lambda *_: None)
    patch.setattr(ClientCodec, "again", lambda *_: None)


class World(Sides):
    mostly_whole = 9

    def __init__(self, seed, short, observed, **options):
        super().__init__(seed, short, observed, "http://10.0.0.1", PoolSettings(ejection=Ejection()), **options)
        # as they are for a while
        self.request, self.response = GET, OK
        # the method of what each upstream was asked
        self.asked = {}

    # -- what may happen

    def ask(self):
        place = self.chosen.randrange(len(self.clients))
        if self.clients[place].closed or self.clients[place].disconnecting or self.clients[place].ended:
            self.clients[place] = self.proxy.connect()
        if self.chosen.random() < 0.1:
            self.request = self.chosen.choice([*OTHERS, *[GET] * len(OTHERS)])
        self.send(self.clients[place], self.request)

    def answer(self):
        for connection in self.proxy.network.connections:
            head = self.asked.pop(connection, None)
            if head is None:
                continue
            if self.chosen.random() < 0.1:
                self.response = self.chosen.choice([*ANSWERS, *[OK] * len(ANSWERS)])
            response = self.response
            if head == b"HEAD" and self.chosen.random() < 0.9:
                response = response.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            self.send(connection, response)

    def take_nothing(self):
        client = self.chosen.choice(self.clients)
        client.stop_reading()
        self.answer()
        self.ask()
        client.read_on()

    def end(self):
        for connection in self.proxy.network.connections[-2:]:
            if not connection.closed:
                self.chosen.choice([connection.end, connection.drop])()

    def leave(self):
        self.chosen.choice(self.clients).drop()

    # -- what comes of it

    def look(self):
        for place, connection in enumerate(self.proxy.network.connections):
            data = connection.take()
            if data:
                self.seen.append((place, data))
                self.asked[connection] = data.partition(b" ")[0]
            self.seen.append((connection.closed, connection.reset))
            protocol = connection._protocol
            if protocol is not None:
                self.seen.append((protocol.capacity, protocol.reused, protocol.request_sent, protocol.received_any))
                self.seen.append((protocol.deadline, protocol.state))
        for one in self.clients:
            self.seen.append((one.closed, one.disconnecting, one.reset, one.ended, one.take()))
            protocol = one._protocol
            if protocol is not None:
                self.seen.append((protocol.deadline, protocol.state, protocol.codec.started))
        self.seen.append((len(self.proxy.factory.services.connections), len(self.proxy.network.dialed)))

    def run(self):
        steps = [self.ask] * 10 + [self.answer] * 10 + [self.wait, self.take_nothing, self.end, self.leave]
        for _ in range(150):
            self.chosen.choice(steps)()
            self.look()
        self.end_all()


@pytest.mark.parametrize("observed", [True, False], ids=["observed", "unobserved"])
@pytest.mark.parametrize("seed", range(25))
def test_all_is_as_by_the_slow_twins(monkeypatch, seed, observed):
    hits = {ServerCodec: 0, ClientCodec: 0}
    for codec in hits:
        again = codec.again

        def counted(self, data, codec=codec, again=again):
            found = again(self, data)
            hits[codec] += found is not None
            return found

        monkeypatch.setattr(codec, "again", counted)
    short = World(seed, True, observed)
    short.run()
    assert sum(hits.values()) > 0
    by_the_slow_twins(monkeypatch)
    slow = World(seed, False, observed)
    slow.run()
    assert not observed or (StandingExchange in short.kinds and StandingExchange not in slow.kinds)
    assert_same(short, slow)
