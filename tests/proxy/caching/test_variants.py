"""Variants that the origin may choose from when none of them is known to be what a request gets."""

from tests.proxy.caching.caching_proxy import get, got

FRESH = {"cache_control": "max-age=60"}


def store(proxy):
    proxy.ask(get(accept_language="en"), proxy.response("en", vary="Accept-Language", etag='"en"', **FRESH))


def not_modified(proxy, tag, **fields):
    return proxy.response("", "304 Not Modified", etag=tag, **{**FRESH, **fields})


def test_the_origin_says_which_of_them_it_is(proxy):
    store(proxy)
    proxy.ask(get(accept_language="de"), proxy.response("de", vary="Accept-Language", etag='"de"', **FRESH))
    answer, asked = proxy.ask(get(accept_language="fr"), not_modified(proxy, '"en"', x="2"))
    assert b'\r\nIf-None-Match: "de", "en"\r\n' in asked or b'\r\nIf-None-Match: "en", "de"\r\n' in asked
    assert (answer.status, answer.body, answer.fields["x"]) == (200, b"en", b"2")
    assert answer.told == "txproxy; fwd=vary-miss; fwd-status=304; ttl=60; stored"
    for language, body in (("fr", b"en"), ("en", b"en"), ("de", b"de")):
        hit, asked = proxy.ask(get(accept_language=language))
        assert asked is None and hit.body == body
    assert len(proxy.store) == 3


def test_what_it_has_named_is_fresh_again(proxy):
    store(proxy)
    proxy.pass_time(61)
    proxy.ask(get(accept_language="fr"), not_modified(proxy, '"en"'))
    for language in ("en", "fr"):
        hit, asked = proxy.ask(get(accept_language=language))
        assert asked is None and hit.body == b"en"


def test_a_304_that_names_none_of_them_is_asked_for_again(proxy):
    store(proxy)
    (client,) = proxy.herd(get(accept_language="fr"))
    origin, asked = proxy.question()
    assert b"If-None-Match" in asked
    origin.send(not_modified(proxy, '"other"'))
    origin, asked = proxy.question()
    assert b"If-None-Match" not in asked
    origin.send(proxy.response("fr", vary="Accept-Language", **FRESH))
    assert got([client])[0].body == b"fr"
    assert proxy.ask(get(accept_language="en"))[0].body == b"en"


def test_an_origin_that_says_304_to_everything_is_asked_no_third_time(proxy):
    store(proxy)
    (client,) = proxy.herd(get(accept_language="fr"))
    for _ in range(2):
        proxy.question()[0].send(not_modified(proxy, '"other"'))
    assert not proxy.questions() and got([client])[0].status == 502


def test_those_that_wait_get_what_it_has_named(proxy):
    store(proxy)
    clients = proxy.herd(*[get(accept_language="fr")] * 3, get(accept_language="fr", if_none_match='"en"'))
    questions = proxy.questions()
    for origin, _ in questions:
        origin.send(not_modified(proxy, '"en"'))
    assert [(one.status, one.body) for one in got(clients)] == [(200, b"en")] * 3 + [(304, b"")]
    assert len(questions) == 2


def test_what_may_not_be_kept_is_for_who_has_asked(proxy):
    store(proxy)
    answer, _ = proxy.ask(get(accept_language="fr"), not_modified(proxy, '"en"', cache_control="private"))
    assert answer.body == b"en" and "stored" not in answer.told
    assert proxy.ask(get(accept_language="en"))[1] is None
    assert proxy.ask(get(accept_language="fr"), proxy.response(**FRESH))[1] is not None


def test_without_tags_there_is_nothing_to_name(proxy):
    proxy.ask(get(accept_language="en"), proxy.response("en", vary="Accept-Language", last_modified="x", **FRESH))
    _, asked = proxy.ask(get(accept_language="fr"), proxy.response(**FRESH))
    assert b"If-" not in asked


def test_a_failure_is_not_answered_with_another_variant(proxy):
    store(proxy)
    assert proxy.ask(get(accept_language="fr"), proxy.response("oh", "503 Oh"))[0].body == b"oh"


def test_a_cookie_that_comes_with_it_is_for_who_has_asked(proxy):
    store(proxy)
    answer, _ = proxy.ask(get(accept_language="fr"), not_modified(proxy, '"en"', set_cookie="id=alice"))
    assert answer.fields["set-cookie"] == b"id=alice"
    for language in ("en", "fr"):
        hit, asked = proxy.ask(get(accept_language=language))
        assert asked is None and "set-cookie" not in hit.fields
