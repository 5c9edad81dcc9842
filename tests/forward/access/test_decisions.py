"""What rules decide: the first that matches, with what is known; and why."""

import datetime
import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from txproxy.errors import ConfigError
from txproxy.forward.access.conditions.condition_type import Surroundings
from txproxy.forward.access.decisions import Rules
from txproxy.forward.access.rules import Action, Rule, read_rules
from txproxy.forward.blocklists.filtering import Filters
from txproxy.forward.request.facts import Facts
from txproxy.interfaces.answers import Outcome, Verdict
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

MONDAY_NOON = datetime.datetime(2024, 1, 1, 12)


def request(host="example.com", path="/", method=b"GET", port=80, headers=(), **given):
    tunnel = method == b"CONNECT"
    head = RequestHead(method, b"" if tunnel else path.encode(), Headers(headers), scheme=None if tunnel else b"http")
    return Facts(head, given.pop("client_ip", "127.0.0.1"), host, port, **given)


def rules(*tables, **options):
    return Rules(read_rules(tables), **options)


def outcome(made, facts):
    verdict = made.decide(facts)
    return verdict.outcome.value, verdict.rule


def test_the_first_rule_that_matches_decides():
    made = rules(
        {"name": "no-ads", "action": "deny", "hosts": [".ads.example"], "reason": "no advertisements here"},
        {"name": "uploads", "action": "ask", "methods": ["PUT", "POST"], "hosts": ["example.com"]},
        {"name": "web", "action": "allow", "ports": [80, 443]},
        {"action": "deny", "ports": 25},
    )
    assert made.decide(request("x.ads.example")) == Verdict(
        outcome=Outcome.DENY, rule="no-ads", reason="no advertisements here"
    )
    assert made.decide(request(method=b"POST")) == Verdict(
        outcome=Outcome.ASK, rule="uploads", reason="the rule 'uploads' says ask"
    )
    assert made.decide(request(method=b"POST", host="other")) == Verdict(outcome=Outcome.ALLOW, rule="web")
    assert made.decide(request(port=25)) == Verdict(
        outcome=Outcome.DENY, rule="rule 4", reason="the rule 'rule 4' says deny"
    )
    assert made.decide(request(port=22)) == Verdict(outcome=Outcome.DENY, rule="default", reason="no rule allows it")
    assert made.warnings == ()


@pytest.mark.parametrize("default", list(Action))
def test_where_none_matches_the_default_decides(default):
    assert Rules([], default=default).decide(request()).outcome.value == default.value
    assert Rules(read_rules([{"action": "deny", "hosts": "a"}]), default=default).decide(request()).rule == "default"


def test_squid_s_safe_ports():
    made = rules(
        {"name": "safe", "action": "deny", "not_ports": [80, 443, "1024-65535"]},
        {"name": "ssl", "action": "deny", "methods": ["CONNECT"], "not_ports": [443]},
        {"name": "localnet", "action": "allow", "clients": ["10.0.0.0/8", "127.0.0.1"]},
    )
    assert outcome(made, request(port=25)) == ("deny", "safe")
    assert outcome(made, request(method=b"CONNECT", port=8443)) == ("deny", "ssl")
    assert outcome(made, request(method=b"CONNECT", port=443)) == ("allow", "localnet")
    assert outcome(made, request(client_ip="192.0.2.1")) == ("deny", "default")


def test_answers_are_remembered_by_the_facts_that_rules_ask_for_alone():
    made = rules({"action": "allow", "hosts": "example.com", "ports": 80})
    first = made.decide(request())
    assert made.decide(request(path="/x", client_ip="192.0.2.1", user="alice", method=b"POST")) is first
    assert made.decide(request(port=81)) is not first


def test_remembering_has_bounds_and_changes_no_answer():
    made = rules({"name": "a", "action": "allow", "hosts": ".example.com"})
    for number in range(5000):
        assert outcome(made, request(f"h{number}.example.com")) == ("allow", "a")
        assert outcome(made, request(f"h{number}.example.org")) == ("deny", "default")


