"""Middleware of tests, and what is sent through it."""

from twisted.internet.defer import Deferred

from txproxy.interfaces import ResponseFilter

GET = b"GET /x HTTP/1.1\r\nHost: a.example\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nab"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Field:
    """Adds a field to what the client gets, and writes down who it was."""

    def __init__(self, line=b"X-Team: blue"):
        self.line, self.seen = line, []

    def handle(self, request, context, proceed):
        self.seen.append((request.path, context.client_ip))
        context.add_lines(self.line)
        return proceed(request, context)


class Says:
    """Decides on its own."""

    def __init__(self, decision):
        self.decision = decision

    def handle(self, request, context, proceed):
        if isinstance(self.decision, Exception):
            raise self.decision
        return self.decision


class Waits:
    """Goes on when somebody says so."""

    def __init__(self):
        self.cancelled = 0
        self.waiting = Deferred(self._cancel)

    def _cancel(self, _):
        self.cancelled += 1

    def handle(self, request, context, proceed):
        return self.waiting.addCallback(lambda _: proceed(request, context))


class Marks(ResponseFilter):
    """A filter and a middleware that adds it, around what follows."""

    refusals = True

    def __init__(self, name):
        self.name, self.ends = name, 0

    def handle(self, request, context, proceed):
        context.filter_responses(self)
        return proceed(request, context)

    def head(self, response, context):
        return response.with_lines([*response.headers.lines, b"X-By: " + self.name])

    def closed(self):
        self.ends += 1


def marks(received):
    return [line[6:] for line in received.split(b"\r\n") if line.startswith(b"X-By: ")]
