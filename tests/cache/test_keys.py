"""Tests of keys: what has one in common, what never has, and what reaches no origin since it is in none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from txproxy.cache.keys import (
    KEY_SIZE,
    cache_key,
    canonical_authority,
    key_parts,
    not_with_a_fill,
    sent_authority,
    sent_path,
)
from txproxy.cache.policy import CachePolicy
from txproxy.wire.headers import Headers

_PLAIN = CachePolicy()


def _key(url: bytes, scope: bytes = b"pool") -> bytes:
    scheme, _, rest = url.partition(b"://")
    authority, _, path = rest.partition(b"/")
    return cache_key(scheme, authority, b"/" + path, scope)


@pytest.mark.parametrize(
    "url",
    [
        b"http://Example.COM/a?b",
        b"HTTP://example.com/a?b",
        b"http://example.com:80/a?b",
        b"http://example.com:/a?b",
        b"http://example.com./a?b",
    ],
)
def test_other_spellings_of_an_origin_have_one_key(url: bytes) -> None:
    assert _key(url) == _key(b"http://example.com/a?b")
    assert len(_key(url)) == KEY_SIZE


def test_addresses_have_one_key_in_all_spellings() -> None:
    assert _key(b"https://[2001:DB8:0:0::1]/") == _key(b"https://[2001:db8::1]:443/")


@pytest.mark.parametrize(
    "url",
    [
        b"https://example.com/a?b",
        b"https://example.com:80/a?b",
        b"http://example.com:81/a?b",
        b"http://example.org/a?b",
        b"http://example.com/A?b",
        b"http://example.com/a?B",
        b"http://example.com/a",
        b"http://example.com/a?",
        b"http://example.com/%61?b",
        b"http://example.com//a?b",
        b"http://example.com/x/../a?b",
        b"http://xample.com/a?b",
    ],
)
def test_what_is_asked_for_in_other_words_has_another_key(url: bytes) -> None:
    assert _key(url) != _key(b"http://example.com/a?b")


def test_scopes_share_nothing() -> None:
    assert _key(b"http://example.com/", b"one") != _key(b"http://example.com/", b"two")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((b"http", b"a", b"/b"), (b"http", b"a/", b"b")),
        ((b"http", b"a", b"/b", b"", b"c"), (b"http", b"a", b"/bc", b"", b"")),
        ((b"http", b"a:80", b"/2:/b"), (b"http", b"a:80", b"/", b"2:/b")),
        ((b"http", b"a", b"/1:x"), (b"http", b"a", b"/", b"", b"1:x")),
    ],
)
def test_no_part_reaches_into_the_next(one: tuple[bytes, ...], other: tuple[bytes, ...]) -> None:
    assert cache_key(*one) != cache_key(*other)


_PARTS = st.lists(st.sampled_from([b"0", b"1", b":", b"/", b"a", b"4:http", b"1:a"]), max_size=4).map(b"".join)
_WHOLE = st.tuples(st.just(b"http"), st.sampled_from([b"a", b"b", b"a:1"]), _PARTS, _PARTS, _PARTS)


@given(_WHOLE, _PARTS, _PARTS)
def test_keys_differ_where_anything_does(whole: tuple[bytes, ...], path: bytes, scope: bytes) -> None:
    scheme, authority, own_path, own_scope, _ = whole
    same = (path, scope) == (own_path, own_scope)
    one, other = cache_key(scheme, authority, own_path, own_scope), cache_key(scheme, authority, path, scope)
    assert (one == other) == same


@pytest.mark.parametrize(
    ("scheme", "authority", "canonical", "sent"),
    [
        (b"http", b"Example.com", b"example.com:80", b"example.com"),
        (b"https", b"example.com.:443", b"example.com:443", b"example.com"),
        (b"https", b"example.com:80", b"example.com:80", b"example.com:80"),
        (b"http", b"[2001:DB8::0:1]:8080", b"[2001:db8::1]:8080", b"[2001:db8::1]:8080"),
        (b"http", b"", b"", b""),
        (b"HTTPS", b"example.com", b"example.com:443", b"example.com"),
        # what is no authority is not made one
        (b"http", b"A b", b"a b", b"a b"),
        # of an unknown scheme there is no port to leave out
        (b"gopher", b"example.com", b"example.com:0", b"example.com"),
    ],
)
def test_an_authority_has_one_spelling(scheme: bytes, authority: bytes, canonical: bytes, sent: bytes) -> None:
    assert canonical_authority(scheme, authority) == canonical
    assert sent_authority(scheme, authority) == sent


# -- what a rule has in a key


def _parts(policy: CachePolicy, *lines: bytes) -> bytes:
    return key_parts(policy, Headers.parsed(list(lines)))


def test_with_no_rule_nothing_is_added() -> None:
    assert _parts(_PLAIN, b"Cookie: a=1", b"X-Kind: b") == b""


def test_fields_count_by_their_values() -> None:
    policy = CachePolicy(key_headers=(b"x-kind",))
    assert _parts(policy, b"X-Kind: a") == _parts(policy, b"x-kind: a", b"Other: 1")
    others = [_parts(policy, b"X-Kind: b"), _parts(policy, b"X-Kind: "), _parts(policy), _parts(policy, b"X-Kind: -")]
    assert len({_parts(policy, b"X-Kind: a"), *others}) == 5


def test_cookies_count_by_their_values() -> None:
    policy = CachePolicy(key_cookies=(b"a", b"b"))
    assert _parts(policy, b"Cookie: x=0; b=2;a= 1 ") == _parts(policy, b"Cookie: a=1; b=2")
    differing = [
        b"Cookie: a=1",
        b"Cookie: b=1",
        b"Cookie: a=; b=1",
        b"Cookie: a=1; a=2",
        b"Cookie: a=1b=1",
        b"Cookie: a",
    ]
    assert len({_parts(policy, line) for line in differing}) == len(differing)


def test_a_field_that_connection_names_is_not_in_a_key() -> None:
    policy = CachePolicy(key_headers=(b"x-kind",))
    assert _parts(policy, b"Connection: X-Kind", b"X-Kind: a") == _parts(policy)


def test_the_class_of_a_device_counts_and_no_more_of_it() -> None:
    policy = CachePolicy(key_device=True)
    phone, other_phone = b"User-Agent: Mozilla/5.0 (iPhone)", b"User-Agent: Mozilla/5.0 (Android 14; Mobile)"
    assert _parts(policy, phone) == _parts(policy, other_phone)
    assert len({_parts(policy, phone), _parts(policy, b"User-Agent: (iPad)"), _parts(policy)}) == 3
    # It is no value of a field.
    assert _parts(policy, phone) != _parts(CachePolicy(key_headers=(b"d",)), b"d: mobile")


# -- what is sent on of a query


@pytest.mark.parametrize(
    ("policy", "path", "sent"),
    [
        (_PLAIN, b"/a?b=1&&a=2", b"/a?b=1&&a=2"),
        (CachePolicy(query="none"), b"/a?b=1", b"/a"),
        (CachePolicy(query="none"), b"/a", b"/a"),
        (CachePolicy(query_keep=(b"id",)), b"/a?utm=1&id=2&x", b"/a?id=2"),
        (CachePolicy(query_keep=(b"id",)), b"/a?utm=1", b"/a"),
        (CachePolicy(query_keep=(b"id",)), b"/a?%69d=1", b"/a?%69d=1"),
        (CachePolicy(query_drop=(b"utm_*", b"fbclid")), b"/a?utm_source=1&id=2&fbclid=3", b"/a?id=2"),
        (CachePolicy(query_drop=(b"utm_*",)), b"/a?%75tm_source=1&id=2", b"/a?id=2"),
        # some frameworks take ; for &: it is dropped with what it stands in
        (CachePolicy(query_drop=(b"utm_*",)), b"/a?utm_x=1;callback=evil", b"/a"),
        (CachePolicy(query_keep=(b"a*",), query_drop=(b"ab",)), b"/?ab=1&ac=2", b"/?ac=2"),
        (CachePolicy(query_sort=True), b"/a?b=2&a=9&b=1&&a", b"/a?a=9&a&b=2&b=1"),
    ],
)
def test_what_is_not_in_the_key_is_not_sent(policy: CachePolicy, path: bytes, sent: bytes) -> None:
    assert sent_path(policy, path) == sent
    assert sent_path(policy, sent) == sent


# -- fields that are in no key


@pytest.mark.parametrize(
    "name",
    [
        b"X-Original-URL",
        b"X-Rewrite-URL",
        b"X-HTTP-Method-Override",
        b"X-HTTP-Method",
        b"X-Method-Override",
        b"X-Host",
        b"X-Forwarded-Host",
        b"X-Forwarded-Server",
        b"X-Forwarded-Scheme",
        b"x_forwarded_scheme",
        b"X_Original-Url",
        b"Forwarded",
    ],
)
def test_what_would_change_a_response_unseen_fills_no_cache(name: bytes) -> None:
    lines = [b"Host: a", name + b": evil", b"X-Forwarded-For: 192.0.2.1", b"Accept: */*"]
    assert not_with_a_fill(lines) == [lines[0], lines[2], lines[3]]


def test_what_the_proxy_has_set_itself_stays() -> None:
    lines = [b"X-Forwarded-Host: a", b"X-Host: evil"]
    assert not_with_a_fill(lines, frozenset({b"x-forwarded-host"})) == lines[:1]
