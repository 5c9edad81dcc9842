from twisted.internet import endpoints, reactor
from twisted.internet.task import deferLater
from zope.interface import implementer

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces import Answer, IMiddleware, ResponseFilter


@implementer(IMiddleware)
class Team:
    """Adds a field to whatever the client gets."""

    def handle(self, request, context, proceed):
        context.add_lines(b"X-Team: blue")
        return proceed(request, context)


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


@implementer(IMiddleware)
class Banner:
    """Puts a line at the end of each page."""

    def handle(self, request, context, proceed):
        context.filter_responses(LineAtTheEnd())
        # What is compressed has no end that could be read.
        lines = [line for line in request.headers.lines if not line.lower().startswith(b"accept-encoding:")]
        return proceed(request.with_lines(lines), context)


class LineAtTheEnd(ResponseFilter):
    def head(self, response, context):
        self.wants_body = response.headers.get(b"content-type") == b"text/html" and response.status == 200
        return response

    def end(self, trailers):
        return b"<p>This is a test.</p>\n"


pool = Pool(["http://127.0.0.1:8001"])
factory = ReverseProxyFactory(pool, middleware=[Team(), Robots(), Patience(), Banner()])
endpoints.serverFromString(reactor, "tcp:8080:interface=127.0.0.1").listen(factory)
reactor.run()