# --- what changes from request to request


def test_time_is_asked_each_time():
    moment = [MONDAY_NOON]
    made = rules(
        {"name": "work", "action": "deny", "hosts": ".games.example", "hours": "09:00-17:00", "days": "mon-fri"},
        {"name": "rest", "action": "allow"},
        surroundings=Surroundings(now=lambda: moment[0]),
    )
    games = request("www.games.example")
    assert outcome(made, games) == ("deny", "work")
    moment[0] = MONDAY_NOON.replace(hour=17)
    assert outcome(made, games) == ("allow", "rest")
    moment[0] = MONDAY_NOON.replace(day=6)
    assert outcome(made, games) == ("allow", "rest")


def test_use_is_asked_each_time():
    used = {"alice": 5}
    made = rules(
        {"name": "over", "action": "deny", "used_more_than": "10"},
        {"action": "allow", "name": "rest"},
        surroundings=Surroundings(usage=lambda client_ip, user, period: used[user]),
    )
    assert outcome(made, request(user="alice")) == ("allow", "rest")
    used["alice"] = 11
    assert outcome(made, request(user="alice")) == ("deny", "over")


def test_urls_and_fields_are_looked_at_each_time():
    made = rules(
        {"name": "private", "action": "deny", "url": "http://example.com/private/*"},
        {"name": "curl", "action": "deny", "headers": {"User-Agent": "curl/*"}},
        {"name": "rest", "action": "allow", "hosts": "example.com"},
    )
    assert outcome(made, request(path="/private/x")) == ("deny", "private")
    assert outcome(made, request(path="/x")) == ("allow", "rest")
    assert outcome(made, request(headers=[(b"User-Agent", b"curl/8")])) == ("deny", "curl")


# --- what has to be known first


ADDRESSED = (
    {"name": "inside", "action": "deny", "addresses": ["10.0.0.0/8"], "hosts": ".example.com"},
    {"name": "named", "action": "allow", "hosts": "free.example.org"},
    {"name": "near", "action": "allow", "addresses": ["192.0.2.0/24"]},
)


def test_addresses_are_needed_only_where_a_rule_that_asks_for_them_comes_up():
    made = rules(*ADDRESSED)
    facts = request("www.example.com")
    assert made.decide(facts) == Verdict(outcome=Outcome.NEEDS_ADDRESSES, rule="inside")
    facts.addresses = ("10.0.0.1", "192.0.2.1")
    assert outcome(made, facts) == ("deny", "inside")
    facts.addresses = ("192.0.2.1", "192.0.2.2")
    assert outcome(made, facts) == ("allow", "near")
    facts.addresses = ("192.0.2.1", "198.51.100.1")
    assert outcome(made, facts) == ("deny", "default")
    assert outcome(made, request("free.example.org")) == ("allow", "named")
    assert outcome(made, request("other.example.org")) == ("needs addresses", "near")


@pytest.mark.parametrize("path", ["//admin", "/%2fadmin", "/x/..%2fadmin", "/x//../admin", "/.//admin", "/admin%2f"])
def test_a_path_that_is_read_in_several_ways_is_refused_by_one_and_allowed_by_all(tmp_path, path):
    (tmp_path / "list").write_text("http://example.com/admin\nhttp://example.com/admin/*\n")
    admin = ["http://example.com/admin", "http://example.com/admin/*"]
    lists = Surroundings(lists=Filters([str(tmp_path / "list")]))
    rest = {"name": "rest", "action": "allow"}
    for refused in ({"url": admin}, {"hosts": "@list"}, {"not_url": "http://example.com/x/*"}):
        made = rules({"name": "no", "action": "deny", **refused}, rest, surroundings=lists)
        assert outcome(made, request(path=path)) == ("deny", "no")
        step = made.explain(request(path=path))[0]
        assert step.matched
    for allowed in ({"url": admin}, {"hosts": "@list"}, {"not_url": "http://example.com/x/*"}):
        made = rules({"name": "yes", "action": "allow", **allowed}, surroundings=lists)
        assert outcome(made, request(path=path)) == (
            ("deny", "default") if "not_url" not in allowed or path.startswith("/x/") else ("allow", "yes")
        )


