"""What a POST says that it is what a GET of the same has is kept for that, and nothing else."""

import pytest

from tests.proxy.caching.caching_proxy import get, got
from txproxy.cache.purging.mark import Kind

FRESH = {"cache_control": "max-age=60"}
PAGE = {**FRESH, "content_location": "/x"}
LARGE = "x" * 100_000


def post(path="/x", body="form", **fields):
    return get(path, "POST", content_length=len(body), **fields) + body.encode()


@pytest.mark.parametrize("body", ["page", LARGE, ""], ids=["small", "large", "empty"])
def test_it_is_what_a_get_gets(proxy, body):
    answer, asked = proxy.ask(post(), proxy.response(body, **PAGE))
    assert asked.endswith(b"form") and answer.body == body.encode()
    assert answer.told == "txproxy; fwd=method; ttl=60; stored"
    for method in ("GET", "HEAD"):
        hit, asked = proxy.ask(get(method=method))
        assert asked is None and hit.body == (body.encode() if method == "GET" else b"")
        assert hit.fields["content-length"] == b"%d" % len(body)
    assert not proxy.store.growing


def test_so_it_is_where_its_length_is_not_known(proxy):
    (client,) = proxy.herd(post())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: /x\r\n")
    origin.send(b"Transfer-Encoding: chunked\r\n\r\n2\r\npa\r\n2\r\nge\r\n0\r\n\r\n")
    assert client.take().endswith(b"0\r\n\r\n")
    assert proxy.ask(get())[0].body == b"page"


def test_it_takes_the_place_of_what_was_there(proxy):
    proxy.ask(get(), proxy.response("old", etag='"1"', **FRESH))
    proxy.ask(post(), proxy.response("new", **PAGE))
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"new" and len(proxy.store) == 1


def test_a_post_is_never_answered_with_it(proxy):
    proxy.ask(post(), proxy.response("one", **PAGE))
    answer, asked = proxy.ask(post(), proxy.response("two", **PAGE))
    assert asked is not None and answer.body == b"two"
    assert proxy.ask(get())[0].body == b"two"


def test_it_is_chosen_by_what_it_names(proxy):
    proxy.ask(post(accept_language="en"), proxy.response("en", vary="Accept-Language", **PAGE))
    assert proxy.ask(get(accept_language="en"))[0].body == b"en"
    assert proxy.ask(get(accept_language="de"), proxy.response("de", **FRESH))[0].body == b"de"


@pytest.mark.parametrize(
    ("status", "fields"),
    [
        ("200 OK", FRESH),
        ("200 OK", {**FRESH, "content_location": "/other"}),
        ("200 OK", {**FRESH, "content_location": "http://b/x"}),
        ("200 OK", {"content_location": "/x", "etag": '"1"', "last_modified": "Mon, 01 Jan 2001 00:00:00 GMT"}),
        ("200 OK", {**PAGE, "cache_control": "no-store"}),
        ("200 OK", {**PAGE, "vary": "*"}),
        ("303 See Other", PAGE),
        ("404 No", PAGE),
        ("500 Oh", PAGE),
    ],
)
def test_others_are_not(proxy, status, fields):
    answer, _ = proxy.ask(post(), proxy.response("page", status, **fields))
    assert answer.body == b"page" and answer.told == "txproxy; fwd=method"
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


@pytest.mark.parametrize("method", ["PUT", "PATCH", "FROB"])
def test_nor_are_those_of_other_methods(proxy, method):
    proxy.ask(get(method=method), proxy.response("page", **PAGE))
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


