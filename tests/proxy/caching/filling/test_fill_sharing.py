"""Who shares what is fetched, and what the origin is asked on behalf of whom."""

import pytest

from tests.proxy.caching.caching_proxy import get, got

FRESH = {"cache_control": "max-age=60", "etag": '"1"'}


@pytest.mark.parametrize(
    ("fields", "shared"),
    [
        ({}, True),
        ({"accept": "text/html"}, True),
        ({"authorization": "Basic YTpi"}, False),
        ({"if_none_match": '"0"'}, False),
        ({"if_modified_since": "Thu, 01 Jan 1970 00:00:00 GMT"}, False),
        ({"range": "bytes=0-1"}, True),
        ({"range": "bytes=0-1", "if_range": '"1"'}, True),
    ],
)
def test_who_shares_what_is_not_stored(proxy, fields, shared):
    proxy.herd(get())
    origin, _ = proxy.question()
    proxy.herd(get(**fields))
    questions = proxy.questions()
    assert (not questions) is shared
    for one, _ in [(origin, b""), *questions]:
        one.send(proxy.response(**FRESH))


@pytest.mark.parametrize("control", ["no-cache", "max-age=0"])
def test_who_wants_the_origin_asks_it(make, control):
    proxy = make(request_directives=True)
    proxy.herd(get())
    origin, _ = proxy.question()
    proxy.herd(get(cache_control=control))
    other, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    other.send(proxy.response(**FRESH))


def test_what_validates_for_one_is_not_for_others_where_each_is_to_ask(proxy):
    proxy.ask(get(), proxy.response(cache_control="no-cache", etag='"1"'))
    clients = proxy.herd(get(), get())
    for origin, question in proxy.questions():
        assert b'If-None-Match: "1"' in question
        origin.send(proxy.response("", "304 Not Modified", cache_control="no-cache", etag='"1"'))
    assert [one.told.count("collapsed") for one in got(clients)] == [0, 0]


def test_one_validation_is_under_way_at_a_time(make):
    proxy = make(stale_while_revalidate=100)
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.pass_time(61)
    assert {one.told.partition(";")[0] for one in got(proxy.herd(*[get()] * 5))} == {"txproxy"}
    origin, question = proxy.question()
    assert b'If-None-Match: "1"' in question
    origin.send(proxy.response("", "304 Not Modified", **FRESH))
    assert proxy.ask(get())[0].told == "txproxy; hit; ttl=60"


@pytest.mark.parametrize("fields", [{}, {"range": "bytes=0-1"}, {"range": "bytes=0-1", "if_range": '"1"'}])
def test_what_a_client_says_of_parts_and_conditions_is_sent_only_where_that_is_asked_for(proxy, fields):
    _, question = proxy.ask(get(upgrade="x", **fields), proxy.response(**FRESH))
    assert (b"Range: bytes=0-1" in question) is bool(fields)
    assert (b'If-Range: "1"' in question) is ("if_range" in fields)
    assert question.startswith(b"GET ") and b"pgrade" not in question
