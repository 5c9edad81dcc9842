"""What Squid calls it."""

import pytest

from tests.observe.log_formats.records import Stream, attempt, head, record
from txproxy.cache.answering.cache_status import CacheVerdict, Served
from txproxy.errors import DnsError
from txproxy.interfaces.address import Address
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.observe.log_formats.squid_words import hierarchy, result, stream_result

CONNECT = head(method=b"CONNECT", path=b"", authority=b"a:443")
DENIED = Verdict(outcome=Outcome.DENY, rule="ads")


@pytest.mark.parametrize(
    ("one", "word"),
    [
        (record(attempts=[attempt()]), b"TCP_MISS"),
        (record(attempts=[attempt()], outcome="client-gone", status=0), b"TCP_MISS_ABORTED"),
        (record(attempts=[attempt()], outcome="slow-response"), b"TCP_MISS_ABORTED"),
        (record(attempts=[attempt()], outcome="connection_refused", status=502), b"TCP_MISS"),
        (record(CONNECT, attempts=[attempt()], outcome="tunnel"), b"TCP_TUNNEL"),
        (record(CONNECT, attempts=[attempt()], outcome="connection_terminated", status=200), b"TCP_TUNNEL"),
        (record(CONNECT, attempts=[attempt()], outcome="connection_refused", status=502), b"NONE_NONE"),
        (record(CONNECT, outcome="http_request_denied", status=403, verdict=DENIED), b"TCP_DENIED"),
        (record(outcome="http_request_denied", status=403), b"TCP_DENIED"),
        (record(outcome="destination_ip_prohibited", status=403, attempts=[attempt()]), b"TCP_DENIED"),
        (record(outcome="refused", status=407), b"TCP_DENIED"),
        (record(outcome="answered", status=301), b"TCP_REDIRECT"),
        (record(outcome="answered", status=404), b"TCP_MISS"),
        (record(outcome="destination_unavailable", status=503), b"NONE_NONE"),
        (record(head(method=b"", path=b"x"), outcome="http_request_error", status=400), b"NONE_NONE"),
        (record(cache=CacheVerdict(served=Served.HIT)), b"TCP_HIT"),
        (record(cache=CacheVerdict(served=Served.HIT, memory=True)), b"TCP_MEM_HIT"),
        (record(cache=CacheVerdict(served=Served.REVALIDATED)), b"TCP_REFRESH_UNMODIFIED"),
        (record(cache=CacheVerdict(served=Served.HIT), outcome="client-gone"), b"TCP_HIT_ABORTED"),
    ],
)
def test_the_result_of_a_request(one, word):
    assert result(one) == word


def test_the_result_of_a_stream():
    assert stream_result(Stream(), 0) == b"TCP_TUNNEL"
    assert stream_result(Stream("client-gone"), 0) == b"TCP_TUNNEL_ABORTED"


def test_the_way_that_it_went():
    class Parent:
        key = "parent"

    class OfPool:
        upstream = object()
        address = Address("a", 80)

    assert hierarchy(record()) == b"HIER_NONE"
    assert hierarchy(record(attempts=[attempt()])) == b"HIER_DIRECT"
    lost = record(attempts=[attempt(fault=DnsError("x"), connected=None)])
    assert hierarchy(lost) == b"HIER_NONE"
    through = Address("a", 80, through=Parent())
    assert hierarchy(record(attempts=[attempt(), attempt(address=through)])) == b"FIRSTUP_PARENT"
    pooled = attempt()
    pooled.attempt = OfPool()
    assert hierarchy(record(attempts=[pooled])) == b"FIRSTUP_PARENT"
