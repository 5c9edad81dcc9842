"""Routes of Klein, and a pool below one of them; treq asks the proxy as its client would."""

from __future__ import annotations

import sys
from collections.abc import Generator
from typing import Any

import treq
from klein import Klein
from twisted.internet import endpoints
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.task import react
from twisted.web.resource import IResource, Resource
from twisted.web.server import Site
from twisted.web.static import Data

from txproxy import Pool, ReverseProxyResource

app = Klein()
# Anything that is a resource may be an upstream, within the process: for a try, no other server is needed.
upstream = Resource()
upstream.putChild(b"greeting", Data(b"hello from the pool\n", "text/plain"))
pool = Pool([upstream])


@app.route("/own")
def own(request: Any) -> str:
    """Klein's own."""
    return "hello from Klein\n"


@app.route("/api/", branch=True)
def api(request: Any) -> IResource:
    """All below it is the pool's."""
    return ReverseProxyResource(pool)


@inlineCallbacks
def main(reactor: Any) -> Generator[Deferred[Any], Any, None]:
    endpoint = endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1")
    port = yield endpoint.listen(Site(app.resource()))
    for path in ("own", "api/greeting"):
        response = yield treq.get(f"http://127.0.0.1:8080/{path}")
        sys.stdout.write((yield response.text()))
    yield port.stopListening()


if __name__ == "__main__":
    react(main)
