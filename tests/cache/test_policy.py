"""Tests of what a route or a rule says of the cache, as a value."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE, CachePolicy
from txproxy.errors import ConfigError


@pytest.mark.parametrize(
    ("status", "ttl"), [(200, 600.0), (404, 5.0), (410, 10.0), (302, 60.0), (503, 60.0)], ids=lambda value: str(value)
)
def test_the_nearest_ttl_counts(status: int, ttl: float) -> None:
    policy = CachePolicy(ttl={"any": 60.0, "4xx": 10.0, 404: 5.0, 200: 600.0})
    assert policy.ttl_of(status) == ttl


def test_a_status_that_nobody_names_has_no_ttl() -> None:
    assert CachePolicy(ttl={"4xx": 10.0}).ttl_of(200) is None
    assert CachePolicy().ttl_of(200) is None


def test_policies_that_say_the_same_are_equal_and_survive_a_pickle() -> None:
    def read() -> CachePolicy:
        return CachePolicy(
            ttl={200: 600.0}, targeted=[b"CDN-Cache-Control"], query_drop=["utm_*"], key_headers=[b"X-A"]
        )

    policy = read()
    assert policy == read()
    assert hash(policy) == hash(read())
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert again.ttl_of(200) == 600.0
    assert (policy.targeted, policy.query_drop, policy.key_headers) == ((b"cdn-cache-control",), (b"utm_*",), (b"x-a",))
    assert policy != attrs_changed(policy)


def attrs_changed(policy: CachePolicy) -> CachePolicy:
    return CachePolicy(ttl={200: 601.0}, targeted=policy.targeted, query_drop=[b"utm_*"], key_headers=[b"x-a"])


@pytest.mark.parametrize(
    ("given", "where", "said"),
    [
        ({"ttl": {"2x": 1.0}}, ("ttl",), "'2x' is no status"),
        ({"ttl": {"600": 1.0}}, ("ttl",), "'600' is no status"),
        ({"ttl": {200: -1.0}}, ("ttl", "200"), "-1.0 is no time"),
        ({"ttl": {200: "10"}}, ("ttl", "200"), "'10' is no time"),
        ({"ttl": {200: float("nan")}}, ("ttl", "200"), "nan is no time"),
        ({"min_ttl": -1}, ("min_ttl",), "-1 is no time"),
        ({"max_ttl": True}, ("max_ttl",), "True is no time"),
        ({"heuristic_fraction": 1.5}, ("heuristic_fraction",), "1.5 is no fraction"),
        ({"min_uses": 0}, ("min_uses",), "0 is no number"),
        ({"max_object_size": 1.5}, ("max_object_size",), "1.5 is no number"),
        ({"query": "some"}, ("query",), "'some' is no part of a query"),
        ({"key_headers": [b"a b"]}, ("key_headers",), "b'a b' is no name of a field"),
        ({"key_device": "a b"}, ("key_device",), "b'a b' is no name of a field"),
        ({"key_device": 1}, ("key_device",), "1 is no name of a field"),
        ({"key_device": "Range"}, ("key_device",), "b'Range' means something else to servers"),
        ({"key_device": "X_Forwarded-Host"}, ("key_device",), "b'X_Forwarded-Host' means something else to servers"),
        ({"targeted": "cdn-cache-control"}, (), "'cdn-cache-control' is no list of names"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(given: dict[str, Any], where: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        CachePolicy(**given)
    (finding,) = caught.value.findings
    assert (finding.path, finding.said) == (where, said)
    assert finding.accepted.startswith("accepted")


def test_what_differs_between_modes() -> None:
    assert FOR_REVERSE.targeted == (b"cdn-cache-control",)
    assert not FOR_REVERSE.request_directives
    assert FOR_FORWARD.targeted == ()
    assert FOR_FORWARD.request_directives
