import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site

from txproxy import Pool, ReverseProxyResource

# was: root.putChild(b"api", twisted.web.proxy.ReverseProxyResource("127.0.0.1", 8001, b""))
root = Resource()
root.putChild(b"api", ReverseProxyResource(Pool(["http://127.0.0.1:8001"])))
endpoints.serverFromString(reactor, f"tcp:{sys.argv[1]}:interface=127.0.0.1").listen(Site(root))
reactor.run()
