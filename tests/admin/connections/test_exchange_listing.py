"""What is told of the whole way of an exchange."""

import re

import pytest

from tests.forward.conftest import ForwardPolicy
from txproxy.errors import ConnectionRefused, ConnectTimeout
from txproxy.forward.proxy_factory import ForwardProxyFactory
from txproxy.observe.request_counts import RequestCounts
from txproxy.reverse.mode import ReverseProxyFactory
from txproxy.stream.stream_factory import StreamFactory
from txproxy.upstreams.pool import Pool

GET = b"GET /a?key=secret HTTP/1.1\r\nHost: shop.example\r\nX-Request-Id: r1\r\n\r\n"
POST = b"POST /a HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 2\r\n\r\nab"


def failed(client):
    return client.ask("GET", "/api/exchanges/failed").json["exchanges"]


def test_all_of_one_that_has_failed_is_told(client, balanced):
    proxy, pool = balanced
    pool.disable("http://10.0.0.2:80")
    proxy.network.script = [ConnectionRefused("nobody listens"), ConnectTimeout("no answer")]
    proxy.connect("192.0.2.9").send(GET)
    (one,) = failed(client)
    assert re.fullmatch(r"\d+-1\.f1", one.pop("id"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", one.pop("time"))
    attempts, candidates = one.pop("attempts"), one.pop("candidates")
    assert one == {
        "listener": "edge", "client": "192.0.2.9", "user": None, "tls": None, "cipher": None, "server_name": None,
        "method": "GET", "url": "http://shop.example/a?...", "protocol": "HTTP/1.1", "request_id": "r1",
        "trace_id": None, "route": None, "verdict": None, "limit": None, "cache": None, "phase": "ended",
        "status": 504, "outcome": "connection_timeout", "detail": "no answer", "seconds": 0.0, "first_byte": None,
        "received": 0, "sent": one["sent"], "pool": "app",
    }  # fmt: skip
    assert attempts == [
        {
            "pool": "app", "upstream": "http://10.0.0.1:80", "address": "10.0.0.1:80", "began": 0.0, "connected": None,
            "ended": 0.0, "reused": False, "status": None, "error": "connection_refused", "detail": "nobody listens",
            "then": "nothing of it was done there: it goes elsewhere",
        },
        {
            "pool": "app", "upstream": "http://10.0.0.3:80", "address": "10.0.0.3:80", "began": 0.0, "connected": None,
            "ended": 0.0, "reused": False, "status": None, "error": "connection_timeout", "detail": "no answer",
            "then": "no other upstream could be tried",
        },
    ]  # fmt: skip
    assert candidates == [
        {"upstream": "http://10.0.0.1:80", "state": "healthy", "age": 0.0, "why": "it was tried"},
        {"upstream": "http://10.0.0.2:80", "state": "disabled", "age": 0.0, "why": "disabled by the administrator"},
        {"upstream": "http://10.0.0.3:80", "state": "healthy", "age": 0.0, "why": "it was tried"},
    ]


def test_one_for_which_there_is_no_upstream_tells_why_each_is_none(client, balanced):
    proxy, pool = balanced
    pool.disable("http://10.0.0.1:80")
    pool.drain("http://10.0.0.2:80")
    pool.weigh("http://10.0.0.3:80", 0)
    proxy.connect().send(GET)
    (one,) = failed(client)
    assert (one["status"], one["pool"], one["attempts"]) == (503, "app", [])
    told = [(candidate["state"], candidate["why"]) for candidate in one["candidates"]]
    assert told == [
        ("disabled", "disabled by the administrator"),
        ("draining", "drained by the administrator"),
        ("draining", "its weight is 0"),
    ]


def test_a_request_that_may_have_been_done_is_not_sent_again(client, balanced):
    proxy, _ = balanced
    proxy.connect().send(POST)
    proxy.clock.advance(1.5)
    proxy.upstream.drop()
    proxy.clock.advance(1)
    (one,) = failed(client)
    (attempt,) = one["attempts"]
    assert (attempt["connected"], attempt["ended"], attempt["error"]) == (0.0, 1.5, "connection_terminated")
    assert attempt["then"] == "part of its body had gone, which cannot be sent again"
    whys = {candidate["why"] for candidate in one["candidates"]}
    assert whys == {"it was tried", "one before it can take the request"} and one["received"] == 2


def test_one_that_is_sent_again_tells_how_often_and_why_not_once_more(client, balanced):
    proxy, _ = balanced
    proxy.connect().send(GET)
    for _ in range(2):
        proxy.advance(65)
    (one,) = failed(client)
    first, second = one["attempts"]
    assert first["error"] == second["error"] == "http_response_timeout"
    assert first["then"] == "its method is idempotent: sent again, for the 1. time"
    assert second["then"] == "it was sent again 1 times, and retries = 1"


def test_a_status_of_an_upstream_is_passed_on(client, balanced):
    proxy, _ = balanced
    proxy.exchange(GET, b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")
    (one,) = failed(client)
    assert (one["status"], one["outcome"], one["first_byte"]) == (500, "ok", 0.0)
    assert one["attempts"][0]["then"] == "a response is passed on, whatever it says"


def test_a_forward_proxy_goes_to_one_place(client, make, view):
    policy = ForwardPolicy(allow_destinations=["127.0.0.0/8"])
    counts = RequestCounts(view.failed.of("out"))
    proxy = make("out", lambda clock: ForwardProxyFactory(policy, observers=(counts.exchange,), reactor=clock))
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect().send(b"GET http://127.0.0.1:8000/x HTTP/1.1\r\nHost: 127.0.0.1:8000\r\n\r\n")
    (one,) = failed(client)
    assert one["candidates"] == [] and one["pool"] is None
    (attempt,) = one["attempts"]
    assert (attempt["upstream"], attempt["pool"]) == ("127.0.0.1:8000", None)
    assert attempt["then"] == "there was nowhere else to go"


def test_a_raw_stream_has_no_status(client, make, view):
    pool, counts = Pool(["http://10.0.0.9:5432"], name="raw"), RequestCounts(view.failed.of("streams"))
    proxy = make("streams", lambda clock: StreamFactory(pool, observers=(counts.stream,), reactor=clock))
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect()
    (one,) = failed(client)
    assert (one["listener"], one["method"], one["url"], one["status"]) == ("streams", None, None, None)
    assert one["attempts"][0]["then"] == "no other upstream could be tried" and one["pool"] == "raw"


def test_one_that_goes_on_is_told_as_far_as_it_is(client, balanced):
    proxy, _ = balanced
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect().send(GET)
    proxy.clock.advance(2)
    (one,) = client.ask("GET", "/api/exchanges").json["exchanges"]
    first, second = one["attempts"]
    assert (one["phase"], one["outcome"], one["seconds"]) == ("sent", None, 2.0)
    assert first["ended"] == 0.0 and first["then"] is not None
    assert (second["upstream"], second["connected"], second["ended"]) == ("http://10.0.0.2:80", 0.0, None)
    assert second["then"] is None and failed(client) == []
    assert [candidate["why"] for candidate in one["candidates"]] == [
        "it was tried", "it has the request", "one before it can take the request",
    ]  # fmt: skip


def test_one_that_waits_for_room_names_the_pool(client, make, view):
    pool = Pool(["http://10.0.0.1:80;max=1"], name="app")
    counts = RequestCounts(view.failed.of("edge"))
    proxy = make("edge", lambda clock: ReverseProxyFactory(pool, observers=(counts.exchange,), reactor=clock))
    proxy.connect("192.0.2.1").send(GET)
    proxy.connect("192.0.2.2").send(GET)
    waits = client.ask("GET", "/api/exchanges?client=192.0.2.2").json["exchanges"][0]
    assert (waits["phase"], waits["pool"], waits["attempts"]) == ("planning", "app", [])
    assert waits["candidates"][0]["why"] == "it has all the requests that it may have, which are 1"


@pytest.mark.parametrize("forward", [False, True])
def test_what_a_parent_or_pool_is_called_is_no_secret(client, make, view, forward):
    counts = RequestCounts(view.failed.of("out"))
    if forward:
        policy = ForwardPolicy(parents=["http://user:word@10.0.0.8:3128"])
        proxy = make("out", lambda clock: ForwardProxyFactory(policy, observers=(counts.exchange,), reactor=clock))
    else:
        pool = Pool(["http://10.0.0.8:3128"])
        proxy = make("out", lambda clock: ReverseProxyFactory(pool, observers=(counts.exchange,), reactor=clock))
    proxy.network.script = [ConnectionRefused("no")]
    proxy.connect().send(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
    answer = client.ask("GET", "/api/exchanges/failed")
    assert b"word" not in answer.body
    assert "10.0.0.8:3128" in answer.json["exchanges"][0]["attempts"][0]["upstream"]