def test_a_literal_needs_no_look_up():
    made = rules({"name": "inside", "action": "deny", "addresses": "10.0.0.0/8"}, {"name": "rest", "action": "allow"})
    assert outcome(made, request("10.1")) == ("deny", "inside")
    assert outcome(made, request("[::ffff:10.0.0.1]")) == ("deny", "inside")
    assert outcome(made, request("192.0.2.1")) == ("allow", "rest")


def test_all_else_is_tested_before_a_name_is_resolved():
    made = rules(
        {"action": "deny", "addresses": "10.0.0.0/8", "url": "*/private/*", "hours": "00:00-06:00"},
        {"name": "rest", "action": "allow"},
        surroundings=Surroundings(now=lambda: MONDAY_NOON),
    )
    assert outcome(made, request(path="/private/x")) == ("allow", "rest")


WHO = (
    {"name": "free", "action": "allow", "hosts": "free.example"},
    {"name": "staff", "action": "allow", "groups": "staff", "ports": 80},
    {"name": "guests", "action": "ask", "users": "*"},
)


def test_a_user_is_asked_for_where_a_rule_needs_to_know():
    made = rules(*WHO, authenticates=True)
    assert outcome(made, request("free.example")) == ("allow", "free")
    facts = request()
    assert made.decide(facts) == Verdict(outcome=Outcome.NEEDS_USER, rule="staff")
    facts.user, facts.groups = "alice", frozenset({"staff"})
    assert outcome(made, facts) == ("allow", "staff")
    facts.groups = frozenset()
    assert outcome(made, facts) == ("ask", "guests")
    assert outcome(made, request(port=81)) == ("needs user", "guests")


def test_nobody_is_asked_for_an_address_that_does_not_fit():
    made = rules({"name": "near", "action": "allow", "users": "*", "addresses": "192.0.2.0/24"}, authenticates=True)
    facts = request()
    assert outcome(made, facts) == ("needs user", "near")
    facts.user = "alice"
    assert outcome(made, facts) == ("needs addresses", "near")
    facts.addresses = ("192.0.2.1",)
    assert outcome(made, facts) == ("allow", "near")
    facts.user = None
    assert outcome(made, facts) == ("needs user", "near")
    facts.addresses = ("198.51.100.1",)
    assert outcome(made, facts) == ("deny", "default")
    assert outcome(made, request("10.0.0.1")) == ("deny", "default")


def test_a_user_without_groups_is_not_asked_for_again():
    made = rules({"name": "staff", "action": "allow", "groups": "staff"}, authenticates=True)
    assert outcome(made, request()) == ("needs user", "staff")
    assert outcome(made, request(user="bob")) == ("deny", "default")


def test_without_authentication_nobody_is_nobody():
    made = rules(*WHO)
    assert outcome(made, request()) == ("deny", "default")


def test_nothing_has_to_be_known_for_a_rule_that_comes_to_nothing():
    made = rules(
        {"action": "allow", "groups": []},
        {"action": "allow", "addresses": []},
        {"action": "deny", "addresses": "10.0.0.0/8", "ports": 80, "not_ports": "1-1024"},
        authenticates=True,
    )
    assert outcome(made, request()) == ("deny", "default")
    assert [step.why for step in made.explain(request())][1:3] == [
        "addresses is empty",
        "not_ports = 1-1024 leaves nothing of ports = 80",
    ]


# --- lists


