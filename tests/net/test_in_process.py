"""Connections within the process, bare and with a twisted.web server at the other end."""

import os

import pytest
from twisted.internet import task
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IPullProducer, IPushProducer
from twisted.internet.protocol import Factory, Protocol
from twisted.logger import capturedLogs
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET
from twisted.web.static import Data, File
from zope.interface import implementer

from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.errors import DialError
from txproxy.net.dialing import Dialer
from txproxy.net.in_process import connect_local
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream_urls import local_upstream

HIGH = 65536
# One of these is a turn of File's producers; what has no delay happens within one.
STEP = 0.001


class Peer(Protocol):
    """Writes down what it is told."""

    def __init__(self):
        self.pieces = []
        self.ended = False
        self.lost = None
        self.paused = 0

    @property
    def received(self):
        return b"".join(self.pieces)

    def dataReceived(self, data):
        self.pieces.append(data)

    def connectionLost(self, reason):
        assert self.lost is None
        self.lost = reason.type


@implementer(IHalfCloseableProtocol)
class TwoWay(Peer):
    def readConnectionLost(self):
        self.ended = True

    def writeConnectionLost(self):
        pass


@implementer(IPushProducer)
class Push:
    def __init__(self):
        self.said = []

    def pauseProducing(self):
        self.said.append("pause")

    def resumeProducing(self):
        self.said.append("resume")

    def stopProducing(self):
        self.said.append("stop")


@implementer(IPullProducer)
class Pull:
    def __init__(self, transport, pieces):
        self.transport = transport
        self.pieces = pieces
        self.stopped = False

    def resumeProducing(self):
        if self.pieces:
            self.transport.write(self.pieces.pop(0))
        else:
            self.transport.unregisterProducer()

    def stopProducing(self):
        self.stopped = True


@pytest.fixture
def clock():
    return task.Clock()


@pytest.fixture
def connect(clock):
    def connect(client=TwoWay, server=TwoWay):
        answering = server()
        factory = Factory.forProtocol(lambda: answering)
        asking = client()
        results = []
        connect_local(clock, factory, lambda: asking).addCallback(results.append)
        assert results == [asking]
        return asking, answering

    return connect


def turn(clock, times=1):
    for _ in range(times):
        clock.advance(STEP)


# -- bare


def test_what_is_written_arrives_a_turn_later_and_in_one_piece(clock, connect):
    client, server = connect()
    client.transport.write(b"a")
    client.transport.writeSequence([b"b", bytearray(b"c")])
    client.transport.write(b"")
    assert server.received == b""
    turn(clock)
    assert server.pieces == [b"abc"]
    server.transport.write(b"d")
    turn(clock)
    assert client.pieces == [b"d"]


def test_nobody_has_an_address_but_one_that_urls_can_be_made_of(clock, connect):
    client, server = connect()
    assert (server.transport.getHost().host, server.transport.getHost().port) == ("127.0.0.1", 80)
    assert client.transport.getPeer() == server.transport.getHost()
    assert client.transport.getHost() == server.transport.getPeer()


@pytest.mark.parametrize("direction", ["up", "down"])
def test_a_producer_is_paused_while_the_other_end_does_not_read(clock, connect, direction):
    client, server = connect()
    writer, reader = (client, server) if direction == "up" else (server, client)
    producer = Push()
    writer.transport.registerProducer(producer, True)
    reader.transport.pauseProducing()
    writer.transport.write(bytes(HIGH))
    assert producer.said == []
    writer.transport.write(b"x")
    assert producer.said == ["pause"]
    writer.transport.write(b"y")
    turn(clock, 5)
    assert reader.received == b"" and producer.said == ["pause"]
    reader.transport.resumeProducing()
    turn(clock)
    assert len(reader.received) == HIGH + 2
    assert producer.said == ["pause", "resume"]


def test_a_producer_that_is_not_slow_is_left_alone(clock, connect):
    client, _ = connect()
    producer = Push()
    client.transport.registerProducer(producer, True)
    with pytest.raises(RuntimeError):
        client.transport.registerProducer(producer, True)
    for _ in range(10):
        client.transport.write(bytes(HIGH))
        turn(clock)
    assert producer.said == []


def test_who_pauses_within_a_piece_gets_no_other(clock, connect):
    client, server = connect()
    server.dataReceived = lambda data: (server.pieces.append(data), server.transport.pauseProducing())
    client.transport.write(b"a")
    turn(clock)
    client.transport.write(b"b")
    turn(clock, 3)
    assert server.pieces == [b"a"]
    server.transport.resumeProducing()
    turn(clock)
    assert server.pieces == [b"a", b"b"]


