"""A program: a twisted.web Site that passes what is below /app to an upstream, and says ``own`` at /own.

``ENDPOINT UPSTREAM [CA-FILE] [RESPONSE-TIMEOUT]``; ``-`` is the default.
"""

import sys

from twisted.internet import endpoints, reactor
from twisted.web.resource import Resource
from twisted.web.server import Site
from twisted.web.static import Data

from txproxy import Limits, Pool, PoolSettings, ReverseProxyResource
from txproxy.upstreams.upstream_tls import UpstreamTls


def main(endpoint, upstream, ca_file="-", timeout="60"):
    tls = UpstreamTls(ca_file=ca_file if ca_file != "-" else None)
    pool = Pool([upstream], settings=PoolSettings(tls=tls))
    root = Resource()
    root.putChild(b"app", ReverseProxyResource(pool, limits=Limits(response_timeout=float(timeout))))
    root.putChild(b"own", Data(b"own", "text/plain"))
    endpoints.serverFromString(reactor, endpoint).listen(Site(root))
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
