"""The reverse mode: what upstreams are told."""

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.errors import ConfigError, ConnectionRefused, ConnectTimeout, TlsError
from txproxy.reverse.actions.treatments import Respond
from txproxy.reverse.mode import ReverseMode
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.testing import ProxyInMemory
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings

GET = b"GET / HTTP/1.1\r\nHost: site.example\r\n\r\n"


@pytest.fixture
def make():
    made = []

    def make(*upstreams, **options):
        pool = Pool(upstreams or ["http://10.0.0.1:81"])
        proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, reactor=reactor, **options))
        made.append(proxy)
        return proxy

    yield make
    for proxy in made:
        proxy.close()


def sent(proxy, request=GET):
    proxy.connect("192.0.2.9").send(request)
    return proxy.upstream.take().split(b"\r\n")


def test_upstreams_are_told_who_asks_and_how(make):
    assert sent(make(via=None)) == [
        b"GET / HTTP/1.1",
        b"Host: site.example",
        b"X-Forwarded-For: 192.0.2.9",
        b"X-Real-IP: 192.0.2.9",
        b"X-Forwarded-Proto: http",
        b"X-Forwarded-Host: site.example",
        b"",
        b"",
    ]


def test_what_a_client_says_of_itself_is_replaced(make):
    lies = b"".join(
        name + b": 6.6.6.6\r\n"
        for name in (
            b"X-Forwarded-For",
            b"x-real-ip",
            b"Forwarded",
            b"X-Forwarded-Proto",
            b"X_Forwarded_For",
            b"X_Real-IP",
        )
    )
    lines = sent(make(), GET[:-2] + lies + b"X_Other: kept\r\n\r\n")
    assert not any(b"6.6.6.6" in line for line in lines)
    assert b"X_Other: kept" in lines
    smuggled = sent(make(), GET[:-2] + b"Content_Length: 5\r\nTransfer_Encoding: chunked\r\nProxy: http://evil\r\n\r\n")
    assert not any(line.lower().startswith((b"content", b"transfer", b"proxy")) for line in smuggled)
    assert [line for line in lines if line.startswith(b"X-Forwarded-For")] == [b"X-Forwarded-For: 192.0.2.9"]


@pytest.mark.parametrize(
    ("host", "expected"), [(None, b"site.example"), ("other.example", b"other.example"), ("upstream", b"10.0.0.1:81")]
)
def test_host_is_the_clients_own_unless_told(make, host, expected):
    lines = sent(make(host=host))
    assert b"Host: " + expected in lines
    assert b"X-Forwarded-Host: site.example" in lines


def test_a_client_without_host_gets_the_upstreams_name(make):
    assert b"Host: 10.0.0.1:81" in sent(make(), b"GET / HTTP/1.0\r\n\r\n")


def test_an_absolute_target_becomes_an_origin_one(make):
    lines = sent(make(), b"GET http://site.example/x HTTP/1.1\r\nHost: site.example\r\n\r\n")
    assert lines[0] == b"GET /x HTTP/1.1"


def test_requests_go_round(make):
    proxy = make("http://10.0.0.1", "http://10.0.0.2")
    for _ in range(4):
        sent(proxy)
    assert [address.host[-1] for address in proxy.network.dialed] == ["1", "2", "1", "2"]


def test_failover_tries_each_other_upstream_once_and_names_it(make):
    proxy = make("http://10.0.0.1", "http://10.0.0.2", "http://10.0.0.3", host="upstream")
    proxy.network.script = [ConnectionRefused("1"), ConnectTimeout("2")]
    assert b"Host: 10.0.0.3" in sent(proxy)
    assert [address.host[-1] for address in proxy.network.dialed] == ["1", "2", "3"]


def test_when_none_can_be_reached_there_is_a_503(make):
    proxy = make("http://10.0.0.1", "http://10.0.0.2")
    proxy.network.script = [ConnectionRefused("1"), ConnectionRefused("2")]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 503 ")
    assert len(proxy.network.dialed) == 2


@pytest.mark.parametrize("error", ["tls_certificate_error", "tls_protocol_error", "tls_alert_received"])
def test_a_certificate_that_cannot_be_verified_is_a_502(make, error):
    proxy = make("https://10.0.0.1", "https://10.0.0.2")
    untrusted = TlsError("the certificate is not trusted", error=error)
    proxy.network.script = [ConnectionRefused("1"), untrusted]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 502 ") and b"error=" + error.encode() in client.received
    # It is a failure of the connection all the same: others are asked, and it counts.
    assert [upstream._strikes for upstream in proxy.factory.pools[0].upstreams] == [1, 1]
    proxy.network.script = [untrusted]
    client = proxy.connect()
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 204 OK\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 204 ")


def test_a_loop_is_a_508(make):
    proxy = make()
    lines = sent(proxy)
    client = proxy.connect()
    client.send(b"\r\n".join(lines))
    assert client.received.startswith(b"HTTP/1.1 508 ")


