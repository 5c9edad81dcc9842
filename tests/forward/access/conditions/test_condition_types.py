"""Each kind of condition: what it asks of a request."""

import datetime

import pytest

from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.conditions.condition_types import CONDITION_TYPES
from txproxy.forward.access.conditions.rule_conditions import parse_condition
from txproxy.forward.request.facts import Facts
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

BY_KEY = {kind.key: kind for kind in CONDITION_TYPES}


def condition(key, value):
    negated = key.startswith("not_")
    return parse_condition(BY_KEY[key.removeprefix("not_")], negated, value)


def request(**given):
    head = RequestHead(
        given.pop("method", b"GET"),
        given.pop("path", "/").encode(),
        Headers(given.pop("headers", ())),
        scheme=given.pop("scheme", b"http"),
    )
    fields = {"client_ip": "127.0.0.1", "host": "example.com", "port": 80, **given}
    return Facts(head, **fields)


def fits(key, value, facts, every=False, **surroundings):
    return condition(key, value).test(Surroundings(**surroundings), every)(facts)


@pytest.mark.parametrize(
    ("key", "value", "facts", "expected"),
    [
        ("clients", ["10.0.0.0/8", "::1"], {"client_ip": "10.1.2.3"}, True),
        ("clients", ["10.0.0.0/8", "::1"], {"client_ip": "::1"}, True),
        ("clients", "10.0.0.0/8", {"client_ip": "11.0.0.1"}, False),
        ("clients", "10.0.0.0/8", {"client_ip": "::ffff:10.0.0.1"}, True),
        ("clients", "::ffff:10.0.0.0/104", {"client_ip": "10.0.0.1"}, True),
        ("clients", "fe80::/10", {"client_ip": "fe80::1%eth0"}, True),
        # A UNIX socket is no network's, unless it is named.
        ("clients", ["0.0.0.0/0", "::/0"], {"client_ip": "unix:"}, False),
        ("clients", "unix:", {"client_ip": "unix:"}, True),
        ("clients", "unix:", {"client_ip": "10.0.0.1"}, False),
        ("clients", "0.0.0.0/0", {"client_ip": "?"}, False),
        ("not_clients", "10.0.0.0/8", {"client_ip": "11.0.0.1"}, True),
        ("users", ["alice", "bob"], {"user": "bob"}, True),
        ("users", ["alice"], {"user": "Alice"}, False),
        ("users", "*", {"user": "x"}, True),
        ("users", "*", {}, False),
        ("not_users", ["alice"], {}, True),
        ("not_users", ["alice"], {"user": "alice"}, False),
        ("groups", ["staff", "admin"], {"groups": frozenset({"admin", "x"})}, True),
        ("groups", ["staff"], {"groups": frozenset({"x"})}, False),
        ("groups", "*", {"groups": frozenset({"x"})}, True),
        ("groups", "*", {}, False),
        ("not_groups", "staff", {"groups": frozenset({"staff", "x"})}, False),
        ("hosts", "example.com", {"host": "Example.com."}, True),
        ("hosts", "example.com", {"host": "www.example.com"}, False),
        ("hosts", "*.Example.com", {"host": "a.b.example.com"}, True),
        ("hosts", "*.example.com", {"host": "example.com"}, False),
        ("hosts", ".example.com", {"host": "example.com"}, True),
        ("hosts", [".bücher.example"], {"host": "www.xn--bcher-kva.example"}, True),
        ("hosts", "127.0.0.1", {"host": "0x7f.1"}, True),
        ("hosts", "[::ffff:7f00:1]", {"host": "127.0.0.1"}, True),
        ("hosts", "[::1]", {"host": "0::1"}, True),
        ("hosts", r"~^ads?\d+\.", {"host": "Ad12.example.com"}, True),
        ("hosts", r"~^ads?\d+\.", {"host": "www.ad12.example.com"}, False),
        ("hosts", ["other", "~a{1,2}b$"], {"host": "xaab"}, True),
        ("hosts", ["other", "~a{1,2}b$"], {"host": "other"}, True),
        ("not_hosts", "~ads", {"host": "ads.example"}, False),
        ("not_hosts", ["a", "b"], {"host": "c"}, True),
        ("ports", [80, "8000-8999"], {"port": 80}, True),
        ("ports", [80, "8000-8999"], {"port": 8999}, True),
        ("ports", 443, {"port": 444}, False),
        ("not_ports", 443, {"port": 444}, True),
        ("methods", ["get", "POST"], {}, True),
        ("methods", "POST", {}, False),
        ("methods", "GET", {"method": b"HEAD"}, True),
        ("methods", "HEAD", {}, False),
        ("schemes", ["HTTP"], {}, True),
        ("schemes", "connect", {"method": b"CONNECT", "scheme": None, "port": 443}, True),
        ("schemes", "https", {"method": b"CONNECT", "scheme": None, "port": 443}, False),
        ("not_schemes", "http", {}, False),
        ("url", "http://example.com/private/*", {"path": "/private/x"}, True),
        ("url", "http://example.com/private/*", {"path": "/%70rivate//x"}, True),
        ("url", "http://example.com/private/*", {"path": "/Private/x"}, False),
        ("url", ["*/x", r"~^http://.*\.exe(\?|$)"], {"path": "/y.exe?z"}, True),
        ("url", "~(?i)private", {"path": "/PRIVATE"}, True),
        ("not_url", "http://example.com/private/*", {"path": "/private/x"}, False),
        ("headers", {"User-Agent": "*curl*"}, {"headers": [(b"user-agent", b"x curl/8")]}, True),
        ("headers", {"User-Agent": "curl"}, {"headers": [(b"User-Agent", b"x curl/8")]}, False),
        ("headers", {"User-Agent": "~curl/[0-9]"}, {"headers": [(b"User-Agent", b"x curl/8")]}, True),
        ("headers", {"X-A": "*"}, {}, False),
        ("headers", {"X-A": True}, {"headers": [(b"x-a", b"")]}, True),
        ("headers", {"X-A": False}, {"headers": [(b"x-a", b"")]}, False),
        ("headers", {"X-A": False, "X-B": "b"}, {"headers": [(b"X-B", b"b")]}, True),
        ("headers", {"X-A": "1", "X-B": "2"}, {"headers": [(b"X-B", b"2")]}, False),
    ],
)
def test_what_a_condition_asks(key, value, facts, expected):
    assert fits(key, value, request(**facts)) is expected


