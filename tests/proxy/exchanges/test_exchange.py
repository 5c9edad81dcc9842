"""Two-sided transcripts: client bytes in, upstream bytes out, upstream bytes in, client bytes out."""

import gc
import weakref

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.errors import ConnectionRefused, ConnectTimeout, RequestDenied
from txproxy.interfaces import Address, Attempt, IMode, Plan, Postponed, RequestFilter, ResponseFilter
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


def test_a_put_whose_empty_body_has_ended_is_answered_though_its_connection_was_dead(proxy):
    client, upstream = proxy.exchange(GET, OK)
    client.take()
    client.send(b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
    upstream.end()
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


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 2\n\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    ],
)
def test_a_malformed_response_is_a_502(proxy, response):
    client, upstream = proxy.exchange(GET, response)
    assert status(client.received) == 502
    assert b"10.0.0.1" not in client.received
    proxy.clock.advance(0)
    assert upstream.closed


@pytest.mark.parametrize(
    "response",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    ],
)
def test_a_cut_response_is_cut_for_the_client(proxy, response):
    client, upstream = proxy.exchange(GET, response)
    upstream.drop()
    proxy.clock.advance(0)
    assert client.closed
    assert not client.received.endswith(b"0\r\n\r\n")
    assert b"502" not in client.received


def test_a_cut_body_until_close_reaches_an_old_client_as_a_reset(proxy):
    client, upstream = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nabc")
    upstream.drop()
    proxy.clock.advance(0)
    assert client.reset