@pytest.fixture
def filters(tmp_path):
    (tmp_path / "ads").write_text("ads.example\n||tracker.example^\n@@||good.ads.example^\n")
    (tmp_path / "urls").write_text("*://*/banner/*\nbad.example\n")
    return Filters([str(tmp_path / "ads"), str(tmp_path / "urls")])


def test_a_host_may_be_on_a_list(filters):
    made = rules(
        {"name": "listed", "action": "deny", "hosts": ["@ads", "more.example"]},
        {"name": "rest", "action": "allow"},
        surroundings=Surroundings(lists=filters),
    )
    assert made.decide(request("x.ads.example")) == Verdict(
        outcome=Outcome.DENY, rule="listed", reason="ads.example is on the list ads", list_name="ads"
    )
    assert made.decide(request("more.example")) == Verdict(
        outcome=Outcome.DENY, rule="listed", reason="the rule 'listed' says deny"
    )
    assert outcome(made, request("good.ads.example")) == ("allow", "rest")
    assert outcome(made, request("bad.example")) == ("allow", "rest")


def test_a_url_may_be_on_a_list(filters):
    made = rules(
        {"name": "work", "action": "deny", "hosts": ["@urls"], "days": "mon-fri"},
        {"name": "reasoned", "action": "deny", "hosts": ["@urls"], "reason": "not on Sundays either"},
        {"name": "rest", "action": "allow", "not_hosts": "@ads"},
        surroundings=Surroundings(lists=filters, now=lambda: MONDAY_NOON),
    )
    verdict = made.decide(request(path="/banner/x"))
    assert (verdict.rule, verdict.list_name, verdict.reason) == (
        "work",
        "urls",
        "*://*/banner/* is on the list urls",
    )
    assert made.decide(request("bad.example")).list_name == "urls"
    assert outcome(made, request(path="/x")) == ("allow", "rest")
    assert outcome(made, request("ads.example")) == ("deny", "default")
    made = rules({"action": "deny", "hosts": "@urls", "reason": "no"}, surroundings=Surroundings(lists=filters))
    assert made.decide(request("bad.example")).reason == "no"


def test_a_list_that_changes_changes_the_answers(filters, tmp_path):
    made = rules({"name": "listed", "action": "deny", "hosts": "@ads"}, surroundings=Surroundings(lists=filters))
    assert outcome(made, request("ads.example")) == ("deny", "listed")
    (tmp_path / "ads").write_text("new.example\n*://*/x/*\n")
    os.utime(tmp_path / "ads", (1, 1))
    assert filters.check()
    assert outcome(made, request("ads.example")) == ("deny", "default")
    assert outcome(made, request("new.example")) == ("deny", "listed")
    # It has URL patterns now: what was worked out by the host alone no longer is.
    assert outcome(made, request("other.example", path="/x/y")) == ("deny", "listed")
    assert outcome(made, request("other.example", path="/y")) == ("deny", "default")


def test_lists_names_and_counts_that_are_not_there_are_told_of(filters):
    with pytest.raises(ConfigError) as raised:
        rules(
            {"name": "one", "action": "deny", "hosts": ["@absent"], "not_hosts": "@ads"},
            {"name": "one", "action": "deny", "used_more_than": "1G"},
            surroundings=Surroundings(lists=filters),
            where="forward.rules",
        )
    assert str(raised.value).splitlines() == [
        "forward.rules[1] 'one': hosts: there is no list 'absent'; accepted: ads, urls",
        "forward.rules[2] 'one': name: forward.rules[1] has it already; accepted is another",
        "forward.rules[2] 'one': used_more_than: nothing counts what is used; accepted with quotas",
    ]
    with pytest.raises(ConfigError, match="there is no list 'ads'; accepted with lists"):
        rules({"action": "deny", "hosts": "@ads"})


# --- warnings


