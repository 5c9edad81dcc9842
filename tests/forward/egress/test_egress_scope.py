"""Which forward proxies may have what one of them has fetched."""

import pytest

from txproxy.forward.egress.egress_scope import egress_scope
from txproxy.forward.parents.selection import Parents
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.request.targets import Bind
from txproxy.interfaces.middleware import FORWARD


def chosen(head, context, parents):
    return None


@pytest.mark.parametrize(
    "settings", [{}, {"allow_hosts": ["a.example"]}, {"via": None}, {"no_proxy": ["a.example"]}, {"pac": False}]
)
def test_those_that_reach_what_is_public_have_one(settings):
    assert egress_scope(ForwardPolicy(**settings)) == FORWARD


WAYS = [
    {"allow_destinations": ["10.0.0.0/8"]},
    {"allow_destinations": ["10.0.0.0/16"]},
    {"parents": ["http://p.example"]},
    {"parents": ["http://u:p@p.example"]},
    {"parents": ["http://u:q@p.example"]},
    {"parents": ["http://p.example;host=a.example"]},
    {"parents": Parents(["http://u:p@p.example"])},
    {"parents": Parents(["http://u:q@p.example"])},
    {"parents": ["http://p.example"], "no_proxy": ["a.example"]},
    {"choose_parent": chosen},
    {"bind": "192.0.2.1"},
    {"binds": [Bind(address="192.0.2.1", hosts="a.example")]},
    {"binds": [Bind(address="192.0.2.1", hosts="b.example")]},
    {"safe_search": ["google"]},
]


def test_those_that_reach_it_in_other_ways_have_one_each():
    scopes = [egress_scope(ForwardPolicy(**way)) for way in WAYS]
    assert len({FORWARD, *scopes}) == len(WAYS) + 1
    assert all(scope.startswith(f"{FORWARD} ") for scope in scopes)


@pytest.mark.parametrize("way", WAYS)
def test_it_is_the_same_for_the_same(way):
    assert egress_scope(ForwardPolicy(**way)) == egress_scope(ForwardPolicy(**way))


def test_the_order_of_what_may_be_reached_is_nothing():
    one, other = (["10.0.0.0/8", "a.example"], ["a.example", "10.0.0.0/8"])
    assert egress_scope(ForwardPolicy(allow_destinations=one)) == egress_scope(ForwardPolicy(allow_destinations=other))


def test_passwords_are_not_in_it():
    assert "secret" not in egress_scope(ForwardPolicy(parents=["http://u:secret@p.example"]))