def test_a_producer_that_has_to_be_asked_is_asked_as_often_as_there_is_room(clock, connect):
    client, server = connect()
    producer = Pull(client.transport, [b"%d" % number for number in range(5)])
    server.transport.pauseProducing()
    client.transport.registerProducer(producer, False)
    turn(clock, 10)
    assert len(producer.pieces) == 4
    server.transport.resumeProducing()
    turn(clock, 10)
    assert server.received == b"01234"
    assert not producer.pieces


def test_closing_lets_what_was_written_arrive(clock, connect):
    client, server = connect()
    server.transport.pauseProducing()
    client.transport.write(b"last words")
    client.transport.loseConnection()
    client.transport.write(b"too late")
    turn(clock, 3)
    assert client.lost is ConnectionDone and server.lost is None
    server.transport.resumeProducing()
    turn(clock)
    assert server.received == b"last words"
    # To write to who has closed is no way to get anything back.
    server.transport.write(b"x")
    turn(clock, 3)
    assert server.lost is ConnectionDone and not server.ended
    assert client.received == b""


def test_closing_waits_for_the_producer(clock, connect):
    client, server = connect()
    client.transport.registerProducer(Push(), True)
    client.transport.loseConnection()
    client.transport.loseConnection()
    client.transport.write(b"from the producer")
    turn(clock, 3)
    assert client.lost is None
    client.transport.unregisterProducer()
    turn(clock, 3)
    assert server.received == b"from the producer"
    assert client.lost is ConnectionDone and server.lost is ConnectionDone


def test_one_direction_can_be_closed_and_the_other_go_on(clock, connect):
    client, server = connect()
    client.transport.write(b"question")
    client.transport.loseWriteConnection()
    client.transport.write(b"no more of it")
    turn(clock)
    assert server.received == b"question" and server.ended and server.lost is None
    server.transport.write(b"answer")
    turn(clock)
    assert client.received == b"answer"
    server.transport.loseConnection()
    turn(clock, 3)
    assert client.lost is ConnectionDone and server.lost is ConnectionDone


def test_who_closes_after_a_half_close_is_gone_for_the_other_as_well(clock, connect):
    client, server = connect()
    client.transport.loseWriteConnection()
    turn(clock)
    server.transport.pauseProducing()
    client.transport.loseConnection()
    turn(clock, 3)
    assert client.lost is ConnectionDone and server.lost is ConnectionDone


def test_a_half_close_is_the_end_for_who_knows_no_half(clock, connect):
    client, server = connect(server=Peer)
    server.transport.write(b"on its way")
    client.transport.loseWriteConnection()
    client.transport.pauseProducing()
    turn(clock, 3)
    assert server.lost is ConnectionDone and client.lost is None
    client.transport.resumeProducing()
    turn(clock, 3)
    assert client.received == b"on its way"
    assert client.lost is ConnectionDone


@pytest.mark.parametrize("closing", [False, True])
def test_aborting_loses_what_is_under_way(clock, connect, closing):
    client, server = connect()
    producer = Push()
    server.transport.registerProducer(producer, True)
    client.transport.write(b"lost")
    server.transport.write(b"lost as well")
    if closing:
        client.transport.loseConnection()
    client.transport.abortConnection()
    assert client.lost is None  # not within the call
    turn(clock, 3)
    assert client.lost is (ConnectionDone if closing else ConnectionAborted)
    assert server.lost is ConnectionLost
    assert (client.received, server.received) == (b"", b"")
    assert producer.said == ["stop"]
    assert not clock.getDelayedCalls()


def test_after_the_end_nothing_has_an_effect(clock, connect):
    client, _ = connect()
    transport = client.transport
    transport.abortConnection()
    turn(clock, 3)
    producer = Push()
    transport.registerProducer(producer, True)
    assert producer.said == ["stop"]
    for call in (transport.loseConnection, transport.abortConnection, transport.loseWriteConnection):
        call()
    transport.write(b"x")
    transport.resumeProducing()
    transport.unregisterProducer()
    turn(clock, 3)
    assert not clock.getDelayedCalls()


class Broken(TwoWay):
    def dataReceived(self, data):
        raise ValueError("not that")


