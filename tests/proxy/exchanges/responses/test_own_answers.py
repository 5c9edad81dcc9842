"""Clients are told why, in a sentence that tells nothing of the inside."""

import pytest
from zope.interface import implementer

from txproxy.errors import (
    ConnectionRefused,
    ConnectTimeout,
    DestinationProhibited,
    DnsError,
    ParentError,
    ParentRefused,
    RequestDenied,
    ResponseTimeout,
    TooManyLookUps,
    UpstreamClosed,
    UpstreamUnavailable,
)
from txproxy.forward.egress.approvals import TooManyQuestions
from txproxy.interfaces import Address, Answer, IMode, Plan, Refusal
from txproxy.proxy.error_pages import ErrorPages, Page
from txproxy.proxy.exchanges.responses.own_answers import _MOST_REPLIES, replied, reply
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.message import RequestHead


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (DnsError, "The name of the host cannot be resolved."),
        (TooManyLookUps, "Too many names are being looked up just now."),
        (TooManyQuestions, "Too many requests wait for somebody to allow them just now."),
        (ConnectionRefused, "The host refused the connection."),
        (ConnectTimeout, "The host did not take the connection in time."),
        (ResponseTimeout, "The host did not answer in time."),
        (UpstreamClosed, "The host closed the connection before it answered."),
        (UpstreamUnavailable, "No upstream is available."),
        (ParentError, "The proxy that this one goes through cannot be reached, or is not what it should be."),
        (ParentRefused, "The proxy that this one goes through did not lead on to the host."),
        (
            DestinationProhibited,
            "The host has an address that is private, or near this proxy; the option --allow-destination "
            "(allow_destinations in a file) opens it.",
        ),
        (RequestDenied, "This proxy does not allow the request."),
    ],
)
@pytest.mark.parametrize("html", [False, True])
def test_a_refusal_says_why(fault, sentence, html):
    _, body = reply(Refusal.of(fault("192.0.2.1:80 is s3cret")), b"me", html, b"D")
    text = body.decode()
    assert sentence in text and "192.0.2.1" not in text and "s3cret" not in text
    assert text.startswith("<!DOCTYPE html>") is html


@pytest.mark.parametrize(
    ("fault", "code"),
    [(RequestDenied, 7), (UpstreamUnavailable, 14), (ConnectTimeout, 14), (ResponseTimeout, 4), (DnsError, 14)],
)
def test_a_call_of_grpc_is_told_in_grpc(fault, code):
    head, body = reply(Refusal.of(fault("192.0.2.1:80 is s3cret")), b"me", False, b"D", grpc=True)
    lines = head.headers.lines
    assert (head.status, head.body, body) == (200, 0, b"") and b"Grpc-Status: %d" % code in lines
    assert not any(b"192.0.2.1" in line for line in lines)
    assert b"Proxy-Status: me; error=" + fault.error.encode() in lines


def test_lines_of_a_refusal_may_be_a_list():
    @implementer(IMode)
    class Refusing:
        def plan(self, request, context):
            return Refusal(429, lines=[b"Retry-After: 3"])

    proxy = ProxyInMemory(lambda reactor: ProxyFactory(Refusing(), reactor=reactor))
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 429 ") and b"\r\nRetry-After: 3\r\n" in client.received
    proxy.close()


def test_what_asks_a_caller_for_a_login_says_how():
    refusal = Refusal(401, lines=(b"WWW-Authenticate: Basic",))
    head, _ = reply(refusal, b"me", True, b"D", grpc=True)
    assert {b"WWW-Authenticate: Basic", b"Grpc-Status: 16", b"Grpc-Message: 401 Unauthorized"} <= {*head.headers.lines}


def as_sent(told):
    head, body = told
    return head.status, head.reason, head.body, head.headers.lines, body


