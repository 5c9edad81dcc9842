from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource

from txproxy import Pool, PoolSettings, ReverseProxyFactory
from txproxy.upstreams import HealthCheck


class Sorry(Resource):
    isLeaf = True

    def render_GET(self, request):
        return b"Back soon.\n"


pool = Pool(
    ["http://127.0.0.1:8001;weight=2", "http://127.0.0.1:8002;max=100"],
    strategy="least-connections",
    settings=PoolSettings(health=HealthCheck(path="/", interval=1, fall=1), retries=2, slow_start=30),
)
# A twisted.web resource within this process is an upstream as well.
sorry = pool.add(Sorry())
pool.weigh(sorry, 1)


def show():
    for upstream in pool.upstreams:
        print(upstream.name, upstream.state.value, upstream.cause, upstream.active, flush=True)


reactor.callLater(2, show)
reactor.callLater(2, pool.drain, "http://127.0.0.1:8002", 60)
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(ReverseProxyFactory(pool, sticky="cookie"))
reactor.run()
