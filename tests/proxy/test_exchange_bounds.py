"""Exchanges within bounds: bodies that pass as an allowance has it, and who counts them."""

import pytest
from zope.interface import implementer

from tests.proxy.shaped_tunnel import Allowed
from txproxy.errors import RequestDenied
from txproxy.interfaces import Address, Bounds, IMode, Plan
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"


class Shaper:
    def __init__(self):
        self.ups, self.downs = [], []

    def up(self, more):
        self.ups.append(Allowed(more))
        return self.ups[-1]

    def down(self, more):
        self.downs.append(Allowed(more))
        return self.downs[-1]


class Meter:
    def __init__(self):
        self.running, self.counted = [], []

    def began(self, exchange):
        self.running.append(exchange)

    def ended(self, exchange):
        self.running.remove(exchange)
        self.counted.append(exchange.carried())


@implementer(IMode)
class Mode:
    """Everything goes to one address, within bounds."""

    def __init__(self):
        self.bounds = None
        self.again = None

    def plan(self, head, client):
        plan = Plan(Address("10.0.0.1", 80), None if head.method == b"CONNECT" else self._head(head))
        plan.bounds = self.bounds
        plan.next_attempt = self.again
        return plan

    def _head(self, head):
        return RequestHead(head.method, head.path, Headers.from_lines([b"Host: a"]), b"a", None, head.body)


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Mode(), observers=(finished.append,), reactor=reactor))
    made.mode = made.factory.mode
    yield made
    made.close()


@pytest.fixture
def shaper(proxy):
    made = Shaper()
    proxy.mode.bounds = Bounds(shaper=made)
    return made


@pytest.fixture
def meter(proxy):
    made = Meter()
    proxy.mode.bounds = Bounds(meter=made)
    return made


def test_a_small_response_passes_as_it_may(proxy, shaper, finished):
    client, upstream = proxy.exchange(GET, OK + b"hello")
    assert client.received == OK
    shaper.downs[0].grant(2)
    assert client.received == OK + b"he" and not finished
    shaper.downs[0].grant(10)
    assert client.received == OK + b"hello"
    assert [(one.outcome, one.sent) for one in finished] == [("ok", 5)]
    # The upstream's connection was free as soon as it had said all.
    client.send(GET)
    assert len(proxy.network.connections) == 1 and not upstream.paused


def test_what_is_allowed_passes_without_delay(proxy, shaper):
    client = proxy.connect()
    client.send(GET)
    shaper.downs[0].left = 100
    proxy.upstream.send(OK + b"hello")
    assert client.received == OK + b"hello"


def test_the_upstream_is_not_read_while_its_bytes_wait(proxy, shaper, finished):
    client, upstream = proxy.exchange(GET, CHUNKED + b"5\r\nhello\r\n")
    assert client.received == CHUNKED and upstream.paused
    # That is no silence of the upstream's.
    proxy.advance(200)
    assert not finished
    shaper.downs[0].grant(5)
    assert client.received == CHUNKED + b"5\r\nhello\r\n" and not upstream.paused
    shaper.downs[0].left = 2
    upstream.send(b"5\r\nworld\r\n0\r\nT: x\r\n\r\n")
    assert not finished and not upstream.paused
    shaper.downs[0].grant(3)
    assert client.received == CHUNKED + b"5\r\nhello\r\n2\r\nwo\r\n3\r\nrld\r\n0\r\nT: x\r\n\r\n"
    assert [one.outcome for one in finished] == ["ok"]


def test_the_next_request_of_a_connection_waits_for_its_turn(proxy, shaper):
    client = proxy.connect()
    client.send(GET + GET)
    proxy.upstream.send(OK + b"first")
    assert proxy.upstream.received.count(b"GET ") == 1
    shaper.downs[0].grant(5)
    assert proxy.upstream.received.count(b"GET ") == 2
    proxy.upstream.send(OK + b"again")
    shaper.downs[1].grant(5)
    assert client.received == OK + b"first" + OK + b"again"


def test_a_slow_client_beside_an_allowance(proxy, shaper):
    client, upstream = proxy.exchange(GET, CHUNKED)
    client.stop_reading()
    shaper.downs[0].left = 1_000_000
    upstream.send(b"11170\r\n" + bytes(70000) + b"\r\n")
    assert upstream.paused
    upstream.send(b"1\r\nx\r\n")
    assert client.waiting < 70100
    client.read_on()
    assert client.received.endswith(b"1\r\nx\r\n") and not upstream.paused


def test_a_request_passes_as_it_may(proxy, shaper):
    client = proxy.connect()
    client.send(POST + b"he")
    upstream = proxy.upstream
    assert not upstream.received.endswith(b"he")
    client.send(b"llo")
    shaper.ups[0].grant(3)
    shaper.ups[0].grant(1)
    assert upstream.received.endswith(b"\r\n\r\nhell")
    # Nor is that a silence of the client's.
    proxy.advance(200)
    assert client.received == b""
    shaper.ups[0].grant(1)
    assert upstream.received.endswith(b"\r\n\r\nhello")
    shaper.downs[0].left = 100
    upstream.send(OK + b"hello")
    assert client.received == OK + b"hello"


