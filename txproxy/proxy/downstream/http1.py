"""The protocol that clients talk to: one HTTP/1 connection, one exchange at a time.

What it has in common with those that speak something else is in :mod:`txproxy.proxy.downstream.base`. Here bytes
become requests, and responses bytes.
"""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, RequestError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.plain_transports import read_little
from txproxy.proxy.downstream.base import READ_AHEAD, ClientProtocol
from txproxy.proxy.downstream.body_wait import BodyWait, Late
from txproxy.proxy.downstream.client_states import ClientState
from txproxy.proxy.downstream.repeated_requests import RepeatedRequest, RepeatedRequests
from txproxy.proxy.downstream.serving import ServingFactory, follow
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.standing_exchange import begin_standing
from txproxy.proxy.exchanges.unread_request import answer_unread
from txproxy.proxy.minimum_rate import HeadRate, begin_head, late_head, slow_body, slow_head
from txproxy.wire.headers import Headers
from txproxy.wire.http1.server import ServerCodec
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead, SharedRequest

# How many requests that are answered at once a connection has of each turn of the reactor, before others have theirs.
_SHARE: Final = 8
_NO_FIELDS: Final = Headers()
_ESTABLISHED: Final = b"HTTP/1.1 200 Connection established\r\n\r\n"

# A look-up in an Enum class costs on each event.
_OPEN: Final = ClientState.OPEN