def test_a_protocol_that_fails_ends_the_connection_and_is_said_loudly(clock, connect):
    client, server = connect(server=Broken)
    server.transport.write(b"half of an ans")
    client.transport.pauseProducing()
    client.transport.write(b"x")
    with capturedLogs() as said:
        turn(clock, 3)
    assert server.lost is ValueError and client.lost is ConnectionLost
    assert client.received == b""
    assert [event["log_failure"].type for event in said] == [ValueError]


class Refusing(Factory):
    def buildProtocol(self, addr):
        return None


class Failing(Factory):
    def buildProtocol(self, addr):
        raise ValueError("not today")


class FailingLater(Factory):
    def buildProtocol(self, addr):
        protocol = Peer()
        protocol.connectionMade = lambda: {}["x"]
        return protocol


@pytest.mark.parametrize("server", [Refusing, Failing, FailingLater])
def test_a_server_that_takes_no_connection_is_one_that_cannot_be_reached(clock, server):
    failures = []
    with capturedLogs() as said:
        connect_local(clock, server(), lambda: pytest.fail("not to be built")).addErrback(failures.append)
    assert [failure.type for failure in failures] == [DialError]
    assert len(said) == (0 if server is Refusing else 1)


def test_a_server_that_closes_at_once_is_seen_to(clock, connect):
    class Closing(TwoWay):
        def connectionMade(self):
            self.transport.write(b"go away")
            self.transport.loseConnection()

    client, _ = connect(server=Closing)
    turn(clock, 3)
    assert client.received == b"go away" and client.lost is ConnectionDone


# -- with a twisted.web server


@pytest.fixture
def serve(monkeypatch):
    """A reverse proxy before a resource, all in memory."""
    made = []

    def serve(resource, limits=None, **settings):
        upstream = local_upstream(resource)
        pool = Pool([upstream], settings=PoolSettings(**settings))
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, limits=limits, reactor=reactor))
        proxy.factory.services.dialer = Dialer(proxy.clock, 5)
        proxy.connections = connections = []
        build = upstream.address.local.buildProtocol

        def build_and_remember(addr):
            connections.append(build(addr))
            return connections[-1]

        upstream.address.local.buildProtocol = build_and_remember
        proxy.upstream_of_pool = upstream
        # File's producers are driven by a cooperator on the program's reactor: here by one on the clock.
        cooperator = task.Cooperator(
            terminationPredicateFactory=lambda: lambda: True, scheduler=lambda run: proxy.clock.callLater(STEP, run)
        )
        monkeypatch.setattr(task, "_theCooperator", cooperator)
        made.append(proxy)
        return proxy

    yield serve
    for proxy in made:
        proxy.close()


def ask(proxy, request, client=None, turns=10):
    client = client or proxy.connect()
    client.send(request)
    turn(proxy.clock, turns)
    return client


def get(path=b"/", *lines, method=b"GET"):
    return b"\r\n".join([method + b" " + path + b" HTTP/1.1", b"Host: site.example:8080", *lines, b"", b""])


def head_and_body(data):
    head, _, body = data.partition(b"\r\n\r\n")
    return head, body


def leaf(resource):
    resource.isLeaf = True
    return resource


def data(content):
    return leaf(Data(content, "text/plain"))


class Echo(Resource):
    """Says what it was asked."""

    isLeaf = True

    def render(self, request):
        body = request.content.read()
        told = request.getHeader(b"x-forwarded-for") or b"-"
        return b"|".join([request.method, request.uri, told, request.prePathURL(), body])


def test_a_request_is_answered_with_who_asked_and_by_what_name(serve):
    client = ask(serve(Echo()), get(b"/a%20b?c=d"))
    head, body = head_and_body(client.received)
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert body == b"GET|/a%20b?c=d|127.0.0.1|http://site.example/|"


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_bodies_of_any_framing_arrive(serve, framing):
    body = os.urandom(300_000)
    if framing == "length":
        request = get(b"/", b"Content-Length: %d" % len(body), method=b"POST") + body
    else:
        request = get(b"/", b"Transfer-Encoding: chunked", method=b"POST") + b"%x\r\n%b\r\n0\r\n\r\n" % (
            len(body),
            body,
        )
    client = ask(serve(Echo()), request)
    assert client.received.endswith(body)


