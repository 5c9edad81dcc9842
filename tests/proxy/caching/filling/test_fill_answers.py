"""What Cache-Status and Age say to each of those that wait for one response."""

import pytest

from tests.proxy.caching.caching_proxy import get
from txproxy.cache.answering.cache_status import CacheVerdict, ForwardedFor, Served
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.proxy.caching.filling.fill_answers import FillAnswers
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

FRESH = {"cache_control": "max-age=60"}


class Cache:
    name = b"edge"

    def now(self):
        return 1005.0


class Asked:
    def __init__(self):
        self.request = RequestHead(b"GET", b"/x", Headers([(b"Host", b"a")]), b"a")
        self.context = context_of()


ENTRY = Entry(
    b"k", StoredHead(200, b"OK", Headers([(b"Date", b"D")]), 1000.0, 1000.0, Freshness(60.0, 0.0)), MemoryBody(b"hi")
)


def fields(answer):
    return [line for line in answer.head.headers.lines if line.startswith((b"Age", b"Cache-Status"))]


@pytest.mark.parametrize("aged", [True, False])
def test_who_has_asked_gets_it_at_first_hand(aged):
    first = Asked()
    answers = FillAnswers(Cache(), first, ForwardedFor.URI_MISS, None)
    answers.aged = aged
    told = fields(answers.stored(first, ENTRY, stored=True))
    assert told == [b"Age: 5"] * aged + [b"Cache-Status: edge; fwd=uri-miss; ttl=55; stored"]
    assert first.context.cache.served is Served.MISS


def test_others_get_what_was_fetched_for_it():
    first, other = Asked(), Asked()
    answers = FillAnswers(Cache(), first, ForwardedFor.URI_MISS, None)
    assert fields(answers.stored(other, ENTRY, stored=True)) == [
        b"Age: 5",
        b"Cache-Status: edge; fwd=uri-miss; ttl=55; stored; collapsed",
    ]
    assert other.context.cache.collapsed and first.context.cache is None


@pytest.mark.parametrize(
    ("why", "served"), [(ForwardedFor.STALE, Served.EXPIRED), (ForwardedFor.VARY_MISS, Served.MISS)]
)
def test_what_takes_the_place_of_another_is_no_miss(why, served):
    first = Asked()
    FillAnswers(Cache(), first, why, None).stored(first, ENTRY, stored=True)
    assert first.context.cache.served is served


def test_what_is_not_kept_says_why():
    first = Asked()
    response = ResponseHead(200, Headers([(b"X", b"y")]), b"OK", 2)
    answer = FillAnswers(Cache(), first, ForwardedFor.URI_MISS, None).passed_on(response, "no-store", b"hi")
    assert fields(answer) == [b'Cache-Status: edge; fwd=uri-miss; detail="no-store"']
    assert isinstance(first.context.cache, CacheVerdict) and answer.body == b"hi"


def test_so_it_is_in_a_proxy(proxy):
    clients = [proxy.connect() for _ in range(2)]
    for client in clients:
        client.send(get())
    proxy.upstream.send(proxy.response(**FRESH))
    assert [b"collapsed" in client.received for client in clients] == [False, True]
