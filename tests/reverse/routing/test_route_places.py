"""Where routes stand, in which order they are asked, and how they share a place."""

from collections import Counter
from itertools import cycle

import pytest

from tests.reverse.routing.tables import request, routes, shares, taken
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.routing.route import by_client_ip
from txproxy.testing import context_of

# -- conditions


def test_more_conditions_come_first_and_then_the_order_written():
    table = routes(
        Match(path="/x"),
        Match(path="/x", methods="GET"),
        Match(path="/x", headers={"x-a": True}),
        Match(path="/x", methods="GET", headers={"x-a": True}),
        Match(path="/x", headers={"x-a": True, "x-b": True, "x-c": "1"}),
    )
    a, b, c = (b"X-A", b"1"), (b"X-B", b"1"), (b"X-C", b"1")
    assert taken(table, "/x", method="PUT") == "0"
    assert taken(table, "/x") == "1"
    assert taken(table, "/x", method="PUT", fields=[a]) == "2"
    assert taken(table, "/x", fields=[a]) == "3"
    assert taken(table, "/x", fields=[a, b, c]) == "4"


def test_where_conditions_fail_the_next_less_specific_is_asked():
    table = routes(
        Match("a.example", "=/x/y", methods="PUT"),
        Match("a.example", "/x/y", methods="PUT"),
        Match("a.example", "/x/", methods="PUT"),
        Match("a.example", "/x", methods="PUT"),
        Match("a.example", "~.*", methods="PUT"),
        Match("a.example", methods="PUT"),
        Match("*.example", methods="PUT"),
        Match(),
    )
    assert taken(table, "/x/y") == "7"
    assert taken(table, "/x/y", method="PUT") == "0"


def test_query_and_client_conditions():
    table = routes(Match(), Match(query={"beta": "1"}), Match(clients=["10.0.0.0/8"]))
    assert taken(table, "/?beta=1") == "1"
    assert table.find(request(), context_of("10.1.1.1")).name == "2"
    assert taken(table, "/?beta=2") == "0"


# -- weights


def test_routes_that_match_the_same_share_by_weight():
    points = cycle(number / 100 for number in range(100))
    table = shares(90, 0, 10, random=lambda: next(points))
    assert Counter(taken(table) for _ in range(200)) == {"0": 180, "2": 20}


@pytest.mark.parametrize(("point", "name"), [(0.0, "1"), (0.4999, "1"), (0.5, "2"), (1 - 2**-53, "2")])
def test_the_ends_of_a_share(point, name):
    assert taken(shares(0, 5, 5, 0, random=lambda: point)) == name


def test_what_is_the_same_does_not_depend_on_how_it_is_written():
    points = cycle([0.1, 0.9])
    table = routes(
        Match(["a.example", "b.example"], methods=["GET", "PUT"], headers={"x": True, "y": "1"}, weight=1),
        Match(["B.example.", "A.example"], methods=["PUT", "GET"], headers={"Y": "1", "X": True}, weight=1),
        random=lambda: next(points),
    )
    fields = [(b"X", b""), (b"Y", b"1")]
    assert [
        taken(table, host=host, fields=fields) for host in ("a.example", "a.example", "b.example", "b.example")
    ] == [
        "0",
        "1",
        "0",
        "1",
    ]


def test_a_share_is_only_where_both_are():
    table = routes(Match(["a.example", "b.example"], weight=1), Match("a.example", weight=1), random=lambda: 0.9)
    assert [taken(table, host=host) for host in ("a.example", "b.example")] == ["1", "0"]


def test_sticky_shares_keep_a_client_and_are_near_their_weights():
    table = shares(90, 10, sticky=by_client_ip)
    clients = [context_of(f"10.0.{number >> 8}.{number & 255}") for number in range(20000)]
    first = [table.find(request(), client).name for client in clients]
    assert [table.find(request(), client).name for client in clients] == first
    # 2000 are due; the hash is no other tomorrow, and 200 is more than four times the standard deviation
    assert abs(first.count("1") - 2000) < 200


def test_a_share_that_grows_keeps_its_clients():
    clients = [context_of(f"10.0.0.{number}") for number in range(256)]

    def canaries(*weights):
        table = shares(*weights, sticky=by_client_ip)
        return {client for client in clients if table.find(request(), client).name == "1"}

    assert canaries(95, 5) < canaries(80, 20) < canaries(10, 90)