@pytest.mark.parametrize("name", ["X-Original-URL", "X-HTTP-Method-Override", "X-Forwarded-Host", "X-Host"])
def test_what_is_in_no_key_makes_nothing_that_others_get(proxy, name):
    proxy.ask(post(**{name: "evil"}), proxy.response("evil", **PAGE))
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_nor_does_a_host_that_is_spelt_another_way(proxy):
    proxy.ask(post().replace(b"Host: a", b"Host: A:80"), proxy.response("evil", **PAGE))
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_nor_do_parameters_that_do_not_count(make):
    proxy = make(query_drop=("utm_*",))
    evil = proxy.response("evil", **{**FRESH, "content_location": "/x?utm_a=evil"})
    proxy.ask(post("/x?utm_a=evil"), evil)
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_a_login_makes_nothing_for_others(proxy):
    proxy.ask(post(authorization="Basic YTpi"), proxy.response("alice's", **PAGE))
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


@pytest.mark.parametrize("gone", ["origin", "client"])
def test_what_is_cut_is_not_kept(proxy, gone):
    (client,) = proxy.herd(post())
    origin, _ = proxy.question()
    origin.send(proxy.response("pa", length=4, **PAGE))
    origin.drop() if gone == "origin" else client.drop()
    proxy.clock.advance(0)
    assert not proxy.cache.fills and not proxy.store.growing
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_what_is_too_large_passes(proxy):
    most = proxy.store.max_object
    (client,) = proxy.herd(post())
    origin, _ = proxy.question()
    origin.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Location: /x\r\n")
    origin.send(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (most + 1, b"x" * (most + 1)))
    assert client.take().count(b"x") > most
    assert not len(proxy.store) and not proxy.store.growing


def test_the_bound_of_the_policy_holds(make):
    proxy = make(max_object_size=4)
    answer, _ = proxy.ask(post(), proxy.response("pages", **PAGE))
    assert answer.body == b"pages" and answer.told == "txproxy; fwd=method" and not len(proxy.store)


def test_a_client_that_is_slow_is_no_matter(proxy):
    (client,) = proxy.herd(post())
    client.stop_reading()
    origin, _ = proxy.question()
    origin.send(proxy.response(LARGE, **PAGE))
    client.read_on()
    assert client.take().endswith(LARGE.encode())
    assert proxy.ask(get())[0].body == LARGE.encode()


@pytest.mark.parametrize("head_there", [True, False])
@pytest.mark.parametrize("change", ["another", "purge"])
def test_what_has_changed_since_is_not_kept(proxy, head_there, change):
    (client,) = proxy.herd(post())
    origin, _ = proxy.question()
    response = proxy.response("older", **PAGE)
    if head_there:
        origin.send(response[:-2])
    if change == "purge":
        proxy.cache.purge(Kind.URL, b"http://a/x")
    else:
        proxy.ask(get(method="PUT"), proxy.response(""))
    origin.send(response[-2:] if head_there else response)
    assert got([client])[0].body == b"older"
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_a_group_that_it_frees_itself_may_be_its_own(proxy):
    fields = {**PAGE, "cache_groups": '"menu"', "cache_group_invalidation": '"menu"'}
    proxy.ask(get("/y"), proxy.response(cache_groups='"menu"', **FRESH))
    proxy.ask(post(), proxy.response("page", **fields))
    assert proxy.ask(get())[0].body == b"page"
    assert proxy.ask(get("/y"), proxy.response(**FRESH))[1] is not None


def test_nobody_waits_for_it(proxy):
    (first,) = proxy.herd(post())
    origin, _ = proxy.question()
    (second,) = proxy.herd(get())
    other, _ = proxy.question()
    other.send(proxy.response(**FRESH))
    origin.send(proxy.response("page", **PAGE))
    assert [one.body for one in got([first, second])] == [b"page", b"hello"]
    assert proxy.ask(get())[0].body == b"page"


@pytest.mark.parametrize("place", ["body", "put"])
def test_faults_of_the_store_are_no_matter(proxy, monkeypatch, place):
    def fails(*_, **__):
        raise OSError("no space")

    monkeypatch.setattr(type(proxy.store), place, fails)
    answer, _ = proxy.ask(post(), proxy.response("page", **PAGE))
    assert answer.body == b"page" and not proxy.store.growing
