"""The short cut of what is asked for again and again says the same as the plain way, and no longer than it is so."""

import pytest

from tests.proxy.caching.caching_proxy import get
from txproxy import Pool, ReverseProxyFactory
from txproxy.cache.memory.memory_store import MemoryStore
from txproxy.cache.stored import Entry, Freshness, MemoryBody, StoredHead
from txproxy.interfaces import RelayedAnswer, ResponseHead
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.proxy.caching.hot_answers import MOST, MOST_BYTES, HotAnswer, HotAnswers
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.wire.headers import Headers

FRESH = {"cache_control": "max-age=60"}
LARGE = "x" * 100_000


@pytest.fixture(params=[True, False], ids=["short cut", "plain way"])
def proxy(request, make, monkeypatch):
    if not request.param:
        monkeypatch.setattr(HotAnswers, "remember", lambda *_: None)
    return make()


@pytest.mark.parametrize("body", ["hello", LARGE], ids=["small", "large"])
def test_it_is_the_same_answer(proxy, body):
    proxy.ask(get(), proxy.response(body, etag='"1"', **FRESH))
    proxy.pass_time(5.25)
    answers = []
    for seconds in (0, 0, 0.5, 0.5):
        proxy.pass_time(seconds)
        got, asked = proxy.ask(get())
        assert asked is None and got.body == body.encode()
        answers.append((got.fields["age"], got.told))
    assert answers == [(b"5", "txproxy; hit; ttl=54")] * 3 + [(b"6", "txproxy; hit; ttl=53")]
    assert [record.context.cache.word for record in proxy.finished] == ["MISS", *["HIT"] * 4]
    assert [record.sent for record in proxy.finished] == [len(body)] * 5


def test_what_an_observer_makes_of_its_head_is_of_no_other_answer(make):
    seen = []

    def hide(record):
        seen.append((record.request.path, record.status))
        record.request.path = b"/hidden"
        record.response.headers = Headers([(b"Content-Length", b"0")])

    def build(reactor, middleware, _observers):
        return ReverseProxyFactory(Pool(["http://10.0.0.1"]), observers=(hide,), middleware=middleware, reactor=reactor)

    proxy = make(build=build)
    proxy.ask(get(), proxy.response(**FRESH))
    client = proxy.connect()
    for _ in range(4):
        client.send(get())
        assert client.take().endswith(b"hello")
        assert proxy.ask(get())[0].fields["content-length"] == b"5"
    assert seen == [(b"/x", 200)] * 9


def test_it_ends_with_the_lifetime(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.pass_time(59.5)
    for _ in range(2):
        assert proxy.ask(get())[1] is None
    proxy.pass_time(0.5)
    assert proxy.ask(get(), proxy.response("anew", **FRESH))[1] is not None


def test_it_ends_with_what_is_stored(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    for _ in range(2):
        proxy.ask(get())
    proxy.ask(get(method="POST"), proxy.response(""))
    assert proxy.ask(get(), proxy.response("anew", **FRESH))[0].body == b"anew"


def test_it_is_not_for_another_listener_which_may_have_other_policies(proxy, make):
    proxy.ask(get(), proxy.response(**FRESH))
    for _ in range(2):
        proxy.ask(get())

    def build(reactor, middleware, observers):
        without = CacheMiddleware(proxy.cache, lambda request, context: None)
        return ReverseProxyFactory(Pool(["http://10.0.0.1:80"]), middleware=[without], reactor=reactor)

    other = make(build=build)
    assert other.ask(get(), other.response("anew", **FRESH))[0].body == b"anew"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (get(method="HEAD"), 200),
        (get(range="bytes=1-2"), 206),
        (get(if_none_match='"1"'), 304),
        (get(if_modified_since="Sun, 09 Sep 2040 01:46:40 GMT"), 304),
    ],
)
def test_it_is_not_for_who_asks_for_less(proxy, request_, status):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    for _ in range(2):
        proxy.ask(get())
    got, asked = proxy.ask(request_)
    assert asked is None and got.status == status and got.body == (b"el" if status == 206 else b"")


@pytest.mark.parametrize("fields", [{"connection": "upgrade", "upgrade": "x"}, {"if_match": '"1"'}])
def test_it_is_not_for_what_the_origin_is_to_answer(proxy, fields):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    for _ in range(2):
        proxy.ask(get())
    got, asked = proxy.ask(get(**fields), proxy.response("its own"))
    assert asked is not None and got.body == b"its own"