@pytest.mark.parametrize("host", [None, "upstream", "fixed.example"])
def test_a_request_with_the_same_fields_for_another_host_is_told_of_as_what_it_is(make, host):
    proxy = make(host=host)
    client = proxy.connect()
    # HTTP/1.0: the target alone says for which host it is
    for name in (b"one.example", b"two.example"):
        client.send(b"GET http://%b/ HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" % name)
        assert b"\r\nX-Forwarded-Host: %b\r\n" % name in proxy.upstream.take()
        proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_who_is_refused_is_logged_as_who_it_is(make):
    seen = []
    proxy = make(trusted_proxies=["192.0.2.0/24"], observers=(lambda exchange: seen.append(exchange.client_ip),))
    client = proxy.connect("192.0.2.1")
    forwarded = b"Host: a\r\nX-Forwarded-For: %b\r\n\r\n"
    client.send(b"GET / HTTP/1.1\r\n" + forwarded % b"6.6.6.6")
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client.send(b"TRACE / HTTP/1.1\r\n" + forwarded % b"7.7.7.7")
    assert client.received.count(b"HTTP/1.1 405 ") == 1
    assert seen == ["6.6.6.6", "7.7.7.7"]


def test_a_path_that_leads_to_different_routes_is_a_400_and_the_connection_closes():
    routes = [Route("admin", Match(path="/admin"), Respond(403)), Route("rest", Match(), Respond(200))]
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(ReverseMode(routes=routes), reactor=reactor))
    client = proxy.connect()
    client.send(b"GET /a//b%20c HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 200 ")
    client.send(b"GET /x/..%2fadmin HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
    received = client.take()
    assert received.startswith(b"HTTP/1.1 400 ") and b"Proxy-Status: txproxy; error=http_request_error" in received
    assert received.count(b"HTTP/1.1 ") == 1 and b"can be read in more than one way" in received
    assert client.ended
    proxy.close()


def test_max_forwards_is_counted_down_and_ends_here_at_none(make):
    # RFC 9110 section 7.6.2
    proxy = make(via=None)
    client = proxy.connect()
    head = b"OPTIONS /x HTTP/1.1\r\nHost: a\r\nMax-Forwards: %b\r\n\r\n"
    for number, left in ((b"2", b"1"), (b"1", b"0")):
        client.send(head % number)
        assert b"\r\nMax-Forwards: %b\r\n" % left in proxy.upstream.take()
        proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client.take()
    # The same fields with another method are another request.
    client.send((head % b"2").replace(b"OPTIONS", b"GET"))
    assert b"\r\nMax-Forwards: 2\r\n" in proxy.upstream.take()
    proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    client.take()
    client.send(head % b"0")
    answer = client.take()
    assert answer.startswith(b"HTTP/1.1 200 ") and b"\r\nAllow: GET, " in answer
    assert not proxy.upstream.received
    client.send(head % b"x")
    assert client.take().startswith(b"HTTP/1.1 400 ")


def test_via_says_in_which_version_a_request_was_received(make):
    # RFC 9110 section 7.6.3
    proxy = make()
    client = proxy.connect()
    for minor in (1, 0, 1):
        client.send(b"GET / HTTP/1.%d\r\nHost: a\r\nConnection: keep-alive\r\n\r\n" % minor)
        assert b"\r\nVia: 1.%d txproxy (" % minor in proxy.upstream.take()
        proxy.upstream.send(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def test_an_absolute_target_says_the_host_whatever_host_says(make):
    # RFC 9112 section 3.2.2
    proxy = make(via=None)
    proxy.connect().send(b"GET http://a.example/x HTTP/1.1\r\nHost: b.example\r\n\r\n")
    received = proxy.upstream.received
    assert received.startswith(b"GET /x HTTP/1.1\r\nHost: a.example\r\n")
    assert b"X-Forwarded-Host: a.example\r\n" in received and b"b.example" not in received


def test_a_host_that_is_none_is_refused():
    with pytest.raises(ConfigError, match="accepted"):
        ReverseProxyFactory(Pool(["http://a"]), host="not a host")


# -- checks


@pytest.mark.parametrize(
    ("host", "of_checks", "sent"),
    [
        ("app.example", None, b"app.example"),
        ("app.example:81", None, b"app.example:81"),
        ("upstream", None, b"10.0.0.1:81"),
        (None, None, b"10.0.0.1:81"),
        ("app.example", "hz.example", b"hz.example"),
    ],
)
def test_checks_send_the_host_that_requests_get(host, of_checks, sent):
    pool = Pool(["http://10.0.0.1:81"], settings=PoolSettings(health=HealthCheck(path="/hz", host=of_checks)))
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, host=host, reactor=reactor))
    proxy.factory.doStart()
    proxy.advance(1.1)
    assert proxy.upstream.received.startswith(b"GET /hz HTTP/1.1\r\nHost: %b\r\n" % sent)
    proxy.factory.doStop()
    proxy.close()