def test_a_connection_is_kept_and_used_again(serve):
    proxy = serve(data(b"data"))
    client = ask(proxy, get())
    for _ in range(3):
        ask(proxy, get(), client)
    assert client.received.count(b"\r\n\r\ndata") == 4
    assert len(proxy.connections) == 1
    # The proxy's own time limit ends it, and the server has none.
    proxy.advance(70)
    assert not proxy.clock.getDelayedCalls()[1:]
    ask(proxy, get(), proxy.connect())
    assert len(proxy.connections) == 2


def test_pipelined_requests_are_answered_in_order(serve):
    client = ask(serve(Echo()), get(b"/1") + get(b"/2") + get(b"/3"), turns=20)
    places = [client.received.index(b"GET|/%d" % number) for number in (1, 2, 3)]
    assert places == sorted(places)


def test_head_has_a_length_and_no_body(serve):
    client = ask(serve(data(b"12345")), get(method=b"HEAD"))
    head, body = head_and_body(client.received)
    assert b"Content-Length: 5" in head and body == b""


class Failure(Resource):
    isLeaf = True

    def __init__(self, begun):
        super().__init__()
        self.begun = begun

    def render(self, request):
        if self.begun:
            request.setHeader(b"content-length", b"10")
            request.write(b"12345")
            request.loseConnection()
            return NOT_DONE_YET
        raise ValueError("a fault of the application")


def test_a_resource_that_fails_is_a_500(serve):
    proxy = serve(Failure(begun=False))
    with capturedLogs() as said:
        client = ask(proxy, get())
    assert client.received.startswith(b"HTTP/1.1 500 ")
    assert any("log_failure" in event for event in said)
    # and the connection can be used on
    with capturedLogs():
        ask(proxy, get(), client)
    assert client.received.count(b"HTTP/1.1 500 ") == 2


def test_a_resource_that_breaks_off_is_cut_for_the_client(serve):
    client = ask(serve(Failure(begun=True)), get())
    assert client.received.endswith(b"\r\n\r\n12345") and client.closed


class Never(Resource):
    isLeaf = True

    def __init__(self):
        super().__init__()
        self.left = []

    def render(self, request):
        request.notifyFinish().addErrback(lambda reason: self.left.append(reason.type))
        return NOT_DONE_YET


def test_a_resource_that_never_answers_is_a_504_and_learns_that_nobody_waits(serve):
    resource = Never()
    proxy = serve(resource, limits=Limits(response_timeout=5), retries=0)
    client = ask(proxy, get())
    proxy.advance(6)
    assert client.received.startswith(b"HTTP/1.1 504 ")
    assert resource.left == [ConnectionLost]


def test_a_resource_learns_that_the_client_has_left(serve):
    resource = Never()
    proxy = serve(resource)
    client = ask(proxy, get())
    client.drop()
    turn(proxy.clock, 3)
    assert resource.left == [ConnectionLost]
    assert proxy.upstream_of_pool.active == 0


@pytest.fixture
def large(tmp_path):
    """A file of 200 MB, in which nothing is but its length and its ends."""
    path = tmp_path / "large.bin"
    with path.open("wb") as file:
        file.write(b"begin")
        file.truncate(200 << 20)
        file.seek(-3, os.SEEK_END)
        file.write(b"end")
    return path


class Measured:
    """Takes what comes and keeps the ends of it, but not the middle."""

    def __init__(self, proxy, client):
        self.proxy, self.client = proxy, client
        self.size = 0
        self.most = 0
        self.first = self.last = b""

    def take(self):
        data = self.client.take()
        self.first = self.first or data[:10000]
        self.last = data[-3:] or self.last
        self.size += len(data)

    def held(self):
        """How many bytes are between the file and the client."""
        (channel,) = self.proxy.connections
        transport = channel._channel.transport
        held = self.client.waiting + (transport.other._size if transport is not None else 0)
        self.most = max(self.most, held)
        return held


def test_a_file_of_200_mb_is_never_in_memory(serve, large):
    proxy = serve(leaf(File(str(large))))
    client = proxy.connect()
    client.send(get())
    turn(proxy.clock, 4)
    measured = Measured(proxy, client)
    for number in range(20_000):
        if number % 50 == 25:
            client.stop_reading()
        elif number % 50 == 40:
            client.read_on()
        turn(proxy.clock)
        measured.take()
        measured.held()
        if measured.last == b"end":
            break
    head, begin = head_and_body(measured.first)
    assert b"Content-Length: %d" % (200 << 20) in head and begin.startswith(b"begin")
    assert measured.size == len(head) + 4 + (200 << 20)
    # A buffer of 64 kB at each of two places, and what is written while they are full.
    assert measured.most <= 4 * HIGH


