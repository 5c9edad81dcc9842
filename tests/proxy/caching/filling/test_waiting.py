"""Who of those that wait gets what has come on behalf of another."""

import pytest

from tests.proxy.caching.caching_proxy import get, got

FRESH = {"cache_control": "max-age=60"}
EACH_FOR_ITSELF = [
    {"etag": '"1"'},
    {"etag": '"1"', "cache_control": "no-cache"},
    {"etag": '"1"', "cache_control": "max-age=0"},
    {"etag": '"1"', "cache_control": "max-age=60, no-cache"},
    {"last_modified": "Sun, 09 Sep 2001 01:46:40 GMT", "cache_control": "no-cache"},
]


def answers(proxy, fields, bodies):
    """Answer each question with the body that its Cookie says."""
    for connection, asked in proxy.questions():
        name = asked.lower().partition(b"cookie: ")[2].partition(b"\r\n")[0].decode()
        bodies.append(name)
        connection.send(proxy.response(name, **fields))


def test_many_get_one_response(proxy):
    clients = proxy.herd(*[get()] * 5)
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 5
    assert not proxy.questions()


@pytest.mark.parametrize("fields", EACH_FOR_ITSELF)
@pytest.mark.parametrize("whole", [True, False])
def test_what_is_to_be_validated_each_time_is_for_who_has_asked_alone(proxy, fields, whole):
    clients = proxy.herd(get(cookie="alice"), get(cookie="bob"), get(cookie="carol"))
    origin, asked = proxy.question()
    assert b"alice" in asked
    origin.send(proxy.response("alice", length=None if whole else 10, **fields))
    bodies = []
    answers(proxy, fields, bodies)
    assert sorted(bodies) == ["bob", "carol"]
    if not whole:
        origin.send(b"alice")
    first, *others = got(clients)
    assert first.body == (b"alice" if whole else b"alicealice")
    assert [one.body for one in others] == [b"bob", b"carol"]


@pytest.mark.parametrize("fields", EACH_FOR_ITSELF)
def test_so_is_its_validation(proxy, fields):
    proxy.ask(get(cookie="alice"), proxy.response("alice", **fields))
    clients = proxy.herd(get(cookie="alice"), get(cookie="bob"))
    (first, asked), (second, other) = proxy.questions()
    assert b"alice" in asked and b"bob" in other
    first.send(proxy.response("", "304 Not Modified", **fields))
    second.send(proxy.response("bob", **fields))
    assert [one.body for one in got(clients)] == [b"alice", b"bob"]


def test_who_comes_while_such_a_body_comes_asks_for_itself(proxy):
    (alice,) = proxy.herd(get(cookie="alice"))
    origin, _ = proxy.question()
    origin.send(proxy.response("ali", length=5, etag='"1"', cache_control="no-cache"))
    (bob,) = proxy.herd(get(cookie="bob"))
    other, asked = proxy.question()
    assert b"bob" in asked
    other.send(proxy.response("bob", etag='"2"', cache_control="no-cache"))
    origin.send(b"ce")
    assert [one.body for one in got([alice, bob])] == [b"alice", b"bob"]


def test_who_comes_when_it_is_stale_already_asks_for_itself(proxy):
    proxy.herd(get())
    origin, _ = proxy.question()
    origin.send(proxy.response("he", length=5, **FRESH))
    proxy.pass_time(61)
    proxy.herd(get())
    other, _ = proxy.question()
    other.send(proxy.response(**FRESH))
    origin.send(b"llo")


def test_other_values_of_vary_ask_for_themselves(proxy):
    fields = {"vary": "Accept-Language", **FRESH}
    clients = proxy.herd(*[get(accept_language=language) for language in ("en", "de", "en", "fr")])
    origin, _ = proxy.question()
    origin.send(proxy.response("en", **fields))
    for connection, asked in proxy.questions():
        connection.send(proxy.response(asked.lower().partition(b"language: ")[2][:2].decode(), **fields))
    assert [one.body for one in got(clients)] == [b"en", b"de", b"en", b"fr"]
    assert len(proxy.store) == 3


@pytest.mark.parametrize("answer", ["304 Not Modified", "503 Oh"])
def test_nobody_gets_the_variant_of_another_that_was_validated(proxy, answer):
    fields = {"vary": "Accept-Language", **FRESH}
    proxy.ask(get(accept_language="en"), proxy.response("en", etag='"en"', **fields))
    proxy.pass_time(61)
    clients = proxy.herd(get(accept_language="en"), get(accept_language="de"))
    (first, _), (second, asked) = proxy.questions()
    assert b": de" in asked
    first.send(proxy.response("", answer))
    second.send(proxy.response("de", etag='"de"', **fields))
    assert [one.body for one in got(clients)] == [b"en", b"de"]


