"""Conditions as they are written: what is wrong with them, and which covers which."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES, NEGATABLE
from txproxy.forward.access.conditions.rule_conditions import parse_condition

BY_KEY = {kind.key: kind for kind in CONDITION_TYPES}


def condition(key, value):
    negated = key.startswith("not_")
    return parse_condition(BY_KEY[key.removeprefix("not_")], negated, value)


@pytest.mark.parametrize(
    ("key", "value", "why"),
    [
        ("clients", "10.0.0.1/8", "clients: '10.0.0.1/8' is no network: it has host bits set; accepted"),
        (
            "clients",
            ["x", "y"],
            "clients: 'x' is no network; accepted are an address, and a CIDR such as 10.0.0.0/8 or fd00::/8, or unix: "
            "for UNIX sockets\nclients: 'y'",
        ),
        ("not_addresses", "example.com", "not_addresses: 'example.com' is no network"),
        ("users", " ", "users: ' ' is no name; accepted"),
        ("hosts", "*", "hosts: '*' is no host pattern: an asterisk"),
        ("hosts", "a*b", "hosts: 'a*b' is no host pattern: an asterisk"),
        ("hosts", "~a(b", "hosts: '~a(b' is no regular expression"),
        ("ports", "0", "ports: '0' is no port; accepted"),
        ("ports", [True], "ports: [True] is no list; accepted"),
        ("ports", 1.5, "ports: 1.5 is no list; accepted"),
        ("ports", {"a": 1}, "ports: {'a': 1} is no list; accepted"),
        ("methods", "G T", "methods: 'G T' is no method; accepted"),
        ("schemes", "ftp", "schemes: 'ftp' is no scheme; accepted: http, https, connect (a tunnel)"),
        ("url", "/private", "url: '/private' is no URL pattern; accepted"),
        ("url", "~(", "url: '~(' is no regular expression"),
        ("headers", ["X-A"], "headers: ['X-A'] is no table; accepted"),
        ("headers", {"X A": "x"}, "headers: 'X A' is no field name; accepted"),
        ("headers", {"X-A": 1}, "headers: X-A: 1 is no pattern; accepted"),
        ("headers", {"X-A": "~("}, "headers: '~(' is no regular expression"),
        ("hours", "8-18", "hours: '8-18' are no hours; accepted"),
        ("hours", "08:00-08:00", "hours: '08:00-08:00' are no hours"),
        ("hours", "08:00-24:30", "hours: '08:00-24:30' are no hours"),
        ("hours", "24:00-08:00", "hours: '24:00-08:00' are no hours"),
        ("hours", "08:60-09:00", "hours: '08:60-09:00' are no hours"),
        ("days", "monday", "days: 'monday' is no day; accepted: mon, tue"),
        ("days", "mon-", "days: 'mon-' is no day"),
        ("used_more_than", "1T", "used_more_than: '1T' is no amount; accepted"),
        ("used_more_than", "1G/week", "used_more_than: '1G/week' is no amount; accepted"),
        ("used_more_than", -1, "used_more_than: '-1' is no amount; accepted"),
    ],
)
def test_what_is_wrong_is_told_with_its_key(key, value, why):
    with pytest.raises(ConfigError) as raised:
        condition(key, value)
    assert str(raised.value).startswith(why)


def test_what_has_no_opposite():
    assert {kind.key for kind in CONDITION_TYPES} - NEGATABLE == {"headers", "used_more_than"}


@pytest.mark.parametrize(
    ("wide", "narrow"),
    [
        (("clients", ["10.0.0.0/8", "::/0"]), ("clients", ["10.1.0.0/16", "::1"])),
        (("clients", ["unix:", "::1"]), ("clients", "unix:")),
        (("hosts", ".example.com"), ("hosts", ["example.com", "*.example.com", ".a.example.com", "b.example.com"])),
        (("hosts", "*.example.com"), ("hosts", [".a.example.com", "a.example.com"])),
        (("hosts", ["@ads", "x"]), ("hosts", "@ads")),
        (("hosts", ["~ads", "x"]), ("hosts", "~ads")),
        (("ports", "1-1024"), ("ports", ["80", "443-1024"])),
        (("methods", ["GET", "POST"]), ("methods", "get")),
        (("users", "*"), ("users", ["alice", "bob"])),
        (("url", ["*/x", "~y"]), ("url", "~y")),
        (("headers", {"A": "1"}), ("headers", {"a": "1", "B": True})),
        (("hours", "08:00-18:00"), ("hours", "09:00-12:00")),
        (("days", "mon-fri"), ("days", ["tue", "wed-fri"])),
        (("used_more_than", "1G"), ("used_more_than", "2G")),
        (("not_ports", "80"), ("not_ports", "1-1024")),
    ],
)
def test_a_condition_covers_what_asks_for_more(wide, narrow):
    assert condition(*wide).covers(condition(*narrow))
    assert not condition(*narrow).covers(condition(*wide))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("clients", "10.0.0.0/8"), ("clients", "fd00::/8")),
        (("clients", "::/0"), ("clients", "unix:")),
        (("hosts", "*.example.com"), ("hosts", "example.com")),
        (("hosts", "*.example.com"), ("hosts", ".example.com")),
        (("hosts", ".example.com"), ("hosts", "badexample.com")),
        (("hosts", ".example.com"), ("hosts", "@ads")),
        (("hosts", ".example.com"), ("hosts", "~x.example.com")),
        (("hosts", "~example"), ("hosts", "example")),
        (("hosts", "@ads"), ("hosts", ".example.com")),
        (("ports", ["80", "443"]), ("ports", "80-443")),
        (("ports", "80"), ("not_ports", "443")),
        (("users", "*"), ("groups", "*")),
        (("hours", "22:00-06:00"), ("hours", "23:00-05:00")),
        (("used_more_than", "1G/day"), ("used_more_than", "2G/month")),
        (("headers", {"A": "1", "B": "1"}), ("headers", {"A": "1"})),
    ],
)
def test_a_condition_does_not_cover_what_it_may_not(one, other):
    assert not condition(*one).covers(condition(*other))


def test_a_condition_shows_itself_as_it_is_written():
    assert str(condition("not_ports", [80, "443"])) == "not_ports = 80, 443"
    assert str(condition("headers", {"A": "x*", "B": True})) == "headers = A: x*, B: true"
