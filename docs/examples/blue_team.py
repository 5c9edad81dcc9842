from zope.interface import implementer

from txproxy.interfaces import Answer, IMiddleware


@implementer(IMiddleware)
class Team:
    """Adds a field to whatever the client gets."""

    def handle(self, request, context, proceed):
        context.add_lines(b"X-Team: blue")
        return proceed(request, context)


@implementer(IMiddleware)
class Says:
    """Answers requests for a path itself."""

    def __init__(self, path, text):
        self._path = path
        self._answer = Answer(200, (b"Content-Type: text/plain",), text)

    def handle(self, request, context, proceed):
        return self._answer if request.path == self._path else proceed(request, context)


robots = Says(b"/robots.txt", b"User-agent: *\nDisallow: /\n")
