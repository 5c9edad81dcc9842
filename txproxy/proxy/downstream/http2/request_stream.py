"""One request on a connection of HTTP/2, and its response."""

from __future__ import annotations

from typing import Any, Final

from txproxy.errors import ExchangeError, RequestError, ResponseError
from txproxy.instance_names import instance_names
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.streams import RawConnection
from txproxy.proxy.downstream.client_tunnel import exchanges_of
from txproxy.proxy.downstream.http2.asked_request import asked_request
from txproxy.proxy.downstream.http2.stalled_response import StalledResponse
from txproxy.proxy.downstream.http2.stream_body import StreamBody
from txproxy.proxy.downstream.http2.stream_tunnel import ONLY_TUNNELS, StreamTunnel
from txproxy.proxy.downstream.http2.unwanted_rest import MOST_REST, UnwantedRest
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.standing_exchange import begin_standing
from txproxy.proxy.grpc_call import GrpcCall
from txproxy.proxy.minimum_rate import SLOW_RESPONSE
from txproxy.proxy.upstream.connection_binding import authenticates_connection
from txproxy.wire.extended_connect import established, is_accepted
from txproxy.wire.forwarding import EXPLAIN
from txproxy.wire.grpc.calls import is_call
from txproxy.wire.headers import Headers
from txproxy.wire.http2.events import ALL_SENT, WRITABLE, StreamReset
from txproxy.wire.http2.faults import CANCEL, HTTP_1_1_REQUIRED, INTERNAL_ERROR
from txproxy.wire.http2.stream import Stream, StreamState
from txproxy.wire.message import RequestHead, ResponseHead

# So much of a response may wait for its windows before the upstream has to wait with the rest.
_MOST_WAITING: Final = 65536
_WE_ENDED: Final = StreamState.WE_ENDED
_CLOSED: Final = StreamState.CLOSED
# For logs, of what cannot be read as a request.
UNREAD: Final = RequestHead(b"", b"", Headers.parsed([]), minor=2)
# The same of a call of gRPC, which is answered in the form of that.
_UNREAD_CALL: Final = RequestHead(b"", b"", Headers.parsed([b"content-type: application/grpc"]), minor=2)
_NO_TUNNEL: Final = ResponseHead(502, Headers([(b"Content-Length", b"0")]))