def test_a_validation_of_what_was_fresh_is_for_all(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    clients = proxy.herd(*[get(), get(if_none_match='"1"'), get(range="bytes=0-0")])
    origin, _ = proxy.question()
    origin.send(proxy.response("", "304 Not Modified", **FRESH))
    assert [(one.status, one.body) for one in got(clients)] == [(200, b"hello"), (304, b""), (206, b"h")]


def test_a_validation_that_leaves_it_stale_is_for_who_has_asked(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("", "304 Not Modified", cache_control="no-cache"))
    other, _ = proxy.question()
    other.send(proxy.response("other", cache_control="no-cache", etag='"2"'))
    assert [one.body for one in got(clients)] == [b"hello", b"other"]


@pytest.mark.parametrize(
    "fields",
    [
        {"authorization": "Basic YTpi"},
        {"if_none_match": '"1"'},
        {"if_modified_since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"cache_control": "no-cache"},
        {"cache_control": "max-age=0"},
        {"pragma": "no-cache"},
    ],
)
@pytest.mark.parametrize("head_there", [True, False])
def test_what_is_for_one_alone_waits_for_nobody(make, fields, head_there):
    proxy = make(request_directives=True)
    (first,) = proxy.herd(get())
    origin, _ = proxy.question()
    response = proxy.response(**FRESH)
    if head_there:
        origin.send(response[:-2])
    (second,) = proxy.herd(get(**fields))
    other, _ = proxy.question()
    other.send(proxy.response("mine!", **FRESH))
    assert got([second])[0].body == b"mine!"
    origin.send(response[-2:] if head_there else response)
    assert got([first])[0].body == b"hello"


def test_nobody_waits_for_what_is_for_one_alone(proxy):
    (first,) = proxy.herd(get(authorization="Basic YTpi"))
    origin, _ = proxy.question()
    (second,) = proxy.herd(get())
    other, _ = proxy.question()
    origin.send(proxy.response("alice's", **FRESH))
    other.send(proxy.response(**FRESH))
    assert [one.body for one in got([first, second])] == [b"alice's", b"hello"]


def test_reloads_that_do_not_count_wait_like_others(proxy):
    clients = proxy.herd(get(), get(cache_control="no-cache"))
    origin, _ = proxy.question()
    origin.send(proxy.response(**FRESH))
    assert [one.body for one in got(clients)] == [b"hello"] * 2


def test_a_login_takes_nothing_away_that_is_stored(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    proxy.ask(get(authorization="Basic YTpi"), proxy.response("", "304 Not Modified", **FRESH))
    proxy.ask(get(), proxy.response("", "304 Not Modified", **FRESH))
    assert proxy.ask(get())[1] is None


def test_each_gets_a_cookie_of_its_own(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', **FRESH))
    proxy.pass_time(61)
    clients = proxy.herd(get(), get())
    origin, _ = proxy.question()
    origin.send(proxy.response("", "304 Not Modified", set_cookie="id=1", **FRESH))
    first, second = got(clients)
    assert first.fields["set-cookie"] == b"id=1" and "set-cookie" not in second.fields


@pytest.mark.parametrize("fields", [{}, {"cache_control": "max-age=0"}, {"cache_control": "no-cache"}])
@pytest.mark.parametrize("policy", [{}, {"stale_while_revalidate": 60}, {"request_directives": True}])
def test_what_was_never_fresh_is_for_nobody_else_whatever_fails(make, fields, policy):
    proxy = make(**policy)
    proxy.ask(get(cookie="alice"), proxy.response("alice", etag='"1"', **fields))
    proxy.pass_time(1)
    bob = get(cookie="bob", cache_control="max-stale")
    got_, asked = proxy.ask(bob, proxy.response("oh", "503 Oh"))
    assert asked is not None and got_.body == b"oh"


def test_what_says_that_it_may_stand_in_may(proxy):
    proxy.ask(get(), proxy.response(etag='"1"', cache_control="max-age=0, stale-if-error=60"))
    assert proxy.ask(get(), proxy.response("oh", "503 Oh"))[0].body == b"hello"
