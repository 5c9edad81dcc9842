"""What is purged is used no more, whether it is stored, hot, or on its way; changes may name groups that are."""

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.proxy.caching.caching_proxy import get, got
from txproxy.cache.purging.mark import Kind, group_value
from txproxy.errors import ConfigError

FRESH = {"cache_control": "max-age=60"}
PAGE = {**FRESH, "surrogate_key": "shop page", "cache_groups": '"menu"'}
GROUP = group_value(b"http", b"a:80", b"menu")
OTHERS = [
    (Kind.URL, b"http://a/y"),
    (Kind.URL, b"https://a/x"),
    (Kind.PREFIX, b"http://a/xy"),
    (Kind.HOST, b"b"),
    (Kind.TAG, b"sho"),
    (Kind.GROUP, group_value(b"http", b"b:80", b"menu")),
]
ITS_OWN = [
    (Kind.ALL, b""),
    (Kind.URL, b"http://A:80/x"),
    (Kind.PREFIX, b"http://a/"),
    (Kind.HOST, b"a"),
    (Kind.TAG, b"shop"),
    (Kind.GROUP, GROUP),
]


@pytest.mark.parametrize("hot", [True, False])
@pytest.mark.parametrize(("kind", "value"), ITS_OWN)
def test_what_is_purged_is_asked_for_again(proxy, kind, value, hot):
    proxy.ask(get(), proxy.response(**PAGE))
    for _ in range(2 if hot else 0):
        assert proxy.ask(get())[1] is None
    assert proxy.cache.purge(kind, value) == proxy.cache.marks.seq == 1
    answer, asked = proxy.ask(get(), proxy.response("anew", **PAGE))
    assert asked is not None and b"If-" not in asked
    assert answer.body == b"anew" and answer.told.startswith("txproxy; fwd=uri-miss")
    for _ in range(2):
        hit, asked = proxy.ask(get())
        assert asked is None and hit.body == b"anew"
    assert len(proxy.store) == 1


@pytest.mark.parametrize(("kind", "value"), OTHERS)
def test_what_is_not_stays(proxy, kind, value):
    proxy.ask(get(), proxy.response(**PAGE))
    proxy.cache.purge(kind, value)
    for _ in range(3):
        hit, asked = proxy.ask(get())
        assert asked is None and hit.told == "txproxy; hit; ttl=60"


