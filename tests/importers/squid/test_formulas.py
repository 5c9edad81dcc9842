"""Formulas: or, and, and not of conditions, as rules can say them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.importers.squid.access_lines import rules
from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.formulas import FALSE, TRUE, Literal, as_table, both, either, opposite, positive, span_text
from txproxy.matching.hosts import HostPattern

USERS = ("alice", "bob", "eve")
HOSTS = ("example", "a.example", "b.a.example", "other")
PORTS = (80, 443, 1000, 1500, 2000)
# all requests there can be, as far as these conditions are concerned
REQUESTS = [dict(zip(("users", "hosts", "ports"), one, strict=True)) for one in itertools.product(USERS, HOSTS, PORTS)]
VALUES = {
    "users": ("alice", "bob"),
    "hosts": ("example", "a.example", ".example", "*.example", ".a.example"),
    "ports": ("80", "443", "80-1000", "1000-1500", "1500-2000"),
}


def _has(key, value, given):
    if key == "hosts":
        return HostPattern.parse(value).holds(given)
    if key == "ports":
        low, _, high = value.partition("-")
        return int(low) <= given <= int(high or low)
    return value == given


def fits(formula, request):
    """Whether a rule for one of the alternatives would match."""
    return any(
        all(any(_has(one.key, value, request[one.key]) for value in one.values) is not one.negated for one in together)
        for together in formula
    )


def literals():
    return st.sampled_from(list(VALUES)).flatmap(
        lambda key: st.builds(
            Literal, st.just(key), st.lists(st.sampled_from(VALUES[key]), max_size=2).map(tuple), st.booleans()
        )
    )


def formulas():
    # No two conditions of a kind in one alternative: a rule has none either.
    together = st.lists(literals(), max_size=2, unique_by=lambda one: one.key).map(tuple)
    return st.lists(together, max_size=2).map(tuple)


@given(formulas(), formulas())
def test_they_say_what_logic_says(one, other):
    joined, common, turned = either(one, other), both(one, other), opposite(one)
    for request in REQUESTS:
        first, second = fits(one, request), fits(other, request)
        assert fits(joined, request) is (first or second)
        assert fits(common, request) is (first and second)
        assert fits(turned, request) is not first


def test_what_is_always_so_and_what_is_never():
    condition = ((Literal("users", ("alice",)),),)
    assert both(condition, TRUE) == condition == either(condition, FALSE)
    assert both(condition, FALSE) == FALSE == opposite(TRUE)
    assert either(condition, TRUE) == TRUE == opposite(FALSE)


def test_alternatives_that_differ_in_the_values_of_one_condition_become_one_rule():
    alice, bob = (((Literal("users", (name,)), Literal("ports", ("80",))),) for name in ("alice", "bob"))
    assert either(alice, bob) == ((Literal("users", ("alice", "bob")), Literal("ports", ("80",))),)
    apart = either(alice, ((Literal("users", ("bob",)), Literal("ports", ("81",))),))
    assert len(apart) == 2
    # Not alice, or not bob: that is everybody.
    turned = [((Literal("users", (name,), negated=True),),) for name in ("alice", "bob")]
    assert either(*turned) == (*turned[0], *turned[1])


@pytest.mark.parametrize(
    ("one", "other", "why"),
    [
        (Literal("url", ("*/a",)), Literal("url", ("*/b",)), "two conditions on url"),
        (Literal("addresses", ("10.0.0.0/8",)), Literal("addresses", ("::1",)), "two conditions on addresses"),
        (Literal("hosts", ("~a",)), Literal("hosts", ("b",)), "two conditions on hosts"),
        (Literal("headers", (("X-A", "~1"),)), Literal("headers", (("x-a", "~2"),)), "two conditions on one header"),
    ],
)
def test_what_no_rule_can_say_together(one, other, why):
    with pytest.raises(Untranslatable, match=why):
        both(((one,),), ((other,),))


def test_what_has_no_opposite():
    with pytest.raises(Untranslatable, match="there is no opposite of headers"):
        opposite(((Literal("headers", (("X-A", "~1"),)),),))


def test_so_many_rules_are_no_translation():
    one = tuple((Literal("users", (f"u{number}",)), Literal("ports", (str(number),))) for number in range(1, 10))
    other = tuple((Literal("hosts", (f"h{number}",)), Literal("methods", (f"M{number}",))) for number in range(1, 10))
    assert len(both(one[:8], other[:8])) == 64
    with pytest.raises(Untranslatable, match="too many rules"):
        both(one, other)


def test_a_tunnel_is_of_no_other_scheme():
    connect, plain = Literal("methods", ("CONNECT",)), Literal("schemes", ("http",))
    assert both(((connect,),), ((plain,),)) == FALSE
    assert both(((connect,),), ((Literal("schemes", ("connect", "http")),),)) != FALSE


@pytest.mark.parametrize(
    ("key", "first", "last", "text"),
    [
        ("ports", 80, 80, "80"),
        ("ports", 1, 1024, "1-1024"),
        ("hours", 0, 1440, "00:00-24:00"),
        ("hours", 65, 600, "01:05-10:00"),
    ],
)
def test_spans_are_written_as_rules_have_them(key, first, last, text):
    assert span_text(key, first, last) == text


def test_the_values_of_a_kind_and_the_table_of_a_rule():
    together = (
        Literal("hosts", ("a", "b")),
        Literal("users", ("eve",), negated=True),
        Literal("headers", (("X", "~y"),)),
    )
    assert positive((together, (Literal("hosts", ("c",)), Literal("hosts", ("d",), negated=True))), "hosts") == [
        "a",
        "b",
        "c",
    ]
    assert as_table(together) == {"hosts": ["a", "b"], "not_users": ["eve"], "headers": {"X": "~y"}}


def test_lists_of_the_same_kind_in_one_line_mean_what_they_have_in_common():
    translated = rules(
        "http_access allow wide narrow high low sites shop\nhttp_access deny all",
        "acl wide src 10.0.0.0/8 192.0.2.0/24",
        "acl narrow src 10.1.0.0/16",
        "acl high port 1000-2000",
        "acl low port 1-1500",
        "acl sites dstdomain .example",
        "acl shop dstdomain .shop.example .other",
    )
    url = "http://a.shop.example:1200/"
    assert translated.allows(client="10.1.0.1", url=url)
    assert not translated.allows(client="10.2.0.1", url=url)
    assert not translated.allows(client="192.0.2.1", url=url)
    assert not translated.allows(client="10.1.0.1", url="http://a.shop.example:1600/")
    assert not translated.allows(client="10.1.0.1", url="http://a.example:1200/")
    assert not translated.allows(client="10.1.0.1", url="http://other:1200/")


def test_what_cannot_be_is_no_rule():
    translated = rules(
        "http_access allow a b\nhttp_access allow none\nhttp_access allow CONNECT plain\nhttp_access deny all",
        "acl a src 10.0.0.0/8",
        "acl b src 192.0.2.0/24",
        "acl none proto FTP",
        "acl plain proto HTTP",
    )
    assert [rule.name for rule in translated.policy.rules] == ["9: deny all"]
