"""Tests of what is told of the cache's doings."""

from __future__ import annotations

import math

import pytest

from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served

_NOW = 1000.4


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (CacheVerdict(served=Served.HIT, expiry=1376.5), b"txproxy; hit; ttl=376"),
        (CacheVerdict(served=Served.HIT), b"txproxy; hit"),
        # RFC 9211 2.4: below nothing where it is stale
        (CacheVerdict(served=Served.UPDATING, expiry=588.4), b"txproxy; hit; ttl=-412"),
        (CacheVerdict(served=Served.STALE, expiry=1000.0, detail="refused"), b'txproxy; hit; ttl=-1; detail="refused"'),
        (
            CacheVerdict(served=Served.STALE, forwarded=ForwardedFor.STALE, origin_status=502),
            b"txproxy; fwd=stale; fwd-status=502",
        ),
        (
            CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS, stored=True, expiry=1060.4),
            b"txproxy; fwd=uri-miss; ttl=60; stored",
        ),
        (
            CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.VARY_MISS, collapsed=True),
            b"txproxy; fwd=vary-miss; collapsed",
        ),
        (
            CacheVerdict(served=Served.REVALIDATED, forwarded=ForwardedFor.STALE, origin_status=304),
            b"txproxy; fwd=stale; fwd-status=304",
        ),
        (CacheVerdict(served=Served.BYPASS, forwarded=ForwardedFor.METHOD), b"txproxy; fwd=method"),
        (CacheVerdict(served=Served.BYPASS, forwarded=ForwardedFor.BYPASS), b"txproxy; fwd=bypass"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.REQUEST), b"txproxy; fwd=request"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.PARTIAL), b"txproxy; fwd=partial"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.MISS), b"txproxy; fwd=miss"),
        # RFC 9651 3.3.1: no integer has more digits
        (CacheVerdict(served=Served.HIT, expiry=1e300), b"txproxy; hit; ttl=999999999999999"),
        (CacheVerdict(served=Served.HIT, expiry=-math.inf), b"txproxy; hit"),
        (CacheVerdict(served=Served.HIT, detail='a "b" \\\r\né'), b'txproxy; hit; detail="a \\"b\\" \\\\???"'),
        (CacheVerdict(served=Served.HIT, detail="~ \x7f"), b'txproxy; hit; detail="~ ?"'),
        (CacheVerdict(served=Served.HIT, detail="x" * 999), b'txproxy; hit; detail="%b"' % (b"x" * 200)),
    ],
)
def test_a_cache_says_what_it_has_done(verdict: CacheVerdict, said: bytes) -> None:
    assert verdict.member(b"txproxy", _NOW) == said


def test_a_cache_comes_after_those_nearer_to_the_origin() -> None:
    verdict = CacheVerdict(served=Served.HIT)
    assert verdict.line(b"txproxy", _NOW) == b"Cache-Status: txproxy; hit"
    came = b'shield; fwd=uri-miss, "edge\'s"; hit'
    assert verdict.line(b"txproxy", _NOW, came) == b"Cache-Status: " + came + b", txproxy; hit"


def test_a_name_that_is_no_token_is_a_string() -> None:
    assert CacheVerdict(served=Served.HIT).member(b"my cache", _NOW) == b'"my cache"; hit'


@pytest.mark.parametrize(
    ("verdict", "why"),
    [
        (CacheVerdict(served=Served.HIT), ""),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS), "uri-miss"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS, detail="Vary"), "uri-miss: Vary"),
    ],
)
def test_logs_have_the_reason(verdict: CacheVerdict, why: str) -> None:
    assert verdict.why == why


@pytest.mark.parametrize(
    ("verdict", "word", "squid"),
    [
        (CacheVerdict(served=Served.HIT), "HIT", b"TCP_HIT"),
        (CacheVerdict(served=Served.HIT, memory=True), "HIT", b"TCP_MEM_HIT"),
        (CacheVerdict(served=Served.UPDATING), "UPDATING", b"TCP_HIT"),
        (CacheVerdict(served=Served.UPDATING, memory=True), "UPDATING", b"TCP_MEM_HIT"),
        (CacheVerdict(served=Served.STALE, memory=True), "STALE", b"TCP_REFRESH_FAIL_OLD"),
        (CacheVerdict(served=Served.REVALIDATED, memory=True), "REVALIDATED", b"TCP_REFRESH_UNMODIFIED"),
        (CacheVerdict(served=Served.EXPIRED, forwarded=ForwardedFor.STALE), "EXPIRED", b"TCP_REFRESH_MODIFIED"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.URI_MISS), "MISS", b"TCP_MISS"),
        (CacheVerdict(served=Served.MISS, forwarded=ForwardedFor.REQUEST), "MISS", b"TCP_CLIENT_REFRESH_MISS"),
        (CacheVerdict(served=Served.EXPIRED, forwarded=ForwardedFor.REQUEST), "EXPIRED", b"TCP_CLIENT_REFRESH_MISS"),
        (CacheVerdict(served=Served.BYPASS, forwarded=ForwardedFor.BYPASS), "BYPASS", b"TCP_MISS"),
    ],
)
def test_logs_have_their_words(verdict: CacheVerdict, word: str, squid: bytes) -> None:
    assert (verdict.word, verdict.squid_word) == (word, squid)