def test_what_is_purged_softly_is_validated_first(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', cache_control="max-age=60, stale-while-revalidate=60", xkey="a"))
    proxy.pass_time(5)
    assert proxy.ask(get())[1] is None
    proxy.cache.purge(Kind.TAG, b"a", soft=True)
    answer, asked = proxy.ask(get(), proxy.response("", "304 Not Modified", **FRESH))
    assert b'If-None-Match: "1"' in asked and answer.body == b"hello"
    assert proxy.ask(get())[1] is None and len(proxy.store) == 1


def test_it_stands_in_for_a_failure(proxy):
    proxy.ask(get(), proxy.response(**PAGE))
    proxy.pass_time(5)
    proxy.cache.purge(Kind.ALL, soft=True)
    for _ in range(2):
        answer, asked = proxy.ask(get(), proxy.response("oh", "503 Oh"))
        assert asked is not None and (answer.status, answer.body) == (200, b"hello")
    proxy.cache.purge(Kind.ALL)
    assert proxy.ask(get(), proxy.response("oh", "503 Oh"))[0].status == 503


@pytest.mark.parametrize("head_there", [True, False])
@pytest.mark.parametrize(("kind", "value"), ITS_OWN)
def test_what_is_on_its_way_is_for_those_that_have_asked_before(proxy, kind, value, head_there):
    first = proxy.herd(get(), get())
    origin, _ = proxy.question()
    response = proxy.response("older", **PAGE)
    if head_there:
        origin.send(response[:-2])
    proxy.cache.purge(kind, value)
    (later,) = proxy.herd(get())
    other, _ = proxy.question()
    other.send(proxy.response("newer", **PAGE))
    origin.send(response[-2:] if head_there else response)
    assert [one.body for one in got([*first, later])] == [b"older", b"older", b"newer"]
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"newer" and len(proxy.store) == 1


@pytest.mark.parametrize(("kind", "value"), OTHERS)
def test_what_is_on_its_way_and_was_not_purged_is_kept(proxy, kind, value):
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    response = proxy.response(**PAGE)
    origin.send(response[:-2])
    proxy.cache.purge(kind, value)
    (other,) = proxy.herd(get())
    origin.send(response[-2:])
    assert [one.body for one in got([client, other])] == [b"hello"] * 2
    assert proxy.ask(get())[1] is None


@pytest.mark.parametrize("soft", [True, False])
def test_a_validation_from_before_does_not_bring_it_back(proxy, soft):
    proxy.ask(get(), proxy.response(etag='"1"', **PAGE))
    proxy.pass_time(61)
    (client,) = proxy.herd(get())
    origin, _ = proxy.question()
    proxy.cache.purge(Kind.TAG, b"shop", soft)
    (later,) = proxy.herd(get())
    other, asked = proxy.question()
    assert (b"If-None-Match" in asked) is soft
    origin.send(proxy.response("", "304 Not Modified", **PAGE))
    assert got([client])[0].body == b"hello"
    other.send(proxy.response("newer", **PAGE))
    assert got([later])[0].body == b"newer"
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"newer" and len(proxy.store) == 1


@pytest.mark.parametrize("soft", [True, False])
def test_nor_does_the_answer_to_a_head(proxy, soft):
    proxy.ask(get(), proxy.response(etag='"1"', **PAGE))
    proxy.pass_time(61)
    proxy.herd(get(method="HEAD"))
    origin, _ = proxy.question()
    proxy.cache.purge(Kind.HOST, b"a", soft)
    origin.send(proxy.response("", length=5, etag='"1"', **PAGE))
    assert proxy.ask(get(), proxy.response("newer", **PAGE))[0].body == b"newer"


def test_what_is_no_value_of_its_kind_purges_nothing(proxy):
    proxy.ask(get(), proxy.response(**PAGE))
    with pytest.raises(ConfigError, match="cannot be purged"):
        proxy.cache.purge(Kind.URL, b"/x")
    assert proxy.ask(get())[1] is None


def test_variants_are_purged_one_by_one(proxy):
    for language in ("en", "de"):
        proxy.ask(
            get(accept_language=language), proxy.response(language, vary="Accept-Language", xkey=language, **FRESH)
        )
    proxy.cache.purge(Kind.TAG, b"de")
    assert proxy.ask(get(accept_language="en"))[1] is None
    answer, asked = proxy.ask(get(accept_language="de"), proxy.response("neu", vary="Accept-Language", **FRESH))
    assert asked is not None and answer.told.startswith("txproxy; fwd=vary-miss")


def test_a_change_may_name_a_group(proxy):
    proxy.ask(get(), proxy.response(**PAGE))
    proxy.ask(get("/other"), proxy.response(cache_groups='"other"', **FRESH))
    proxy.ask(get().replace(b"Host: a", b"Host: b"), proxy.response(**PAGE))
    assert proxy.ask(get())[1] is None
    proxy.ask(get("/change", "POST"), proxy.response("", "404 No", cache_group_invalidation='"menu", "none"'))
    assert proxy.ask(get("/other"))[1] is None
    assert proxy.ask(get().replace(b"Host: a", b"Host: b"))[1] is None
    assert proxy.ask(get(), proxy.response(**PAGE))[1] is not None


@pytest.mark.parametrize("fields", [{"method": "GET"}, {"method": "HEAD"}, {"method": "OPTIONS"}])
def test_what_changes_nothing_names_none(proxy, fields):
    proxy.ask(get(), proxy.response(**PAGE))
    answer = proxy.response("", cache_group_invalidation='"menu"')
    proxy.ask(get("/look", **fields), answer)
    assert proxy.ask(get())[1] is None and not proxy.cache.marks.seq


def test_a_change_names_only_so_many(proxy):
    names = ", ".join(f'"{number}"' for number in range(500))
    proxy.ask(get("/change", "POST"), proxy.response("", cache_group_invalidation=names))
    assert proxy.cache.marks.seq == 128


def test_a_change_that_cannot_be_written_down_has_still_been_made(proxy, monkeypatch):
    def fails(*_):
        raise OSError("no space")

    monkeypatch.setattr(proxy.cache, "purge", fails)
    with capturedLogs() as logs:
        answer, _ = proxy.ask(get("/change", "POST"), proxy.response("done", cache_group_invalidation='"menu"'))
    assert answer.body == b"done" and "what was changed could not be purged" in formatEvent(logs[-1])
