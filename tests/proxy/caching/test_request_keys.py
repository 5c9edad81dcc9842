"""What a request has in its key, beyond what it asks for, and what is sent with that alone."""

import pytest

from txproxy.cache.policy import CachePolicy
from txproxy.proxy.caching.request_keys import RequestKeys, keyed_request
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

POLICY = CachePolicy()


def request(authority=b"a", scheme=None):
    return RequestHead(b"GET", b"/x", Headers([(b"Host", authority), (b"X-Original-URL", b"/y")]), authority, scheme)


def key(scope="pool app", asked=None, **known):
    return RequestKeys(scope, set()).key(asked or request(), context_of(**known), POLICY, b"/x")


def test_what_is_asked_for_in_the_same_way_is_the_same():
    assert key() == key() == key(asked=request(b"A:80"))


@pytest.mark.parametrize(
    "words",
    [
        {"scope": "pool other"},
        {"rule": "api"},
        {"scheme": "https"},
        {"asked": request(b"b")},
        {"lines": (b"X-Forwarded-Host: b",)},
        {"lines": (b"X-Forwarded-Port: 81",)},
    ],
)
def test_what_may_change_the_answer_is_in_it(words):
    assert key(**words) != key()


def test_who_the_client_is_is_not():
    assert key(lines=(b"X-Forwarded-For: 1.2.3.4", b"X-Real-IP: 1.2.3.4")) == key()


def test_a_path_stands_under_all_rules_that_may_have_stored_it():
    keys = RequestKeys("pool app", {"", "api"})
    found = keys.all(request(), context_of(rule="other"), POLICY, b"/x")
    expected = [
        RequestKeys("pool app", set()).key(request(), context_of(), POLICY, b"/x", rule)
        for rule in ("", "api", "other")
    ]
    assert sorted(found) == sorted(expected) and len(set(found)) == 3


class Asked:
    def __init__(self, asked):
        self.request = asked
        self.context = context_of()


def test_what_is_in_no_key_is_not_sent():
    asked = request(b"A:80")
    sent = keyed_request(Asked(asked), asked.headers.lines, [b"If-None-Match: 1"])
    assert sent.authority == b"a"
    assert b"x-original-url" not in sent.headers.index and sent.headers.index[b"if-none-match"] == b"1"
