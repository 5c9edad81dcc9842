"""What those get for whom what is stored does: after a 304, or where there is no response."""

import pytest

from tests.proxy.caching.caching_proxy import get, got

OLD = {"cache_control": "max-age=60", "etag": '"1"'}


@pytest.fixture
def stale(proxy):
    proxy.ask(get(), proxy.response(**OLD))
    proxy.pass_time(61)
    return proxy


def test_all_that_wait_get_what_holds(stale):
    clients = stale.herd(get(), get(), get(range="bytes=1-2"))
    origin, _ = stale.question()
    origin.send(stale.response("", "304 Not Modified", x_new="1", **OLD))
    answers = got(clients)
    assert [one.body for one in answers] == [b"hello", b"hello", b"el"]
    assert {one.fields["x-new"] for one in answers} == {b"1"}
    assert answers[0].told == "txproxy; fwd=stale; fwd-status=304; ttl=60; stored"


def test_a_cookie_that_comes_with_it_is_for_who_has_asked(stale):
    clients = stale.herd(get(), get())
    origin, _ = stale.question()
    origin.send(stale.response("", "304 Not Modified", set_cookie="a=b", **OLD))
    assert [one.fields.get("set-cookie") for one in got(clients)] == [b"a=b", None]


def test_what_is_about_something_else_says_nothing(stale):
    clients = stale.herd(get(), get())
    origin, _ = stale.question()
    origin.send(stale.response("", "304 Not Modified", cache_control="max-age=60", etag='"2"'))
    stale.clock.advance(0)
    for other, question in stale.questions():
        assert b"If-None-Match" not in question
        other.send(stale.response("new", cache_control="max-age=60", etag='"2"'))
    assert [one.body for one in got(clients)] == [b"new", b"new"]


@pytest.mark.parametrize("status", ["500 Oh", "502 No", "503 No", "504 No"])
def test_it_stands_in_where_the_origin_fails(stale, status):
    clients = stale.herd(get(), get())
    origin, _ = stale.question()
    origin.send(stale.response("oh", status))
    answers = got(clients)
    assert {(one.status, one.body) for one in answers} == {(200, b"hello")}
    assert f'detail="the origin answered {status[:3]}"' in answers[0].told


def test_parts_stand_in_for_those_alone_that_want_them(proxy):
    part = {"content_range": "bytes 0-4/10", **OLD}
    proxy.ask(get(range="bytes=0-4"), proxy.response("01234", "206 Partial Content", **part))
    proxy.pass_time(61)
    inside, outside = proxy.herd(get(range="bytes=0-4"), get(range="bytes=3-7"))
    (first, validation), (second, rest) = proxy.questions()
    assert b"If-None-Match" in validation and b"If-Range" in rest
    first.send(proxy.response("oh", "503 No"))
    second.send(proxy.response("oh", "503 No"))
    assert [(one.status, one.body) for one in got([inside, outside])] == [(206, b"01234"), (503, b"oh")]
