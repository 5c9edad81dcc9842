from __future__ import annotations

from zope.interface import implementer

from txproxy.interfaces import Answer, Decision, Handler, IMiddleware, RequestContext, RequestHead


@implementer(IMiddleware)
class Team:
    """Adds a field to whatever the client gets. The name is a setting."""

    def __init__(self, name: str = "red") -> None:
        self._line = b"X-Team: " + name.encode()

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        context.add_lines(self._line)
        return proceed(request, context)


@implementer(IMiddleware)
class Says:
    """Answers requests for a path itself."""

    def __init__(self, path: bytes, text: bytes) -> None:
        self._path = path
        self._answer = Answer(200, (b"Content-Type: text/plain",), text)

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        return self._answer if request.path == self._path else proceed(request, context)


robots = Says(b"/robots.txt", b"User-agent: *\nDisallow: /\n")
