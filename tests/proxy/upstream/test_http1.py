"""The upstream's side: whose time it is."""

import contextlib
import socket

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.net.sockets import World
from tests.proxy.test_exchange import POST, status
from tests.tls.authority import new_ca
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.testing import ProxyInMemory
from txproxy.tls.listener_contexts import server_context
from txproxy.tls.verification import client_connections

RESPONSE_BEGUN = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000


def test_an_upload_may_take_longer_than_a_response(make):
    proxy = make(Limits(min_body_rate=0))
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 20\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.take()
    for _ in range(20):
        proxy.advance(10)
        client.send(b"x")
    proxy.advance(59)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 504


def test_an_upstream_that_takes_no_more_of_an_upload_is_too_late():
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    proxy.upstream.stop_reading()
    while not client.paused:
        client.send(b"x" * 10000)
    proxy.advance(62)
    assert status(client.received) == 504
    proxy.close()


@pytest.mark.parametrize("rest_of_request", [b"", POST[-2:]])
def test_an_upstream_is_not_late_while_its_client_is_slow(proxy, rest_of_request):
    client = proxy.connect()
    client.send(POST[: len(POST) - len(rest_of_request)])
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    client.send(rest_of_request)
    assert proxy.upstream.paused
    proxy.advance(70)
    assert not client.closed and not proxy.upstream.closed
    client.read_on()
    proxy.upstream.send(b"x" * 900000)
    assert client.received.endswith(b"x" * 1000000)


def test_an_upstream_whose_client_is_slow_no_more_may_be_late_again(proxy):
    client = proxy.connect()
    client.send(POST)
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    proxy.advance(70)
    client.read_on()
    proxy.advance(62)
    assert client.closed and proxy.upstream.reset


def test_a_client_that_takes_nothing_is_dropped_though_it_has_sent_all(proxy):
    client = proxy.connect()
    client.send(POST[:-2])
    client.stop_reading()
    proxy.upstream.send(RESPONSE_BEGUN)
    client.send(POST[-2:])
    proxy.advance(78)
    assert client.closed and proxy.upstream.reset


POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"
ANSWER = b"HTTP/1.1 200 OK\r\nDate: now\r\nContent-Length: 2\r\n\r\nok"
REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"DELETE / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
]


@pytest.fixture
def world():
    made = World()
    yield made
    made.close()


def _kept(world):
    """The reading ends of a client connection and of a kept connection to an upstream, which has just answered."""
    world.request(REQUESTS[0])
    world.upstreams[0].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER
    upstream = next(iter(world.factory.services.connections.all()))
    return world.downstream.transport, upstream.transport


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("said", [POISON, None], ids=["speaks", "leaves"])
def test_what_waits_unread_on_an_idle_connection_answers_nobody(world, request_, said):
    client, _ = _kept(world)
    if said is None:
        world.upstreams[0].close()
    else:
        world.upstreams[0].sendall(said)
    # The upstream's bytes are there, but it is the client whose turn comes first.
    world.client.sendall(request_)
    client.doRead()
    world.reactor.end_turn()
    assert world.until(lambda: len(world.upstreams) > 1, "another connection is made")
    assert world.hear(world.upstreams[1]).startswith(request_[:10])
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER


LONG = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6000\r\n\r\n" + b"x" * 6000
CHUNKED = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "said"),
    [(request, said) for request in REQUESTS[:3] for said in (POISON, None)] + [(REQUESTS[3], None)],
)
def test_what_an_upstream_says_in_the_turn_in_which_it_is_asked_answers_nobody(world, request_, said):
    client, upstream = _kept(world)
    world.client.sendall(request_)
    client.doRead()
    if said is None:
        world.upstreams[0].close()
    else:
        world.upstreams[0].sendall(said)
    # The request is to go out at the end of this turn.
    world.reactor._after(upstream, upstream.doRead(), True)
    world.reactor.end_turn()
    assert world.until(lambda: len(world.upstreams) > 1, "another connection is made")
    world.hear(world.upstreams[1])
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER


@pytest.mark.parametrize("request_", [REQUESTS[3], LONG, CHUNKED])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_body_for_a_kept_connection_that_ends_unasked_goes_whole_by_a_new_one(world, request_, parts):
    client, _ = _kept(world)
    for part in [request_] if parts == 1 else [request_[:-2], request_[-2:]]:
        world.client.sendall(part)
        client.doRead()
    world.upstreams[0].close()
    world.reactor.end_turn()
    assert world.until(lambda: len(world.upstreams) > 1, "another connection is made")
    body = request_.partition(b"\r\n\r\n")[2]
    sent = b""
    while not sent.endswith(body):
        sent += world.hear(world.upstreams[1])
    assert sent.count(b"POST / HTTP/1.1\r\n") == 1 and sent.partition(b"\r\n\r\n")[2] == body
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER


def test_a_new_connection_that_cannot_be_had_is_no_reason_to_send_half_a_request(world):
    client, _ = _kept(world)
    world.client.sendall(REQUESTS[3])
    client.doRead()
    world.upstreams[0].close()
    world.dial = lambda address, build: fail(ConnectionRefused("refused"))
    world.reactor.end_turn()
    answer = world.hear(world.client)
    # No other is tried with what is left of it.
    assert status(answer) == 502 and b"connection_refused" in answer


def test_a_body_that_was_taken_for_an_upstream_that_spoke_early_goes_nowhere(world):
    client, _ = _kept(world)
    world.client.sendall(REQUESTS[3])
    client.doRead()
    world.upstreams[0].sendall(POISON)
    world.reactor.end_turn()
    assert status(world.hear(world.client)) == 502
    assert len(world.upstreams) == 1
    with pytest.raises(ConnectionResetError):
        world.upstreams[0].recv(1000)


