"""What goes past the cache, and what it says of what is stored."""

import pytest
from zope.interface import implementer

from tests.proxy.caching.caching_proxy import Got, get, got
from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import IInnerMiddleware, ResponseFilter

FRESH = {"cache_control": "max-age=60"}


@pytest.mark.parametrize("name", ["X-Forwarded-Host", "X-Original-URL", "X-HTTP-Method-Override", "X-Host"])
def test_a_head_is_asked_for_without_what_is_in_no_key(proxy, name):
    proxy.ask(get(), proxy.response(etag='"1"', link="<good>", **FRESH))
    proxy.pass_time(61)
    _, asked = proxy.ask(
        get(method="HEAD", **{name: "evil"}), proxy.response("", length=5, etag='"1"', link="<evil>", **FRESH)
    )
    assert asked.startswith(b"HEAD ") and b": evil" not in asked


def test_cookies_of_a_head_are_nobody_elses(proxy):
    fields = {"cache_control": "public, max-age=60", "etag": '"1"'}
    proxy.ask(get(), proxy.response(**fields))
    proxy.pass_time(61)
    told, _ = proxy.ask(get(method="HEAD"), proxy.response("", length=5, set_cookie="id=alice", **fields))
    assert told.fields["set-cookie"] == b"id=alice"
    hit, asked = proxy.ask(get())
    assert asked is None and "set-cookie" not in hit.fields


