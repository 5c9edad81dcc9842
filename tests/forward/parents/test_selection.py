"""Which parent proxy is next."""

from collections import Counter

import pytest
from twisted.internet.task import Clock

from txproxy.errors import ConfigError, ConnectionRefused
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.selection import Parents

DOWN = ConnectionRefused("refused")


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def make(clock):
    def make(*texts):
        parents = Parents(texts)
        parents.use_clock(clock)
        return parents

    return make


def names(parents, host, times):
    return [parents.choose(host).name.rpartition("/")[2].partition(":")[0] for _ in range(times)]


def test_turns_go_by_weight_and_are_spread(make):
    parents = make("http://a;weight=5", "http://b", "https://c")
    assert names(parents, "x.example", 7) == list("aabacaa")
    assert Counter(names(parents, "y.example", 70)) == {"a": 50, "b": 10, "c": 10}


@pytest.mark.parametrize(
    ("host", "goes_by"),
    [
        ("www.example.com", "exact"),
        ("WWW.example.com.", "exact"),
        ("example.com", "both"),
        ("a.example.com", "both"),
        ("a.b.example.com", "deep"),
        ("b.example.com", "both"),
        ("example.org", "any"),
        ("notexample.com", "any"),
        ("10.0.0.1", "literal"),
        ("0xa.1", "literal"),
    ],
)
def test_the_pattern_that_fits_best_decides(make, host, goes_by):
    parents = make(
        "http://any",
        "http://both;host=.example.com",
        "http://deep;host=*.b.example.com",
        "http://exact;host=www.example.com",
        "http://literal;host=10.0.0.1",
    )
    assert names(parents, host, 1) == [goes_by]


def test_equal_patterns_share(make):
    parents = make("http://a;host=*.example.com;host=a.example.org", "http://b;host=*.example.com", "http://c")
    assert Counter(names(parents, "x.example.com", 4)) == {"a": 2, "b": 2}
    assert names(parents, "a.example.org", 2) == ["a", "a"]


def test_a_host_that_no_parent_is_there_for_is_reached_directly(make):
    parents = make("socks5://tor;host=*.onion")
    assert names(parents, "x.onion", 1) == ["tor"]
    assert parents.choose("example.com") is parents.direct
    assert parents.choose("example.com", [parents.direct]) is None


def test_direct_may_be_meant_for_some_hosts(make):
    parents = make("http://a", "direct;host=.intranet.example")
    assert parents.choose("www.intranet.example").direct
    assert names(parents, "example.com", 1) == ["a"]


def test_one_that_failed_is_passed_over_and_comes_back(make, clock):
    parents = make("http://a", "http://b")
    a, _ = parents
    a.failed(DOWN)
    assert names(parents, "x", 3) == ["b"] * 3
    clock.advance(30)
    # One request tries it; the others wait for what becomes of that.
    assert Counter(names(parents, "x", 4)) == {"a": 1, "b": 3}
    a.reached()
    assert Counter(names(parents, "x", 4)) == {"a": 2, "b": 2}


def test_backups_come_when_no_other_works(make):
    parents = make("http://a", "http://b;backup")
    a, b = parents
    assert names(parents, "x", 2) == ["a", "a"]
    a.failed(DOWN)
    assert names(parents, "x", 2) == ["b", "b"]
    assert parents.choose("x", [b]) is None


def test_direct_comes_last_if_it_is_allowed(make):
    parents = make("direct", "http://a", "http://b;backup")
    _, a, b = parents
    assert [parents.choose("x"), parents.choose("x", [a])] == [a, b]
    assert parents.choose("x", [a, b]) is parents.direct
    a.failed(DOWN)
    b.failed(DOWN)
    assert parents.choose("x") is parents.direct
    assert parents.choose("x", [parents.direct]) is None


def test_without_direct_one_that_failed_is_tried_rather_than_nobody(make, clock):
    parents = make("http://a", "http://b")
    a, b = parents
    a.failed(DOWN)
    clock.advance(1)
    b.failed(DOWN)
    assert [parents.choose("x"), parents.choose("x")] == [a, a]
    assert parents.choose("x", [a]) is None, "one is enough"


def test_each_is_tried_once(make):
    parents = make("http://a", "http://b", "http://c")
    tried = []
    while (parent := parents.choose("x", tried)) is not None:
        assert parent not in tried
        tried.append(parent)
    assert sorted(tried, key=str) == list(parents)


def test_parents_may_be_objects():
    parent = Parent("http://a")
    parents = Parents([parent, "http://b"])
    assert next(iter(parents)) is parent and len(parents) == 2


def test_each_wrong_one_is_a_line():
    with pytest.raises(ConfigError) as caught:
        Parents(["ftp://a", "http://b", "http://c;weight=x"], check_interval=0)
    assert len(str(caught.value).splitlines()) == 3


def test_those_of_the_rule_that_allows_come_before_those_of_none(make):
    parents = make(
        "http://staff;rule=staff",
        "http://far;rule=staff;rule=guests;host=.far.example",
        "direct;rule=local",
        "http://rest",
        "http://org;host=.org",
    )

    def chosen(host, rule):
        return parents.choose(host, rule=rule).name.removeprefix("http://").partition(":")[0]

    assert [chosen("a.example", rule) for rule in ("", "staff", "guests", "local", "other")] == [
        "rest", "staff", "rest", "direct", "rest"
    ]  # fmt: skip
    assert [chosen("x.far.example", rule) for rule in ("staff", "guests", "")] == ["far", "far", "rest"]
    assert [chosen("a.org", rule) for rule in ("staff", "")] == ["staff", "org"]
