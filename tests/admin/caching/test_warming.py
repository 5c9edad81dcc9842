"""Requests that fill a cache before clients ask."""

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.caching.caching_proxy import CachingProxy, get
from txproxy.admin.caching.warming import Way, field_line, warm_request, warmed
from txproxy.errors import ConfigError


@pytest.fixture
def proxy():
    proxy = CachingProxy()
    yield proxy
    proxy.close()
    assert not proxy.factory.services.errands and not proxy.cache.fills


def start(proxy, *urls, fields=()):
    way = Way("edge", False, proxy.factory.services, proxy.factory.handle)
    found = []
    waiting = Deferred.fromCoroutine(warmed(way, urls, fields, proxy.clock))
    waiting.addBoth(found.append)
    return waiting, found


def test_what_comes_is_stored_and_a_client_gets_it(proxy):
    _, found = start(proxy, "http://a/x", fields=[b"Accept-Language: en"])
    proxy.clock.advance(0)
    question = proxy.upstream.take()
    assert question.startswith(b"GET /x HTTP/1.1\r\n") and b"Accept-Language: en\r\n" in question
    proxy.upstream.send(proxy.response("hello", cache_control="max-age=60"))
    proxy.clock.advance(0)
    assert found == [[{"url": "http://a/x", "status": 200, "cache": "MISS", "stored": True, "why": "uri-miss"}]]
    got, asked = proxy.ask(get("/x"))
    assert asked is None and got.body == b"hello"
    _, found = start(proxy, "http://a/x")
    proxy.clock.advance(0)
    assert found == [[{"url": "http://a/x", "status": 200, "cache": "HIT", "stored": True}]]


def test_it_is_told_to_observers_as_a_clients_is(proxy):
    start(proxy, "http://a/x")
    proxy.clock.advance(0)
    proxy.upstream.send(proxy.response(cache_control="max-age=60"))
    (record,) = proxy.finished
    assert (record.client_ip, record.status, record.context.errand) == ("127.0.0.1", 200, "")


def test_a_large_body_is_read_to_its_end(proxy):
    _, found = start(proxy, "http://a/x")
    proxy.clock.advance(0)
    head, body = proxy.response("", length=200_000, cache_control="max-age=60"), "x" * 200_000
    proxy.upstream.send(head)
    for at in range(0, 200_000, 50_000):
        assert found == []
        proxy.upstream.send(body[at : at + 50_000].encode())
    proxy.clock.advance(0)
    assert found[0][0]["stored"] is True
    got, asked = proxy.ask(get("/x"))
    assert asked is None and len(got.body) == 200_000


def test_what_fails_is_told_and_the_others_go_on(proxy):
    _, found = start(proxy, "http://a/1", "http://a/2", "http://a/3")
    proxy.clock.advance(0)
    for connection in proxy.network.connections:
        path = connection.take().split()[1]
        if path == b"/2":
            connection.drop()
        else:
            connection.send(proxy.response(cache_control="no-store" if path == b"/3" else "max-age=60"))
    proxy.advance(1)
    while proxy.upstream.received:
        proxy.upstream.take()
        proxy.upstream.drop()
        proxy.advance(1)
    one, two, three = found[0]
    assert one["stored"] is True
    assert two["status"] == 502 and two["error"]
    assert three["stored"] is False and "no-store" in three["why"]


def test_a_few_are_asked_for_at_once(proxy):
    _, found = start(proxy, *(f"http://a/{number}" for number in range(20)))
    proxy.clock.advance(0)
    assert len(proxy.network.connections) == 8
    for _ in range(20):
        for connection in proxy.network.connections:
            if connection.received:
                connection.take()
                connection.send(proxy.response(cache_control="max-age=60"))
        proxy.clock.advance(0.01)
    assert [one["stored"] for one in found[0]] == [True] * 20 and len(proxy.network.connections) == 8


def test_who_leaves_ends_what_is_under_way_and_nothing_more_is_asked(proxy):
    waiting, _ = start(proxy, *(f"http://a/{number}" for number in range(20)))
    waiting.addErrback(lambda _: None)
    proxy.clock.advance(0)
    waiting.cancel()
    proxy.advance(1)
    for connection in proxy.network.connections:
        if connection.received and not connection.closed:
            connection.send(proxy.response(cache_control="no-store"))
    proxy.advance(1)
    assert len(proxy.network.connections) == 8


def test_a_proxy_that_stops_gives_them_up(proxy):
    _, found = start(proxy, "http://a/x")
    proxy.clock.advance(0)
    proxy.factory.services.stop()
    proxy.clock.advance(0)
    assert found[0][0]["error"] == "the client closed the connection"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "a",
        "ftp://a/",
        "ws://a/",
        "http://",
        "http:///x",
        "http://u:p@a/",
        "http://a b/",
        "http://[/",
        "http://ä/",
        "/x",
    ],
)
def test_what_is_no_url_is_not_asked_for(url):
    with pytest.raises(ConfigError, match=r"is no URL; accepted is http://HOST/PATH"):
        warm_request(Way("edge", False, None, None), url, ())


def test_a_request_is_as_the_listeners_clients_send_it():
    head, context = warm_request(Way("edge", False, None, None), "https://a:8443/x?y=1#z", [b"A: b"])
    assert (head.path, head.authority, head.scheme, context.scheme) == (b"/x?y=1", b"a:8443", None, "https")
    assert head.headers.lines == [b"Host: a:8443", b"A: b"]
    head, context = warm_request(Way("out", True, None, None), "http://a", ())
    assert (head.path, head.authority, head.scheme, context.scheme) == (b"/", b"a", b"http", "http")


@pytest.mark.parametrize("text", ["", "a", "a b: c", ": x", "A: b\r\nC: d", "A: \0"])
def test_what_is_no_field_is_none(text):
    with pytest.raises(ConfigError, match="is no field; accepted is 'NAME: VALUE'"):
        field_line(text)


@pytest.mark.parametrize("text", ["Host: b", "content-length: 5", "Transfer-Encoding: chunked", "Upgrade: h2c"])
def test_what_the_request_has_of_its_own_is_not_said_again(text):
    with pytest.raises(ConfigError, match="the request has its own"):
        field_line(text)
    assert field_line("Accept:  text/html ") == b"Accept: text/html"
