"""One request to an upstream that speaks HTTP/2, and the response to it: a stream of a connection that others share."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final, cast

from txproxy.errors import ExchangeError, ResponseTimeout
from txproxy.instance_names import instance_names
from txproxy.net.deadlines import NEVER
from txproxy.proxy.exchanges.responses.own_answers import reason_of
from txproxy.wire.extended_connect import is_websocket
from txproxy.wire.headers import Headers
from txproxy.wire.http2.field_blocks.response_heads import ResponseFields
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import END, EndOfMessage, RequestHead, ResponseHead, SharedHead

# RFC 9110 8.6: these have no Content-Length of their own.
_WITHOUT_LENGTH: Final = (204, 304)
# So much of a body is held until the end of the turn, as what is read at once.
_MOST_HELD: Final = 65536
# So short a body is kept once it has gone, until the response comes.
_MOST_KEPT: Final = 16384
_reason: Final = lru_cache(maxsize=1024)(reason_of)


class WithLength:
    """The fields of responses that did not say how long they are, with their length. Who is asked the same again
    answers the same.
    """

    __slots__ = ("_headers", "_size", "_longer")

    def __init__(self) -> None:
        self._headers = self._longer = Headers()
        self._size = -1

    def of(self, headers: Headers, size: int) -> Headers:
        """``headers`` of a response of this ``size``."""
        if self._headers is not headers or self._size != size:
            self._headers, self._size = headers, size
            self._longer = Headers.parsed([*headers.lines, b"content-length: %d" % size])
        return self._longer

    def shared_head(self, fields: ResponseFields, size: int) -> SharedHead:
        """The head of all responses of these ``fields`` and this ``size``."""
        headers = fields.headers if fields.length >= 0 else self.of(fields.headers, size)
        return SharedHead(fields.status, headers, _reason(fields.status), size)


@instance_names(
    "id", "state", "receive_window", "send_window", "method", "headed", "expected", "received", "unconsumed",
    "consumed", "pending", "waiting", "ending", "counted", "connection", "reused", "_limit", "exchange", "placed",
    "open", "deadline", "received_any", "request_sent", "_paused", "_withheld", "_full", "_held", "_given", "_kept",
)  # fmt: skip
class Http2Stream(Stream):
    """See :class:`txproxy.interfaces.streams.UpstreamStream`: a stream of the session's as its ``connection`` has it,
    so that there is one object for each request. What is not begun yet has a place there (``placed``), and no number;
    it is ``open`` from then on until all is over.
    """

    # Most end with the values that stand here: they cost nothing.
    id = 0
    # Bodies of several clients that wait for one connection take turns: none is to be late for another's.
    incremental = True
    placed = True
    open = False
    exchange: Any = None
    deadline = NEVER
    received_any = False
    request_sent = False
    # whether the client is slow, and how much has come since that the upstream is not yet told to be gone
    _paused = False
    _withheld = 0
    # whether more of the request waits for the upstream
    _full = False
    # what the session does not have yet of a body of which nothing has gone out; None where there is none, or it has
    _held: list[bytes | EndOfMessage] | None = None
    # how much was given of a body; less than 0 where there is none
    _given = -1
    # a short one that has gone, all of it, for the upstream may say that it has not looked at it
    _kept: list[bytes | EndOfMessage] | None = None

    # Number and windows are the session's to give it, once it begins.
    def __init__(self, connection: Any, reused: bool) -> None:
        self.connection = connection
        self.reused = reused

    @property
    def transport(self) -> Any:
        """That of the connection."""
        return self.connection.transport

    @property
    def facts(self) -> Any:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        return self.connection.facts

    @facts.setter
    def facts(self, facts: Any) -> None:
        """They are found out."""
        self.connection.facts = facts

    @property
    def shared(self) -> bool:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        shared: bool = self.connection.shared
        return shared

    # -- what the exchange calls

    def unread(self) -> object:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        return self.connection.has_gone()

    def begin(self, exchange: Any, head: RequestHead, seconds: float | None = None) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        self.exchange = exchange
        connection = self.connection
        limit = connection.services.response_limit if seconds is None else connection.services.limit_of(seconds)
        self._limit = limit
        if not head.body and connection.session.send_again(self, head, connection.scheme):
            # It was seen with one before, in the same fields, that it is no other kind of request.
            self.request_sent = True
            self.deadline = limit.ahead
            connection.begun(self)
            connection.flush()
        elif b"upgrade" in exchange.request.headers.index and is_websocket(head):
            connection.change(self, exchange, head)
        elif head.body:
            self._held = []
            self._given = 0
            connection.begin(self, head, ended=False)
        else:
            self.request_sent = True
            self.deadline = limit.ahead
            connection.begin(self, head, True)
            connection.flush()

    def send_body(self, data: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        self._given += len(data)
        if self._held is not None:
            self._hold(self._held, data)
            if self._given <= _MOST_HELD:
                return
            # Who brings all that he has in one turn is to wait for the window.
            self.let_go()
        else:
            self.connection.session.send_body(self, data)
            self._wait_if_full()
        if self._full:
            # Who was to say that no more is at hand does not, as no more is wanted.
            self.connection.flush()

    def _wait_if_full(self) -> None:
        if self.waiting and not self._full:
            self._full = True
            self.deadline = self._limit.ahead
            self.exchange.pause_request()

    def _hold(self, held: list[bytes | EndOfMessage], part: bytes | EndOfMessage) -> None:
        if not held:
            self.connection.output.hold(self)
        held.append(part)

    def let_go(self) -> None:
        """What is held of the body goes out, as far as windows let it."""
        held, self._held = self._held, None
        if not held or not self.open:
            return
        if self.request_sent and self._given <= _MOST_KEPT:
            self._kept = held
        session = self.connection.session
        for part in held:
            if type(part) is EndOfMessage:
                self._end(part.trailers)
            else:
                session.send_body(self, cast("bytes", part))
        self._wait_if_full()

    def unsent_body(self, unseen: bool) -> list[bytes | EndOfMessage] | None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        held, self._held = self._held, None
        if held is None and unseen:
            held, self._kept = self._kept, None
        if held is not None or self._given < 0:
            return held
        if sum([len(part) for part in self.unsent]) != self._given:
            return None
        # All of it waited for a window, or for the end of the turn.
        unsent: list[bytes | EndOfMessage] = [bytes(part) for part in self.unsent]
        return [*unsent, END] if self.request_sent else unsent

    def send_end(self, trailers: Headers) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        if self._held is not None:
            self._hold(self._held, EndOfMessage(trailers))
        else:
            self._end(trailers)
        self.request_sent = True
        self.deadline = self._limit.ahead
        self.connection.flush()

    def _end(self, trailers: Headers) -> None:
        session = self.connection.session
        if trailers.lines:
            session.send_trailers(self, trailers)
        else:
            session.send_end(self)

    def flush(self) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        self.connection.flush()

    def pause_response(self) -> None:
        """The client is slow, which is not the upstream's fault: it may send what its window lets it, and no more."""
        self._paused = True
        self.deadline = NEVER

    def resume_response(self) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        if not self.open or not self._paused:
            return
        self._paused = False
        self.deadline = self._limit.ahead
        size, self._withheld = self._withheld, 0
        if size:
            self.connection.session.consume(self, size)
            self.connection.flush()

    def belong_to(self, connections: Any) -> None:
        """See :class:`txproxy.interfaces.streams.UpstreamStream`."""
        self.connection.belong_to(connections)

    def become_tunnel(self, end: Any) -> bytes:
        """RFC 9113 section 8.6: nothing changes protocols here, so that nobody asks for it."""
        raise AssertionError("a stream of HTTP/2 changes no protocols")

    def close(self) -> None:
        """See :class:`txproxy.interfaces.streams.RawConnection`: the upstream is told at once."""
        self.exchange = None
        self.connection.cancel(self)

    # -- what the connection calls

    def came_head(self, head: ResponseHead) -> None:
        """A head has come, informational or not."""
        self._heard()
        if self._kept is not None:
            self._kept = None
        # HTTP/2 has no words for it, and clients of HTTP/1 may look for some.
        head.reason = _reason(head.status)
        self.exchange.response_head(head)

    def came_body(self, data: bytes) -> None:
        """Part of the response's body."""
        self._heard()
        self.exchange.response_body(data)
        if self._paused:
            self._withheld += len(data)
        else:
            self.connection.session.consume(self, len(data))

    def came_end(self, trailers: Headers) -> None:
        """The response is complete."""
        exchange, self.exchange = self.exchange, None
        self.connection.left(self)
        exchange.response_end(trailers)

    def came_whole(self, head: ResponseHead, body: bytes) -> None:
        """All of a response at once."""
        exchange, self.exchange = self.exchange, None
        self.connection.left(self)
        head.reason = _reason(head.status)
        headers = head.headers
        if b"content-length" not in headers.index and self.method != b"HEAD" and head.status not in _WITHOUT_LENGTH:
            head.headers = self.connection.with_length.of(headers, len(body))
            head.body = len(body)
        exchange.response_whole(head, body)

    def writable(self) -> None:
        """What waited of the request has gone out."""
        self._full = False
        if not self.request_sent:
            self.deadline = NEVER
        self.exchange.resume_request()

    def ends_with(self, code: int) -> bool:
        """Whether a reset by this ``code`` is but the end of what has come as it should."""
        return False

    def failed(self, fault: ExchangeError) -> None:
        """The response will not be complete."""
        exchange = self.exchange
        self.close()
        if exchange is not None:
            exchange.upstream_failed(fault)

    def late(self) -> None:
        """Its deadline is over."""
        self.deadline = NEVER
        # Else it is the client's turn, to take the response or to send the rest of its request.
        if not self._paused and (self.request_sent or self._full):
            self.failed(ResponseTimeout(f"{self.connection.address} did not answer in time"))

    def _heard(self) -> None:
        self.received_any = True
        if not self._paused:
            self.deadline = self._limit.ahead


@instance_names(
    "id", "state", "headed", "receive_window", "send_window", "method", "connection", "exchange", "open", "deadline",
    "expected", "received", "unconsumed", "consumed", "counted", "received_any", "_paused", "_withheld",
)  # fmt: skip
class StartedStream(Http2Stream):
    """One that was not there before its request, which is sent whole, among others on its connection."""

    placed = False
    reused = True
    request_sent = True
    # It is made bare. What is asked for with each response is the instance's own, as that is found sooner.
    __init__ = object.__init__

    @property
    def _limit(self) -> Any:
        return self.connection.services.response_limit
