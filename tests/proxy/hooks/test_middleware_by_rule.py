"""Middleware around what one rule has let through."""

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.forward import Rule
from txproxy.interfaces import Answer
from txproxy.proxy.hooks.middleware_by_rule import MiddlewareByRule
from txproxy.testing import ProxyInMemory


class Says:
    """Answers."""

    def handle(self, request, context, proceed):
        return Answer(200, body=b"says " + context.rule.encode())


def test_it_is_asked_of_what_its_rule_lets_through_alone():
    rules = [Rule(action="allow", name=name, hosts=[f"{name}.example"]) for name in ("a", "b")]
    own = MiddlewareByRule({"a": (Says(),)})
    policy = ForwardPolicy(rules=rules)
    proxy = ProxyInMemory(lambda reactor: ForwardProxyFactory(policy, middleware=[own], reactor=reactor))
    client = proxy.connect()
    client.send(b"GET http://a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
    assert client.take().endswith(b"says a") and not proxy.network.dialed
    client.send(b"GET http://b.example/ HTTP/1.1\r\nHost: b.example\r\n\r\n")
    proxy.upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 204")
    client.send(b"GET http://c.example/ HTTP/1.1\r\nHost: c.example\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 403")
    proxy.close()
