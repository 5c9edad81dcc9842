from twisted.internet import endpoints, reactor

from txproxy import Pool, ReverseProxyFactory
from txproxy.reverse import (
    Match,
    Redirect,
    RequestRewrite,
    Respond,
    ResponseRewrite,
    ReverseMode,
    Route,
    SendElsewhere,
    ToPool,
    Treated,
    Treatment,
)

api = ToPool(Pool(["http://127.0.0.1:8001", "http://127.0.0.1:8002"], name="api"))
strip = RequestRewrite(strip_prefix="/api")
routes = [
    Route("api", Match(path="/api"), Treated(api, Treatment(request=strip, response=ResponseRewrite(request=strip)))),
    Route("old", Match(path="/old", methods="GET"), SendElsewhere(Redirect("/api$path", 308))),
    Route("hello", Match(path="=/hello"), Respond(200, body="hello\n")),
]
factory = ReverseProxyFactory(ReverseMode(routes=routes))
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
