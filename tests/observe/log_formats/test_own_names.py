"""Names of our own."""

import pytest

from tests.observe.log_formats.records import NOW, attempt, head, record
from tests.proxy.downstream.http2.http2_peer import GET, Http2Peer
from txproxy import Pool, ReverseProxyFactory
from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.errors import ConnectionRefused
from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.interfaces.record import momentary
from txproxy.observe.log_formats.line_format import line_format
from txproxy.observe.log_formats.own_names import cache_ttl
from txproxy.testing import ProxyInMemory
from txproxy.wire.trace_context import TraceParent


def said(name, one):
    return line_format(f"${name}", "web").exchange(one, NOW).decode().removesuffix("\n")


ONE = record(
    head(b"X-Request-Id: 7f"),
    user="bob",
    rule="api",
    received=3,
    outcome="connection_refused",
    detail="nobody is there",
    attempts=[
        attempt(fault=ConnectionRefused("no"), status=0, connected=None),
        attempt(peer="10.0.0.2", began=0.01, connected=0.015),
    ],
    verdict=Verdict(outcome=Outcome.ALLOW, rule="all", reason="r", list_name="l"),
    limit=LimitHit("all", "delayed"),
    traced=TraceParent(b"0af7", b"b7ad"),
    cache=CacheVerdict(
        served=Served.MISS, forwarded=ForwardedFor.STALE, expiry=NOW - 3, stored=True, collapsed=False, detail="d"
    ),
)
QUIET = record(first_byte=None)


@pytest.mark.parametrize(
    ("name", "value", "otherwise"),
    [
        ("listener", "web", "web"), ("client", "192.0.2.1", "192.0.2.1"), ("user", "bob", "-"), ("route", "api", "-"),
        ("pool", "-", "-"), ("outcome", "connection_refused", "ok"), ("outcome_detail", "nobody is there", "-"),
        ("proxy_error", "connection_refused", "-"), ("attempts", "2", "0"), ("retries", "1", "0"),
        ("connect_time", "0.005", "-"), ("first_byte_time", "0.009", "-"), ("body_bytes_received", "3", "0"),
        ("request_id", "7f", "-"), ("verdict", "allow", "-"), ("verdict_rule", "all", "-"),
        ("verdict_reason", "r", "-"), ("verdict_list", "l", "-"), ("cache_forwarded", "stale", "-"),
        ("trace_id", "0af7", "-"), ("limit", "all", "-"), ("limit_outcome", "delayed", "-"),
        ("cache_ttl", "-3", "-"), ("cache_stored", "1", "-"), ("cache_collapsed", "0", "-"),
        ("cache_detail", "d", "-"), ("squid_result", "TCP_MISS", "NONE_NONE"),
        ("squid_hierarchy", "HIER_DIRECT", "HIER_NONE"), ("grpc_status", "-", "-"), ("stream", "-", "-"),
    ],
)  # fmt: skip
def test_what_a_name_says(name, value, otherwise):
    assert said(name, ONE) == value
    assert said(name, QUIET) == otherwise


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("slow-head", "http_request_error"), ("slow-body", "http_request_error"), ("slow-response", "-"),
        ("challenged", "http_request_denied"), ("challenge-failed", "http_request_denied"),
    ],
)  # fmt: skip
def test_what_has_a_name_of_our_own_is_called_otherwise_than_its_client_is_told(outcome, error):
    slow = record(outcome=outcome)
    assert (said("outcome", slow), said("proxy_error", slow)) == (outcome, error)


def test_what_is_fresh_for_good_has_no_number():
    for expiry in (float("inf"), 1e300, None):
        assert cache_ttl(record(cache=CacheVerdict(served=Served.HIT, expiry=expiry)), NOW) is None


@pytest.mark.parametrize("kind", ["record", "exchange"])
def test_the_stream_of_a_request_is_named_where_http2_is_spoken(kind):
    log = line_format("$stream", "web")
    lines = []

    def observe(over):
        lines.append(log.exchange(over, NOW).decode().strip())

    pool = Pool(["http://10.0.0.1:80"])
    told = momentary(observe) if kind == "exchange" else observe
    proxy = ProxyInMemory(lambda clock: ReverseProxyFactory(pool, h2c=True, reactor=clock, observers=(told,)))
    peer = Http2Peer(proxy.connect())
    # The first is asked for alone, and the others by the plan that stands for requests like it.
    for _ in range(4):
        peer.ask()
        proxy.network.connections[0].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
        peer.turn()
    peer.ask((b":method", b"TRACE"), *GET[1:])
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    proxy.network.connections[-1].send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi")
    proxy.advance(0)
    assert lines == ["1", "3", "5", "7", "9", "-"]
    proxy.close()