def test_a_client_that_leaves_ends_its_allowances(proxy, shaper, finished):
    client, _ = proxy.exchange(GET, OK + b"hello")
    client.drop()
    assert [one.outcome for one in finished] == ["client-gone"]
    assert shaper.downs[0].closed and shaper.ups[0].closed
    shaper.downs[0].grant(10)
    assert client.received == OK


def test_an_upstream_that_breaks_off_cuts_what_waits(proxy, shaper, finished):
    client, upstream = proxy.exchange(GET, CHUNKED + b"5\r\nhello\r\n")
    upstream.drop()
    proxy.clock.advance(0)
    assert client.closed and finished[0].outcome == "http_response_incomplete"
    assert shaper.downs[0].closed


def test_another_attempt_has_the_same_bounds(proxy, shaper, meter_of_all, finished):
    proxy.mode.again = lambda plan, fault: plan.attempt
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.end()
    shaper.downs[0].left = 5
    proxy.upstream.send(OK + b"hello")
    assert client.received == OK + b"hello"
    assert len(shaper.downs) == 1 and meter_of_all.counted == [5] and not meter_of_all.running


@pytest.fixture
def meter_of_all(proxy, shaper):
    made = Meter()
    proxy.mode.bounds = Bounds(shaper=shaper, meter=made)
    return made


def test_a_meter_sees_the_bytes_of_both_bodies_as_they_pass(proxy, meter):
    client = proxy.connect()
    client.send(POST + b"hel")
    assert [one.carried() for one in meter.running] == [3]
    client.send(b"lo")
    proxy.upstream.send(OK + b"he")
    assert [one.carried() for one in meter.running] == [7]
    proxy.upstream.send(b"llo")
    assert not meter.running and meter.counted == [10]


def test_a_meter_sees_the_bytes_of_a_tunnel_as_they_pass(proxy, meter, finished):
    client = proxy.connect()
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nhello")
    proxy.upstream.send(b"wor")
    assert [one.carried() for one in meter.running] == [8]
    client.drop()
    assert meter.counted == [8]
    said = "5 bytes from the client; the client has cut it off"
    assert [(one.outcome, one.sent, one.detail) for one in finished] == [("tunnel", 3, said)]


def test_a_tunnel_is_shaped_by_its_own_allowances(proxy, shaper):
    client = proxy.connect()
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\nhello")
    assert shaper.ups[0].closed and shaper.downs[0].closed
    assert proxy.upstream.received == b"" and client.paused
    shaper.ups[1].grant(5)
    assert proxy.upstream.received == b"hello"
    client.drop()
    assert shaper.ups[1].closed and shaper.downs[1].closed


def abandon(meter):
    meter.running[0].abandon(RequestDenied("too much was used"))


def test_an_exchange_that_is_abandoned_before_its_response_is_refused(proxy, meter, finished):
    client = proxy.connect()
    client.send(GET)
    abandon(meter)
    assert client.received.startswith(b"HTTP/1.1 403 ")
    assert [(one.outcome, one.detail) for one in finished] == [("http_request_denied", "too much was used")]
    proxy.clock.advance(0)
    assert proxy.upstream.reset and not meter.running


def test_one_that_is_abandoned_while_dialing_is_refused(proxy, meter):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(GET)
    abandon(meter)
    assert client.received.startswith(b"HTTP/1.1 403 ")
    assert proxy.network.hanging[0][0].called


def test_one_that_is_abandoned_in_its_response_is_cut(proxy, meter, finished):
    client, upstream = proxy.exchange(GET, OK + b"he")
    abandon(meter)
    proxy.clock.advance(0)
    assert client.received == OK + b"he" and client.closed and upstream.reset
    assert [one.outcome for one in finished] == ["http_request_denied"]


def test_a_tunnel_that_is_abandoned_is_reset(proxy, meter, finished):
    client = proxy.connect()
    client.send(b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n")
    abandon(meter)
    proxy.clock.advance(0)
    assert client.reset and proxy.upstream.reset
    assert [one.detail for one in finished] == ["0 bytes from the client; too much was used"]


def test_what_is_over_cannot_be_abandoned(proxy, meter, finished):
    client = proxy.connect()
    client.send(GET)
    exchange = meter.running[0]
    proxy.upstream.send(OK + b"hello")
    exchange.abandon(RequestDenied("late"))
    assert client.received == OK + b"hello" and len(finished) == 1


def test_an_upload_that_is_held_back_makes_nobody_late(proxy, shaper):
    client = proxy.connect()
    client.send(POST.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
    proxy.upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    client.send(b"hello")
    client.take()
    for _ in range(5):
        proxy.advance(70)
        shaper.ups[0].grant(1)
    proxy.advance(50)
    assert not client.received
    proxy.upstream.send(OK)
    assert client.received == OK
