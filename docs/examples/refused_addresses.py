from twisted.internet import endpoints, reactor
from zope.interface import implementer

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import IConnectionFilter


@implementer(IConnectionFilter)
class NotFrom:
    """Lets in who has none of these addresses."""

    def __init__(self, *addresses):
        self._addresses = frozenset(addresses)

    def admit(self, connection):
        return connection.peer_ip not in self._addresses

    def closed(self, connection):
        """Nothing is counted."""


pool = Pool(["http://127.0.0.1:8001"])
factory = ReverseProxyFactory(pool, middleware=[NotFrom("127.0.0.2", "192.0.2.1")])
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
