"""The chain that each request passes, as it is put together."""

import pytest

from tests.forward.asking import GET, get
from txproxy.errors import ConfigError
from txproxy.forward.access.rules import Rule
from txproxy.forward.policy import ForwardPolicy


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        ({"rules": [{"action": "maybe"}]}, "action"),
        ({"rules": [{"action": "allow", "colour": "red"}]}, "colour"),
        ({"auth_by_rules": True}, "auth_by_rules"),
        ({"ask_timeout": 0}, "ask_timeout"),
        ({"safe_search": ["altavista"]}, "altavista"),
        ({"deny_hosts": ["a*b"]}, "a\\*b"),
        ({"filters": ["/nowhere/at/all"]}, "/nowhere/at/all"),
        ({"lists": {"a": "/nowhere/at/all"}}, "/nowhere/at/all"),
        ({"auth": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"rules": [Rule(action="deny", hosts="@none")]}, "none"),
        ({"rules": [Rule(action="deny", used_more_than="1M")]}, "used_more_than"),
        ({"rules": [Rule(name="a", action="deny"), Rule(name="a", action="deny")]}, "'a'"),
    ],
)
def test_what_cannot_be_is_said_at_the_start(forward, policy, names):
    with pytest.raises(ConfigError, match=names) as raised:
        forward(**policy)
    assert "accepted" in str(raised.value)


def test_rules_are_also_taken_as_mappings():
    assert ForwardPolicy(rules=[{"action": "deny", "hosts": ["a.example"]}]).rules == (
        Rule(action="deny", hosts=["a.example"]),
    )


def test_a_parent_may_be_for_what_a_rule_allows(forward):
    proxy = forward(
        rules=[Rule(name="far", action="allow", hosts="far.example"), Rule(name="rest", action="allow")],
        parents=["http://parent.example:3128;rule=far"],
    )
    proxy.ask(get(b"http://far.example/"))
    proxy.ask(GET)
    assert [str(address) for address in proxy.network.dialed] == ["http://parent.example:3128", "www.example.com:80"]
    with pytest.raises(ConfigError, match="parents: there is no rule 'none'; accepted: far"):
        ForwardPolicy(rules=[Rule(name="far", action="allow")], parents=["http://a;rule=none"])
