"""What messages pass on their way: in which order, how they are framed afterwards, and what becomes of a filter."""

import pytest
from twisted.internet.defer import Deferred
from twisted.logger import globalLogPublisher
from zope.interface import implementer

from txproxy.errors import ConnectionRefused, RequestDenied
from txproxy.interfaces import (
    Address,
    Answer,
    Attempt,
    Bounds,
    IMode,
    Plan,
    Refusal,
    RequestFilter,
    ResponseFilter,
)
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
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


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Filtered(), observers=(finished.append,), reactor=reactor))
    made.mode = made.factory.mode
    yield made
    made.close()


@pytest.fixture
def failures():
    seen = []

    def observe(event):
        if "log_failure" in event:
            seen.append(event["log_failure"].type)

    globalLogPublisher.addObserver(observe)
    yield seen
    globalLogPublisher.removeObserver(observe)


def head_and_body(received):
    head, _, body = received.partition(b"\r\n\r\n")
    return head.split(b"\r\n"), body


# -- responses


def test_a_whole_body_that_changes_has_its_new_length(proxy):
    proxy.mode.responses = [Doubled()]
    client, _ = proxy.exchange(GET, OK)
    lines, body = head_and_body(client.received)
    assert body == b"hheelllloo!" and [line for line in lines if b"ength" in line] == [b"Content-Length: 11"]


@pytest.mark.parametrize("pieces", [[OK[:-2], OK[-2:]], [CHUNKED + b"5\r\nhello\r\n", b"0\r\nX: y\r\n\r\n"]])
def test_one_that_comes_by_and_by_is_sent_in_chunks(proxy, pieces):
    proxy.mode.responses = [Doubled()]
    client, upstream = proxy.exchange(GET, pieces[0])
    upstream.send(pieces[1])
    lines, body = head_and_body(client.received)
    assert b"Transfer-Encoding: chunked" in lines and not any(line.startswith(b"Content-Length") for line in lines)
    # chunks of any size
    said = b"".join(line for line in body.split(b"\r\n")[1::2])
    assert said.startswith(b"hheelllloo!") and (b"X: y" in body) is pieces[1].startswith(b"0")


@pytest.mark.parametrize("end", ["length", "chunked", "close"])
def test_an_old_client_gets_it_until_the_connection_ends(proxy, end):
    proxy.mode.responses = [Doubled()]
    client, upstream = proxy.exchange(b"GET /x HTTP/1.0\r\nHost: a\r\n\r\n", CHUNKED + b"5\r\nhello\r\n")
    upstream.send(b"0\r\n\r\n")
    proxy.advance(0)
    lines, body = head_and_body(client.received)
    assert body == b"hheelllloo!" and client.closed and not client.reset
    assert not any(line.startswith((b"Transfer-Encoding", b"Content-Length")) for line in lines)


