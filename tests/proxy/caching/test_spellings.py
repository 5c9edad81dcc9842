"""Who spells an origin in another way, and so has it answer something else, does not choose what others get."""

import pytest
from twisted.internet.address import IPv4Address

from tests.proxy.caching.caching_proxy import Got, get
from txproxy import ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.forward import ForwardPolicy
from txproxy.reverse import ReverseMode, ToPool
from txproxy.reverse.actions.treatments import Treated, Treatment
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.testing.memory_connection import MemoryConnection

FRESH = {"cache_control": "max-age=60"}
CLIENT = IPv4Address("TCP", "127.0.0.1", 50000)
SPELLINGS = ["A", "a:80", "a.", "A.:80"]


def spelt(host, path="/x", **fields):
    return get(path, **fields).replace(b"Host: a", b"Host: " + host.encode())


def by_route(**treatment):
    def build(reactor, middleware, observers):
        action = Treated(ToPool(Pool(["http://10.0.0.1:80"])), Treatment(**treatment))
        return ReverseProxyFactory(ReverseMode(action), middleware=middleware, observers=observers, reactor=reactor)

    return build


@pytest.mark.parametrize("host", SPELLINGS)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_the_origin_is_asked_in_the_one_spelling(proxy, host, method):
    (client,) = proxy.herd(spelt(host, method=method))
    origin, asked = proxy.question()
    hosts = [line for line in asked.split(b"\r\n") if b"ost: " in line]
    assert hosts == [b"Host: a", b"X-Forwarded-Host: a"]
    origin.send(proxy.response("good", **FRESH) if method == "GET" else proxy.response("", length=4, **FRESH))
    assert Got(client.take()).status == 200


@pytest.mark.parametrize("host", SPELLINGS)
def test_who_asks_in_another_gets_the_same(proxy, host):
    proxy.ask(spelt(host), proxy.response("good", **FRESH))
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"good"


@pytest.mark.parametrize("host", SPELLINGS)
def test_what_is_validated_is_asked_for_in_the_one_spelling(proxy, host):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    _, asked = proxy.ask(spelt(host), proxy.response("", "304 Not Modified", **FRESH))
    assert b"\r\nHost: a\r\n" in asked and b"If-None-Match" in asked


@pytest.mark.parametrize("host", SPELLINGS)
def test_other_ports_are_other_origins(proxy, host):
    proxy.ask(spelt(host.partition(":")[0] + ":81"), proxy.response("other", **FRESH))
    assert proxy.ask(get(), proxy.response("good", **FRESH))[0].body == b"good"


@pytest.mark.parametrize("host", SPELLINGS)
def test_what_a_route_makes_of_it_reaches_nobody_else(make, host):
    proxy = make(build=by_route(request=RequestRewrite(set_headers={"X-Site": "$host"})))
    _, asked = proxy.ask(spelt(host), proxy.response("evil", **FRESH))
    site = asked.partition(b"X-Site: ")[2].partition(b"\r\n")[0]
    answer, asked = proxy.ask(get(), proxy.response("good", **FRESH))
    # Where it has made the same of both, they may have the same.
    assert answer.body == b"good" or site == b"a"


def test_a_route_that_has_fields_of_its_own_is_asked_in_the_one_spelling(make):
    proxy = make(build=by_route(request=RequestRewrite(set_headers={"X-Site": "1"})))
    _, asked = proxy.ask(spelt("A:80"), proxy.response(**FRESH))
    assert b"\r\nHost: a\r\n" in asked and b"\r\nX-Site: 1\r\n" in asked


def test_a_scheme_that_a_target_claims_is_not_that_of_others(proxy):
    claimed = get().replace(b"GET /x", b"GET https://a/x")
    _, asked = proxy.ask(claimed, proxy.response("moved", **FRESH))
    assert b"X-Forwarded-Proto: http\r\n" in asked
    client = MemoryConnection(proxy.clock, proxy.factory.build(CLIENT, "https"))
    proxy.clients.append(client)
    client.send(get())
    origin, asked = proxy.question()
    assert b"X-Forwarded-Proto: https\r\n" in asked
    origin.send(proxy.response("good", **FRESH))
    assert Got(client.take()).body == b"good"
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"moved"


def test_a_change_by_such_a_target_is_one_of_what_is_there(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.ask(get(method="POST").replace(b"POST /x", b"POST https://A:80/x"), proxy.response(""))
    assert proxy.ask(get(), proxy.response("new", **FRESH))[0].body == b"new"


@pytest.mark.parametrize(("odd", "usual"), [("10.0.0.1:80", "10.0.0.1"), ("[fd00:0:0::1]", "[fd00::1]")])
def test_so_it_is_in_a_forward_proxy(make, odd, usual):
    def build(reactor, middleware, observers):
        policy = ForwardPolicy(allow_destinations=("10.0.0.0/8", "fd00::/8"))
        return ForwardProxyFactory(policy, middleware=middleware, observers=observers, reactor=reactor)

    proxy = make(build=build)
    _, asked = proxy.ask(
        f"GET http://{odd}/x HTTP/1.1\r\nHost: {odd}\r\n\r\n".encode(), proxy.response("good", **FRESH)
    )
    assert f"\r\nHost: {usual}\r\n".encode() in asked
    hit, asked = proxy.ask(f"GET http://{usual}/x HTTP/1.1\r\nHost: {usual}\r\n\r\n".encode())
    assert asked is None and hit.body == b"good"