@pytest.mark.parametrize("request_", REQUESTS)
def test_a_new_connection_that_speaks_before_it_is_asked_is_no_answer(world, request_):
    world.client.sendall(request_)
    world.reactor._after(None, world.downstream.transport.doRead(), True)
    world.upstreams[0].sendall(POISON)
    world.reactor.end_turn()
    answer = world.hear(world.client)
    assert status(answer) == 502 and b"poison" not in answer


def test_a_new_connection_that_ends_at_once_is_one_that_was_closed(world):
    world.client.sendall(REQUESTS[2])
    world.reactor._after(None, world.downstream.transport.doRead(), True)
    world.upstreams[0].close()
    world.reactor.end_turn()
    answer = world.hear(world.client)
    assert status(answer) == 502 and b"connection_terminated" in answer


def test_a_request_whose_client_has_left_in_the_same_turn_is_not_sent(world):
    client, _ = _kept(world)
    world.client.sendall(REQUESTS[0])
    client.doRead()
    world.downstream.abort()
    world.reactor.end_turn()
    world.turns()
    with pytest.raises(ConnectionResetError):
        world.upstreams[0].recv(1000)


class _ByTls(World):
    """One whose upstream speaks TLS 1.3. ``tls`` is its side of the newest connection; ``says`` gives what it sends
    when the handshake is over, in time to be there before the request goes out.
    """

    def __init__(self, context):
        self.context = context
        super().__init__()

    def dial(self, address, build):
        protocol = build()
        done = Deferred()
        creator = client_connections("a.test", insecure=True)
        inner = Factory()
        inner.buildProtocol = lambda addr: protocol
        end, _ = self._connect(
            TLSMemoryBIOFactory(creator, True, inner, self.reactor).buildProtocol(None), kernel=200_000
        )
        self.tls = tls = SSL.Connection(self.context, None)
        tls.set_accept_state()

        def shaken(failure):
            protocol.handshake_done = None
            self.get()
            tls.do_handshake()
            end.sendall(self.says(tls.bio_read(65536)))
            done.callback(protocol)

        protocol.handshake_done = shaken
        # What it says in two pieces is not to wait for an acknowledgement.
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.upstreams.append(end)
        self.get()
        with contextlib.suppress(SSL.WantReadError):
            tls.do_handshake()
        self.send()
        return done

    def get(self):
        """What the proxy has sent comes to the upstream's TLS."""
        self.reactor.write()
        end = self.upstreams[-1]
        end.settimeout(10)
        self.tls.bio_write(end.recv(65536))
        end.setblocking(False)

    def send(self):
        """What the upstream's TLS has to say goes out."""
        self.upstreams[-1].sendall(self.tls.bio_read(65536))

    def poison(self):
        """An answer to nothing, encrypted."""
        self.tls.send(POISON)
        return self.tls.bio_read(65536)


@pytest.fixture
def by_tls(tmp_path):
    cert, key = new_ca().issue("a.test").write(tmp_path, "a")
    made = _ByTls(server_context(cert, key, min_version="1.3"))
    yield made
    made.close()


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("request_", REQUESTS)
def test_a_ticket_that_has_come_before_the_request_is_no_answer(by_tls, request_, halves):
    world = by_tls
    tickets = []
    world.says = lambda ticket: (tickets.append(ticket), ticket[:40] if halves else ticket)[1]
    world.client.sendall(request_)
    world.turns()
    if halves:
        with pytest.raises(BlockingIOError):
            world.upstreams[0].recv(1000)
        world.upstreams[0].sendall(tickets[0][40:])
        world.turns()
    world.get()
    assert world.tls.recv(65536).startswith(request_.split()[0])
    world.tls.send(ANSWER)
    world.send()
    assert world.hear(world.client) == ANSWER


@pytest.mark.parametrize("halves", [False, True])
@pytest.mark.parametrize("request_", REQUESTS)
def test_what_has_come_by_tls_before_the_request_is_none_either(by_tls, request_, halves):
    world = by_tls
    said = []

    def says(ticket):
        said.append(world.poison())
        return ticket + (said[0][:40] if halves else said[0])

    world.says = says
    world.client.sendall(request_)
    world.turns()
    if halves:
        world.upstreams[0].sendall(said[0][40:])
    answer = world.hear(world.client)
    assert status(answer) == 502 and b"poison" not in answer


@pytest.mark.parametrize("request_", [REQUESTS[0], REQUESTS[3], CHUNKED])
@pytest.mark.parametrize("how", ["close_notify", "FIN", "both"])
def test_a_kept_connection_of_tls_that_ends_before_it_is_asked_has_not_spoken(by_tls, request_, how):
    world = by_tls
    world.says = lambda ticket: ticket
    world.client.sendall(REQUESTS[0])
    world.turns()
    world.get()
    world.tls.recv(65536)
    world.tls.send(ANSWER)
    world.send()
    assert world.hear(world.client) == ANSWER
    upstream = next(iter(world.factory.services.connections.all()))
    if how != "FIN":
        world.tls.shutdown()
        world.send()
    if how != "close_notify":
        world.upstreams[0].shutdown(socket.SHUT_WR)
    # It comes after the look at who is quiet, and before the request goes out.
    looks, waits = [False], upstream.unread
    upstream.unread = lambda: looks.pop() if looks else waits()
    if request_ is REQUESTS[0]:
        looks.clear()
    world.client.sendall(request_)
    world.downstream.transport.doRead()
    world.turns()
    assert len(world.upstreams) == 2
    world.get()
    sent = world.tls.recv(65536)
    assert sent.startswith(request_[:8]) and sent.endswith(request_[-4:])
    world.tls.send(ANSWER)
    world.send()
    assert world.hear(world.client) == ANSWER