def test_a_body_until_close_is_chunked_for_the_client(proxy):
    client, upstream = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\nabc")
    upstream.end()
    assert client.received == (b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n")


def test_a_body_until_close_stays_so_for_an_old_client(proxy):
    client, upstream = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\nDate: D\r\n\r\nabc")
    upstream.drop(clean=True)
    proxy.clock.advance(0)
    assert client.received == b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: close\r\n\r\nabc"
    assert client.closed and not client.reset


def test_trailers_are_kept_both_ways(proxy):
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: up\r\n\r\n")
    assert proxy.upstream.received.endswith(b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: up\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nb\r\n0\r\nX: down\r\n\r\n")
    assert client.received.endswith(b"1\r\nb\r\n0\r\nX: down\r\n\r\n")


def test_expectations_and_hints_are_passed_on(proxy):
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    assert b"Expect: 100-continue\r\n" in proxy.upstream.received
    proxy.upstream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert client.take() == b"HTTP/1.1 100 Continue\r\n\r\n"
    client.send(b"hi")
    proxy.upstream.send(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK)
    assert client.received == b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + OK


def test_an_old_client_gets_no_informational_response(proxy):
    client, _ = proxy.exchange(b"GET / HTTP/1.0\r\n\r\n", b"HTTP/1.1 103 Early Hints\r\n\r\n" + OK)
    assert client.received.startswith(b"HTTP/1.1 200")


def test_a_final_answer_before_the_body_ends_the_connection(proxy):
    client = proxy.connect()
    client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 417 No\r\nContent-Length: 0\r\n\r\n")
    assert status(client.received) == 417
    assert client.ended
    client.send(b"hi")
    proxy.advance(4)
    assert client.closed


def test_head_and_204_have_no_body(proxy):
    client, upstream = proxy.exchange(b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", OK[:-2])
    assert client.take() == OK[:-2]
    client.send(GET)
    upstream.send(b"HTTP/1.1 204 No Content\r\nDate: D\r\nContent-Length: 0\r\n\r\n")
    assert client.received == b"HTTP/1.1 204 No Content\r\nDate: D\r\n\r\n"


def test_hop_by_hop_fields_stay_behind(proxy):
    client, upstream = proxy.exchange(
        b"GET / HTTP/1.1\r\nHost: a\r\nConnection: X-Mine, keep-alive\r\nX-Mine: 1\r\nKeep-Alive: 5\r\nTE: gzip\r\n"
        b"Proxy-Authorization: Basic x\r\nProxy-Connection: keep-alive\r\nAccept: b\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nDate: D\r\nConnection: X-Yours\r\nX-Yours: 1\r\nContent-Length: 0\r\n\r\n",
    )
    for name in (b"X-Mine", b"Keep-Alive", b"TE:", b"Proxy-"):
        assert name not in upstream.received
    assert b"Accept: b\r\n" in upstream.received
    assert client.received == b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 0\r\n\r\n"


def test_a_missing_date_is_added(proxy):
    client, _ = proxy.exchange(GET, b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    assert b"\r\nDate: " in client.received


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


def test_a_slow_client_pauses_the_upstream(proxy):
    client = proxy.connect()
    client.send(GET)
    client.stop_reading()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    sent = 0
    while not proxy.upstream.paused:
        proxy.upstream.send(b"x" * 10000)
        sent += 10000
    assert sent < 200000
    client.read_on()
    assert not proxy.upstream.paused


def test_a_connection_that_was_paused_when_its_response_ended_serves_the_next_request(proxy):
    slow = proxy.connect()
    slow.send(GET)
    slow.stop_reading()
    upstream = proxy.upstream
    upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100002\r\n\r\n" + b"x" * 100000)
    assert upstream.paused
    upstream.send(b"xx")
    assert not upstream.paused
    client = proxy.connect()
    client.send(GET)
    assert proxy.upstream is upstream
    upstream.send(OK)
    assert client.received == OK


def test_a_slow_upstream_pauses_the_client():
    from txproxy import Pool, ReverseProxyFactory

    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), reactor=reactor))
    client = proxy.connect()
    client.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n")
    proxy.upstream.stop_reading()
    sent = 0
    while not client.paused:
        client.send(b"x" * 10000)
        sent += 10000
    assert sent < 300000
    proxy.upstream.read_on()
    assert not client.paused
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


def test_a_body_that_does_not_come_is_a_408(proxy):
    client = proxy.connect()
    client.send(POST[:-2])
    proxy.advance(78)
    assert status(client.received) == 408
    assert proxy.upstream.reset


def test_an_upstream_that_does_not_answer_is_a_504(proxy):
    client = proxy.connect()
    client.send(GET)
    proxy.advance(62)
    assert status(client.received) == 504
    assert b"error=http_response_timeout" in client.received
    assert proxy.upstream.reset


def test_a_response_that_stalls_is_cut(proxy):
    client, _ = proxy.exchange(GET, OK[:-1])
    proxy.advance(62)
    assert client.closed
    assert b"504" not in client.received


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


def test_a_connect_timeout_is_a_504(proxy):
    proxy.network.script = [ConnectTimeout("slow")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 504
    assert b"error=connection_timeout" in client.received


def test_without_an_upstream_there_is_a_503(proxy):
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 503
    # the connection goes on
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


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
class Particular:
    """Sends all to one place, but lets no teapot through."""

    def __init__(self, how, head=True):
        self.how = how
        self.head = head

    def plan(self, head, context):
        answered = self.judge if self.how == "answered" else None
        if self.how == "filter":
            context.filter_responses(Judged(self.judge))
        return Plan.of(Attempt(Address("10.0.0.1", 80), head if self.head else None, answered=answered))

    def judge(self, status):
        if status == 418:
            raise RequestDenied("no teapots")


class Judged(ResponseFilter):
    """Asks somebody whether it may pass."""

    def __init__(self, judge):
        self.judge = judge

    def head(self, response, context):
        self.judge(response.status)
        return response


@pytest.mark.parametrize("how", ["answered", "filter"])
@pytest.mark.parametrize("whole", [True, False])
def test_a_response_that_is_not_for_the_client_is_answered_here(how, whole):
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular(how), reactor=reactor))
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 418 Teapot\r\nX: y\r\nContent-Length: 3\r\n\r\n" + (b"tea" if whole else b"t"))
    assert status(client.received) == 403 and b"X: y" not in client.received and b"tea" not in client.received
    assert proxy.upstream.reset is not whole, "the rest is not waited for"
    client.take()
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK
    proxy.close()


def test_what_an_upstream_says_before_a_tunnel_stands_comes_first_in_it():
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular("", head=False), reactor=reactor))
    proxy.network.greeting = b"220 mail"
    client = proxy.connect()
    client.send(b"CONNECT a:25 HTTP/1.1\r\nHost: a:25\r\n\r\n")
    assert client.received.endswith(b"established\r\n\r\n220 mail")
    proxy.close()


def test_what_an_upstream_says_before_it_was_asked_is_no_response():
    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Particular(""), reactor=reactor))
    proxy.network.greeting = OK
    client = proxy.connect()
    client.send(GET)
    assert status(client.received) == 502 and not proxy.upstream.received
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
