"""What requests are told apart by."""

import pytest

from txproxy.interfaces import RequestContext
from txproxy.interfaces.connection import ClientConnection
from txproxy.limits.requests.limit_keys import LimitPlace, key_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

PLACE = LimitPlace(listener="web", pool="app")


def key(*by, lines=(), client="10.0.0.1", user=None, rule="", authority=b"a", place=PLACE):
    head = RequestHead(b"GET", b"/", Headers.parsed(list(lines)), authority)
    context = RequestContext(ClientConnection(client))
    context.user, context.rule = user, rule
    return key_of(by, place)(head, context)


def test_a_client_is_an_address_or_a_network_of_ipv6():
    assert key("client") == "10.0.0.1" == key("client", client="::ffff:10.0.0.1")
    assert key("client", client="2001:db8::1") == key("client", client="2001:db8::ffff:2") == "2001:db8::/64"
    wide = LimitPlace(ipv6_prefix=48)
    assert key("client", client="2001:db8:0:1::1", place=wide) == key("client", client="2001:db8:0:2::1", place=wide)
    assert key("client", client="unix:") == "unix:"


def test_users_routes_listeners_and_pools():
    assert key("user", user="bob") != key("user", user="eve")
    assert key("route", rule="api") == key("rule", rule="api") == "api"
    assert (key("listener"), key("pool")) == ("web", "app")


@pytest.mark.parametrize(
    ("one", "other"), [(b"A.example:80", b"a.example."), (b"a.example", b"a.EXAMPLE:443"), (b"[::1]:80", b"[0::1]")]
)
def test_a_host_is_the_same_however_it_is_written(one, other):
    assert key("host", authority=one) == key("host", authority=other)


def test_what_is_no_host_has_a_key_that_is_not_long():
    assert len(key("host", authority=b"x" * 5000)) == 32
    assert key("host", authority=b"no host") == b"no host"


def test_values_of_fields_and_cookies():
    assert key("header:X-Key", lines=[b"x-key: k"]) == b"k"
    cookies = [b"Cookie: a=1; sid=k; b=2", b"Cookie: c=3"]
    assert key("cookie:sid", lines=cookies) == b"k"
    assert key("cookie:c", lines=cookies) == b"3"


def test_a_long_value_is_known_by_its_digest():
    one, other = (key("header:X-Key", lines=[b"X-Key: " + b"x" * 5000 + end]) for end in (b"a", b"b"))
    assert len(one) == len(other) == 32 and one != other


@pytest.mark.parametrize(
    ("word", "lines"),
    [
        ("user", []),
        ("header:X-Key", []),
        ("header:X-Key", [b"X-Key: "]),
        ("cookie:sid", []),
        ("cookie:sid", [b"Cookie: xsid=1; sid="]),
    ],
)
def test_who_leaves_it_out_is_counted_as_a_client_that_does(word, lines):
    assert key(word, lines=lines) == "10.0.0.1" != key(word, lines=lines, client="10.0.0.2")


def test_nobody_can_be_taken_for_a_client_by_what_he_says():
    assert key("header:X-Key", lines=[b"X-Key: 10.0.0.1"]) != key("client")
    assert key("cookie:sid", lines=[b"Cookie: sid=10.0.0.1"]) != key("client")
    assert key("user", user="10.0.0.1") != key("client")


def test_several_count_together():
    assert key() == key(client="10.0.0.2")
    two = {key("client", "route", rule=rule, client=client) for rule in "ab" for client in ("1.1.1.1", "2.2.2.2")}
    three = {key("client", "route", "listener", rule=rule) for rule in "ab"}
    assert (len(two), len(three)) == (4, 2)