@pytest.mark.parametrize(
    ("tables", "warnings"),
    [
        ([{"action": "allow"}, {"action": "deny", "ports": 25}], ["'rule 2' can never match: 'rule 1' before it"]),
        (
            [{"action": "deny", "hosts": ".a"}, {"action": "allow", "hosts": ["x.a", "a"], "ports": 80}],
            ["'rule 2' can never match: 'rule 1' before it matches all that it does"],
        ),
        ([{"action": "deny", "ports": []}], ["'rule 1' can never match: ports is empty"]),
        # What never matches takes nothing away.
        (
            [{"action": "deny", "ports": []}, {"action": "allow", "ports": []}],
            ["'rule 1'", "'rule 2' can never match: ports"],
        ),
        ([{"action": "deny", "hosts": "a"}, {"action": "allow", "hosts": ["a", "b"]}], []),
        # A rule that allows wants all addresses, one that refuses only one of them.
        ([{"action": "allow", "addresses": "10.0.0.0/8"}, {"action": "deny", "addresses": "10.0.0.0/8"}], []),
        (
            [{"action": "deny", "addresses": "10.0.0.0/8"}, {"action": "allow", "addresses": "10.1.0.0/16"}],
            ["'rule 2' can never match: 'rule 1'"],
        ),
        (
            [{"action": "allow", "addresses": "10.0.0.0/8"}, {"action": "allow", "addresses": "10.1.0.0/16"}],
            ["'rule 2' can never match: 'rule 1'"],
        ),
    ],
)
def test_rules_that_can_never_match_are_warned_of(tables, warnings):
    made = rules(*tables)
    assert len(made.warnings) == len(warnings)
    for line, part in zip(made.warnings, warnings, strict=True):
        assert line.startswith("the rule ") and part in line


# --- explanations


def test_an_explanation_tells_why_of_each_rule():
    made = rules(
        {"name": "a", "action": "deny", "ports": 25},
        {"name": "b", "action": "deny", "not_clients": "127.0.0.0/8"},
        {"name": "c", "action": "deny", "url": "*/private/*"},
        {"name": "d", "action": "deny", "hours": "00:00-06:00"},
        {"name": "e", "action": "allow", "hosts": ".com", "users": "alice", "days": "mon-fri"},
        {"name": "f", "action": "allow"},
        surroundings=Surroundings(now=lambda: MONDAY_NOON),
    )
    assert [(step.rule, step.action.value, step.matched, step.why) for step in made.explain(request(user="alice"))] == [
        ("a", "deny", False, "port 80 is not in ports = 25"),
        ("b", "deny", False, "client 127.0.0.1 is in not_clients = 127.0.0.0/8"),
        ("c", "deny", False, "URL http://example.com/ does not fit url = */private/*"),
        ("d", "deny", False, "time 12:00 is not in hours = 00:00-06:00"),
        (
            "e",
            "allow",
            True,
            "user alice is in users = alice; host example.com is in hosts = .com; day mon is in days = mon-fri",
        ),
        ("f", "allow", None, "a rule before it decides"),
        ("default", "deny", None, "a rule before it decides"),
    ]


def test_an_explanation_tells_what_has_to_be_known():
    made = rules(
        {"name": "a", "action": "deny", "addresses": "10.0.0.0/8", "ports": 25},
        {"name": "b", "action": "deny", "users": "*", "methods": "POST"},
        {"name": "c", "action": "deny", "addresses": "10.0.0.0/8"},
        authenticates=True,
    )
    assert [(step.matched, step.why) for step in made.explain(request())] == [
        (False, "port 80 is not in ports = 25"),
        (False, "method GET is not in methods = POST"),
        (None, "it needs the addresses of example.com"),
        (None, "a rule before it decides"),
    ]
    assert made.explain(request(method=b"POST"))[1].why == "it needs to know the user"
    assert [step.why for step in made.explain(request(addresses=("192.0.2.1",)))][2:] == [
        "address 192.0.2.1 is not in addresses = 10.0.0.0/8",
        "no rule matched",
    ]


