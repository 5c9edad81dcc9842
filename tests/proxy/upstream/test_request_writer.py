"""What comes before a request goes out, and answers nobody."""

import contextlib
import gc
import socket

import pytest
from OpenSSL import SSL
from twisted.internet.defer import Deferred, fail
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.protocols.tls import TLSMemoryBIOFactory

from tests.net.sockets import World
from tests.proxy.exchanges.test_exchange import status
from tests.tls.authority import new_ca
from txproxy.errors import ConnectionRefused
from txproxy.net.transports.turn_writes import TurnWrites
from txproxy.proxy.upstream.request_writer import RequestWriter
from txproxy.testing import MemoryConnection
from txproxy.tls.listener_contexts import server_context
from txproxy.tls.verification import client_connections


class Asked:
    """A connection on which ``writer`` has requests for ``exchange``, and a turn that a test ends. What waits to be
    read is said by ``waits``.
    """

    reused = True

    def __init__(self):
        clock = Clock()
        self.exchange = object()
        self.given_up = []
        self.transport = MemoryConnection(clock, Protocol())
        self.turn = TurnWrites(lambda flush: None)
        self.writer = RequestWriter(self, self.transport, self.turn)
        self.writer.send = self.turn.ask
        self.waits = False
        self.writer.unread = lambda: self.waits

    def begin(self, with_body):
        if with_body:
            self.writer.gather(b"head ")
            self.writer.flush()
        else:
            self.writer.send(self.writer, b"all of it")

    def end_turn(self):
        asks, self.turn.asks = self.turn.asks, []
        for asking, data in asks:
            asking.ask(data, None)

    def not_asked(self, exchange, ended):
        self.given_up.append((exchange, ended))


def test_what_there_is_of_a_request_goes_out_at_the_end_of_the_turn_and_the_rest_at_once():
    asked = Asked()
    writer = asked.writer
    writer.gather(b"head ")
    writer.pieces.append(b"a")
    writer.flush()
    writer.pieces.append(b"b")
    writer.flush()
    assert not asked.transport.received and len(asked.turn.asks) == 1
    asked.end_turn()
    assert asked.transport.take() == b"head ab"
    writer.pieces.append(b"c")
    writer.flush()
    writer.flush()
    assert asked.transport.take() == b"c"


@pytest.mark.parametrize("with_body", [True, False])
def test_nothing_goes_out_after_a_word_that_came_before_and_all_of_it_may_go_elsewhere(with_body):
    asked = Asked()
    asked.begin(with_body)
    asked.waits = True
    asked.end_turn()
    assert asked.given_up == [(asked.exchange, False)] and not asked.transport.received
    if with_body:
        asked.writer.pieces.append(b"body")
        assert asked.writer.have_back() == [b"head ", b"body"] and not asked.writer.pieces


def test_what_has_gone_out_is_not_had_back():
    asked = Asked()
    asked.writer.gather(b"head ")
    asked.writer.flush()
    asked.end_turn()
    asked.writer.pieces.append(b"body")
    assert asked.writer.have_back() is None and asked.writer.pieces


@pytest.mark.parametrize("with_body", [True, False])
@pytest.mark.parametrize("gone", [True, False])
def test_a_request_that_nobody_wants_any_more_does_not_go_out(with_body, gone):
    asked = Asked()
    asked.begin(with_body)
    if gone:
        asked.writer.connection_lost()
    else:
        asked.exchange = None
    asked.end_turn()
    assert not asked.transport.received and not asked.given_up


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


def kept(world):
    """The reading ends of a client connection and of a kept connection to an upstream, which has just answered."""
    world.request(REQUESTS[0])
    world.upstreams[0].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER
    upstream = next(iter(world.factory.services.connections.all()))
    return world.downstream.transport, upstream.transport


@pytest.mark.parametrize("request_", REQUESTS)
@pytest.mark.parametrize("said", [POISON, None], ids=["speaks", "leaves"])
def test_what_waits_unread_on_an_idle_connection_answers_nobody(world, request_, said):
    client, _ = kept(world)
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
    client, upstream = kept(world)
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
    client, _ = kept(world)
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


@pytest.mark.parametrize(("scheme", "alone"), [(b"NTLM TlRM", True), (b"Basic YTpi", False)])
def test_a_new_connection_that_logs_its_client_in_is_of_use_to_nobody_else(world, scheme, alone):
    client, _ = kept(world)
    world.client.sendall(REQUESTS[3].replace(b"Host: a", b"Host: a\r\nAuthorization: " + scheme))
    client.doRead()
    # One that logs in goes by the kept connection as well, which ends before it is asked.
    world.upstreams[0].close()
    world.reactor.end_turn()
    assert world.until(lambda: len(world.upstreams) > 1, "another connection is made")
    assert scheme in world.hear(world.upstreams[1])
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER
    assert len(list(world.factory.services.connections.all())) == (0 if alone else 1)


def test_a_new_connection_that_cannot_be_had_is_no_reason_to_send_half_a_request(world):
    client, _ = kept(world)
    world.client.sendall(REQUESTS[3])
    client.doRead()
    world.upstreams[0].close()
    world.dial = lambda address, build: fail(ConnectionRefused("refused"))
    world.reactor.end_turn()
    answer = world.hear(world.client)
    # There is no other upstream that it could go to.
    assert status(answer) == 503 and b"connection_refused" in answer


@pytest.mark.parametrize("request_", [REQUESTS[3], LONG, CHUNKED])
def test_a_body_for_an_upstream_that_spoke_early_goes_whole_by_a_new_connection(world, request_):
    client, _ = kept(world)
    world.client.sendall(request_)
    client.doRead()
    world.upstreams[0].sendall(POISON)
    world.reactor.end_turn()
    assert world.until(lambda: len(world.upstreams) > 1, "another connection is made")
    with pytest.raises(ConnectionResetError):
        world.upstreams[0].recv(1000)
    body = request_.partition(b"\r\n\r\n")[2]
    sent = b""
    while not sent.endswith(body):
        sent += world.hear(world.upstreams[1])
    assert sent.partition(b"\r\n\r\n")[2] == body
    world.upstreams[1].sendall(ANSWER)
    assert world.hear(world.client) == ANSWER


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


def _writers():
    return sum(type(one) is RequestWriter for one in gc.get_objects())


def test_a_connection_that_is_gone_does_not_wait_to_be_collected(world):
    gc.collect()
    before = _writers()
    kept(world)
    assert _writers() == before + 1
    gc.disable()
    try:
        world.upstreams[0].close()
        world.until(lambda: not len(world.factory.services.connections), "the end is heard of")
        world.turns()
        assert _writers() == before
    finally:
        gc.enable()


def test_a_request_whose_client_has_left_in_the_same_turn_is_not_sent(world):
    client, _ = kept(world)
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
