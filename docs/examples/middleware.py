from twisted.internet import endpoints, reactor
from twisted.internet.task import deferLater
from zope.interface import implementer

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Answer, IMiddleware, with_lines


@implementer(IMiddleware)
class Team:
    """Adds a field to whatever the client gets."""

    def handle(self, request, context, proceed):
        return with_lines(proceed(request, context), b"X-Team: blue")


@implementer(IMiddleware)
class Robots:
    """Answers itself."""

    def handle(self, request, context, proceed):
        if request.path == b"/robots.txt":
            return Answer(200, (b"Content-Type: text/plain",), b"User-agent: *\nDisallow: /\n")
        return proceed(request, context)


@implementer(IMiddleware)
class Patience:
    """Lets those who are not known wait for a moment."""

    def handle(self, request, context, proceed):
        if b"authorization" in request.headers.index:
            return proceed(request, context)
        return deferLater(reactor, 0.2, proceed, request, context)


pool = Pool(["http://127.0.0.1:8001"])
factory = ReverseProxyFactory(pool, middleware=[Team(), Robots(), Patience()])
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