class Http1Protocol(ClientProtocol):
    """One client connection that speaks HTTP/1."""

    __slots__ = ("codec", "_out", "_close_after", "_pumping", "_next_turn", "_body_wait", "head_rate", "_repeated")

    codec: ServerCodec

    def __init__(self, factory: ServingFactory, connection: ClientConnection) -> None:
        super().__init__(factory, connection)
        self.codec = ServerCodec(factory.services.wire_limits)
        self._out: list[bytes] = []
        # the response that is under way is the last one
        self._close_after = self._pumping = False
        # goes on with what has come, after others had their turn
        self._next_turn: IDelayedCall | None = None
        self._body_wait: BodyWait | None = None  # how long the body that is waited for may take
        self.head_rate: HeadRate | None = None  # that of a head which has taken longer than most do
        self._repeated: RepeatedRequests | None = None  # answered again without an exchange

    # -- bytes in

    def dataReceived(self, data: bytes) -> None:
        """Bytes of requests, or of a tunnel."""
        if self.state is not _OPEN:
            if self.tunnel is not None:
                self.tunnel.dataReceived(data)
            return
        codec = self.codec
        if self.exchange is None:
            repeated = self._repeated
            if repeated is not None and (known := repeated.get(data)) is not None and self._answer_again(known):
                return
            if not (self._write_paused or self._reading_paused):
                if self._idle:
                    if codec.repeated and (same := codec.again(data)) is not None:
                        self._begin(same, data)
                        return
                elif codec.goes_on(data):
                    return
            codec.receive(data)
            # What has come before is not among these bytes.
            self._pump(data if self._idle else b"")
            if self.exchange is None and codec.buffered:
                # A head has begun, and is to be complete in time.
                begin_head(self, self._idle)
                self._idle = False
            if self._write_paused or self._next_turn is not None:
                self._hold_reading()
            return
        codec.receive(data)
        if self.exchange.wants_body:
            self._pump()
        self._hold_reading()

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        if self._next_turn is not None:
            self._next_turn.cancel()
            self._next_turn = None
        super().connectionLost(reason)

    def _has_more(self) -> bool:
        return self._write_paused or self._next_turn is not None

    # -- requests

    def _pump(self, data: bytes = b"") -> None:
        """Read what can be read now: the next head when no exchange runs, the body of one that wants it. ``data`` is
        all that there is, if all of it has come at once.
        """
        if self._pumping:
            return
        self._pumping = True
        codec = self.codec
        share = _SHARE
        try:
            while self.state is _OPEN:
                exchange = self.exchange
                if exchange is None:
                    if self._write_paused:
                        # Who does not take the responses to its requests gets no more of them.
                        break
                elif not exchange.wants_body:
                    break
                event: Any = codec.next_event()
                if event is None:
                    if exchange is not None:
                        self._await_body(exchange)
                    break
                if type(event) is bytes:
                    assert exchange is not None
                    exchange.request_body(event)
                elif type(event) is EndOfMessage:
                    assert exchange is not None
                    self._body_wait = None
                    self.deadline = NEVER if not self._write_paused else self.services.idle_limit.ahead
                    exchange.request_end(event.trailers)
                else:
                    if not event.body:
                        codec.skip_end()
                    self._begin(event, data)
                    data = b""
                    if self.exchange is None and codec.buffered:
                        # Answered already. What a client that takes nothing has asked for is not to be gathered.
                        self.services.turn_writes.flush()
                        share -= 1
                        if not share:
                            self._go_on_later()
                            break
        except RequestError as fault:
            self._request_fault(fault)
        finally:
            self._pumping = False
        if self._reading_paused and codec.buffered < READ_AHEAD and self.state is _OPEN:
            self._reading_paused = False
            self.transport.resumeProducing()

    def _go_on_later(self) -> None:
        """Go on when all others have had their turn."""
        if self.state is _OPEN and self.codec.buffered and self._next_turn is None:
            self._next_turn = self.services.reactor.callLater(0, self._go_on)

    def _go_on(self) -> None:
        self._next_turn = None
        if self.state is _OPEN and self.exchange is None and not self._write_paused:
            self._next_request()

    def _begin(self, head: RequestHead, data: bytes) -> None:
        services, factory, client = self.services, self.factory, self.connection
        ends = services.gone_limit.ahead if self.client_ended else NEVER
        self.deadline = services.idle_limit.ahead if head.body else ends
        self._close_after = not head.keep_alive or factory.draining or (self._age is not None and self._age.over)
        if factory.handle is factory.standing_for and not head.body and begin_standing(self, services, client, head):
            return
        if type(head) is SharedRequest:
            head = head.alone()
        context = RequestContext(client)
        self.exchange = exchange = Exchange(services, self, head, context)
        exchange.start(factory.handle)
        if context.again is not None and data:
            self._remember(data, exchange)

    def _remember(self, data: bytes, exchange: Exchange) -> None:
        if self.exchange is None and not self.codec.buffered and self.state is _OPEN and self.factory.repeats:
            # These bytes alone have come, and they are answered.
            if self._repeated is None:
                self._repeated = RepeatedRequests()
            self._repeated.remember(data, exchange)

    def _answer_again(self, known: RepeatedRequest) -> bool:
        """Answer a request that has come whole, as it was answered before; False if that takes an exchange."""
        services = self.services
        if not self._idle or self._write_paused or self.factory.draining or self.connection.connections is not None:
            return False
        if not self.codec.repeat():
            return False
        began = services.seconds() if services.observed else 0.0
        if (response := known.response()) is None:
            return False
        self.deadline = self.factory.rest_limit.ahead
        self._write(self.transport, response)
        if services.observed:
            services.exchange_finished(known.record(services.seconds() - began))
        return True

    def _next_request(self) -> None:
        if self.codec.buffered:
            self._idle = False
            self.deadline = self.services.head_limit.ahead
            self._pump()
        else:
            self._idle = True
            self.deadline = self.factory.rest_limit.ahead
        if self.client_ended and self.exchange is None and not self._pumping and not self._has_more():
            self._close()

    def _request_fault(self, fault: RequestError) -> None:
        if self.exchange is not None:
            self._close_after = True
            self.exchange.request_failed(fault)
        else:
            self.refuse_unread(fault, more_may_come=True)

    def refuse_unread(self, fault: ExchangeError, more_may_come: bool, waited: float = 0.0) -> None:
        """See :class:`txproxy.proxy.downstream.base.ClientProtocol`."""
        self._write(self.transport, answer_unread(self.services, self.connection, self.codec, fault, waited))
        self._linger(more_may_come)

    def _head_late(self) -> None:
        if (rate := late_head(self)) is not None:
            self.refuse_unread(slow_head(), more_may_come=True, waited=rate.waited)

    # -- the body of a request, which is waited for

    def _await_body(self, exchange: Exchange) -> None:
        """All that has come of the body is on its way, and there is more to come."""
        exchange.request_flush()
        if self.exchange is not exchange:
            return
        read_little(self.transport, self.codec.many_chunks)
        if (wait := self._body_wait) is None:
            self._body_wait = wait = BodyWait(self.services)
        self.deadline = wait.until(exchange)

    def _body_late(self, exchange: Exchange) -> None:
        wait, passed = self._body_wait or BodyWait(self.services), self.deadline
        self.deadline = self.services.idle_limit.ahead
        late = wait.late(exchange, passed)
        if late is Late.FIRST_PART:
            if self.exchange is exchange:
                self._await_body(exchange)
        elif late is Late.BODY:
            self._request_fault(slow_body())

    def request_wanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.deadline = self.services.idle_limit.ahead
        if self._body_wait is not None:
            self._body_wait.wait_again()
        self._pump()

    def request_unwanted(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if self._body_wait is not None and self.exchange is not None:
            self._body_wait.cease(self.exchange)

    # -- the response

    def send_informational(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._write(self.transport, self.codec.send_head(response, False))

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._out.append(self.codec.send_head(response, self._close_after))
        if self.codec.must_close:
            self._close_after = True

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        if exchange is not None and not exchange.request_done:
            # The rest of the request is not waited for (RFC 9112 section 9.6 has that said).
            self._close_after = True
        write = self._write  # not at once: see Exchange.start
        write(self.transport, self.codec.send_whole(response, body, self._close_after))

    def send_body(self, data: bytes) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self._out.append(self.codec.send_data(data))

    def sink(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.services.turn_writes.flush()
        return self.transport if self.codec.sends_length else None

    def sending_socket(self) -> Any:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        return self.services.turn_writes.socket_after(self.transport, self._out) if self.codec.sends_length else None

    def passed(self, size: int) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.codec.passed_out(size)

    def send_end(self, trailers: Headers) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if end := self.codec.send_end(trailers):
            self._out.append(end)
        self.flush()

    def flush(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        if out := self._out:
            data = b"".join(out) if len(out) > 1 else out[0]
            out.clear()
            self._write(self.transport, data)

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange = self.exchange
        if exchange is not None and (
            not exchange.request_done
            or exchange.request.method == b"CONNECT"
            or (given.status == 400 and isinstance(given, Refusal))
        ):
            # What a client sent early for a tunnel must not be read as its next request. And who sends what can be read
            # in two ways is not listened to any longer.
            self._close_after = True
        self.send_head(response)
        return self.codec.sends_body

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        sent = 0
        if self.begin_answer(given, response):
            self._out.append(self.codec.send_data(body))
            sent = len(body)
        self.send_end(_NO_FIELDS)
        return sent

    def cut(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        self.exchange = None
        if self.codec.must_close:
            # The end of the connection would be the end of the body: only a reset says that it was cut.
            self.abort()
        else:
            self.flush()
            self._close()

    def _before_tunnel(self, response: ResponseHead | None) -> bytes:
        return self.codec.send_head(response, False) if response is not None else _ESTABLISHED

    def exchange_done(self) -> None:
        """See :class:`txproxy.interfaces.streams.ClientStream`."""
        exchange, self.exchange = self.exchange, None
        assert exchange is not None
        if self.state is not _OPEN:
            return
        if self._close_after or not exchange.request_done:
            self._linger(more_may_come=not exchange.request_done)
            return
        if self.factory.draining:
            follow(self)
        more = self.codec.next_message()
        if self._write_paused:
            self.deadline = self.services.idle_limit.ahead
        elif more or self.client_ended:
            self._next_request()
        else:
            # the same in fewer steps, as there is nothing to be read
            self._idle = True
            self.deadline = self.factory.rest_limit.ahead

    # -- who serves it

    def drain(self) -> None:
        """Finish what runs, then leave."""
        self.grow_old()
        super().drain()

    def grow_old(self) -> None:
        """The response that has not begun is the last, or the next one: its request may be on its way."""
        self._repeated = None
        if self.exchange is not None and not self.exchange.response_begun:
            self._close_after = True

    def can_follow(self, factory: ServingFactory) -> bool:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        return "http" in factory.protocols

    def belong_to(self, factory: ServingFactory) -> None:
        """See :class:`txproxy.proxy.downstream.serving.Client`."""
        super().belong_to(factory)
        self._repeated = None
        self.codec.use_limits(factory.services.wire_limits)