def test_a_client_that_stops_reading_stops_the_file(serve, large):
    proxy = serve(leaf(File(str(large))))
    client = proxy.connect()
    client.stop_reading()
    client.send(get())
    measured = Measured(proxy, client)
    turn(proxy.clock, 20)
    held = measured.held()
    turn(proxy.clock, 100)
    assert measured.held() == held < 4 * HIGH
    client.drop()
    turn(proxy.clock, 3)
    assert proxy.upstream_of_pool.active == 0
    assert proxy.connections[0]._channel.requests[0]._disconnected


def test_an_upload_waits_for_a_server_that_does_not_read(serve):
    proxy = serve(Echo())
    client = proxy.connect()
    client.send(get(b"/", b"Content-Length: 1000000", method=b"POST"))
    turn(proxy.clock)
    (channel,) = proxy.connections
    channel._channel.transport.pauseProducing()
    for _ in range(10):
        client.send(bytes(50_000))
        turn(proxy.clock)
    assert client.paused
    channel._channel.transport.resumeProducing()
    turn(proxy.clock, 5)
    assert not client.paused
    for _ in range(10):
        client.send(bytes(50_000))
        turn(proxy.clock)
    assert client.received.endswith(bytes(1_000_000))


@pytest.mark.parametrize(
    ("wanted", "status", "content"),
    [
        (b"bytes=0-4", 206, b"begin"),
        (b"bytes=-3", 206, b"end"),
        (b"bytes=209715197-", 206, b"end"),
        (b"bytes=209715200-", 416, None),
    ],
)
def test_ranges_of_a_file(serve, large, wanted, status, content):
    client = ask(serve(leaf(File(str(large)))), get(b"/", b"Range: " + wanted))
    head, body = head_and_body(client.received)
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert content is None or body == content


class Changing(Resource):
    """Changes to another protocol, as WebSocket servers on twisted.web do: it takes the transport."""

    isLeaf = True

    def render(self, request):
        transport, request.channel.transport = request.channel.transport, None
        transport.write(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
        transport.unregisterProducer()
        self.peer = TwoWay()
        transport.protocol = self.peer
        self.peer.makeConnection(transport)
        self.peer.dataReceived = lambda data: transport.write(data.upper())
        return NOT_DONE_YET


def test_a_resource_may_change_protocols(serve):
    resource = Changing()
    proxy = serve(resource)
    client = ask(proxy, get(b"/", b"Connection: Upgrade", b"Upgrade: echo"))
    assert client.take().startswith(b"HTTP/1.1 101 ")
    client.send(b"hello")
    turn(proxy.clock, 3)
    assert client.take() == b"HELLO"
    assert proxy.upstream_of_pool.active == 1
    client.end()
    turn(proxy.clock, 3)
    assert resource.peer.ended
    resource.peer.transport.write(b"bye")
    resource.peer.transport.loseConnection()
    turn(proxy.clock, 3)
    assert client.received == b"bye" and client.closed
    assert proxy.upstream_of_pool.active == 0


def test_a_resource_and_a_socket_serve_one_pool(serve):
    proxy = serve(data(b"here"))
    pool = proxy.upstream_of_pool.pool
    pool.add(data(b"there"))
    client = proxy.connect()
    for _ in range(4):
        ask(proxy, get(), client)
    assert client.received.count(b"\r\n\r\nhere") == 2 and client.received.count(b"\r\n\r\nthere") == 2


def test_a_resource_can_be_checked(serve):
    from txproxy.upstreams.health.health_check import HealthCheck
    from txproxy.upstreams.upstream import State

    proxy = serve(Echo(), health=HealthCheck(path="/well", interval=1, body="GET|/well"))
    upstream = proxy.upstream_of_pool
    assert upstream.state is State.HEALTHY
    proxy.advance(10)
    assert upstream.state is State.HEALTHY and len(proxy.connections) > 2
    upstream.pool.add(Never())
    other = upstream.pool.upstreams[1]
    proxy.advance(60)
    assert (upstream.state, other.state) == (State.HEALTHY, State.UNHEALTHY)


def test_a_server_that_takes_no_connection_is_a_503(serve):
    proxy = serve(Echo())
    proxy.upstream_of_pool.address.local.buildProtocol = lambda addr: None
    client = ask(proxy, get())
    assert client.received.startswith(b"HTTP/1.1 503 ")