@pytest.mark.parametrize(
    ("key", "value", "moment", "expected"),
    [
        ("hours", "08:00-18:00", "2024-01-01 08:00:00", True),
        ("hours", "08:00-18:00", "2024-01-01 17:59:59", True),
        ("hours", "08:00-18:00", "2024-01-01 18:00:00", False),
        ("hours", "08:00-18:00", "2024-01-01 07:59:59", False),
        ("hours", "8:00-12:00, 13:00-24:00", "2024-01-01 23:59:59", True),
        ("hours", ["8:00-12:00", "13:00-17:00"], "2024-01-01 12:30:00", False),
        ("hours", "22:00-06:00", "2024-01-01 23:00:00", True),
        ("hours", "22:00-06:00", "2024-01-01 05:59:00", True),
        ("hours", "22:00-06:00", "2024-01-01 06:00:00", False),
        ("not_hours", "08:00-18:00", "2024-01-01 12:00:00", False),
        # 1 January 2024 was a Monday.
        ("days", "mon-fri", "2024-01-01 12:00:00", True),
        ("days", "mon-fri", "2024-01-06 12:00:00", False),
        ("days", "Sat,Sun", "2024-01-06 12:00:00", True),
        ("days", ["sat", "mon"], "2024-01-07 12:00:00", False),
        ("days", "fri-mon", "2024-01-07 12:00:00", True),
        ("days", "fri-mon", "2024-01-02 12:00:00", False),
        ("not_days", "sun", "2024-01-07 12:00:00", False),
    ],
)
def test_times(key, value, moment, expected):
    now = datetime.datetime.fromisoformat(moment)
    assert fits(key, value, request(), now=lambda: now) is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1k", False),
        (1023, True),
        ("1023/day", True),
        ("9k/month", True),
        ("10k/month", False),
        (["1G", "1k/month"], True),
    ],
)
def test_use_is_asked_for_client_and_user(value, expected):
    asked = []

    def usage(client_ip, user, period):
        asked.append((client_ip, user))
        return {"day": 1024, "month": 10240}[period]

    assert fits("used_more_than", value, request(user="alice"), usage=usage) is expected
    assert set(asked) == {("127.0.0.1", "alice")}


