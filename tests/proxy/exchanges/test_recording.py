"""The record of an exchange: what it says of attempts and of times."""

import pytest

from tests.proxy.caching.caching_proxy import CachingProxy, get
from tests.proxy.downstream.http2.http2_peer import Http2Peer as Client
from tests.proxy.exchanges.filtering import GET, OK, PUT
from tests.proxy.upstream.http2_peer import Http2Peer as Upstream
from txproxy import Limits, Pool, PoolSettings, ReverseProxyFactory
from txproxy.errors import ConnectionRefused
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

ASKED = b"GET /x HTTP/1.1\r\nHost: a\r\nA: b\r\n\r\n"
ANSWER = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
def records():
    return []


@pytest.fixture
def serve(records, closing):
    def serve(upstreams=2, **limits):
        pool = Pool([f"http://10.0.0.{number}" for number in range(1, upstreams + 1)], settings=PoolSettings(retries=1))
        return closing(
            ProxyInMemory(
                lambda reactor: ReverseProxyFactory(
                    pool, limits=Limits(**limits), observers=(records.append,), reactor=reactor
                )
            )
        )

    return serve


def told(record):
    return [
        (str(one.address), one.fault.error if one.fault is not None else None, one.status, one.reused)
        for one in record.attempts
    ]


def test_it_has_what_the_client_got_and_when(serve, records):
    proxy = serve(1)
    client = proxy.connect()
    client.send(PUT)
    proxy.advance(2)
    client.send(b"hello")
    proxy.advance(3)
    proxy.upstream.send(OK[:-2])
    proxy.advance(4)
    proxy.upstream.send(OK[-2:])
    (record,) = records
    assert (record.outcome, record.detail, record.status, record.sent, record.received) == ("ok", "", 200, 5, 5)
    assert (record.first_byte, record.seconds) == pytest.approx((5, 9))
    (attempt,) = record.attempts
    assert (attempt.began, attempt.connected, attempt.ended) == pytest.approx((0, 0, 9))
    assert record.client_ip == "127.0.0.1" and str(record.address) == "10.0.0.1:80"
    assert "'ok', 200, 9.000 s" in repr(record) and "200, 9.000 s" in repr(attempt)


def test_each_attempt_is_there_with_how_it_went(serve, records):
    proxy = serve(2)
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    proxy.advance(1)
    proxy.upstream.drop(clean=True)
    assert told(records[0]) == [
        ("10.0.0.1:80", "connection_refused", 0, False),
        ("10.0.0.2:80", "connection_terminated", 0, False),
    ]
    assert records[0].outcome == "connection_terminated" and records[0].first_byte is None
    assert records[0].attempts[0].connected is None and records[0].attempts[1].ended == pytest.approx(1)


def test_a_kept_connection_is_known_as_such_and_one_that_had_ended_is_no_other_attempt(serve, records):
    proxy = serve(1)
    client, first = proxy.exchange(GET, OK)
    client.send(GET)
    first.send(OK)
    client.send(GET)
    first.drop(clean=True)
    proxy.upstream.send(OK)
    assert [told(record) for record in records] == [
        [("10.0.0.1:80", None, 200, reused)] for reused in (False, True, False)
    ]


@pytest.mark.parametrize("end", ["cut", "leaves"])
def test_what_did_not_end_well_says_so(serve, records, end):
    proxy = serve(1)
    client, upstream = proxy.exchange(GET, OK[:-2])
    if end == "cut":
        upstream.drop()
    else:
        client.drop()
    (record,) = records
    assert record.outcome == ("http_response_incomplete" if end == "cut" else "client-gone")
    assert told(record) == [("10.0.0.1:80", record.outcome if end == "cut" else None, 200, False)]


def test_what_no_upstream_was_asked_for_has_no_attempt(serve, records):
    proxy = serve(1)
    client = proxy.connect()
    client.send(b"GET / HTTP/9.9\r\n\r\n")
    assert records[0].attempts == () and records[0].address is None and records[0].status >= 400


def test_what_never_became_a_request_has_been_waited_for(serve, records):
    proxy = serve(1, header_timeout=7)
    client = proxy.connect()
    client.send(b"GET ")
    proxy.advance(8)
    assert records[0].status == 408 and records[0].seconds >= 7


def test_a_tunnel_ends_with_its_bytes(serve, records):
    proxy = serve(1)
    client = proxy.connect()
    client.send(b"GET /x HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: w\r\n\r\n")
    proxy.advance(1)
    client.send(b"hi")
    proxy.upstream.send(b"hello")
    client.drop()
    proxy.advance(0)
    (record,) = records
    assert (record.outcome, record.status, record.received, record.sent) == ("tunnel", 101, 2, 5)
    assert told(record) == [("10.0.0.1:80", None, 101, False)] and record.first_byte == 0


