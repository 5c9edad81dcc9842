"""What spans say of exchanges of proxies in memory."""

import pytest

from tests.forward.conftest import ForwardPolicy
from tests.proxy.downstream.http2.http2_peer import GET as GET_2
from tests.proxy.downstream.http2.http2_peer import Http2Peer
from txproxy.errors import ConnectionRefused
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.interfaces.record import momentary
from txproxy.observe.request_tracing import RequestTracing
from txproxy.observe.spans.span_building import CLIENT, SERVER, spans_of
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.pool import Pool
from txproxy.wire.trace_context import read_traceparent

NOW = 1_700_000_000_000_000_000
GIVEN = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
GET = b"GET /a?key=secret HTTP/1.1\r\nHost: shop.example:8080\r\nUser-Agent: u\r\n%b\r\n"
TRACED = GET % (b"traceparent: %b\r\n" % GIVEN)
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Told:
    """What became of the last exchange, as spans."""

    @momentary
    def exchange(self, over):
        self.spans = list(spans_of(over, "edge", NOW))


@pytest.fixture
def told():
    return Told()


@pytest.fixture
def make(told):
    made = []

    def make(kind, what, **words):
        made.append(
            ProxyInMemory(
                lambda clock: kind(
                    what, observers=(told.exchange,), middleware=[RequestTracing(sample=1.0)], reactor=clock, **words
                )
            )
        )
        return made[-1]

    yield make
    for proxy in made:
        proxy.close()


@pytest.fixture
def proxy(make):
    return make(ReverseProxyFactory, Pool(["http://10.0.0.1", "http://10.0.0.2"], "first", name="app"), h2c=True)


def sent(proxy):
    line = next(line for line in proxy.upstream.received.split(b"\r\n") if line.startswith(b"traceparent: "))
    return read_traceparent(line.partition(b": ")[2])


def test_an_exchange_is_a_span_of_a_server_and_its_attempt_one_of_a_client(proxy, told):
    client = proxy.connect("192.0.2.7")
    client.send(TRACED)
    proxy.clock.advance(0.25)
    proxy.upstream.send(OK)
    server, attempt = told.spans
    passed = sent(proxy)
    assert server.trace == attempt.trace == int(passed.trace, 16) == 0x0AF7651916CD43DD8448EB211C80319C
    assert server.parent == 0xB7AD6B7169203331 and attempt.parent == server.span
    assert attempt.span == int(passed.span, 16) and passed.sampled, "what the upstream does is part of the attempt"
    assert len({server.parent, server.span, attempt.span}) == 3
    assert (server.start, server.end) == (NOW - 250_000_000, NOW) and server.fault == attempt.fault == ""
    assert (attempt.start, attempt.end) == (server.start, server.end)
    assert (server.kind, server.name, attempt.kind, attempt.name) == (SERVER, "GET", CLIENT, "GET")
    assert server.attributes == {
        "http.request.method": "GET", "url.scheme": "http", "url.path": "/a", "network.protocol.version": "1.1",
        "client.address": "192.0.2.7", "network.peer.address": "192.0.2.7", "user_agent.original": "u",
        "http.response.status_code": 200, "http.response.body.size": 2, "server.address": "shop.example",
        "server.port": 8080, "txproxy.listener": "edge", "txproxy.outcome": "ok", "txproxy.attempts": 1,
    }  # fmt: skip
    assert attempt.attributes == {
        "http.request.method": "GET", "url.full": "http://shop.example:8080/a", "server.address": "10.0.0.1",
        "server.port": 80, "network.peer.address": "127.0.0.1", "network.peer.port": 50000,
        "http.response.status_code": 200, "txproxy.pool": "app", "txproxy.upstream": "http://10.0.0.1",
        "txproxy.connection.reused": False,
    }  # fmt: skip


def test_a_trace_that_begins_here_has_no_parent(proxy, told):
    proxy.exchange(GET % b"", OK)
    server, attempt = told.spans
    assert server.parent is None and server.trace == int(sent(proxy).trace, 16) and attempt.parent == server.span


def test_each_attempt_is_a_span_and_the_upstream_follows_the_last(proxy, told):
    proxy.network.script = [ConnectionRefused("nobody listens")]
    proxy.exchange(TRACED, OK)
    server, first, second = told.spans
    assert first.attributes["error.type"] == "connection_refused" and first.fault == "nobody listens"
    assert "http.request.resend_count" not in first.attributes and "network.peer.address" not in first.attributes
    assert second.attributes["http.request.resend_count"] == 1 and second.span == int(sent(proxy).span, 16)
    assert first.parent == second.parent == server.span != first.span and server.fault == ""


def test_who_was_asked_and_did_not_answer_has_another_span_than_the_next(proxy, told):
    client = proxy.connect("192.0.2.7")
    client.send(TRACED)
    asked = sent(proxy)
    proxy.upstream.drop()
    again = sent(proxy)
    proxy.upstream.send(OK)
    _, first, second = told.spans
    assert proxy.network.dialed[0] != proxy.network.dialed[1]
    assert (first.span, second.span) == (int(asked.span, 16), int(again.span, 16)) and asked != again
    assert asked.trace == again.trace and again.sampled
    assert proxy.upstream.received.count(b"traceparent: ") == 1


@pytest.mark.parametrize(
    ("status", "server_says", "client_says"), [(404, None, "404"), (500, "500", "500"), (200, None, None)]
)
def test_a_status_is_an_error_to_who_has_got_it(proxy, told, status, server_says, client_says):
    proxy.exchange(TRACED, OK.replace(b"200 OK", b"%d X" % status))
    server, attempt = told.spans
    assert server.attributes.get("error.type") == server_says and bool(server.fault) is (server_says is not None)
    assert attempt.attributes.get("error.type") == client_says and bool(attempt.fault) is (client_says is not None)


def test_what_fails_is_called_as_logs_call_it(proxy, told):
    proxy.network.script = [ConnectionRefused("a"), ConnectionRefused("b")]
    proxy.connect().send(TRACED)
    assert told.spans[0].attributes["error.type"] == "connection_refused" and len(told.spans) == 3
    assert told.spans[0].attributes["http.response.status_code"] == 503 and told.spans[0].fault


@pytest.mark.parametrize(
    ("request_line", "name", "method", "original"),
    [(b"QUERY /a", "QUERY", "QUERY", None), (b"FROB /a", "HTTP", "_OTHER", "FROB")],
)
def test_a_method_that_clients_make_up_is_no_name(proxy, told, request_line, name, method, original):
    proxy.exchange(TRACED.replace(b"GET /a?key=secret", request_line), OK)
    for span in told.spans:
        assert span.name == name and span.attributes["http.request.method"] == method
        assert span.attributes.get("http.request.method_original") == original


def test_requests_of_http2_say_so(proxy, told):
    peer = Http2Peer(proxy.connect())
    peer.ask(*GET_2)
    proxy.upstream.send(OK)
    peer.turn()
    assert told.spans[0].attributes["network.protocol.version"] == "2"


def test_a_forward_proxy_tells_of_parents_without_their_passwords(make, told):
    proxy = make(ForwardProxyFactory, ForwardPolicy(parents=["http://user:word@10.0.0.8:3128"]))
    proxy.exchange(b"GET http://a.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n", OK)
    server, attempt = told.spans
    assert attempt.attributes["url.full"] == "http://a.example/x" and "word" not in str(told.spans)
    assert server.attributes["url.scheme"] == "http" and server.attributes["server.port"] == 80
