"""What a forward proxy is made of."""

import pytest
from twisted.internet.task import Clock

from txproxy import ForwardPolicy, ForwardProxyFactory
from txproxy.errors import ConfigError
from txproxy.forward.access.rules import Rule
from txproxy.forward.mode import ForwardMode
from txproxy.interfaces import Bounds
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\nok"
GET = b"GET http://example.com/x?y HTTP/1.1\r\nHost: example.com\r\n\r\n"


@pytest.mark.parametrize(
    "policy",
    [
        {"allow_clients": ["10.0.0.0/99"]},
        {"allow_ports": ["0"]},
        {"allow_ports": ["80-"]},
        {"allow_hosts": ["a*b.example"]},
        {"forwarded_for": "maybe"},
        {"allow_destinations": ["10.0.0.0/x"]},
    ],
)
def test_a_wrong_value_is_a_config_error_that_says_what_is_accepted(policy):
    with pytest.raises(ConfigError, match="accepted"):
        ForwardProxyFactory(ForwardPolicy(**policy))


def test_whoever_asks_the_mode_its_requests_are_bounded():
    bounds = Bounds(tunnel_age=5)
    rules = [Rule(name="no", action="deny", hosts="no.example"), Rule(name="all", action="allow")]
    asked = []

    def find(client_ip, user, rule):
        asked.append((client_ip, user, rule))
        return bounds

    mode = ForwardMode(ForwardPolicy(rules=rules, bounds=find), Clock())
    head = RequestHead(b"GET", b"/", Headers.from_lines([b"Host: a.example"]), b"a.example", b"http")
    context = context_of("127.0.0.1")
    # The second one by what is remembered of the first.
    assert [mode.plan(head, context).bounds for _ in range(2)] == [bounds, bounds]
    assert asked == [("127.0.0.1", None, "all")] * 2
    mode.close()


def test_without_bounds_nothing_stands_around_the_mode():
    mode = ForwardMode(ForwardPolicy(), Clock())
    factory = ForwardProxyFactory(ForwardPolicy(), reactor=Clock())
    assert "plan" not in vars(mode)
    assert factory.handle == factory.mode.plan
    mode.close()
