"""Tests of which responses are kept (RFC 9111 section 3), and what of their heads."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE, CachePolicy
from txproxy.cache.storing import (
    UNDERSTOOD_STATUSES,
    Storing,
    Times,
    groups_of,
    may_store,
    stored_head,
    stored_lines,
    tags_of,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

NOW = 1795924800.0
TIMES = Times(NOW, NOW)
FRESH = b"Cache-Control: max-age=60"
PLAIN = CachePolicy()
NEITHER = "neither fresh nor to be validated"


def _date(seconds: float) -> bytes:
    return time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(NOW + seconds)).encode("ascii")


LONG_AGO = b"Last-Modified: " + _date(-100000)


def _request(*lines: bytes, method: bytes = b"GET", path: bytes = b"/a", body: int = 0) -> RequestHead:
    return RequestHead(method, path, Headers.parsed([b"Host: a.example", *lines]), b"a.example", body=body)


def _response(*lines: bytes, status: int = 200, body: int = CHUNKED) -> ResponseHead:
    return ResponseHead(status, Headers.parsed([*lines]), b"OK", body)


def _storing(
    response: ResponseHead, request: RequestHead | None = None, policy: CachePolicy = PLAIN, **more: Any
) -> Storing:
    return may_store(request or _request(), response, policy, TIMES, **more)


# -- methods


def test_what_get_has_brought_is_stored_if_it_is_fresh() -> None:
    found = _storing(_response(FRESH))
    assert found
    assert found.freshness is not None
    assert found.freshness.lifetime == 60


@pytest.mark.parametrize("method", [b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"get", b"QUERY", b"FOO"])
def test_other_methods_make_nothing(method: bytes) -> None:
    assert _storing(_response(FRESH), _request(method=method)).reason == "method"


@pytest.mark.parametrize(
    "location", [b"/a", b"http://a.example/a", b"HTTP://a.example/a", b"//a.example/a", b"a", b"./a", b"../a"]
)
def test_post_makes_what_its_own_target_has(location: bytes) -> None:
    request = _request(method=b"POST", body=10)
    own = b"Content-Location: " + location
    assert _storing(_response(FRESH, own), request)
    # RFC 9110 9.3.3: with explicit freshness alone.
    assert _storing(_response(own, b'ETag: "a"'), request).reason == "POST without explicit freshness"
    assert not _storing(_response(own, LONG_AGO), request)
    assert not _storing(_response(own, b"Cache-Control: max-age=0", b'ETag: "a"'), request)
    assert not _storing(_response(own), request, CachePolicy(ttl={200: 60.0}))
    assert not _storing(_response(FRESH, own), _request(method=b"PUT", body=10))


@pytest.mark.parametrize(
    "location",
    [b"/b", b"/a?x", b"http://b.example/a", b"https://a.example/a", b"http://a.example:81/a", b"http://["],
)
def test_post_makes_nothing_else(location: bytes) -> None:
    assert not _storing(_response(FRESH, b"Content-Location: " + location), _request(method=b"POST"))
    assert not _storing(_response(FRESH), _request(method=b"POST"))


def test_the_scheme_is_part_of_the_target() -> None:
    response = _response(FRESH, b"Content-Location: https://a.example/a")
    assert _storing(response, _request(method=b"POST"), scheme=b"https")


@pytest.mark.parametrize("body", [1, CHUNKED])
def test_a_request_with_a_body_makes_nothing(body: int) -> None:
    assert _storing(_response(FRESH), _request(body=body)).reason == "request with a body"


def test_no_store_of_a_request_counts_where_requests_do() -> None:
    request = _request(b"Cache-Control: no-store")
    assert _storing(_response(FRESH), request, FOR_FORWARD).reason == "no-store in the request"
    assert _storing(_response(FRESH), request, FOR_REVERSE)
    assert _storing(_response(FRESH), _request(b"Cache-Control: no-cache"), FOR_FORWARD)


# -- statuses


@pytest.mark.parametrize("status", [200, 203, 204, 299, 301, 302, 303, 307, 308, 400, 404, 410, 499, 500, 503, 599])
def test_any_final_status_with_explicit_freshness(status: int) -> None:
    assert _storing(_response(FRESH, status=status))
    assert _storing(_response(b"Expires: " + _date(60), status=status))


@pytest.mark.parametrize("status", [100, 101, 103, 206, 304, 416])
def test_what_is_no_whole(status: int) -> None:
    assert _storing(_response(FRESH, b'ETag: "a"', status=status)).reason == "status"
    assert not _storing(_response(status=status), policy=CachePolicy(ttl={"any": 60.0}))


@pytest.mark.parametrize("status", [200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501])
def test_statuses_that_can_be_kept_without_a_word(status: int) -> None:
    assert _storing(_response(LONG_AGO, status=status))
    assert _storing(_response(b'ETag: "a"', status=status))


@pytest.mark.parametrize("status", [201, 202, 302, 303, 307, 403, 500, 502, 503, 504, 599])
def test_statuses_that_cannot(status: int) -> None:
    assert _storing(_response(LONG_AGO, b'ETag: "a"', status=status)).reason == "status without explicit freshness"
    assert _storing(_response(LONG_AGO, b"Cache-Control: public", status=status))
    assert _storing(_response(status=status), policy=CachePolicy(ttl={status: 60.0}))


# RFC 9110 section 15, and what RFC 6585 and RFC 7725 have added
UNDERSTOOD = {*range(200, 206), 300, 301, 302, 303, 305, 307, 308, *range(400, 416), 417, 421, 422, 426}
UNDERSTOOD |= {428, 429, 431, 451, *range(500, 506), 511}


@pytest.mark.parametrize("status", sorted({*range(200, 600)} - {206, 304, 416}))
def test_which_statuses_are_understood(status: int) -> None:
    both = b"Cache-Control: max-age=60, no-store, must-understand"
    assert _storing(_response(both, status=status)).reason == ("" if status in UNDERSTOOD else "must-understand")


def test_must_understand_cancels_no_store_for_what_is_known_alone() -> None:
    both = b"Cache-Control: max-age=60, no-store, must-understand"
    assert _storing(_response(both))
    assert _storing(_response(both, status=404))
    assert _storing(_response(both, status=599)).reason == "must-understand"
    assert _storing(_response(b"Cache-Control: max-age=60, must-understand", status=599)).reason == "must-understand"
    assert _storing(_response(both, status=206)).reason == "status"
    assert not {206, 304, 416} & UNDERSTOOD_STATUSES


# -- what forbids


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        ([b"Cache-Control: no-store"], "no-store"),
        ([b"Cache-Control: nO-StOrE, max-age=60"], "no-store"),
        ([b"Cache-Control: max-age=60", b"X: y", b"Cache-Control: no-store"], "no-store"),
        ([b"Cache-Control: private, max-age=60"], "private"),
        ([b'Cache-Control: private="x", max-age=60'], "private"),
        ([FRESH, b"Vary: *"], "Vary"),
        ([FRESH, b"Vary: Accept, *"], "Vary"),
        ([FRESH, b"Vary: Accept", b"Vary: *"], "Vary"),
        ([FRESH, b"Set-Cookie: a=b"], "Set-Cookie"),
    ],
)
def test_what_forbids(lines: list[bytes], reason: str) -> None:
    assert _storing(_response(*lines)).reason == reason


def test_a_rule_may_keep_what_is_private_but_not_what_says_no_store() -> None:
    policy = CachePolicy(ignore_private=True, ttl={200: 60.0}, override_expire=True)
    assert _storing(_response(b"Cache-Control: private, max-age=60"), policy=policy)
    assert not _storing(_response(b"Cache-Control: no-store, max-age=60"), policy=policy)
    assert not _storing(_response(b"Cache-Control: private, max-age=60"), policy=CachePolicy(ttl={200: 60.0}))


@pytest.mark.parametrize(
    "allowing", [b"Cache-Control: public, max-age=60", b"Cache-Control: s-maxage=60", b"CDN-Cache-Control: max-age=60"]
)
def test_what_sets_a_cookie_is_stored_where_it_is_said_to_be_for_all(allowing: bytes) -> None:
    assert _storing(_response(allowing, b"Set-Cookie: a=b"), policy=FOR_REVERSE)
    assert not _storing(
        _response(b"Cache-Control: must-revalidate, max-age=60", b"Set-Cookie: a=b"), policy=FOR_REVERSE
    )


def test_a_cookie_that_no_client_takes_forbids_nothing() -> None:
    assert _storing(_response(FRESH, b"Set-Cookie2: a=b"))


def test_a_rule_may_keep_it_without_the_cookie() -> None:
    policy = CachePolicy(ignore_set_cookie=True)
    response = _response(FRESH, b"Set-Cookie: a=b", b"X: y", b"set-cookie2: c=d")
    assert _storing(response, policy=policy)
    assert stored_lines(response.headers, policy) == [FRESH, b"X: y"]
    assert stored_lines(response.headers, PLAIN) == response.headers.lines


@pytest.mark.parametrize(
    ("value", "may"),
    [
        (b"max-age=60", False),
        (b"max-age=60, proxy-revalidate", False),
        (b"max-age=60, public", True),
        (b"max-age=60, must-revalidate", True),
        (b"s-maxage=60", True),
        (b"s-maxage=60, private", False),
    ],
)
def test_what_came_for_credentials_is_stored_where_it_may_be_shared(value: bytes, may: bool) -> None:
    response = _response(b"Cache-Control: " + value)
    assert bool(_storing(response, _request(b"Authorization: Basic eDp5"))) is may
    assert bool(_storing(response, credentials=True)) is may
    if b"private" not in value:
        assert _storing(response)
        assert _storing(response, credentials=True).reason == ("" if may else "credentials")


def test_a_rule_keeps_nothing_that_came_for_credentials() -> None:
    policy = CachePolicy(ttl={200: 60.0}, override_expire=True)
    assert not _storing(_response(), _request(b"Authorization: Basic eDp5"), policy)


@pytest.mark.parametrize("line", [b"Cookie: a=b", b"Authorization: Basic eDp5"])
def test_nothing_is_guessed_of_what_may_be_for_somebody(line: bytes) -> None:
    found = _storing(_response(LONG_AGO, b"Cache-Control: public"), _request(line))
    assert found.freshness is not None
    assert found.freshness.lifetime == 0.0


def test_a_cookie_of_the_request_is_no_matter_where_freshness_is_explicit() -> None:
    assert _storing(_response(FRESH), _request(b"Cookie: a=b")) == _storing(_response(FRESH))


# -- of what use it would be


@pytest.mark.parametrize(
    ("lines", "may"),
    [
        ([], False),
        ([b"Date: " + _date(0)], False),
        ([b"Last-Modified: foo"], False),
        ([b'ETag: "a"'], True),
        ([LONG_AGO], True),
        ([b"Last-Modified: " + _date(10)], True),
        ([b"Cache-Control: max-age=0"], False),
        ([b"Expires: 0"], False),
        ([b"Cache-Control: max-age=0", b'ETag: "a"'], True),
        ([b"Expires: 0", LONG_AGO], True),
        ([b"Cache-Control: no-cache, max-age=60"], False),
        ([b"Cache-Control: no-cache"], False),
        ([b"Cache-Control: no-cache", b'ETag: "a"'], True),
        ([b"Cache-Control: max-age=0, stale-while-revalidate=60"], True),
        ([b"Cache-Control: max-age=0, stale-if-error=60"], True),
        ([b"Cache-Control: max-age=0, stale-if-error=0"], False),
        ([b"Cache-Control: stale-while-revalidate=60"], False),
        ([b"Cache-Control: s-maxage=0, stale-if-error=60"], False),
        ([b"Cache-Control: max-age=0, no-cache, stale-if-error=60"], False),
        # It was stale when it came, and clients and failures may take it so.
        ([b"Cache-Control: max-age=60", b"Age: 100"], True),
        ([b"Cache-Control: public"], False),
    ],
)
def test_what_could_never_be_used_is_not_stored(lines: list[bytes], may: bool) -> None:
    found = _storing(_response(*lines))
    assert (bool(found), found.reason) == (may, "" if may else NEITHER)


def test_what_is_to_be_validated_each_time_is_stored_so() -> None:
    found = _storing(_response(b"Cache-Control: no-cache, max-age=60", b'ETag: "a"'))
    assert found.freshness is not None
    assert found.freshness.validate


@pytest.mark.parametrize(("size", "may"), [(100, True), (101, False), (CHUNKED, True)])
def test_what_is_larger_than_a_rule_takes(size: int, may: bool) -> None:
    found = _storing(_response(FRESH, body=size), policy=CachePolicy(max_object_size=100))
    assert (bool(found), found.reason) == (may, "" if may else "too large")


# -- deception and poisoning


@pytest.mark.parametrize(
    "policy", [{"ttl": {200: 60.0}}, {"min_ttl": 60.0}, {"ttl": {"any": 60.0}, "override_expire": True}]
)
def test_a_rule_keeps_no_account_as_a_style_sheet(policy: dict[str, Any]) -> None:
    rule = CachePolicy(**policy)
    page, sheet = b"Content-Type: text/html", b"Content-Type: text/css"
    attack = _request(path=b"/account/x.css")
    assert _storing(_response(page), attack, rule).reason == "Content-Type is not what the path promises"
    assert not _storing(_response(), attack, rule)
    assert not _storing(_response(page, b"Cache-Control: no-cache"), attack, rule)
    assert _storing(_response(sheet), attack, rule)
    assert _storing(_response(page), _request(path=b"/account"), rule)
    # What the site says itself holds.
    found = _storing(_response(page, FRESH), attack, rule)
    assert found.freshness is not None
    assert found.freshness.lifetime == 60
    assert found.freshness.explicit


def test_nothing_is_stored_by_its_extension_alone() -> None:
    assert not _storing(_response(b"Content-Type: text/css"), _request(path=b"/x.css"))


@pytest.mark.parametrize("status", [400, 405, 413, 431, 500, 501])
def test_an_error_that_an_attack_has_brought_about_is_soon_gone(status: int) -> None:
    for lines in ([LONG_AGO, b"Cache-Control: public"], [b"Cache-Control: max-age=100000"]):
        found = _storing(_response(*lines, status=status))
        assert found.freshness is not None
        assert found.freshness.lifetime == 10.0


# -- what is stored of a head


@pytest.mark.parametrize(
    ("lines", "kept"),
    [
        ([b"A: 1", b"b: 2", b"A: 3"], [b"A: 1", b"b: 2", b"A: 3"]),
        ([b"Connection: a, B", b"a: 1", b"B: 2", b"c: 3"], [b"c: 3"]),
        (
            [b"Connection: close", b"Keep-Alive: 5", b"Transfer-Encoding: chunked", b"Upgrade: x", b"TE: y", b"c: 3"],
            [b"c: 3"],
        ),
        (
            [b"Proxy-Authenticate: Basic", b"Proxy-Connection: x", b"Proxy-Foo: y", b"proxy-status: z", b"c: 3"],
            [b"c: 3"],
        ),
        ([b"Trailer: X", b"Age: 5", b"c: 3"], [b"c: 3"]),
        ([b"Content-Length: 5", b"ETag: x", b"Via: 1.1 y"], [b"Content-Length: 5", b"ETag: x", b"Via: 1.1 y"]),
        ([b"Set-Cookie: a=b", b"Set-Cookie: c=d"], [b"Set-Cookie: a=b", b"Set-Cookie: c=d"]),
        # Without these it would be another response.
        ([b"Connection: Content-Type", b"Content-Type: a/b"], [b"Content-Type: a/b"]),
    ],
)
def test_the_lines_that_are_stored(lines: list[bytes], kept: list[bytes]) -> None:
    assert stored_lines(Headers.parsed(lines), PLAIN) == kept


def test_the_head_that_is_stored() -> None:
    response = _response(FRESH, b"Date: " + _date(-5), b"Age: 7", b"xkey: a b", b'Cache-Groups: "g"', status=203)
    found = _storing(response)
    assert found.freshness is not None
    head = stored_head(response, found.freshness, PLAIN, Times(NOW, NOW + 1.0), ((b"accept", b"*/*"),), 4)
    assert (head.status, head.reason) == (203, b"OK")
    assert head.headers.lines == [FRESH, b"Date: " + _date(-5), b"xkey: a b", b'Cache-Groups: "g"']
    assert (head.request_time, head.response_time) == (NOW, NOW + 1.0)
    assert (head.vary, head.mark) == (((b"accept", b"*/*"),), 4)
    assert (head.tags, head.groups) == ({b"a", b"b"}, {b"g"})
    assert head.freshness is found.freshness


def test_who_stores_what_has_no_date_says_when_it_came() -> None:
    response = _response(FRESH)
    found = _storing(response)
    assert found.freshness is not None
    head = stored_head(response, found.freshness, PLAIN, Times(NOW - 2.0, NOW + 0.9))
    assert head.headers.lines == [FRESH, b"Date: " + _date(0)]
    assert response.headers.lines == [FRESH]


@pytest.mark.parametrize(
    ("lines", "tags"),
    [
        ([], []),
        ([b"Surrogate-Key: a b  c"], [b"a", b"b", b"c"]),
        ([b"xkey: a b", b"xkey: c"], [b"a", b"b", b"c"]),
        ([b"xkey: a, b"], [b"a", b"b"]),
        ([b"Cache-Tag: a b, c,,"], [b"a b", b"c"]),
        ([b"Cache-Tag: a", b"Surrogate-Key: b", b"xkey: a"], [b"a", b"b"]),
    ],
)
def test_tags(lines: list[bytes], tags: list[bytes]) -> None:
    assert tags_of(Headers.parsed(lines)) == set(tags)


@pytest.mark.parametrize(
    ("lines", "groups"),
    [
        ([], []),
        ([b'Cache-Groups: "a", "b c";x=1'], [b"a", b"b c"]),
        ([b'Cache-Groups: "a"', b'Cache-Groups: "b"'], [b"a", b"b"]),
        ([b"Cache-Groups: " + b", ".join(b'"%032d"' % n for n in range(32))], [b"%032d" % n for n in range(32)]),
        # RFC 9651: what is no such list is ignored.
        ([b"Cache-Groups: a, b"], []),
        ([b'Cache-Groups: "a", 1'], []),
        ([b'Cache-Groups: "a'], []),
        ([b'Cache-Groups: ("a" "b")'], []),
    ],
)
def test_groups(lines: list[bytes], groups: list[bytes]) -> None:
    assert groups_of(Headers.parsed(lines)) == set(groups)


_NAMES = [
    *(b"Cache-Control", b"Expires", b"Date", b"Age", b"ETag", b"Last-Modified", b"Vary", b"Set-Cookie"),
    *(b"Content-Location", b"Content-Type", b"Connection", b"xkey", b"Cache-Groups", b"CDN-Cache-Control"),
]
_LINES = st.lists(
    st.tuples(
        st.sampled_from(_NAMES),
        st.binary(max_size=30) | st.sampled_from([b"max-age=5", b"public", b"private", b"no-store", b"no-cache", b"*"]),
    ).map(b": ".join),
    max_size=8,
)


@given(_LINES, _LINES, st.sampled_from([b"GET", b"POST", b"HEAD"]), st.integers(100, 599), st.binary(max_size=20))
def test_no_response_is_too_odd(
    asked: list[bytes], answered: list[bytes], method: bytes, status: int, path: bytes
) -> None:
    request, response = _request(*asked, method=method, path=b"/" + path), _response(*answered, status=status)
    for policy in (FOR_REVERSE, FOR_FORWARD, CachePolicy(ttl={"any": 60.0}, min_ttl=5.0, override_expire=True)):
        found = may_store(request, response, policy, TIMES)
        assert bool(found) is (found.reason == "")
        if found.freshness is not None:
            assert status not in (206, 304, 416)
            assert status >= 200
            assert not any(
                line in (b"Cache-Control: no-store", b"Vary: *") for line in answered if policy is FOR_FORWARD
            )
            stored_head(response, found.freshness, policy, TIMES)
