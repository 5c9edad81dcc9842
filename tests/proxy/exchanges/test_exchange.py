"""Two-sided transcripts: client bytes in, upstream bytes out, upstream bytes in, client bytes out."""

import gc
import weakref

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from tests.proxy.exchanges.particular import Particular
from txproxy.errors import ConnectionRefused
from txproxy.interfaces import Address, IMode, Plan, Postponed, RequestFilter, ResponseFilter
from txproxy.proxy.downstream import http1
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"


def status(data):
    return int(data.split(b" ", 2)[1])


def test_a_request_goes_up_and_its_response_comes_down(proxy):
    client, upstream = proxy.exchange(GET, OK)
    assert upstream.received == (
        b"GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 127.0.0.1\r\nX-Real-IP: 127.0.0.1\r\n"
        b"X-Forwarded-Proto: http\r\nX-Forwarded-Host: a\r\n\r\n"
    )
    assert client.received == OK


def test_each_byte_alone_makes_the_same_transcript(proxy):
    client = proxy.connect()
    client.send_each_byte(POST)
    proxy.upstream.send_each_byte(OK)
    assert proxy.upstream.received.endswith(b"\r\n\r\nhello")
    assert client.received == OK


def test_a_kept_connection_is_used_again(proxy):
    client, _ = proxy.exchange(GET, OK)
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK + OK
    assert len(proxy.network.connections) == 1


def test_pipelined_requests_are_answered_in_order_one_at_a_time(proxy):
    client = proxy.connect()
    client.send(GET.replace(b"/x", b"/1") + GET.replace(b"/x", b"/2"))
    assert proxy.upstream.take().startswith(b"GET /1 ")
    proxy.upstream.send(OK.replace(b"ok", b"11"))
    assert proxy.upstream.take().startswith(b"GET /2 ")
    proxy.upstream.send(OK.replace(b"ok", b"22"))
    assert client.received == OK.replace(b"ok", b"11") + OK.replace(b"ok", b"22")


def test_a_dead_kept_connection_is_replaced_once_for_a_request_that_may_be_repeated(proxy):
    client, first = proxy.exchange(GET, OK)
    client.take()
    client.send(GET)
    first.end()
    assert len(proxy.network.connections) == 2
    proxy.upstream.drop(clean=True)
    assert len(proxy.network.connections) == 2
    assert status(client.received) == 502


@pytest.mark.parametrize("method", [b"PROPFIND", b"REPORT", b"MKCOL", b"SEARCH", b"QUERY", b"VERSION-CONTROL"])
def test_all_methods_that_are_registered_as_idempotent_may_be_repeated(proxy, method):
    client, first = proxy.exchange(GET, OK)
    client.send(GET.replace(b"GET", method))
    first.end()
    assert proxy.upstream is not first and proxy.upstream.received.startswith(method + b" ")


@pytest.mark.parametrize("method", [b"POST", b"PATCH", b"LOCK", b"get", b"UNKNOWN"])
def test_no_other_is(proxy, method):
    client, first = proxy.exchange(GET, OK)
    client.take()
    client.send(GET.replace(b"GET", method))
    first.end()
    assert status(client.received) == 502 and proxy.upstream is first


