"""What is wrong with a policy is said with its key."""

import pytest

from txproxy.errors import ConfigError
from txproxy.forward.policy import ForwardPolicy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allow_clients", ["10.0.0.1/8"]),
        ("allow_ports", ["80", "x"]),
        ("allow_destinations", ["10.0.0.0/8", "a,b"]),
        ("allow_hosts", ["a.example", "http://b.example"]),
        ("deny_hosts", ["b.example:443"]),
        ("no_proxy", ["a..b"]),
    ],
)
def test_places_are_looked_at_when_a_policy_is_made(key, value):
    with pytest.raises(ConfigError, match=f"^{key}: .*accepted"):
        ForwardPolicy(**{key: value})


def test_a_text_that_stands_alone_is_one():
    policy = ForwardPolicy(deny_hosts="intranet", allow_clients="10.0.0.0/8", allow_ports="443")
    assert (policy.deny_hosts, policy.allow_clients, policy.allow_ports) == (("intranet",), ("10.0.0.0/8",), ("443",))
