"""A cache in a proxy: what it answers itself, what it asks for, and what it leaves alone."""

import pytest
from zope.interface import implementer

from tests.proxy.caching.caching_proxy import date, get, got
from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import IMiddleware, Refusal
from txproxy.proxy.caching.cache_middleware import CacheMiddleware
from txproxy.reverse import ReverseMode, ToPool
from txproxy.upstreams.affinity import CookieAffinity

FRESH = {"cache_control": "max-age=60"}


def test_what_is_stored_is_given_without_asking(proxy):
    first, asked = proxy.ask(get(), proxy.response(x="1", **FRESH))
    assert (first.status, first.body) == (200, b"hello") and asked is not None
    assert "age" not in first.fields and first.told == "txproxy; fwd=uri-miss; ttl=60; stored"
    proxy.pass_time(7)
    hit, asked = proxy.ask(get())
    assert asked is None and (hit.status, hit.body) == (200, b"hello")
    assert (hit.fields["age"], hit.fields["x"], hit.fields["content-length"]) == (b"7", b"1", b"5")
    assert hit.told == "txproxy; hit; ttl=53"
    assert [record.context.cache.word for record in proxy.finished] == ["MISS", "HIT"]


def test_what_is_stale_is_validated(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', x="1", **FRESH))
    proxy.pass_time(61)
    got, asked = proxy.ask(get(), proxy.response("", "304 Not Modified", x="2"))
    assert b'\r\nIf-None-Match: "1"\r\n' in asked
    assert (got.status, got.body, got.fields["x"]) == (200, b"hello", b"2") and "age" not in got.fields
    assert got.told == "txproxy; fwd=stale; fwd-status=304; ttl=60; stored"
    hit, asked = proxy.ask(get())
    assert asked is None and hit.fields["x"] == b"2"


def test_what_has_changed_takes_its_place(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    got, _ = proxy.ask(get(), proxy.response("other", etag='"2"', **FRESH))
    assert got.body == b"other"
    assert proxy.ask(get())[0].body == b"other" and len(proxy.store) == 1


def test_a_304_that_is_about_something_else_is_not_believed(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    client = proxy.connect()
    client.send(get())
    proxy.upstream.take()
    proxy.upstream.send(proxy.response("", "304 Not Modified", etag='"2"'))
    assert b"If-None-Match" not in proxy.upstream.take()
    proxy.upstream.send(proxy.response("other", etag='"2"', **FRESH))
    assert client.take().endswith(b"other")


def test_cookies_of_a_304_are_nobody_elses(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    got, _ = proxy.ask(get(), proxy.response("", "304 Not Modified", set_cookie="id=alice"))
    assert got.fields["set-cookie"] == b"id=alice"
    hit, asked = proxy.ask(get())
    assert asked is None and "set-cookie" not in hit.fields


def test_a_client_that_has_it_gets_304(proxy):
    got, asked = proxy.ask(get(if_none_match='"1"'), proxy.response(etag='"1"', **FRESH))
    assert b"If-None-Match" not in asked
    assert (got.status, got.body) == (304, b"")
    got, asked = proxy.ask(get(if_none_match='"0", W/"1"'))
    assert asked is None and (got.status, got.body, got.fields["etag"]) == (304, b"", b'"1"')


def test_parts_are_given_of_the_whole(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    got, asked = proxy.ask(get(range="bytes=1-2"))
    assert asked is None and (got.status, got.body) == (206, b"el")
    assert got.fields["content-range"] == b"bytes 1-2/5"
    got, _ = proxy.ask(get(range="bytes=9-"))
    assert (got.status, got.fields["content-range"]) == (416, b"bytes */5")


def test_several_parts_are_one_body(proxy):
    proxy.ask(get(), proxy.response(content_type="text/plain", **FRESH))
    got, _ = proxy.ask(get(range="bytes=0-0,4-4"))
    assert got.status == 206 and int(got.fields["content-length"]) == len(got.body)
    assert got.body.count(b"Content-Range: bytes ") == 2


def test_a_part_that_is_not_stored_is_asked_for_as_it_is(proxy):
    part = proxy.response("el", "206 Partial Content", content_range="bytes 1-2/5", **FRESH)
    got, asked = proxy.ask(get(range="bytes=1-2"), part)
    assert b"bytes=1-2" in asked and (got.status, got.body) == (206, b"el")
    assert got.told == 'txproxy; fwd=uri-miss; detail="range"'
    got, asked = proxy.ask(get(), proxy.response(**FRESH))
    assert asked is not None and got.body == b"hello"


def test_head_is_answered_from_get(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    got, asked = proxy.ask(get(method="HEAD"))
    assert asked is None and (got.status, got.body, got.fields["content-length"]) == (200, b"", b"5")


def test_head_stores_nothing(proxy):
    got, asked = proxy.ask(get(method="HEAD"), proxy.response("", length=5, **FRESH))
    assert asked.startswith(b"HEAD ") and got.told == "txproxy; fwd=uri-miss"
    assert proxy.ask(get(), proxy.response(**FRESH))[1] is not None


@pytest.mark.parametrize(("tag", "stays"), [('"1"', True), ('"2"', False)])
def test_head_freshens_or_frees_what_is_stored(proxy, tag, stays):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    proxy.ask(get(method="HEAD"), proxy.response("", length=5, etag=tag, **FRESH))
    got, asked = proxy.ask(get(), proxy.response("other", **FRESH))
    assert (asked is None) is stays and got.body == (b"hello" if stays else b"other")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FROB"])
@pytest.mark.parametrize(("status", "gone"), [("200 OK", True), ("303 See Other", True), ("404 Not Found", False)])
def test_what_changes_something_takes_away_what_is_stored(proxy, method, status, gone):
    proxy.ask(get(), proxy.response(**FRESH))
    got, _ = proxy.ask(get(method=method), proxy.response("", status))
    assert got.told == "txproxy; fwd=method"
    assert (proxy.ask(get(), proxy.response(**FRESH))[1] is not None) is gone


def test_so_it_does_with_what_it_names_of_the_same_origin(proxy):
    for path in ("/1", "/2", "/3"):
        proxy.ask(get(path), proxy.response(**FRESH))
    answer = proxy.response("", location="/1", content_location="http://a/2", link="</3>")
    proxy.ask(get("/x", "POST"), answer)
    assert [proxy.ask(get(path), proxy.response(**FRESH))[1] is None for path in ("/1", "/2", "/3")] == [
        *(False, False, True)
    ]


def test_what_is_on_its_way_while_something_changes_it_is_not_kept(proxy):
    client = proxy.connect()
    client.send(get())
    before = proxy.upstream
    proxy.ask(get(method="POST"), proxy.response(""))
    before.send(proxy.response("old", **FRESH))
    assert client.take().endswith(b"old")
    assert proxy.ask(get(), proxy.response("new", **FRESH))[0].body == b"new"


def test_variants_are_kept_side_by_side(proxy):
    for language in ("en", "de"):
        proxy.ask(get(accept_language=language), proxy.response(language, vary="Accept-Language", **FRESH))
    for language in ("de", "en"):
        got, asked = proxy.ask(get(accept_language=language))
        assert asked is None and got.body == language.encode()
    got, asked = proxy.ask(get(accept_language="fr"), proxy.response("fr", vary="Accept-Language", **FRESH))
    assert asked is not None and got.told.startswith("txproxy; fwd=vary-miss")


@pytest.mark.parametrize(
    "request_",
    [
        get(content_length=1) + b"x",
        get(connection="upgrade", upgrade="x"),
        get(if_match='"1"'),
    ],
    ids=["body", "upgrade", "condition"],
)
def test_what_only_the_origin_can_answer_goes_there(proxy, request_):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    got, asked = proxy.ask(request_, proxy.response("its own", **FRESH))
    assert asked is not None and got.body == b"its own" and "fwd=bypass" in got.told
    assert proxy.ask(get())[0].body == b"hello"


def test_what_is_for_somebody_is_not_for_others(proxy):
    got, _ = proxy.ask(get(authorization="Basic YTpi"), proxy.response("alice's", **FRESH))
    assert got.body == b"alice's" and "stored" not in got.told
    assert proxy.ask(get(), proxy.response(**FRESH))[0].body == b"hello"


def test_what_is_public_is_for_all(proxy):
    proxy.ask(get(authorization="Basic YTpi"), proxy.response(cache_control="public, max-age=60"))
    assert proxy.ask(get())[1] is None


@pytest.mark.parametrize("control", ["no-store", "private", "max-age=0"])
def test_what_is_not_to_be_stored_is_not(proxy, control):
    for _ in range(3):
        got, asked = proxy.ask(get(), proxy.response(cache_control=control))
        assert asked is not None and got.body == b"hello" and "stored" not in got.told


def test_what_can_be_stored_after_all_is_soon(proxy):
    proxy.ask(get(), proxy.response(cache_control="no-store"))
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.ask(get(), proxy.response(**FRESH))
    assert proxy.ask(get())[1] is None


def test_a_client_that_wants_what_is_stored_alone(make):
    proxy = make(request_directives=True)
    got, asked = proxy.ask(get(cache_control="only-if-cached"))
    assert (got.status, asked) == (504, None) and got.told == 'txproxy; detail="only-if-cached"'
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.pass_time(61)
    got, asked = proxy.ask(get(cache_control="only-if-cached"))
    assert (got.status, asked) == (504, None) and got.told == 'txproxy; detail="only-if-cached"'
    assert {record.context.cache.word for record in proxy.finished} == {"MISS"}
    proxy.ask(get(), proxy.response(**FRESH))
    assert proxy.ask(get(cache_control="only-if-cached"))[0].body == b"hello"


@pytest.mark.parametrize("counts", [True, False])
def test_a_reload_asks_where_requests_count(make, counts):
    proxy = make(request_directives=counts)
    proxy.ask(get(), proxy.response(**FRESH))
    got, asked = proxy.ask(get(cache_control="no-cache"), proxy.response("anew", **FRESH))
    assert (asked is not None) is counts and got.body == (b"anew" if counts else b"hello")


@pytest.mark.parametrize("status", ["500 Oh", "502 Oh", "503 Oh", "504 Oh"])
def test_what_is_stored_stands_in_for_a_failure(proxy, status):
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.pass_time(61)
    got, asked = proxy.ask(get(), proxy.response("oh", status))
    assert asked is not None and (got.status, got.body, got.fields["age"]) == (200, b"hello", b"61")
    assert got.told == f'txproxy; fwd=stale; ttl=-1; detail="the origin answered {status[:3]}"'


def test_so_it_does_where_there_is_no_answer(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.pass_time(61)
    client = proxy.connect()
    client.send(get())
    for _ in range(2):
        proxy.upstream.drop()
    assert client.take().endswith(b"hello")


@pytest.mark.parametrize("control", ["max-age=60, must-revalidate", "s-maxage=60", "max-age=60, proxy-revalidate"])
def test_it_does_not_where_it_says_so(proxy, control):
    proxy.ask(get(), proxy.response(cache_control=control))
    proxy.pass_time(61)
    assert proxy.ask(get(), proxy.response("oh", "503 Oh"))[0].status == 503


def test_it_is_validated_in_the_background_where_it_says_so(proxy):
    proxy.ask(get(), proxy.response(cache_control="max-age=60, stale-while-revalidate=10"))
    proxy.pass_time(65)
    client = proxy.connect()
    client.send(get())
    assert client.take().endswith(b"hello")
    client.send(get())
    assert client.take().endswith(b"hello")
    assert proxy.upstream.take().count(b"GET ") == 1
    proxy.upstream.send(proxy.response("anew", **FRESH))
    got, asked = proxy.ask(get())
    assert asked is None and got.body == b"anew"


def test_the_names_of_hosts_are_in_the_key(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    assert proxy.ask(get().replace(b"Host: a", b"Host: b"), proxy.response("b's", **FRESH))[0].body == b"b's"
    assert proxy.ask(get().replace(b"Host: a", b"Host: A:80"))[1] is None


@pytest.mark.parametrize("name", ["X-Original-URL", "X-Rewrite-Url", "X-HTTP-Method-Override", "X-Forwarded-Host"])
def test_what_is_in_no_key_reaches_no_origin(proxy, name):
    _, asked = proxy.ask(get(**{name: "evil"}), proxy.response(**FRESH))
    assert b"evil" not in asked


def test_parameters_that_do_not_count_reach_no_origin(make):
    proxy = make(query_drop=("utm_*",))
    _, asked = proxy.ask(get("/x?a=1&utm_source=evil"), proxy.response(**FRESH))
    assert asked.startswith(b"GET /x?a=1 HTTP")
    assert proxy.ask(get("/x?utm_source=b&a=1"))[1] is None


def test_what_is_seldom_asked_for_is_not_stored(make):
    proxy = make(min_uses=3)
    told = [proxy.ask(get(), proxy.response(**FRESH))[1] is not None for _ in range(4)]
    assert told == [True, True, True, False]


def test_of_many_that_ask_at_once_each_counts_and_the_rest_share(make):
    proxy = make(min_uses=3)
    clients = proxy.herd(*[get()] * 20)
    asked = proxy.questions()
    assert len(asked) == 3
    for connection, _ in asked:
        connection.send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 20
    assert proxy.ask(get())[1] is None


def test_what_is_counted_is_what_has_one_key(make):
    proxy = make(min_uses=2, query_drop=("utm_*",), key_headers=("x-kind",))
    paths = ["/x?utm_a=1", "/x?utm_a=2", "/x"]
    assert [proxy.ask(get(path), proxy.response(**FRESH))[1] is not None for path in paths] == [True, True, False]
    assert proxy.ask(get(x_kind="b"), proxy.response(**FRESH))[0].told.endswith('detail="not asked for often enough"')


@implementer(IMiddleware)
class Denying:
    def handle(self, request, context, proceed):
        return Refusal(403) if b"x-denied" in request.headers else proceed(request, context)


def test_who_may_not_gets_nothing_of_what_is_stored(make):
    proxy = make(Denying())
    proxy.ask(get(), proxy.response(**FRESH))
    assert proxy.ask(get(x_denied="1"))[0].status == 403
    assert proxy.ask(get())[0].status == 200


def test_without_a_policy_nothing_is_stored(proxy):
    proxy.policy = None
    for _ in range(2):
        got, asked = proxy.ask(get(), proxy.response(**FRESH))
        assert asked is not None and got.told == ""


def test_what_is_added_for_one_client_is_not_stored(make):
    def build(reactor, middleware, observers):
        pool = Pool(["http://10.0.0.1:80"])
        mode = ReverseMode(ToPool(pool, affinity=CookieAffinity(pool)))
        return ReverseProxyFactory(mode, middleware=middleware, observers=observers, reactor=reactor)

    proxy = make(build=build)
    proxy.ask(get(), proxy.response(**FRESH))
    got, asked = proxy.ask(get())
    assert asked is None and "set-cookie" not in got.fields


def test_older_dates_of_the_origin_count(proxy):
    got, _ = proxy.ask(get(), proxy.response(date_=date(-40), **FRESH))
    assert got.told == "txproxy; fwd=uri-miss; ttl=20; stored"
    assert proxy.ask(get())[0].fields["age"] == b"40"


def test_it_can_be_in_any_place_of_the_list(proxy):
    assert CacheMiddleware(proxy.cache).cache is proxy.cache


def test_a_validation_that_comes_to_nothing_is_not_tried_again_at_once(proxy):
    proxy.ask(get(), proxy.response(cache_control="max-age=60, stale-while-revalidate=600"))
    proxy.pass_time(65)
    asked = []
    for _ in range(6):
        got, question = proxy.ask(get(), proxy.response("oh", "503 Oh"))
        assert got.body == b"hello"
        asked.append(question is not None)
        proxy.pass_time(0.4)
    assert asked == [True, False, False, True, False, False]


def test_who_asks_for_heads_alone_keeps_no_page_for_ever(proxy):
    proxy.ask(get(), proxy.response(cache_control="max-age=1"))
    for _ in range(5):
        proxy.pass_time(1.5)
        proxy.ask(get(method="HEAD"), proxy.response("", length=5, cache_control="max-age=1"))
    assert proxy.ask(get(), proxy.response("other"))[0].body == b"other"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("stored", [True, False])
@pytest.mark.parametrize("condition", [{"if_match": '"old"'}, {"if_unmodified_since": date()}])
def test_a_condition_that_is_the_origins_to_judge_goes_to_it(proxy, method, stored, condition):
    """RFC 9110 sections 13.1.1 and 13.1.4, RFC 9111 section 4.3.2."""
    if stored:
        proxy.ask(get(), proxy.response(etag='"new"', cache_control="max-age=60"))
    got, asked = proxy.ask(get(method=method, **condition), proxy.response("", "412 No", length=0))
    (name, value), *_ = condition.items()
    assert got.status == 412 and f"\r\n{name.replace('_', '-')}: {value}\r\n".encode() in asked
    assert got.told == 'txproxy; fwd=bypass; detail="a condition for the origin"'


NTLM = {"www_authenticate": "NTLM TlRMTVNTUAACAAAA"}


@pytest.mark.parametrize("scheme", ["NTLM", "Negotiate"])
def test_who_logs_a_connection_in_has_the_same_one_from_the_first_request_on(proxy, scheme):
    """RFC 4559 section 6: curl begins so without having been asked."""
    client = proxy.connect()
    for step in ("TlRMTVNTUAABAAAA", "TlRMTVNTUAADAAAA"):
        client.send(get(authorization=f"{scheme} {step}"))
        (origin,) = proxy.network.connections
        assert step.encode() in origin.take()
        origin.send(proxy.response("", "401 No", **NTLM))
        assert got([client])[0].status == 401
    assert not origin.closed


def test_what_is_changed_by_a_connection_that_is_logged_in_is_no_more_used(proxy):
    fresh = proxy.response(cache_control="max-age=60")
    proxy.ask(get(), fresh)
    client = proxy.connect()
    login = get("/y", "POST", authorization="NTLM TlRMTVNTUAABAAAA", content_length=0)
    for request in (login, get(method="POST", content_length=0)):
        client.send(request)
        origin, _ = proxy.question()
        origin.send(proxy.response("", "200 OK", cache_control="no-store"))
        assert got([client])[0].status == 200
    assert proxy.ask(get(), fresh)[1] is not None