def test_each_client_reads_at_its_own_pace(proxy):
    proxy.ask(get(), proxy.response(LARGE, **FRESH))
    clients = [proxy.connect() for _ in range(3)]
    clients[1].stop_reading()
    for client in clients:
        client.send(get())
    assert len(clients[0].received) == len(clients[2].received) > len(LARGE)
    clients[1].read_on()
    assert clients[1].received == clients[0].received


def test_hosts_are_told_apart(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    for _ in range(2):
        proxy.ask(get())
    other = get().replace(b"Host: a", b"Host: b")
    assert proxy.ask(other, proxy.response("b's", **FRESH))[0].body == b"b's"


@pytest.mark.parametrize(("body", "most"), [(b"", MOST), (b"x" * 20_000, MOST_BYTES // 20_000)])
def test_there_are_not_ever_more_of_them(body, most):
    hot = HotAnswers()
    head = StoredHead(200, b"OK", Headers(), 0.0, 0.0, Freshness(60.0, 0.0))
    entry = Entry(b"k", head, MemoryBody(body))
    answer = RelayedAnswer(200, head=ResponseHead(200, Headers()), body=body)
    cache = SharedCache(MemoryStore(1 << 20), now=lambda: 0.0)

    def remember(number):
        hot.remember((b"/%d" % number, b"", None, "", ""), HotAnswer(cache, entry, answer, None))

    for number in range(most):
        remember(number)
    assert hot.get((b"/0", b"", None, "", "")).answer is answer
    for number in range(most, most + 2):
        remember(number)
    assert hot.get((b"/0", b"", None, "", "")) is None
    assert hot.get((b"/%d" % (most + 1), b"", None, "", "")).answer is answer


def test_what_is_left_is_exact_and_so_is_the_age(proxy):
    proxy.pass_time(0.5)
    proxy.ask(get(), proxy.response(**FRESH))
    told = []
    for seconds in (0.5, 0.1, 0.4, 0.1, 0.4, 0.1, 0.4):
        proxy.pass_time(seconds)
        got, _ = proxy.ask(get())
        told.append((got.fields["age"], got.told[-2:]))
    assert told == [
        (b"0", "59"), (b"0", "59"), (b"1", "59"), (b"1", "58"), (b"1", "58"), (b"1", "58"), (b"2", "58"),
    ]  # fmt: skip


def test_a_target_in_absolute_form_gets_it_as_well(proxy, monkeypatch):
    proxy.ask(get(), proxy.response(**FRESH))
    for _ in range(2):
        proxy.ask(get())
    asked = []
    real = HotAnswer.by_now
    monkeypatch.setattr(HotAnswer, "by_now", lambda hot: asked.append(real(hot)) or asked[-1])
    got, _ = proxy.ask(get("http://a/x"))
    assert got.body == b"hello"
    assert bool(asked) == (HotAnswers.remember.__module__ == "txproxy.proxy.caching.hot_answers")


def test_what_cannot_be_stored_goes_past_as_if_there_were_no_cache(proxy):
    for _ in range(4):
        got, asked = proxy.ask(get(), proxy.response(cache_control="no-store"))
        assert asked is not None and got.body == b"hello"
        assert got.told == 'txproxy; fwd=uri-miss; detail="no-store"'
    part = proxy.response("el", "206 Partial Content", cache_control="no-store", content_range="bytes 1-2/5")
    got, asked = proxy.ask(get(range="bytes=1-2"), part)
    assert got.status == 206 and b"bytes=1-2" in asked


def test_it_is_looked_at_again_after_a_while(proxy):
    for _ in range(3):
        proxy.ask(get(), proxy.response(cache_control="no-store"))
    proxy.pass_time(121)
    for _ in range(2):
        got, _ = proxy.ask(get(), proxy.response(**FRESH))
    assert "stored" in got.told
    assert proxy.ask(get())[1] is None


def test_what_says_of_other_caches_is_kept(proxy):
    for _ in range(3):
        got, _ = proxy.ask(get(), proxy.response(cache_control="no-store", cache_status="other; hit"))
        assert got.told == 'other; hit, txproxy; fwd=uri-miss; detail="no-store"'


def test_what_was_forgotten_is_looked_for_the_plain_way(proxy):
    proxy.ask(get(), proxy.response(cache_control="max-age=60"))
    for _ in range(3):
        proxy.ask(get())
    kept = proxy.connect()
    for _ in range(2):
        kept.send(get())
        assert kept.take().endswith(b"hello")
        proxy.cache.forget_hot_answers()
    assert {hot.entry for hot in proxy.cache.hot_answers} <= {None}
    for _ in range(3):
        got_, asked = proxy.ask(get())
        assert asked is None and got_.body == b"hello" and got_.told == "txproxy; hit; ttl=60"