def test_a_request_on_a_fresh_connection_is_not_repeated(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.end()
    assert len(proxy.network.connections) == 1
    assert status(client.received) == 502
    assert b"Proxy-Status: txproxy; error=connection_terminated" in client.received


@pytest.mark.parametrize("cut", range(len(OK)))
def test_after_a_byte_of_the_response_nothing_is_repeated(proxy, cut):
    client, upstream = proxy.exchange(GET, OK)
    client.take()
    client.send(GET)
    upstream.send(OK[:cut])
    upstream.end()
    assert len(proxy.network.connections) == (2 if cut == 0 else 1)


@pytest.mark.parametrize("cut", range(len(OK)))
@pytest.mark.parametrize("sent", [len(POST) - 5, len(POST) - 2, len(POST)])
def test_a_post_is_never_sent_twice(proxy, cut, sent):
    client, upstream = proxy.exchange(GET, OK)
    client.take()
    upstream.take()
    client.send(POST[:sent])
    upstream.send(OK[:cut])
    upstream.drop()
    seen = b"".join(connection.received for connection in proxy.network.connections)
    assert seen.count(b"POST") == 1
    proxy.clock.advance(0)
    assert client.received[:12] in (b"", b"HTTP/1.1 502", b"HTTP/1.1 200"[: len(client.received)])


def test_a_put_whose_body_has_begun_is_not_repeated(proxy):
    client, upstream = proxy.exchange(GET, OK)
    client.take()
    client.send(POST.replace(b"POST", b"PUT"))
    upstream.end()
    assert len(proxy.network.connections) == 1
    assert status(client.received) == 502


def test_a_connection_with_bytes_after_the_body_is_dropped(proxy):
    client, upstream = proxy.exchange(GET, OK + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    proxy.clock.advance(0)
    assert upstream.closed
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK + OK


def test_early_bytes_on_an_idle_connection_answer_nobody(proxy):
    client, upstream = proxy.exchange(GET, OK)
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison")
    client.send(GET)
    assert proxy.upstream is not upstream
    proxy.upstream.send(OK)
    assert client.received == OK + OK


# -- people who leave, and people who are slow


def test_the_upstream_is_cancelled_when_the_client_leaves(proxy):
    client = proxy.connect()
    client.send(GET)
    client.drop()
    proxy.clock.advance(0)
    assert proxy.upstream.reset


def test_a_client_that_has_closed_its_side_gets_an_answer_that_comes_soon(proxy):
    client = proxy.connect()
    client.send(GET)
    client.end()
    proxy.upstream.send(OK)
    proxy.clock.advance(0)
    assert client.received == OK
    assert client.closed


def test_a_client_that_has_closed_its_side_is_not_waited_for(proxy):
    client = proxy.connect()
    client.send(GET)
    client.end()
    proxy.advance(2)
    assert proxy.upstream.reset
    assert client.closed


def test_a_client_that_has_closed_its_side_may_be_slow_to_take_its_answer(proxy):
    client = proxy.connect()
    client.send(GET)
    client.stop_reading()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + b"x" * 99999)
    client.end()
    proxy.advance(70)
    client.read_on()
    proxy.upstream.send(b"x")
    proxy.clock.advance(0)
    assert client.received.endswith(b"x" * 100000)
    assert client.closed and not client.reset


def test_a_dial_is_cancelled_when_the_client_leaves(proxy):
    proxy.network.script = ["hang"]
    client = proxy.connect()
    client.send(GET)
    waiting = proxy.network.hanging[0][0]
    client.drop()
    assert waiting.called
    assert not proxy.network.connections


@implementer(IMode)
class Undecided:
    def __init__(self):
        self.decision = Deferred()

    def plan(self, head, client):
        return self.decision


def undecided():
    mode = Undecided()
    return mode, ProxyInMemory(lambda reactor: ProxyFactory(mode, reactor=reactor))


def test_a_decision_may_come_later():
    mode, proxy = undecided()
    client = proxy.connect()
    client.send(GET)
    assert not proxy.network.dialed
    mode.decision.callback(Plan(Address("10.9.9.9", 80), None))
    assert client.received == b"HTTP/1.1 200 Connection established\r\n\r\n"
    proxy.close()


def test_a_decision_is_cancelled_when_the_client_leaves():
    mode, proxy = undecided()
    client = proxy.connect()
    client.send(GET)
    client.drop()
    assert mode.decision.called
    proxy.close()


# -- time limits


def test_a_head_that_does_not_come_to_its_end_is_a_408(proxy):
    client = proxy.connect()
    client.send(GET[:10])
    proxy.advance(19)
    assert not client.received
    proxy.advance(3)
    assert status(client.received) == 408
    proxy.advance(4)
    assert client.closed


def test_an_idle_connection_is_closed_without_a_word(proxy):
    client, _ = proxy.exchange(GET, OK)
    client.take()
    proxy.advance(74)
    assert not client.closed
    proxy.advance(3)
    assert client.closed
    assert not client.received


def test_a_client_that_takes_nothing_is_dropped(proxy):
    client = proxy.connect()
    client.send(GET)
    client.stop_reading()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 100000)
    proxy.advance(78)
    assert client.closed
    assert proxy.upstream.reset


def test_an_idle_upstream_connection_expires(proxy):
    _, upstream = proxy.exchange(GET, OK)
    proxy.advance(62)
    assert upstream.closed


# -- dialing


def test_a_post_whose_dial_failed_may_go_elsewhere():
    from txproxy import Pool, ReverseProxyFactory

    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80", "http://10.0.0.2:80"]), reactor=reactor)
    )
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(POST)
    assert [address.host for address in proxy.network.dialed] == ["10.0.0.1", "10.0.0.2"]
    proxy.upstream.send(OK)
    assert status(client.received) == 200
    proxy.close()


@implementer(IMode)
class Filtering:
    """Sends all to one place, past filters."""

    def plan(self, head, context):
        context.filter_responses(Whole())
        context.filter_requests(RequestFilter())
        return Plan(Address("10.0.0.1", 80), head)


class Whole(ResponseFilter):
    """Wants the body, and leaves it as it is."""

    wants_body = True


@pytest.mark.parametrize("end", ["answered", "refused", "client leaves"])
@pytest.mark.parametrize("filtering", [False, True])
def test_one_that_is_over_waits_for_no_collector(filtering, end, monkeypatch):
    made = []

    class Remembered(Exchange):
        def __init__(self, *args):
            super().__init__(*args)
            made.append(weakref.ref(self))

    monkeypatch.setattr(http1, "Exchange", Remembered)
    mode = Filtering() if filtering else Particular("")
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(mode, reactor=reactor))
    gc.collect()
    gc.disable()
    try:
        client = proxy.connect()
        if end == "refused":
            proxy.network.script = [ConnectionRefused("no")]
        client.send(POST)
        if end == "answered":
            proxy.upstream.send(OK)
        elif end == "client leaves":
            client.drop()
        proxy.clock.advance(0)
        assert len(made) == 1 and made[0]() is None
    finally:
        gc.enable()
        proxy.close()


@implementer(IMode)
class Waiting:
    """Would wait for a body for ever."""

    def plan(self, head, context):
        return Postponed(lambda late: None, lambda tracker, exchange: tracker)


def test_a_mode_that_waits_for_a_body_that_a_request_does_not_have_has_failed():
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Waiting(), reactor=reactor))
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 500 and not proxy.network.dialed
    proxy.close()
