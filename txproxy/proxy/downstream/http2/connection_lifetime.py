"""How long a client's connection of HTTP/2 lasts: until when it may be silent, how it is drained, and its end."""

from __future__ import annotations

from typing import Any, Final

from twisted.python.failure import Failure

from txproxy.interfaces.connection import ClientConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.transports.any_transports import half_close
from txproxy.net.transports.unread import unread_function
from txproxy.proxy.downstream.client_states import ClientState, following
from txproxy.proxy.downstream.connection_age import ConnectionAge, forget_age
from txproxy.proxy.downstream.http2.connection_output import ConnectionOutput
from txproxy.proxy.downstream.http2.frames_ahead import FramesAhead
from txproxy.proxy.downstream.http2.half_closed import HalfClosed
from txproxy.proxy.downstream.http2.head_watch import HeadWatch
from txproxy.proxy.downstream.serving import ServedBy, ServingFactory
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.minimum_rate import SLOW_RESPONSE, ResponseRate
from txproxy.proxy.services import Services
from txproxy.wire.http2.server import ServerSession

# A look-up in an Enum class costs on each event.
_OPEN: Final = ClientState.OPEN
_CLOSED: Final = ClientState.CLOSED


class ConnectionLifetime:
    """That of one connection, which is :class:`txproxy.proxy.downstream.http2.http2_connection.Http2Protocol`."""

    __slots__ = (
        "factory", "services", "transport", "connection", "deadline", "state", "served_by", "session", "output",
        "_busy", "_rest", "_begun", "_head_watch", "_response_rate", "_leaving", "_half_closed", "_ahead", "_counted",
        "_age",
    )  # fmt: skip

    factory: ServingFactory
    services: Services
    transport: Any
    connection: ClientConnection
    # the next one
    deadline: float
    state: ClientState
    served_by: ServedBy | None
    session: ServerSession
    output: ConnectionOutput
    # whether events are being handled, after which all that they have led to is written
    _busy: bool
    # until when there may be no stream
    _rest: float
    # whether part of something has come, and who watches whether it comes on
    _begun: bool
    _head_watch: HeadWatch | None
    # how fast what waits for the client is taken
    _response_rate: ResponseRate | None
    # no new streams are taken, or soon none will be
    _leaving: bool
    _half_closed: HalfClosed | None
    _ahead: FramesAhead
    # how many streams of it the services know of
    _counted: int
    _age: ConnectionAge | None

    def want_out(self) -> None:
        """Have what is to be written leave: at the end of the turn, or of what is being handled."""
        if not self._busy and self.state is _OPEN:
            self.output.want()

    # -- its time

    def _set_deadline(self) -> None:
        if self.output.held or (self._leaving and not self.session.draining):
            # The client has to take what waits, or to answer.
            return
        until = NEVER if self.session.active else self._rest
        self.deadline = min(until, self.services.head_limit.ahead) if self._begun else until

    def _watch_taking(self, known: bool) -> None:
        services = self.services
        self._response_rate = ResponseRate(self.transport, services.min_response_rate, services.idle_limit, known)
        self.deadline = services.idle_limit.ahead

    def deadline_passed(self) -> None:
        """Too slow, or idle for long enough."""
        if self.state is not _OPEN or self.output.held:
            if self._response_rate is not None and self._response_rate.goes_on():
                # slow, but taking it
                self.deadline = self.services.idle_limit.ahead
            else:
                self._lose_streams(SLOW_RESPONSE)
                self.abort()
        elif self._leaving and not self.session.draining:
            # It does not answer, or what it has sent is still on its way.
            self._drain_now()
        elif self._begun:
            self._head_late()
        elif self.session.active:
            self.deadline = NEVER
        elif self.session.reader.more or unread_function(self.transport)():
            # What comes just now is read in this turn, or has to wait for the next.
            self.deadline = self.factory.first_limit.ahead
        else:
            self.session.drain_now()
            self._end()

    def _head_late(self) -> None:
        """What has begun to come is not there."""
        if self._head_watch is None:
            self._head_watch = HeadWatch(self)
        until = self._head_watch.until(self._rest)
        if until:
            self.deadline = until
        else:
            self.session.drain_now()
            self._end()

    # -- the end

    def drain(self) -> None:
        """Finish what runs, then leave: the client is told in two steps, as RFC 9113 section 6.8 has it."""
        if self.state is _OPEN and not self._leaving:
            self._leaving = True
            self.session.drain()
            if not self.output.held:
                self.deadline = self.services.gone_limit.ahead
            self.want_out()

    grow_old = drain

    def _drain_now(self) -> None:
        self.session.drain_now()
        self._set_deadline()
        self.want_out()
        self._end_if_left()

    def readConnectionLost(self) -> None:
        """The client has closed its side: it opens no window any more, and no stream."""
        if self.state is not _OPEN or not self.session.active or self.session.reader.more:
            if self.state is _OPEN:
                self._lose_streams()
            self._close()
        elif self._half_closed is None:
            self._leaving = True
            self._half_closed = HalfClosed(self)
            self.want_out()
            self._end_if_left()

    def writeConnectionLost(self) -> None:
        """Our own half-close, before lingering, went out."""

    def connectionLost(self, reason: Failure) -> None:
        """The client is gone."""
        self.state = following(self.state, _CLOSED)
        self._ahead.cancel()
        self.services.deadlines.forget(self)
        forget_age(self._age)
        self._age = self._head_watch = None
        self.services.streams -= self._counted
        self._counted = 0
        if self._half_closed is not None:
            self._half_closed.forget()
            self._half_closed = None
        self._lose_streams()
        for stream in self.session.streams.values():
            # Some may have been at hand for whoever has ended this, and are begun no more, or in vain.
            stream.finish()
        self.session.streams.clear()
        self.output.forget()
        self.factory.admission.left(self)

    def exchanges(self) -> list[Exchange]:
        """See :class:`txproxy.proxy.downstream.admission.Admitted`."""
        streams: Any = self.session.streams.values()
        return [one for stream in streams for one in stream.exchanges()]

    def _lose_streams(self, outcome: str = "") -> None:
        streams: Any = [*self.session.streams.values()]
        for stream in streams:
            if stream.client is not None:
                stream.lost(outcome)

    def _end_if_left(self) -> None:
        """When the last stream of those that were taken is over, all is."""
        no_more = self._leaving and (self.session.draining or self._half_closed is not None)
        if no_more and not self.session.active and self.state is _OPEN:
            self._end()

    def _end(self) -> None:
        """Say the last word, and close so that the client gets to see it, which may still be sending."""
        self._lose_streams()
        self.output.write()
        self.state = following(self.state, ClientState.LINGERING)
        self._watch_taking(known=False)
        self.deadline = self.services.linger_limit.ahead
        self.transport.unregisterProducer()
        self.services.turn_writes.flush()
        if self._response_rate is not None and self.session.fault is None:
            self._response_rate.all_is_out()
        if self._half_closed is None and half_close(self.transport):
            self.transport.resumeProducing()
        else:
            self._close()

    def _close(self) -> None:
        if self.state is not _CLOSED:
            self.output.write()
            self.state = following(self.state, _CLOSED)
            self.services.turn_writes.flush()
            self._watch_taking(known=False)
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close at once, whatever is under way."""
        self.state = following(self.state, _CLOSED)
        self._lose_streams()
        self.deadline = NEVER
        self.transport.unregisterProducer()
        self.transport.abortConnection()

    turn_away = abort
