"""Which policy is for which request."""

import pytest

from tests.cache.rules.asking import asked
from txproxy.cache.policy import FOR_REVERSE
from txproxy.cache.rules.cache_choice import CacheChoice
from txproxy.cache.rules.cache_rule import CacheRule
from txproxy.cache.rules.policy_finder import PolicyFinder

RULES = (
    CacheRule(name="private", paths="/admin", cache=False),
    CacheRule(name="images", paths="/images", cache={"min_ttl": 60}),
    CacheRule(name="all of a", hosts="a.example", cache={"min_ttl": 5}),
)


def found(path="/", rule="", rules=RULES, **words):
    finder = PolicyFinder(
        FOR_REVERSE, rules, {"api": CacheChoice(cached=False), "web": CacheChoice(changes={"min_ttl": 7})}
    )
    policy = finder(*asked(path, rule=rule, **words))
    return None if policy is None else policy.min_ttl


def test_the_first_rule_that_is_for_a_request_counts():
    assert found("/images/x") == 60
    assert found("/x") == 5
    assert found("/x", host="b.example") == 0
    assert found("/admin/images") is None


def test_a_route_comes_before_all_rules():
    assert found("/images", rule="api") is None
    assert found("/admin", rule="web") == 7
    assert found("/images", rule="other") == 60


def test_without_rules_all_is_as_usual():
    assert PolicyFinder(FOR_REVERSE)(*asked()) is FOR_REVERSE


@pytest.mark.parametrize(
    "path", ["/admin/..%2fimages/x", "/images/..%2fadmin", "/images;x/y", "//images", "/x/..%5cimages"]
)
def test_a_path_that_leads_to_different_rules_is_not_cached(path):
    assert found(path) is None
    assert found(path, rules=RULES[2:]) == 5


def test_what_can_be_read_in_too_many_ways_is_not_cached():
    assert found("/" + "%252f;x\\..//.%2e/%00%3f%23%5c" * 3 + "%20") is None


@pytest.mark.parametrize(
    ("words", "lines"),
    [
        ({"path": "/images"}, ["cache rule private: path is not /admin", "cache rule images: taken, cached"]),
        ({"path": "/admin"}, ["cache rule private: taken, not cached"]),
        ({"rule": "api"}, ["caching: not cached, as api says"]),
        (
            {"path": "/x/..%2fadmin"},
            ["caching: not cached, the path leads to different cache rules by different readings"],
        ),
    ],
)
def test_it_says_which_one_counts(words, lines):
    request, context = asked(traced=True, **words)
    PolicyFinder(FOR_REVERSE, RULES, {"api": CacheChoice(cached=False)})(request, context)
    assert str(context.trace).splitlines() == lines