@pytest.mark.parametrize("pages", [None, ErrorPages({"5xx": Page(text="<p>$reason ($status)")})])
def test_refusals_that_are_alike_come_to_what_each_of_them_would(make, monkeypatch, pages):
    services = make().factory.services
    services.pages = pages
    told = [
        Refusal.of(DnsError("one")),
        Refusal.of(DnsError("another")),
        Refusal(503, "destination_unavailable", "d", (b"Retry-After: 1",)),
        Refusal(503, "destination_unavailable", "d", (b"Retry-After: 2",)),
        Refusal(503, "destination_unavailable", sentence="It is closed."),
        Refusal(403, page=lambda html: (b"text/plain", b"no")),
        Answer(200, (), b"yes"),
    ]
    for now in (1_000_000_000.0, 1_000_000_001.0):
        monkeypatch.setattr("txproxy.proxy.services.time", lambda now=now: now)
        for _ in range(2):
            for one in told:
                for html in (False, True):
                    for grpc in (False, True):
                        date = services.http_date()
                        there = reply(one, services.name, html, date, pages, grpc)
                        assert as_sent(replied(services, one, html, grpc)) == as_sent(there)


def test_what_a_filter_makes_of_one_is_not_what_the_next_one_gets(make):
    services, refusal = make().factory.services, Refusal.of(DnsError("one"))
    first, _ = replied(services, refusal)
    first.headers, first.status, first.body = first.headers.and_lines([b"A: b"]), 200, 0
    second, body = replied(services, refusal)
    assert (second.status, second.body) == (502, len(body)) and b"A: b" not in second.headers.lines


def test_of_replies_only_so_many_are_kept(make):
    services = make().factory.services
    for number in range(3 * _MOST_REPLIES):
        replied(services, Refusal(429, lines=(b"Retry-After: %d" % number,)))
        assert len(services.replies) <= _MOST_REPLIES


GET = b"GET /x HTTP/1.1\r\nHost: a\r\n\r\n"


@implementer(IMode)
class Refusing:
    """Refuses ``/no`` with a page."""

    def plan(self, head, client):
        if head.path == b"/no":
            denied = RequestDenied("a secret detail")
            denied.page = lambda html: (b"text/html", b"<p>no") if html else (b"text/plain", b"no")
            raise denied
        return Plan(Address("a.example", 80), RequestHead(head.method, head.path, head.headers, body=head.body))


@pytest.fixture
def finished():
    return []


@pytest.fixture
def proxy(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Refusing(), observers=(finished.append,), reactor=reactor))
    yield made
    made.close()


@pytest.mark.parametrize(("accept", "kind", "body"), [(b"", b"plain", b"no"), (b"text/html", b"html", b"<p>no")])
def test_a_refusal_may_bring_its_own_page(proxy, accept, kind, body):
    client = proxy.connect()
    client.send(b"GET /no HTTP/1.1\r\nHost: a\r\nAccept: " + accept + b"\r\n\r\n")
    head, _, got = client.received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 403 ")
    assert b"\r\nContent-Type: text/" + kind + b"\r\n" in head
    assert b"\r\nProxy-Status: txproxy; error=http_request_denied" in head
    assert got == body


class Why:
    def __init__(self):
        self.told = {"reason": "it is <late>", "url": "http://a/"}

    def __call__(self, html):
        return b"text/plain", b"its own words"


@pytest.mark.parametrize(
    ("text", "html", "body"),
    [
        ("<p>$reason at $url", True, b"<p>it is &lt;late&gt; at http://a/"),
        ("<p>$reason at $url", False, b"its own words"),
        ("<p>no", True, b"its own words"),
    ],
)
def test_a_page_that_has_room_for_a_reason_says_that_of_policy(text, html, body):
    pages = ErrorPages({403: Page(text=text)})
    refusal = Refusal(403, "http_request_denied", page=Why())
    assert reply(refusal, b"me", html, b"D", pages)[1] == body


def test_a_page_that_has_room_for_a_reason_says_the_sentence_where_there_is_no_other():
    pages = ErrorPages({"5xx": Page(text="<p>$reason ($status)")})
    refusal = Refusal(504, "http_response_timeout")
    assert reply(refusal, b"me", False, b"D", pages)[1] == b"<p>The host did not answer in time. (504)"
