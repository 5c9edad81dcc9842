"""Routes that make no sense."""

import pytest

from tests.reverse.routing.tables import routes
from txproxy.errors import ConfigError
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import Route
from txproxy.reverse.routing.routes import Routes


def refusal(*matches, names=None):
    with pytest.raises(ConfigError) as caught:
        Routes([Route(name, match, None) for name, match in zip(names or "abcdefgh", matches, strict=False)])
    return str(caught.value)


def test_names_are_unique():
    assert refusal(Match("a"), Match("b"), Match("c"), names=["x", "y", "x"]) == (
        "route 'x' is there 2 times; accepted is a name of its own for each"
    )


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Match(), Match()),
        (Match(), Match(path="/")),
        (Match("a.example", "/x"), Match("A.example.", "/%78")),
        (Match(["a.example", "b.example"]), Match("b.example")),
        (Match(methods=["GET", "PUT"]), Match(methods=["PUT", "GET"])),
        (Match(methods=["GET", "PUT"]), Match(methods=["GET"])),
        (Match(headers={"x": True}), Match(headers={"X": "1"})),
        (Match(clients="10.0.0.0/8"), Match(clients="10.1.0.0/16")),
        (Match(path="~/a"), Match(path="~/a")),
        (Match(methods="GET", headers={"x": True}), Match(methods="GET", headers={"x": "~a"})),
        (Match(query={"a": True}), Match(query={"a": "1"})),
    ],
)
def test_a_route_that_can_never_be_taken_is_refused(first, second):
    assert refusal(first, second) == (
        "route 'b' can never be taken: 'a' matches all that it does, and comes first; accepted is another match, or a "
        "weight for each"
    )


def test_two_patterns_for_the_same_hosts_cannot_both_be_taken():
    assert "'b' can never be taken" in refusal(Match(".a.example"), Match("*.a.example"))
    assert "'b' can never be taken" in refusal(Match(".a.example"), Match(".A.example."))


def test_a_route_is_shadowed_if_each_of_its_hosts_is():
    said = refusal(Match("a.example"), Match("b.example"), Match(["a.example", "b.example"]))
    assert said.startswith("route 'c' can never be taken: 'a' matches all")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (Match("a.example"), Match(["a.example", "b.example"])),
        (Match(methods="GET"), Match(methods=["GET", "PUT"])),
        (Match(headers={"x": "1"}), Match(headers={"x": True})),
        (Match(), Match(methods="GET")),
        (Match(path="/a"), Match(path="/a/")),
        (Match(path="/a"), Match(path="=/a")),
        (Match(path="~/a"), Match(path="~/a", methods="GET")),
        (Match("*.example"), Match("a.example")),
        (Match(headers={"x": True}), Match(query={"x": True})),
    ],
)
def test_a_route_that_is_left_something_is_not(first, second):
    assert len(routes(first, second).routes) == 2


def test_a_share_needs_a_weight_for_each_and_one_above_zero():
    assert refusal(Match(weight=1), Match()) == (
        "routes 'a' and 'b' match the same, and not all have a weight; accepted is one for each"
    )
    assert refusal(Match(weight=0), Match(weight=0)) == (
        "route 'a' and 'b': no weight is above 0, so that none can be taken; accepted is one that is"
    )


def test_a_share_can_be_shadowed():
    said = refusal(Match(methods=["GET", "PUT"]), Match(methods="GET", weight=1), Match(methods="GET", weight=1))
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "route 'b' can never be taken",
        "route 'c' can never be taken",
    ]


def test_all_faults_are_told_at_once():
    said = refusal(Match("a"), Match("a"), Match("b", weight=0), Match("c"), names=["x", "y", "z", "x"])
    assert len(said.splitlines()) == 3
