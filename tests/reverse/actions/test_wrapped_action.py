"""Middleware around one action."""

from zope.interface import implementer

from txproxy import Pool
from txproxy.interfaces import Answer, RequestContext
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.middleware import IComposedMiddleware
from txproxy.reverse import ReverseMode, ReverseProxyFactory, ToPool
from txproxy.reverse.actions.treatments import Respond, TunnelTo
from txproxy.reverse.actions.wrapped_action import WrappedAction
from txproxy.testing import ProxyInMemory
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

HEAD = RequestHead(b"GET", b"/", Headers.from_lines([b"Host: a"]), b"a")


class Scoped:
    """Notes where it stands, and keeps one client out."""

    def __init__(self):
        self.scopes = []

    def within(self, handler, scope, services):
        self.scopes.append((scope, services is not None))

        def handle(request, context):
            return Answer(403) if context.client_ip == "10.0.0.9" else handler(request, context)

        return handle

    def handle(self, request, context, proceed):
        raise AssertionError("it is composed")


def test_it_stands_around_any_action():
    middleware = Scoped()
    action = WrappedAction(Respond(204), middleware)
    answers = [action.plan(HEAD, RequestContext(ClientConnection(ip))).status for ip in ("10.0.0.1", "10.0.0.9")]
    assert (answers, action.pools, action.takes_connect) == ([204, 403], (), False)
    pool = Pool(["http://10.0.0.1:80"], name="app")
    assert WrappedAction(TunnelTo(pool), middleware).takes_connect
    assert middleware.scopes == [("", False), ("app", False)]


@implementer(IComposedMiddleware)
class Within:
    """Stands within the mode, as a cache would."""

    def __init__(self):
        self.asked = 0

    def within(self, handler, scope, services):
        def handle(request, context):
            self.asked += 1
            return handler(request, context)

        return handle


def test_what_stands_within_the_mode_stands_within_it_too():

    inner = Within()
    outer = Scoped()

    def make(reactor):
        action = WrappedAction(ToPool(Pool(["http://10.0.0.1:80"], name="app")), outer)
        return ReverseProxyFactory(ReverseMode(action), middleware=[inner], reactor=reactor)

    proxy = ProxyInMemory(make)
    for host in ("10.0.0.1", "10.0.0.9"):
        proxy.connect(host).send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (inner.asked, len(proxy.network.dialed)) == (1, 1)
    assert proxy.clients[1].received.startswith(b"HTTP/1.1 403")
    assert outer.scopes == [("app", False), ("app", True)]
    proxy.close()
