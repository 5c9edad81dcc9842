"""A proxy in memory whose mode sends everything to one address, within the bounds that a test gives."""

import pytest
from zope.interface import implementer

from txproxy import Limits
from txproxy.interfaces import Address, IMode, Plan
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead


@implementer(IMode)
class Mode:
    """``bounds(client_ip, user, rule)`` is asked; user and rule are fields of the request."""

    def __init__(self):
        self.bounds = lambda client_ip, user, rule: None

    def plan(self, head, client):
        user, rule = (head.headers.get(name) for name in (b"user", b"rule"))
        plan = Plan(Address("10.0.0.1", 80), None if head.method == b"CONNECT" else self._head(head))
        plan.bounds = self.bounds(client.client_ip, user.decode() if user else None, rule.decode() if rule else "")
        return plan

    def _head(self, head):
        return RequestHead(head.method, head.path, Headers.from_lines([b"Host: a"]), b"a", None, head.body)


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(
        lambda reactor: ProxyFactory(
            Mode(), limits=Limits(keep_per_address=0), observers=(finished.append,), reactor=reactor
        )
    )
    made.mode = made.factory.mode
    yield made
    made.close()
