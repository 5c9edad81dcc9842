"""What the proxy says itself passes filters, and each of them is closed once."""

import pytest
from twisted.internet.defer import Deferred

from tests.proxy.exchanges.filtering import CHUNKED, GET, OK, Doubled, Says, Upper, head_and_body
from txproxy.errors import ConnectionRefused, RequestDenied
from txproxy.interfaces import Address, Answer, Plan, Refusal, RequestFilter, ResponseFilter


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
def test_answers_pass_all_and_refusals_those_that_are_for_them(filtered, decision, status, doubled):
    filtered.mode.decision = decision
    log = []
    filtered.mode.responses = [Marked(), Doubled(b"!", log)]
    client = filtered.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 " + status) and b"\r\nX-Mark: 0\r\n" in client.received
    assert client.received.endswith(b"mmiinnee!") is doubled and (("head", b"!", False) in log) is doubled
    assert log[-1] == ("closed", b"!")
    lines, body = head_and_body(client.received)
    assert [line for line in lines if line.startswith(b"Content-Length")] == [b"Content-Length: %d" % len(body)]


def test_what_cannot_be_reached_may_be_answered_otherwise(filtered, finished):
    class Stale(ResponseFilter):
        def failed(self, fault):
            return Answer(200, (b"Warning: 111",), b"old") if isinstance(fault, ConnectionRefused) else None

    filtered.mode.responses = [Marked(), Stale()]
    filtered.network.script = [ConnectionRefused("no")]
    client = filtered.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 200 ") and client.received.endswith(b"\r\n\r\nold")
    assert b"\r\nX-Mark: 0\r\n" in client.received and finished[0].outcome == "answered"


def test_a_filter_of_answers_that_fails_is_a_500_that_passes_no_other(filtered, failures):
    filtered.mode.decision = Answer(200, (), b"mine")
    filtered.mode.responses = [Doubled(), Says(ZeroDivisionError())]
    client = filtered.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500 ") and failures == [ZeroDivisionError]


# -- each is closed once


@pytest.mark.parametrize("end", ["leaves", "refused", "cut", "tunnel", "late", "never"])
def test_whatever_becomes_of_the_request_a_filter_is_closed_once(filtered, end):
    log = []
    filtered.mode.responses = [Doubled(b"!", log)]
    one = Upper()
    filtered.mode.requests = [one]
    if end == "refused":
        filtered.network.script = [ConnectionRefused("no")]
    elif end == "late":
        # one that does not care for its being cancelled
        plan = Plan(Address("10.0.0.1", 80), None)
        filtered.mode.decision = Deferred(lambda late: late.callback(plan))
    elif end == "never":
        filtered.mode.decision = Deferred()
    client = filtered.connect()
    client.send(b"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n" if end == "tunnel" else GET)
    if end == "tunnel":
        assert ("closed", b"!") not in log and client.received.startswith(b"HTTP/1.1 200 ")
    elif end == "cut":
        filtered.upstream.send(CHUNKED + b"5\r\nhello\r\n")
        filtered.upstream.drop()
    client.drop()
    filtered.advance(0)
    assert log.count(("closed", b"!")) == one.ends == 1


class FailsAtTheEnd(ResponseFilter):
    """Cannot be closed."""

    def closed(self):
        raise ZeroDivisionError


class RequestsFailAtTheEnd(RequestFilter):
    """Cannot either."""

    def closed(self):
        raise ZeroDivisionError


def test_one_that_cannot_be_closed_harms_nobody(filtered, finished, failures):
    log = []
    one = Upper()
    filtered.mode.responses = [Doubled(b"!", log), FailsAtTheEnd()]
    filtered.mode.requests = [RequestsFailAtTheEnd(), one]
    client = filtered.connect()
    for _ in range(2):
        client.send(GET)
        filtered.upstream.send(OK)
        assert client.take().endswith(b"hheelllloo!")
    assert failures == [ZeroDivisionError] * 4
    assert log.count(("closed", b"!")) == one.ends == 2 and len(finished) == 2


def test_one_that_fails_when_it_is_told_of_a_fault_is_a_500(filtered, finished, failures):
    class Fails(ResponseFilter):
        def failed(self, fault):
            raise ZeroDivisionError

    log = []
    filtered.mode.responses = [Doubled(b"!", log), Fails()]
    filtered.network.script = [ConnectionRefused("no")]
    client = filtered.connect()
    client.send(GET)
    assert client.received.startswith(b"HTTP/1.1 500 ") and failures == [ZeroDivisionError]
    assert log[-1] == ("closed", b"!") and len(finished) == 1


class Adding(Marked):
    """The same, and says that it does no more."""

    only_adds = True


@pytest.mark.parametrize("kind", [Marked, Adding])
@pytest.mark.parametrize("status", ["200 OK", "204 No Content", "304 Not Modified"])
@pytest.mark.parametrize(
    ("others", "body", "marks"),
    [
        ((), b"hello", (2, 0)),
        ((Doubled,), b"hheelllloo!", (2, 0)),
        ((Doubled, lambda: Says(Answer(200, (), b"mine"))), b"mmiinnee!", (0, 1)),
        ((lambda: Says(RequestDenied("no")),), b"403 Forbidden\n", (0, 2)),
    ],
    ids=["alone", "changed", "replaced", "refused"],
)
def test_what_only_adds_passes_as_all_others_do(filtered, kind, status, others, body, marks):
    filtered.mode.responses = [kind(), *(make() for make in others), kind()]
    client = filtered.connect()
    client.send(GET)
    length = b"Content-Length: 5\r\n\r\nhello" if status.startswith("200") else b"\r\n"
    filtered.upstream.send(b"HTTP/1.1 %b\r\nDate: D\r\n%b" % (status.encode(), length))
    lines, got = head_and_body(client.received)
    # Of the response, and of what is said in its place.
    assert (lines.count(b"X-Mark: 1"), lines.count(b"X-Mark: 0")) == marks
    assert got.startswith(body if status.startswith("200") or not marks[0] else b"")


@pytest.mark.parametrize("kind", [Marked, Adding])
@pytest.mark.parametrize(
    ("others", "status", "marked"),
    [((), b"200", True), ((ZeroDivisionError(),), b"500", False), ((RequestDenied("no"),), b"403", False)],
    ids=["adds", "fails", "refuses"],
)
def test_one_alone_that_only_adds_passes_as_all_others_do(filtered, finished, failures, kind, others, status, marked):
    class Alone(kind):
        """The same, which may fail."""

        def head(self, response, context):
            if others and context.attempt is not None:
                raise others[0]
            return super().head(response, context)

    filtered.mode.responses = [Alone()]
    client = filtered.connect()
    client.send(GET)
    filtered.upstream.send(OK)
    assert client.received.startswith(b"HTTP/1.1 " + status)
    assert (b"\r\nX-Mark: 1\r\n" in client.received, client.received.endswith(b"hello")) == (marked, marked)
    assert failures == [ZeroDivisionError] * (status == b"500") and len(finished) == 1
