"""Rules that ask code which a configuration names."""

import pytest

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.components.named_code import NamedCode
from txproxy.errors import ConfigError
from txproxy.forward import Rule
from txproxy.interfaces.hooks import matcher
from txproxy.testing import ProxyInMemory


@pytest.fixture
def own(monkeypatch):
    """Has code found by what stands here."""
    found = {}
    monkeypatch.setattr(matcher, "find_code", lambda code, what: found[code.name])
    return found


def serve(*rules):
    policy = ForwardPolicy(rules=rules)
    return ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, reactor=reactor))


def asked(proxy, host="a.example"):
    client = proxy.connect()
    client.send(f"GET http://{host}/x HTTP/1.1\r\nHost: {host}\r\nX-A: 1\r\n\r\n".encode())
    return client.take()[9:12] or b"dialled"


def test_it_is_asked_about_each_request(own):
    seen, answers = [], [True, False, True]
    own["m:f"] = lambda request: (
        seen.append((request.url, request.client, request.headers.get("x-a"))) or answers.pop(0)
    )
    proxy = serve(Rule(action="deny", matches="m:f"), Rule(action="allow"))
    assert [asked(proxy) for _ in range(3)] == [b"403", b"dialled", b"403"]
    assert seen == [("http://a.example/x", "127.0.0.1", "1")] * 3
    proxy.close()


def test_it_may_be_turned_round_and_one_of_several_is_enough(own):
    own |= {"m:f": lambda request, *, host: request.host == host, "m:g": lambda request: False}
    codes = [NamedCode("m:f", {"host": "a.example"}), "m:g"]
    proxy = serve(Rule(action="deny", not_matches=codes), Rule(action="allow"))
    assert asked(proxy) == b"dialled" and asked(proxy, "b.example") == b"403"
    proxy.close()


@pytest.mark.parametrize("action", ["allow", "deny"])
def test_where_it_fails_nobody_is_let_through(own, action):
    own["m:f"] = lambda request: {}["x"]
    proxy = serve(Rule(action=action, matches="m:f"), Rule(action="allow"))
    assert asked(proxy) == b"500"
    proxy.close()


@pytest.mark.parametrize("value", ["f", 5, [5], ["m:f", "g h"]])
def test_what_names_nothing_is_told_of(value):
    with pytest.raises(ConfigError, match=r"matches: "):
        Rule(action="deny", matches=value)
