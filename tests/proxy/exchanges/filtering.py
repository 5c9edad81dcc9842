"""Filters, and a proxy whose messages pass them."""

from zope.interface import implementer

from txproxy.interfaces import Address, Attempt, IMode, Plan, Refusal, RequestFilter, ResponseFilter
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"
HEAD = GET.replace(b"GET", b"HEAD")
PUT = b"PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n"
CHUNKED_PUT = b"PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"HTTP/1.1 200 OK\r\nDate: D\r\nTransfer-Encoding: chunked\r\n\r\n"


class Doubled(ResponseFilter):
    """Says each byte twice, and ``mark`` at the end."""

    wants_body = True

    def __init__(self, mark=b"!", log=None):
        self.mark, self.log = mark, log if log is not None else []

    def head(self, response, context):
        self.log.append(("head", self.mark, context.attempt is not None))
        return response

    def body(self, data):
        return bytes(byte for one in data for byte in (one, one))

    def end(self, trailers):
        return self.mark

    def closed(self):
        self.log.append(("closed", self.mark))


class Counted(ResponseFilter):
    """Looks at the body, and leaves it as it is."""

    wants_body = True
    keeps_length = True

    def __init__(self):
        self.seen = b""

    def body(self, data):
        self.seen += data
        return data


class Upper(RequestFilter):
    """Says it loudly, and ``!`` at the end."""

    def __init__(self):
        self.ends = 0

    def body(self, data):
        return data.upper() if data != b"no" else Refusal(422, "http_request_denied", "not that")

    def end(self):
        return b"!"

    def closed(self):
        self.ends += 1


@implementer(IMode)
class Filtered:
    """Sends all to one place, past these filters."""

    def __init__(self):
        self.responses, self.requests = [], []
        self.decision = self.bounds = self.next_attempt = None

    def place(self):
        """Where all goes, and how."""
        return Address("10.0.0.1", 80), RequestHead(b"GET", b"/x", Headers.from_lines([b"Host: a"]), b"a")

    def plan(self, head, context):
        # the last is the innermost
        for one in self.responses:
            context.filter_responses(one)
        context.filter_requests(*self.requests)
        if isinstance(self.decision, Exception):
            raise self.decision
        if self.decision is not None:
            return self.decision
        made = RequestHead(head.method, head.path, Headers.from_lines([*head.headers.lines]), b"a", None, head.body)
        plan = Plan.of(Attempt(Address("10.0.0.1", 80), None if head.method == b"CONNECT" else made))
        plan.bounds, plan.next_attempt = self.bounds, self.next_attempt
        return plan


class Says(ResponseFilter):
    """Gives or raises ``what`` at ``when``."""

    wants_body = True

    def __init__(self, what, when="head"):
        self.what, self.when = what, when

    def _say(self, when, otherwise):
        if when != self.when:
            return otherwise
        if isinstance(self.what, Exception):
            raise self.what
        return self.what

    def head(self, response, context):
        return self._say("head", response)

    def body(self, data):
        return self._say("body", data)

    def end(self, trailers):
        return self._say("end", b"")


def head_and_body(received):
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body
