"""What is said of caching, as a value."""

import pickle

import pytest

from txproxy.cache.policy import FOR_FORWARD, FOR_REVERSE, CachePolicy
from txproxy.cache.rules.cache_choice import CacheChoice, changed, policy_changes
from txproxy.errors import ConfigError


def test_what_is_not_said_is_as_usual():
    policy = CacheChoice(changes={"min_ttl": 60}).policy(FOR_REVERSE)
    assert policy.min_ttl == 60 and policy.targeted == FOR_REVERSE.targeted
    assert CacheChoice().policy(FOR_FORWARD) is FOR_FORWARD


def test_the_usual_value_is_something_else_than_none():
    defaults = CachePolicy(min_ttl=60)
    assert CacheChoice(changes={"min_ttl": 0.0}).policy(defaults).min_ttl == 0


def test_what_is_not_cached_has_no_policy():
    assert CacheChoice(cached=False).policy(FOR_REVERSE) is None


def test_two_that_mean_the_same_are_equal_and_go_through_pickles():
    one = CacheChoice(changes={"key_headers": ["X-Device"], "ttl": {200: 60}})
    other = CacheChoice(changes=[("ttl", [("200", 60)]), ("key_headers", (b"x-device",))])
    assert one == other == pickle.loads(pickle.dumps(one))
    assert hash(one) == hash(other)
    assert one != CacheChoice(changes={"ttl": {200: 61}})


@pytest.mark.parametrize(
    ("value", "choice"),
    [
        (None, None),
        (False, CacheChoice(cached=False)),
        (True, CacheChoice()),
        ({"min_ttl": 5}, CacheChoice(changes={"min_ttl": 5})),
        (CacheChoice(cached=False), CacheChoice(cached=False)),
    ],
)
def test_programs_write_it_shortly(value, choice):
    assert CacheChoice.read(value) == choice


@pytest.mark.parametrize(
    ("given", "path", "said"),
    [
        ({"min_tll": 5}, ("min_tll",), "no such key (is min_ttl meant?)"),
        ({"ttl": {"20x": 5}}, ("ttl",), "'20x' is no status"),
        ({"ttl": {"200": -1}}, ("ttl", "200"), "-1 is no time"),
    ],
)
def test_what_is_wrong_is_told_with_its_path(given, path, said):
    with pytest.raises(ConfigError) as fault:
        policy_changes(given)
    assert (fault.value.findings[0].path, fault.value.findings[0].said) == (path, said)


def test_what_says_nothing_of_caching_is_refused():
    with pytest.raises(ConfigError, match="'no' says nothing of caching"):
        CacheChoice.read("no")


def test_no_changes_are_no_other_policy():
    assert changed(FOR_REVERSE, ()) is FOR_REVERSE
