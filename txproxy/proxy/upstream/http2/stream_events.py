"""What has come of the bytes of an upstream that speaks HTTP/2, and what it means to the requests there."""

from __future__ import annotations

from typing import Any

from txproxy.errors import (
    ConnectionFull,
    ExchangeError,
    RequestUnseen,
    ResponseError,
    ResponseIncomplete,
    UpstreamClosed,
)
from txproxy.proxy.upstream.http2.http2_stream import Http2Stream, WithLength
from txproxy.wire.http2.client import Alike
from txproxy.wire.http2.events import WRITABLE, Event, StreamReset
from txproxy.wire.http2.faults import HTTP_1_1_REQUIRED, REFUSED_STREAM
from txproxy.wire.message import EndOfMessage, ResponseHead


def deliver_alike(answered: list[Alike], with_length: WithLength) -> None:
    """Tell streams of responses that have come whole, as those of the session that it has left."""
    for fields, alike in answered:
        size = len(alike[0][1])
        head = fields.made
        if head is None or head.body != size:
            head = fields.made = with_length.shared_head(fields, size)
        while len(alike) > 1 and alike[0][0].open and alike[0][0].exchange.in_runs:
            alike = alike[alike[0][0].exchange.run_shared(head, alike) :]
        for one, body in alike:
            if one.open:
                one.open = False
                exchange, one.exchange = one.exchange, None
                exchange.response_shared(head, body)


def deliver(events: list[Event]) -> None:
    """Tell each stream what has come on it. A response that has come whole goes on as one."""
    one: Any
    count, index = len(events), 0
    touched: dict[Http2Stream, None] = {}
    while index < count:
        one, what = events[index]
        index += 1
        kind = type(what)
        if one is None or not one.open:
            # It is over, or this is about the connection.
            continue
        if kind is bytes:
            one.came_body(what)
            touched[one] = None
        elif kind is ResponseHead:
            whole = _whole_at(events, index) if what.status >= 200 else None
            if whole is None:
                one.came_head(what)
                touched[one] = None
            else:
                body, index = whole
                one.came_whole(what, body)
        elif kind is EndOfMessage:
            one.came_end(what.trailers)
        elif what is WRITABLE:
            one.writable()
        elif kind is not StreamReset or not what.by_peer or not one.ends_with(what.code):
            one.failed(_fault_of(one, what))
    for one in touched:
        if one.exchange is not None:
            one.exchange.flush()


def _whole_at(events: list[Event], index: int) -> tuple[bytes, int] | None:
    """The body of the response whose head was before ``index``, and where its end is over, if all of it is there."""
    stream = events[index - 1][0]
    body = b""
    if index < len(events) and events[index][0] is stream and type(events[index][1]) is bytes:
        body = events[index][1]
        index += 1
    if index == len(events) or events[index][0] is not stream:
        return None
    end: Any = events[index][1]
    return (body, index + 1) if type(end) is EndOfMessage and not end.trailers.lines else None


def _fault_of(one: Http2Stream, what: Any) -> ExchangeError:
    """What a stream that was reset, or on which something malformed has come, is to the exchange."""
    connection = one.connection
    address = connection.address
    if not isinstance(what, StreamReset):
        assert isinstance(what, ExchangeError)
        return what.said_of(address)
    if not what.by_peer:
        return ResponseError(f"{address}: {what.detail}")
    if what.code == HTTP_1_1_REQUIRED and connection.services.shared_dials.needs_http1(address):
        return RequestUnseen(f"{address} wants to be asked in HTTP/1.1")
    if what.code != REFUSED_STREAM:
        return cut(one, f"{address} has reset the stream: {what.detail}")
    unseen = ConnectionFull if what.full else RequestUnseen
    return unseen(f"{address} has refused the request: {what.detail}")


def cut(one: Http2Stream, detail: str) -> ExchangeError:
    """The fault of a response that has not come, or not to its end."""
    begun = one.exchange is not None and one.exchange.response_begun
    return ResponseIncomplete(detail) if begun else UpstreamClosed(detail)


def fail_all(streams: list[Http2Stream], last: int, fault: ExchangeError | None) -> None:
    """Each of the ``streams`` of a connection has ended by a ``fault``, or since the connection has; of those after the
    ``last`` nothing has gone out.
    """
    for one in streams:
        address = one.connection.address
        if one.id > last or not one.open:
            one.failed(RequestUnseen(f"{address} closed the connection before it was asked"))
        else:
            one.failed(fault or cut(one, f"{address} closed the connection before the end of a response"))