@pytest.mark.parametrize(
    ("request_", "response"), [(HEAD, OK[:-5]), (GET, b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n")]
)
def test_what_has_no_body_does_not_say_how_long_it_would_have_been(proxy, request_, response):
    proxy.mode.responses = [Doubled()]
    client, _ = proxy.exchange(request_, response)
    lines, body = head_and_body(client.received)
    assert not body and not any(b"ength" in line or b"ncoding" in line for line in lines)
    client.take()
    proxy.mode.responses = []
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


@pytest.mark.parametrize("pieces", [[OK], [OK[:-2], OK[-2:]]])
def test_who_only_looks_at_a_body_leaves_its_length(proxy, pieces):
    seen = Counted()
    proxy.mode.responses = [seen]
    client, upstream = proxy.exchange(GET, pieces[0])
    for piece in pieces[1:]:
        upstream.send(piece)
    assert sorted(client.received.split(b"\r\n")) == sorted(OK.split(b"\r\n")) and seen.seen == b"hello"


def test_each_sees_what_those_within_have_made_of_it(proxy):
    log = []
    outer = Counted()
    proxy.mode.responses = [outer, Doubled(b"1", log), Doubled(b"2", log)]
    client, _ = proxy.exchange(GET, OK)
    assert head_and_body(client.received)[1] == outer.seen == b"hhhheeeelllllllloooo221"
    assert [entry[:2] for entry in log] == [("head", b"2"), ("head", b"1"), ("closed", b"2"), ("closed", b"1")]


def test_whether_it_wants_the_body_it_may_say_when_it_knows_the_head(proxy):
    class Particular(Doubled):
        wants_body = False

        def head(self, response, context):
            self.wants_body = b"x-double" in response.headers.index
            return response

    proxy.mode.responses = [Particular()]
    client, _ = proxy.exchange(GET, OK)
    assert client.take() == OK
    client.send(GET)
    proxy.upstream.send(OK.replace(b"Date", b"X-Double: y\r\nDate"))
    assert client.received.endswith(b"\r\n\r\nhheelllloo!")


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


@pytest.mark.parametrize("answer", [Answer(203, (b"X: y",), b"mine"), Refusal(503, "", "no"), RequestDenied("no")])
@pytest.mark.parametrize("whole", [True, False])
def test_it_may_answer_in_place_of_the_upstream(proxy, finished, answer, whole):
    log = []
    proxy.mode.responses = [Doubled(b"!", log), Says(answer)]
    client, upstream = proxy.exchange(GET, OK if whole else OK[:-1])
    status, own = (answer.status, isinstance(answer, Answer))
    assert client.received.startswith(b"HTTP/1.1 %d " % status) and upstream.reset is not whole
    # What is not for refusals is for answers all the same.
    assert client.received.endswith(b"mmiinnee!") is own and (("head", b"!", False) in log) is own
    assert finished[0].outcome == ("answered" if own else "refused" if isinstance(answer, Refusal) else answer.error)
    client.take()
    proxy.mode.responses = []
    client.send(GET)
    proxy.upstream.send(OK)
    assert client.received == OK


@pytest.mark.parametrize("fault", [RequestDenied("no"), ZeroDivisionError()])
@pytest.mark.parametrize("when", ["head", "body", "end"])
@pytest.mark.parametrize("whole", [True, False])
def test_one_that_fails_ends_the_response_so_that_the_client_can_tell(proxy, finished, failures, fault, when, whole):
    proxy.mode.responses = [Says(fault, when)]
    client, upstream = proxy.exchange(GET, OK if whole else CHUNKED + b"5\r\nhello\r\n")
    if not whole:
        upstream.send(b"0\r\n\r\n")
    proxy.advance(0)
    status = b"403" if isinstance(fault, RequestDenied) else b"500"
    if whole or when == "head":
        assert client.received.startswith(b"HTTP/1.1 " + status) and not client.closed
    else:
        assert client.received.startswith(b"HTTP/1.1 200") and not client.received.endswith(b"0\r\n\r\n")
        assert client.closed
    assert finished[0].outcome not in ("", "ok") and len(finished) == 1
    assert failures == ([] if isinstance(fault, RequestDenied) else [ZeroDivisionError])


def test_a_bound_on_the_speed_holds_for_what_comes_out_of_it(proxy):
    class Slow:
        left = 3

        def up(self, more):
            return self

        def down(self, more):
            self.more = more
            return self

        def take(self, size):
            passed = min(size, self.left)
            self.left -= passed
            return passed

        def close(self):
            pass

    slow = Slow()
    proxy.mode.bounds = Bounds(shaper=slow)
    proxy.mode.responses = [Doubled()]
    client, _ = proxy.exchange(GET, OK)
    assert head_and_body(client.received)[1] == b"hhe"
    slow.left = 100
    slow.more()
    assert head_and_body(client.received)[1] == b"hheelllloo!" and b"Content-Length: 11" in client.received


# -- what the proxy says itself


class Marked(ResponseFilter):
    """Adds a field, also to refusals."""

    refusals = True

    def head(self, response, context):
        return response.with_lines([*response.headers.lines, b"X-Mark: %d" % (context.attempt is not None)])


@pytest.mark.parametrize(
    ("decision", "status", "doubled"),
    [
        (Answer(200, (), b"mine"), b"200", True),
        (Refusal(418, "", "no"), b"418", False),
        (RequestDenied("no"), b"403", False),
        (ZeroDivisionError(), b"500", False),
    ],
)
def test_answers_pass_all_and_refusals_those_that_are_for_them(proxy, decision, status, doubled):
    proxy.mode.decision = decision
    log = []
    proxy.mode.responses = [Marked(), Doubled(b"!", log)]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 " + status) and b"\r\nX-Mark: 0\r\n" in client.received
    assert client.received.endswith(b"mmiinnee!") is doubled and (("head", b"!", False) in log) is doubled
    assert log[-1] == ("closed", b"!")
    lines, body = head_and_body(client.received)
    assert [line for line in lines if line.startswith(b"Content-Length")] == [b"Content-Length: %d" % len(body)]


def test_what_cannot_be_reached_may_be_answered_otherwise(proxy, finished):
    class Stale(ResponseFilter):
        def failed(self, fault):
            return Answer(200, (b"Warning: 111",), b"old") if isinstance(fault, ConnectionRefused) else None

    proxy.mode.responses = [Marked(), Stale()]
    proxy.network.script = [ConnectionRefused("no")]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 200 ") and client.received.endswith(b"\r\n\r\nold")
    assert b"\r\nX-Mark: 0\r\n" in client.received and finished[0].outcome == "answered"


def test_a_filter_of_answers_that_fails_is_a_500_that_passes_no_other(proxy, failures):
    proxy.mode.decision = Answer(200, (), b"mine")
    proxy.mode.responses = [Doubled(), Says(ZeroDivisionError())]
    client = proxy.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500 ") and failures == [ZeroDivisionError]


# -- requests


@pytest.mark.parametrize("put", [PUT + b"hello", CHUNKED_PUT + b"5\r\nhello\r\n0\r\n\r\n"])
def test_a_body_that_changes_goes_to_the_upstream_in_chunks(proxy, put):
    proxy.mode.requests = [Upper()]
    proxy.exchange(put, OK)
    lines, body = head_and_body(proxy.upstream.received)
    assert body == b"5\r\nHELLO\r\n1\r\n!\r\n0\r\n\r\n"
    assert b"Transfer-Encoding: chunked" in lines and not any(line.startswith(b"Content-Length") for line in lines)


def test_who_only_looks_at_it_leaves_its_length(proxy):
    class Looks(RequestFilter):
        keeps_length = True

    proxy.mode.requests = [Looks()]
    proxy.exchange(PUT + b"hello", OK)
    assert proxy.upstream.received.endswith(b"Content-Length: 5\r\n\r\nhello")


@pytest.mark.parametrize("last", [b"2\r\nno\r\n", b"0\r\n\r\n"])
def test_it_may_refuse_the_request_in_the_middle(proxy, finished, last):
    class Ends(Upper):
        def end(self):
            return Refusal(422, "http_request_denied", "not that")

    one = Ends()
    proxy.mode.requests = [one]
    client = proxy.connect()
    client.send(CHUNKED_PUT + b"5\r\nhello\r\n")
    client.send(last)
    assert client.received.startswith(b"HTTP/1.1 422 ") and proxy.upstream.reset
    assert finished[0].outcome == "http_request_denied" and one.ends == 1


def test_one_that_fails_is_a_500(proxy, failures):
    class Fails(RequestFilter):
        def body(self, data):
            raise ZeroDivisionError

    proxy.mode.requests = [Fails()]
    client = proxy.connect()
    client.send(PUT + b"hello")
    assert client.received.startswith(b"HTTP/1.1 500 ") and proxy.upstream.reset
    assert failures == [ZeroDivisionError]


def test_each_byte_passes_once_whatever_is_tried(proxy):
    one = Upper()
    proxy.mode.requests = [one]
    proxy.mode.next_attempt = lambda plan, fault: plan.attempt
    proxy.network.script = [ConnectionRefused("no"), ConnectionRefused("no")]
    client = proxy.connect()
    client.send(PUT + b"hello")
    assert len(proxy.network.dialed) == 3
    assert proxy.upstream.received.endswith(b"\r\n\r\n5\r\nHELLO\r\n1\r\n!\r\n0\r\n\r\n")
    proxy.upstream.send(OK)
    assert client.received == OK and one.ends == 1


# -- each is closed once


@pytest.mark.parametrize("end", ["leaves", "refused", "cut", "tunnel", "late", "never"])
def test_whatever_becomes_of_the_request_a_filter_is_closed_once(proxy, end):
    log = []
    proxy.mode.responses = [Doubled(b"!", log)]
    one = Upper()
    proxy.mode.requests = [one]
    if end == "refused":
        proxy.network.script = [ConnectionRefused("no")]
    elif end == "late":
        # one that does not care for its being cancelled
        plan = Plan(Address("10.0.0.1", 80), None)
        proxy.mode.decision = Deferred(lambda late: late.callback(plan))
    elif end == "never":
        proxy.mode.decision = Deferred()
    client = proxy.connect()
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" if end == "tunnel" else GET)
    if end == "tunnel":
        assert ("closed", b"!") not in log and client.received.startswith(b"HTTP/1.1 200 ")
    elif end == "cut":
        proxy.upstream.send(CHUNKED + b"5\r\nhello\r\n")
        proxy.upstream.drop()
    client.drop()
    proxy.advance(0)
    assert log.count(("closed", b"!")) == one.ends == 1
