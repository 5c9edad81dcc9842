"""What could not be read as a request: answered and told of as an exchange would be."""

import re

import pytest

from txproxy import Limits
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import momentary
from txproxy.proxy.downstream.http1 import Http1Protocol
from txproxy.proxy.error_pages import ErrorPages, Page
from txproxy.proxy.exchanges.exchange import Exchange

ASKED = ("outcome", "detail", "status", "sent", "received", "attempts", "first_byte", "eventful", "plan", "tracker")
ASKED += ("standing", "attempt", "kept", "upstream_status")
UNREAD = [
    b"GET /slow?a=user:pass@b HTTP/1.1\r\nHost: a\r\n",
    b"GET http://user:pass@a/ HTTP/1.0\r\nHost: a\r\nA: b",
    b"GE",
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 200 + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\nHost: a\n\n",
    b"GET / HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\nPOST",
]


def by_exchange(self, fault, more_may_come, waited=0.0):
    """As it was answered by an exchange."""
    self._close_after = True
    self.exchange = exchange = Exchange(self.services, self, self.codec.unread_head(), RequestContext(self.connection))
    exchange.request_done = not more_may_come
    exchange.refuse_unread(fault, waited)


def seen_of(make, data, pages):
    """What the client gets, and what those hear who want to know."""
    heard = []

    @momentary
    def look(over):
        if over.outcome == "ok":
            return
        heard.append({name: getattr(over, name) for name in ASKED})
        heard[-1] |= {
            "seconds": round(over.seconds, 6),
            "head": re.sub(rb"Date: [^\r]*", b"", over.response.headers.block),
        }
        request, context = over.request, over.context
        heard[-1] |= {name: getattr(request, name) for name in ("method", "path", "minor")}
        heard[-1] |= {"ip": context.client_ip, "scheme": context.scheme, "rule": context.rule}

    records = []
    proxy = make(Limits(), observers=(look, records.append))
    proxy.factory.services.pages = pages
    client = proxy.connect()
    client.send(data)
    if proxy.network.dialed:
        proxy.upstream.send(
            b"HTTP/1.1 200 OK\r\nDate: D\r\nContent-Length: 2\r\n\r\n" + (b"" if data[0] == 0x48 else b"ok")
        )
    proxy.advance(22)
    assert client.ended
    proxy.advance(3)
    assert client.closed
    told = [(one.outcome, one.status, one.sent) for one in records]
    return re.sub(rb"Date: \w\w\w, [^\r]*", b"", client.received), heard, told


@pytest.mark.parametrize("pages", [None, ErrorPages({"4xx": Page(text="<p>$reason ($status)")})])
@pytest.mark.parametrize("data", UNREAD)
def test_it_is_answered_and_told_of_as_an_exchange_is(make, monkeypatch, data, pages):
    quick = seen_of(make, data, pages)
    monkeypatch.setattr(Http1Protocol, "refuse_unread", by_exchange)
    assert quick == seen_of(make, data, pages)
    received, heard, told = quick
    assert b" 4" in received and heard[-1]["status"] == told[-1][1] >= 400 and heard[-1]["sent"] > 0


def test_where_nobody_wants_to_know_nobody_is_told(make):
    proxy = make(Limits())
    client = proxy.connect()
    client.send(b"nonsense\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ")


def test_an_observer_that_fails_harms_nobody(make, failures):
    @momentary
    def fail(over):
        raise RuntimeError("no")

    proxy = make(Limits(), observers=(fail,))
    client = proxy.connect()
    client.send(b"nonsense\r\n\r\n")
    assert client.received.startswith(b"HTTP/1.1 400 ") and client.ended
    assert failures == [RuntimeError]
