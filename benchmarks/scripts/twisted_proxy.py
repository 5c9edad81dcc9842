"""What Twisted itself brings: twisted.web.proxy and portforward, on its default reactor.

Called with KIND PORT ORIGIN CERTIFICATE KEY.
"""

from __future__ import annotations

import sys
from typing import Any

from twisted.internet import endpoints, reactor
from twisted.internet.protocol import Factory
from twisted.protocols.portforward import ProxyFactory
from twisted.web.http import HTTPFactory
from twisted.web.proxy import Proxy, ProxyClientFactory, ReverseProxyResource
from twisted.web.server import Site


class _ForwardFactory(HTTPFactory):
    protocol: Any = Proxy  # HTTPFactory names a narrower type


def main(kind: str, port: str, origin: str, certificate: str, key: str) -> None:
    """Serve until a signal comes."""
    ProxyClientFactory.noisy = False
    factory: Factory[Any]
    if kind == "forward":
        factory = _ForwardFactory()
    elif kind == "tcp":
        factory = ProxyFactory("127.0.0.1", int(origin))
    else:
        factory = Site(ReverseProxyResource("127.0.0.1", int(origin), b""))
    where = f"tcp:{port}:interface=127.0.0.1:backlog=4096"
    if kind == "tls":
        where = f"ssl:{port}:interface=127.0.0.1:backlog=4096:privateKey={key}:certKey={certificate}"
    endpoints.serverFromString(reactor, where).listen(factory)
    reactor.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