def test_what_an_explanation_calls_nobody():
    made = rules(
        {"action": "deny", "users": "a"},
        {"action": "deny", "groups": "a"},
        {"action": "deny", "headers": {"X-A": True}},
        {"action": "deny", "schemes": "https"},
        {"action": "deny", "used_more_than": "1"},
        surroundings=Surroundings(usage=lambda client_ip, user, period: 0),
    )
    assert [step.why for step in made.explain(request())] == [
        "user (none) is not in users = a",
        "group (none) is not in groups = a",
        "the head does not fit headers = X-A: true",
        "scheme http is not in schemes = https",
        "what 127.0.0.1 has used is not over used_more_than = 1",
        "no rule matched",
    ]


# --- at random: what is remembered, what is explained and what is said alone agree

CONDITIONS = {
    "clients": ["10.0.0.0/8", "127.0.0.0/8", "0.0.0.0/0"],
    "users": ["alice", "*"],
    "groups": ["staff", "*"],
    "hosts": ["a.example", ".example", "*.example", "10.0.0.1"],
    "addresses": ["10.0.0.0/8", "192.0.2.0/24", "0.0.0.0/0"],
    "ports": ["80", "1-443", "443"],
    "methods": ["GET", "CONNECT"],
    "url": ["*/x*", "*://a.example/*"],
    "hours": ["09:00-17:00", "10:00-13:00", "18:00-06:00"],
}
TABLES = st.lists(
    st.fixed_dictionaries(
        {"action": st.sampled_from(["allow", "deny", "ask"])},
        optional={
            sign + key: st.lists(st.sampled_from(values), max_size=2, unique=True)
            for key, values in CONDITIONS.items()
            for sign in ("", "not_")
        },
    ).filter(lambda table: len(table) < 5),
    max_size=6,
)
FACTS = st.builds(
    request,
    host=st.sampled_from(["a.example", "b.example", "example", "10.0.0.1", "other"]),
    path=st.sampled_from(["/", "/x", "//x"]),
    method=st.sampled_from([b"GET", b"POST", b"CONNECT"]),
    port=st.sampled_from([80, 443, 8080]),
    client_ip=st.sampled_from(["127.0.0.1", "10.0.0.1", "unix:"]),
    user=st.sampled_from([None, "alice", "bob"]),
    groups=st.sampled_from([frozenset(), frozenset({"staff"})]),
    addresses=st.sampled_from([None, ("10.0.0.1",), ("10.0.0.1", "192.0.2.1"), ("192.0.2.1", "64:ff9b::a00:1")]),
)


def made_of(tables):
    written = []
    for table in tables:
        try:
            written.append(Rule(**table))
        except ConfigError:
            continue  # a contradiction
    return written


@pytest.mark.no_cover
@settings(max_examples=300)
@given(TABLES, st.lists(FACTS, min_size=1, max_size=6), st.booleans())
def test_decisions_agree_with_explanations(tables, asked, authenticates):
    surroundings = Surroundings(now=lambda: MONDAY_NOON)
    made = Rules(made_of(tables), surroundings=surroundings, authenticates=authenticates)
    for facts in asked:
        verdict = made.decide(facts)
        step = next(step for step in made.explain(facts) if step.matched is not False)
        assert (verdict.rule, verdict.outcome in (Outcome.NEEDS_ADDRESSES, Outcome.NEEDS_USER)) == (
            step.rule,
            step.matched is None,
        )
        if step.matched:
            assert verdict.outcome.value == step.action.value


@pytest.mark.no_cover
@settings(max_examples=300)
@given(TABLES, st.lists(FACTS, min_size=1, max_size=6))
def test_a_rule_that_is_warned_of_never_decides(tables, asked):
    made = Rules(made_of(tables), surroundings=Surroundings(now=lambda: MONDAY_NOON))
    warned = {line.split("'")[1] for line in made.warnings}
    for facts in asked:
        assert made.decide(facts).rule not in warned
