from twisted.internet import endpoints, reactor
from zope.interface import implementer

from txproxy import Pool, ReverseProxyFactory
from txproxy.upstreams import IStrategy, Strategy


@implementer(IStrategy)
class LongestName(Strategy):
    """The one with the longest name, which is nobody's idea of balance."""

    def update(self, upstreams):
        self._order = sorted(upstreams, key=lambda upstream: -len(upstream.name))

    def choose(self, head, context, skip=None):
        return next((upstream for upstream in self._order if skip is None or not skip(upstream)), None)


pool = Pool(["http://127.0.0.1:8001", "http://localhost:8002"], strategy=LongestName())
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(ReverseProxyFactory(pool))
reactor.run()