def test_a_login_of_a_head_changes_nothing_that_is_stored(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', x="all", **FRESH))
    proxy.pass_time(61)
    alice = get(method="HEAD", authorization="Basic YTpi")
    proxy.ask(alice, proxy.response("", length=5, etag='"1"', x="alice", **FRESH))
    validated, asked = proxy.ask(get(), proxy.response("", "304 Not Modified", **FRESH))
    assert asked is not None and validated.fields["x"] == b"all"


def test_a_head_makes_nothing_everybodys(proxy):
    proxy.ask(get(cookie="alice"), proxy.response("alice", etag='"1"'))
    proxy.ask(get(cookie="bob", method="HEAD"), proxy.response("", length=5, **FRESH))
    assert proxy.ask(get(cookie="bob"), proxy.response("bob", **FRESH))[0].body == b"bob"


def test_a_change_keeps_all_of_its_query(make):
    proxy = make(query="none")
    proxy.ask(get("/x?a=1"), proxy.response(**FRESH))
    _, asked = proxy.ask(get("/x?do=delete", "POST"), proxy.response(""))
    assert asked.startswith(b"POST /x?do=delete HTTP")
    assert proxy.ask(get("/x"), proxy.response(**FRESH))[1] is not None


def test_a_change_names_others_by_what_counts_of_them(make):
    proxy = make(query_drop=("utm_*",))
    proxy.ask(get("/x?a=1"), proxy.response(**FRESH))
    proxy.ask(get("/y", "POST"), proxy.response("", location="/x?utm_source=b&a=1"))
    assert proxy.ask(get("/x?a=1"), proxy.response(**FRESH))[1] is not None


@pytest.mark.parametrize("alone", [{"if_none_match": '"0"'}, {"authorization": "Basic YTpi"}, {}])
@pytest.mark.parametrize("head_there", [True, False])
def test_what_is_on_its_way_when_something_changes_is_not_kept(proxy, alone, head_there):
    (client,) = proxy.herd(get(**alone))
    origin, _ = proxy.question()
    response = proxy.response("older", etag='"1"', cache_control="public, max-age=60")
    if head_there:
        origin.send(response[:-2])
    proxy.ask(get(method="POST"), proxy.response(""))
    (later,) = proxy.herd(get())
    other, _ = proxy.question()
    origin.send(response[-2:] if head_there else response)
    other.send(proxy.response("newer", **FRESH))
    assert [one.body for one in got([client, later])] == [b"older", b"newer"]
    hit, asked = proxy.ask(get())
    assert asked is None and hit.body == b"newer"


def test_a_failed_change_changes_nothing(proxy):
    proxy.ask(get(), proxy.response(**FRESH))
    proxy.ask(get(method="POST"), proxy.response("", "500 Oh"))
    assert proxy.ask(get())[1] is None


def test_what_is_known_not_to_be_kept_goes_at_once(proxy):
    proxy.ask(get(), proxy.response(cache_control="no-store"))
    clients = proxy.herd(*[get()] * 3)
    asked = proxy.questions()
    assert len(asked) == 3
    for number, (origin, _) in enumerate(asked):
        origin.send(proxy.response(str(number), cache_control="no-store"))
    assert [one.body for one in got(clients)] == [b"0", b"1", b"2"]


@pytest.mark.parametrize("name", ["Cache-Status", "cache-status"])
def test_what_is_known_not_to_be_kept_says_so_after_others(proxy, name):
    proxy.ask(get(), proxy.response(cache_control="no-store"))
    for _ in range(2):
        answer, _ = proxy.ask(get(), proxy.response(cache_control="no-store", **{name: "shield; hit"}))
        assert answer.data.lower().count(b"cache-status:") == 1
        assert answer.told.startswith("shield; hit, ") and "fwd=uri-miss" in answer.told
        answer, _ = proxy.ask(get(), proxy.response(cache_control="no-store"))
        assert answer.data.lower().count(b"cache-status:") == 1 and "shield" not in answer.told


def test_it_says_so_after_others_where_fields_differ_in_values_alone(proxy):
    proxy.ask(get(), proxy.response(cache_control="no-store"))
    client = proxy.connect()
    for fields in ({}, {"cache-status": "shield; hit"}) * 2:
        for number in range(4):
            client.send(get())
            origin, _ = proxy.question()
            origin.send(proxy.response(cache_control="no-store", x_number=number, **fields))
            answer = Got(client.take())
            assert answer.fields["x-number"] == b"%d" % number
            assert answer.data.lower().count(b"cache-status:") == 1 and "fwd=uri-miss" in answer.told
            assert answer.told.startswith("shield; hit, ") is bool(fields)


def test_it_says_so_where_no_other_field_is_left(make):
    class Bare(ResponseFilter):
        def head(self, response, context):
            return response.with_lines([])

    @implementer(IInnerMiddleware)
    class Within:
        def handle(self, request, context, proceed):
            context.filter_responses(Bare())
            return proceed(request, context)

    def build(reactor, middleware, observers):
        pool = Pool(["http://10.0.0.1:80"])
        return ReverseProxyFactory(pool, middleware=[*middleware, Within()], reactor=reactor)

    proxy = make(build=build)
    for _ in range(2):
        answer, _ = proxy.ask(get(), proxy.response(cache_control="no-store"))
    assert list(answer.fields) == ["cache-status"] and answer.body == b"hello"


@pytest.mark.parametrize(("seconds", "asked"), [(119, 2), (121, 1)])
def test_for_two_minutes(proxy, seconds, asked):
    proxy.ask(get(), proxy.response(cache_control="no-store"))
    proxy.pass_time(seconds)
    clients = proxy.herd(get(), get())
    questions = proxy.questions()
    assert len(questions) == asked
    for origin, _ in questions:
        origin.send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 2


def test_what_is_too_large_stays_known_for_that(proxy):
    large = {"length": proxy.store.max_object + 1, **FRESH}
    for _ in range(2):
        (client,) = proxy.herd(get())
        origin, _ = proxy.question()
        origin.send(proxy.response("", **large))
        client.drop()
    proxy.clock.advance(0)
    assert len(proxy.herd(get(), get())) == len(proxy.questions())


class Named:
    """Gives each request the name of the route that its path begins with."""

    def handle(self, request, context, proceed):
        context.rule = request.headers.get(b"x-route").decode() if b"x-route" in request.headers else ""
        return proceed(request, context)


@pytest.mark.parametrize("cached", [True, False], ids=["by a route that is cached", "by one that is not"])
def test_what_is_changed_by_one_route_is_gone_for_all(make, cached):
    proxy = make(Named())
    proxy.cache.policy_of = None
    usual = proxy.policy
    middleware = proxy.factory.services.inner_middleware[0]
    middleware.policy_of = lambda request, context: usual if cached or context.rule != "b" else None
    proxy.factory.mode.action.attach(proxy.factory.services)
    proxy.ask(get(x_route="a"), proxy.response(cache_control="max-age=60"))
    assert proxy.ask(get(x_route="a"))[1] is None
    got, _ = proxy.ask(get(method="DELETE", x_route="b"), proxy.response(""))
    assert ("cache-status" in got.fields) is cached
    assert proxy.ask(get(x_route="a"), proxy.response("anew"))[0].body == b"anew"


@pytest.mark.parametrize("words", [{"key_cookies": ("team",)}, {"key_headers": ("cookie",)}])
def test_what_is_changed_is_gone_under_all_keys_that_it_has(make, words):
    proxy = make(**words)
    fresh = {"cache_control": "max-age=60"}
    for team in ("a", "b"):
        proxy.ask(get(cookie=f"team={team}"), proxy.response(team, **fresh))
        assert proxy.ask(get(cookie=f"team={team}"))[1] is None
    proxy.ask(get("/other", cookie="team=b"), proxy.response("b", **fresh))
    proxy.ask(get(method="DELETE", cookie="team=a"), proxy.response(""))
    for team in ("a", "b"):
        assert proxy.ask(get(cookie=f"team={team}"), proxy.response("anew", **fresh))[0].body == b"anew"
    assert proxy.ask(get("/other", cookie="team=b"))[1] is None