@instance_names(
    "id", "state", "receive_window", "send_window", "client", "plain", "method", "protocol", "exchange", "headed",
    "expected", "received", "unconsumed", "consumed", "pending", "waiting", "ending", "urgency", "incremental",
    "counted", "errand", "body", "tunnel", "stalled", "rest",
)  # fmt: skip
class RequestStream(Stream):
    """A stream as its connection has it, which is its exchange's downstream
    (:class:`txproxy.interfaces.streams.ClientStream`) as well: there is one object for each request.
    """

    errand = ""
    # whether it has no body, and a response passes as it is
    plain = False
    # the connection: txproxy.proxy.downstream.http2.http2_connection.Http2Protocol
    client: Any = None
    exchange: Exchange | None = None
    # of the request, if it has one
    body: StreamBody | None = None
    # in place of it, where a tunnel is asked for
    tunnel: StreamTunnel | None = None
    # what waits for the client to take it, if anything does
    stalled: StalledResponse | None = None
    # of the request, where the response is complete before it
    rest: UnwantedRest | None = None

    @property
    def connection(self) -> ClientConnection:
        """Its client's, for who knows no more than the stream."""
        connection: ClientConnection = self.client.connection
        return connection

    # -- what the connection tells

    def begin(self, head: RequestHead) -> None:
        """The first that has come."""
        client = self.client
        if head.body or head.headers is not client.plain_fields:
            self._ask(head)
            return
        # The same in fewer steps: all but the path was asked in these very fields, and is known to be nothing special.
        self.plain = True
        head.scheme = None
        factory = client.factory
        if factory.handle is factory.standing_for and begin_standing(self, client.services, client.connection, head):
            return
        self.begin_plainly(head)

    def begin_plainly(self, head: RequestHead) -> None:
        """The same of one that is known to be nothing special, and for which no plan stands."""
        client = self.client
        self.exchange = exchange = Exchange(client.services, self, head, RequestContext(client.connection))
        exchange.start(client.factory.handle)

    def _ask(self, head: RequestHead) -> None:
        client = self.client
        fields = head.headers
        index = fields.index
        if b"authorization" in index and authenticates_connection(index[b"authorization"]):
            # Such a login is one of a connection: in HTTP/1 the client has one of its own.
            client.session.reset(self, HTTP_1_1_REQUIRED)
            self.leave()
            return
        factory, connection = client.factory, client.connection
        try:
            head = asked_request(head, self.protocol, connection, factory.proxied)
        except RequestError as fault:
            self.refuse(fault, head)
            return
        context = RequestContext(connection)
        explained = EXPLAIN in index
        if explained:
            context.stream = self.id
        if self.method == b"CONNECT":
            self.tunnel = StreamTunnel(self)
            context.filter_responses(ONLY_TUNNELS)
        elif head.body:
            self.body = StreamBody(self)
        else:
            self.plain = self.method != b"HEAD"
            if self.method == b"GET" and head.scheme is None and not factory.proxied and b"content-type" not in index:
                client.plain_fields = None if fields.once or explained else fields
        self.exchange = exchange = Exchange(client.services, self, head, context)
        if b"content-type" in index and is_call(index[b"content-type"]):
            exchange.call = GrpcCall(exchange, index.get(b"grpc-timeout"))
            if b"priority" not in index:
                # Its messages are of use one by one, and such clients say nothing of that (RFC 9218 section 10).
                self.incremental = True
        exchange.start(factory.handle)

    def refuse(self, fault: RequestError, head: RequestHead) -> None:
        """Answer what cannot be read, or served, as a request."""
        client = self.client
        if head is UNREAD and is_call(fault.content_type):
            head = _UNREAD_CALL
        self.exchange = exchange = Exchange(client.services, self, head, RequestContext(client.connection))
        exchange.refuse_unread(fault)

    def came(self, what: Any) -> None:
        """More of the request, or what has become of the stream."""
        if what is WRITABLE:
            self._resume()
        elif what is ALL_SENT:
            # Of a tunnel that stands, one direction may have ended.
            if self.tunnel is None or (self.exchange is None and self.tunnel.tunnel is None):
                self.leave()
        elif type(what) is StreamReset:
            self._reset(what)
        elif isinstance(what, ExchangeError):
            exchange = self.exchange
            if exchange is not None:
                exchange.request_failed(what)
        elif self.rest is not None:
            self.rest.came(what)
        elif self.body is not None:
            self.body.came(what)
        elif self.tunnel is not None:
            self.tunnel.came(what)
        elif type(what) is bytes:
            # Nobody wants it.
            self.client.session.consume(self, len(what))

    def _reset(self, reset: StreamReset) -> None:
        if not reset.by_peer:
            self.client.say_fault(reset.detail)
        exchange, self.exchange = self.exchange, None
        if exchange is not None:
            if reset.by_peer:
                exchange.client_gone()
            else:
                exchange.request_failed(RequestError(reset.detail))
        self.leave()

    def lost(self, outcome: str = "") -> None:
        """The connection is gone, or is given up on: ``slow-response``, for its client does not take what waits."""
        exchange, self.exchange = self.exchange, None
        if exchange is not None and outcome:
            exchange.client_gone(outcome, "the client took its response too slowly")
        elif exchange is not None:
            exchange.client_gone()
        self._forget()

    def leave(self) -> None:
        """All is over: it counts no more, when the rest of the request, if there is one, is not waited for either."""
        comes = self.receive_window > 0 and self.expected <= MOST_REST
        if self.state is _WE_ENDED and self.rest is None and self.tunnel is None and comes:
            self._forget()
            self.rest = UnwantedRest(self)
            return
        if self.state is _WE_ENDED:
            # The client is told that the rest of its request is not wanted. Where that comes in one record with the
            # response, curl before 8 takes it for an error, and has no response; nginx writes it apart as well.
            self.client.write_part()
        self._forget()
        self.client.left(self)

    def _forget(self) -> None:
        # What has ended leaves no circle, which would wait for the collector.
        if self.rest is not None:
            self.rest.forget()
            self.rest = None
        if self.body is not None:
            self.body.forget()
            self.body = None
        if self.tunnel is not None:
            self.tunnel.lost()
            self.tunnel = None
        self._go_on()

    def exchanges(self) -> list[Exchange]:
        """What is at work on it, or has become a tunnel: one, if any."""
        return exchanges_of(self.exchange, self.tunnel.tunnel if self.tunnel is not None else None)

    # -- the request

    def request_wanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if self.body is not None:
            self.body.wanted()

    def request_unwanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if self.body is not None:
            self.body.unwanted()

    # -- the response

    def _is_bodiless(self, response: ResponseHead) -> bool:
        status = response.status
        return not response.body or self.method == b"HEAD" or status == 204 or status == 304

    def send_informational(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.client.session.send_head(self, response)
        self.client.want_out()

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.client.session.send_head(self, response, self._is_bodiless(response))

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        client = self.client
        if not self.plain and self.method == b"HEAD":
            body = b""
        client.session.send_whole(self, response, body)
        if not client.output.wanted:
            client.want_out()

    def send_body(self, data: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.client.session.send_body(self, data)
        if self.waiting > _MOST_WAITING:
            if self.stalled is None:
                self.wait_for_windows()
                if self.exchange is not None:
                    self.exchange.pause_response()
        elif not self.waiting and self.stalled is not None:
            self._resume()

    def sink(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        return None

    def sending_socket(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        return None

    def passed(self, size: int) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""

    def send_end(self, trailers: Headers) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        client = self.client
        if trailers.lines:
            client.session.send_trailers(self, trailers)
        else:
            client.session.send_end(self)
        client.want_out()

    def flush(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.client.want_out()

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.send_head(response)
        return not self._is_bodiless(response)

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if self._is_bodiless(response):
            body = b""
        self.send_whole(response, body)
        return len(body)

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.exchange = None
        if self.state is not _CLOSED:
            # RFC 9113 5.1: else all was said, as to HEAD, and nothing is to come after that.
            self.client.session.reset(self, INTERNAL_ERROR)
        self.leave()
        self.client.want_out()

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange, self.exchange = self.exchange, None
        client, tunnel = self.client, self.tunnel
        assert exchange is not None and tunnel is not None
        if response is not None and not is_accepted(exchange.request, response):
            upstream.close()
            exchange.status, exchange.response = _NO_TUNNEL.status, _NO_TUNNEL
            exchange.tunnel_refused(ResponseError("another key was accepted than was sent"))
            client.session.send_whole(self, _NO_TUNNEL, b"")
            self.leave()
        else:
            client.session.send_head(self, established(response))
            tunnel.begin(exchange, upstream, asked_for=response is None)
        client.want_out()

    def exchange_done(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.exchange = None
        if self.plain and self.state is _CLOSED:
            # All has gone both ways, and leaves at the end of the turn: the same as below in fewer steps.
            session = self.client.session
            session.leave(self)
            if not session.active:
                self.client.rest()
        elif self.may_send and self.ending is not None:
            # Its end waits for a window: only what has gone out is over.
            self.wait_for_windows()
        else:
            self.leave()
            self.client.want_out()

    def hold_connections(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`. A login by connection would be that of all who have
        streams on this one.
        """
        return None

    # -- a client that is slow to take it

    def wait_for_windows(self) -> None:
        """What there is waits for the client to take it."""
        if self.stalled is None:
            self.plain = False
            self.stalled = StalledResponse(self)

    def _go_on(self) -> None:
        stalled, self.stalled = self.stalled, None
        if stalled is not None:
            stalled.forget()

    def _resume(self) -> None:
        if self.tunnel is not None:
            self.tunnel.writable()
        if self.stalled is not None:
            self._go_on()
            if self.exchange is not None:
                self.exchange.resume_response()

    def stalled_for_long(self) -> None:
        """The client does not take it."""
        if self.state is not _CLOSED:
            client = self.client
            client.session.reset(self, CANCEL)
            self.lost(SLOW_RESPONSE)
            client.left(self)
            client.want_out()