def test_without_a_count_nobody_has_used_anything():
    assert not fits("used_more_than", "0", request())


@pytest.mark.parametrize(
    ("key", "addresses", "one", "every"),
    [
        ("addresses", ("10.0.0.1",), True, True),
        ("addresses", ("10.0.0.1", "192.0.2.1"), True, False),
        ("addresses", ("192.0.2.1",), False, False),
        ("addresses", ("::ffff:10.0.0.1",), True, True),
        # NAT64: to allow 10.0.0.0/8 is not to allow the ways to it; to refuse it is to refuse them.
        ("addresses", ("64:ff9b::a00:1",), True, False),
        ("addresses", (), False, False),
        ("not_addresses", ("10.0.0.1",), False, False),
        ("not_addresses", ("10.0.0.1", "192.0.2.1"), True, False),
        ("not_addresses", ("192.0.2.1",), True, True),
        ("not_addresses", ("64:ff9b::a00:1",), True, False),
        ("not_addresses", (), False, False),
    ],
)
def test_one_address_is_enough_to_refuse_and_all_are_needed_to_allow(key, addresses, one, every):
    facts = request(addresses=addresses)
    assert fits(key, "10.0.0.0/8", facts) is one
    assert fits(key, "10.0.0.0/8", facts, every=True) is every


@pytest.mark.parametrize(
    ("key", "value", "path", "one", "every"),
    [
        ("url", "http://example.com/private/*", "/private/x", True, True),
        ("url", "http://example.com/private/*", "//private/x", True, False),
        ("url", "http://example.com/private/*", "/%2fprivate/x", True, False),
        ("url", "http://example.com/private/*", "/x/..%2fprivate/x", True, False),
        ("url", "http://example.com/private/*", "/private/x/..;/../y", True, False),
        ("url", "http://example.com/private/*", "/private%2fx", True, False),
        ("url", "http://example.com/private/*", "/private//x", True, True),
        ("url", "http://example.com/private/*", "/other//x", False, False),
        ("url", "~/private/", "/private//x", True, True),
        ("url", "~^http://[^/]+/private/", "//private/x", True, False),
        ("url", ["http://example.com/private/*", "http://example.com//private/*"], "//private/x", True, True),
        ("not_url", "http://example.com/private/*", "//private/x", True, False),
        ("not_url", "http://example.com/private/*", "/private//x", False, False),
        ("not_url", "http://example.com/private/*", "/other", True, True),
    ],
)
def test_one_reading_is_enough_to_refuse_and_all_are_needed_to_allow(key, value, path, one, every):
    facts = request(path=path)
    assert fits(key, value, facts) is one
    assert fits(key, value, facts, every=True) is every


def test_a_literal_is_its_own_address():
    assert fits("addresses", "10.0.0.0/8", request(host="10.1"))
    assert not fits("addresses", "10.0.0.0/8", request(host="192.0.2.1"))
    assert not fits("addresses", "10.0.0.0/8", request(host="name.example"))
