"""Records of exchanges and streams that have ended, for who writes lines of them."""

from twisted.internet.address import IPv4Address

from txproxy.interfaces.address import Address
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.record import AttemptRecord, ExchangeRecord
from txproxy.testing import context_of
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

NOW = 1764400000.1239  # 2025-11-29T07:06:40.123Z


class Transport:
    """One to this address."""

    def __init__(self, peer, host=None):
        self._peer, self._host = peer, host

    def getPeer(self):
        return self._peer

    def getHost(self):
        return self._host


class Connection:
    def __init__(self, peer):
        self.transport = Transport(peer)


def head(*lines, method=b"GET", path=b"/x", authority=b"a.example", **more):
    return RequestHead(method, path, Headers.from_lines(list(lines)), authority, **more)


def response(*lines, status=200, reason=b"OK"):
    return ResponseHead(status, Headers.from_lines(list(lines)), reason)


def attempt(host="10.0.0.1", *, peer=None, status=200, fault=None, began=0.001, connected=0.002, ended=0.01, **more):
    """One to a host at port 80, whose connection was to the address ``peer`` if that is given."""
    address = more.pop("address", None) or Address(host, 80)
    upstream = Connection(IPv4Address("TCP", peer, 80)) if peer is not None else None
    made = Attempt(address, None)
    return AttemptRecord(made, began, connected, ended, more.pop("reused", False), fault, status, upstream)


def record(request=None, *, outcome="ok", detail="", status=200, sent=5, received=0, attempts=(), **more):
    """An exchange of a client at 192.0.2.1; ``more`` is what its context has, and what else a record does."""
    first_byte, seconds = more.pop("first_byte", 0.009), more.pop("seconds", 0.0123)
    answer, stream = more.pop("response", None), more.pop("stream", None)
    context = context_of(more.pop("client", "192.0.2.1"), more.pop("scheme", "http"), **more)
    return ExchangeRecord(
        request or head(),
        context,
        outcome,
        detail,
        status,
        sent,
        received,
        tuple(attempts),
        first_byte,
        seconds,
        answer,
        stream,
    )


class Stream:
    """A raw stream of a client at 192.0.2.1."""

    client_ip = "192.0.2.1"

    def __init__(self, outcome="ok", upstream="10.0.0.1:5432", detail="", server_name=None):
        self.outcome, self.detail, self.upstream, self.server_name = outcome, detail, upstream, server_name
        self.sent, self.received, self.seconds = 7, 3, 1.5
        empty = head(method=b"", path=b"", authority=(server_name or "").encode())
        attempts = (attempt(peer="10.0.0.1", status=0),) if upstream else ()
        self.record = record(empty, outcome="tunnel", sent=7, received=3, attempts=attempts, seconds=1.5)
        self.context = self.record.context
