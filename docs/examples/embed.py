from twisted.internet import endpoints, reactor

from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, ReverseProxyFactory

pool = Pool(["http://127.0.0.1:8001", "http://127.0.0.1:8002;weight=2"])
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(ReverseProxyFactory(pool))
policy = ForwardPolicy(allow_hosts=["*.example.com"])
endpoints.serverFromString(reactor, "tcp:3128:interface=127.0.0.1").listen(ForwardProxyFactory(policy))
reactor.run()
