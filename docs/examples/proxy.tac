# twistd -ny proxy.tac
from twisted.application.internet import StreamServerEndpointService
from twisted.application.service import Application
from twisted.internet import endpoints, reactor

from txproxy import Pool, ReverseProxyFactory

application = Application("proxy")
pool = Pool(["http://127.0.0.1:8001"])
endpoint = endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1")
StreamServerEndpointService(endpoint, ReverseProxyFactory(pool)).setServiceParent(application)
