"""Rules as they are written."""

import attrs
import pytest

from txproxy.errors import ConfigError
from txproxy.forward.access.rules import KEYS, Action, Rule, read_rules


def test_a_mapping_and_arguments_make_the_same_rule():
    (read,) = read_rules(
        [{"name": "one", "action": "deny", "hosts": [".ads.example"], "ports": [80], "headers": {"X-A": True}}]
    )
    assert read == Rule(name="one", action=Action.DENY, hosts=(".ads.example",), ports=[80], headers={"X-A": True})
    assert [str(condition) for condition in read.conditions] == [
        "hosts = .ads.example",
        "ports = 80",
        "headers = X-A: true",
    ]


def test_one_value_needs_no_list():
    rule = Rule(action="allow", hosts="a", not_ports=25, days="mon,tue")
    assert [str(condition) for condition in rule.conditions] == ["hosts = a", "not_ports = 25", "days = mon, tue"]


def test_what_was_given_does_not_change_a_rule():
    hosts = ["a"]
    rule = Rule(action="allow", hosts=hosts)
    hosts.append("b")
    assert rule.hosts == ("a",)
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        rule.hosts = ("b",)


def test_none_of_nothing_is_no_condition():
    assert Rule(action="allow", not_hosts=[]).conditions == ()


def test_every_key_that_is_accepted_is_one_of_rules_and_is_documented():
    from txproxy.forward.access import rules

    assert set(KEYS) == {field.name for field in attrs.fields(Rule)} - {"conditions"}
    assert all(f"``{key}``" in rules.__doc__ for key in KEYS if not key.startswith("not_"))


@pytest.mark.parametrize(
    ("table", "lines"),
    [
        ({"action": "permit"}, ["rules[2]: action: 'permit' is none; accepted: allow, deny, ask"]),
        ({"action": ["deny"]}, ["rules[2]: action: ['deny'] is none; accepted: allow, deny, ask"]),
        ({"hosts": "a"}, ["rules[2]: action is missing; accepted: allow, deny, ask"]),
        (
            {"name": "x", "action": "deny", "host": "a", "ports": ["0", "80", "x"], "hosts": "*"},
            [
                f"rules[2] 'x': host: unknown; accepted: {', '.join(KEYS)}",
                "rules[2] 'x': hosts: '*' is no host pattern: an asterisk stands in front of a dot and a name alone; "
                "accepted are example.com, *.example.com (all below it), .example.com (both) or an address",
                "rules[2] 'x': ports: '0' is no port; accepted is 1 to 65535 or a range such as 8000-8999",
                "rules[2] 'x': ports: 'x' is no port; accepted is 1 to 65535 or a range such as 8000-8999",
            ],
        ),
        (
            {"action": "deny", "not_headers": {"A": "b"}},
            [f"rules[2]: not_headers: unknown; accepted: {', '.join(KEYS)}"],
        ),
        ({"action": "deny", "conditions": 1}, [f"rules[2]: conditions: unknown; accepted: {', '.join(KEYS)}"]),
        ({"action": "deny", "name": 7}, ["rules[2] 7: name: 7 is no text; accepted is a string"]),
        (
            {"action": "deny", "tunnel_timeout": 60},
            ["rules[2]: tunnel_timeout: it has no effect with deny; accepted is it with allow or ask"],
        ),
        (
            {"action": "allow", "challenge": True},
            ["rules[2]: challenge: it has no effect with allow; accepted is it with deny"],
        ),
        (
            {"action": "deny", "challenge": 1},
            ["rules[2]: challenge: 1 is neither; accepted: true, false"],
        ),
        (
            {"action": "allow", "tunnel_timeout": 0},
            ["rules[2]: tunnel_timeout: 0 is no time; accepted is more than 0 seconds"],
        ),
        ({"action": "deny", "reason": True}, ["rules[2]: reason: True is no text; accepted is a string"]),
        (
            {"action": "deny", "schemes": "connect", "url": "*://a/b"},
            ["rules[2]: url = *://a/b contradicts tunnels: of these, no path is known"],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(table, lines):
    with pytest.raises(ConfigError) as raised:
        read_rules([{"action": "allow"}, table])
    assert str(raised.value).splitlines() == lines


def test_the_errors_of_all_rules_are_told_at_once():
    with pytest.raises(ConfigError) as raised:
        read_rules([{"action": "x"}, {"action": "deny", "days": "x"}], "forward.rules")
    assert [line.partition(":")[0] for line in str(raised.value).splitlines()] == [
        "forward.rules[1]",
        "forward.rules[2]",
    ]
    # As data the first of a list is 0.
    assert [finding.path for finding in raised.value.findings] == [(0, "action"), (1, "days")]