def test_it_has_the_head_that_the_client_got(serve, records):
    proxy = serve(1)
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\nX-A: b\r\n\r\nok")
    assert records[0].response.headers.index[b"x-a"] == b"b"
    # What is for one hop is not in it.
    assert b"connection" not in records[0].response.headers.index
    proxy.network.script = [ConnectionRefused("no")]
    client.send(GET)
    assert records[-1].status == 503 and records[-1].response.status == 503
    assert b"proxy-status" in records[-1].response.headers.index
    proxy.connect().send(b"no request\r\n\r\n")
    assert (records[-1].status, records[-1].response.status, records[-1].attempts) == (400, 400, ())
    gone = proxy.connect()
    gone.send(GET)
    gone.drop()
    assert (records[-1].outcome, records[-1].response) == ("client-gone", None)


def test_it_has_the_peer_of_each_attempt(serve, records):
    proxy = serve(2)
    client = proxy.connect()
    proxy.network.script = [ConnectionRefused("no")]
    client.send(GET)
    proxy.upstream.send(OK)
    first, second = records[0].attempts
    assert (first.upstream, first.peer) == (None, None)
    assert second.upstream is not None and second.peer == second.upstream.transport.getPeer()


def test_who_keeps_nothing_is_told_of_the_exchange_itself(serve, records):
    proxy = serve(1)
    services = proxy.factory.services
    keeping = services.tell
    seen = []

    def look(over):
        seen.append((type(over), over.kept, over.eventful, over.upstream_status, over.seconds == over.first_byte))
        keeping(over)
        assert told(records[-1]) == told(over) and over.seconds == records[-1].seconds

    services.tell = look
    client, upstream = proxy.exchange(GET, OK)
    client.send(GET)
    upstream.send(OK)
    client.send(GET)
    proxy.advance(1)
    upstream.send(OK[:-2])
    proxy.advance(1)
    upstream.send(OK[-2:])
    kept = seen[1][1]
    assert [one[2:] for one in seen] == [(True, 200, True), (False, 200, True), (False, 200, False)]
    assert kept is seen[2][1] is records[1].kept and not records[1].eventful
    assert all(issubclass(one[0], Exchange) for one in seen)


def test_what_a_cache_has_got_for_it_is_its_attempt():
    proxy = CachingProxy()
    seen = []
    services = proxy.factory.services
    services.observed, services.tell = True, lambda over: seen.append((over.attempt, over.attempts))
    proxy.ask(get("/x"), proxy.response(cache_control="max-age=60"))
    proxy.ask(get("/x"))
    (attempt, attempts), hit = seen
    assert attempt is attempts[0].attempt and attempt.upstream.name and hit == (None, ())
    proxy.close()


@pytest.mark.parametrize("upstream", ["http", "h2c"])
def test_what_an_observer_makes_of_heads_is_of_no_other_request(upstream):
    kinds = []

    def hide(record):
        kinds.append((type(record.request), type(record.response)))
        record.request.path = b"/hidden"
        record.response.status = 299
        record.response.headers = Headers([(b"Content-Length", b"0")])

    proxy = ProxyInMemory(
        lambda reactor: ReverseProxyFactory(
            Pool([f"{upstream}://10.0.0.1"]), via=None, h2c=True, observers=(hide,), reactor=reactor
        )
    )
    client, others = proxy.connect(), [Client(proxy.connect()) for _ in range(2)]
    peer = None

    def answer(path):
        nonlocal peer
        if upstream == "http":
            (asked,) = [one for one in proxy.network.connections if one.received]
            assert asked.take().startswith(b"GET %b " % path)
            asked.send(ANSWER)
        else:
            peer = peer or Upstream(proxy.upstream)
            stream = max(peer.look().heads)
            assert peer.head(stream)[":path"] == path.decode()
            peer.answer(stream, 200, ("date", "D"), ("content-length", "5"), body=b"hello")

    for _ in range(6):
        client.send(ASKED)
        answer(b"/x")
        assert client.take().lower() == ANSWER.lower()
        for other in others:
            stream = other.ask()
            answer(b"/")
            response = other.turn().responses[stream]
            assert (response.status, response.field(b"date"), response.body) == (200, b"D", b"hello")
    assert {*kinds} == {(RequestHead, ResponseHead)}
    proxy.close()
