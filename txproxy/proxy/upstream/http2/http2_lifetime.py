"""How long a connection to an upstream that speaks HTTP/2 lasts: who finds it, what it waits for, and its end."""

from __future__ import annotations

from typing import Any, Final, cast

from txproxy.errors import ExchangeError, UpstreamClosed
from txproxy.interfaces.address import Address
from txproxy.net.deadlines import NEVER
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.proxy.upstream.http2.http2_stream import Http2Stream
from txproxy.proxy.upstream.http2.liveness import Liveness
from txproxy.proxy.upstream.http2.stream_events import fail_all
from txproxy.proxy.upstream.http2.upstream_output import UpstreamOutput
from txproxy.proxy.upstream.http2.websocket_stream import WebSocketStream
from txproxy.proxy.upstream.upstream_states import Http2State, next_http2_state
from txproxy.wire.http2.client import ClientSession

_PING: Final = b"txproxy?"
# A look-up in an Enum class costs on each event.
_CLOSED: Final = Http2State.CLOSED


class Http2Lifetime:
    """That of one connection, which is :class:`txproxy.proxy.upstream.http2.http2_upstream.Http2Upstream`."""

    __slots__ = (
        "services", "address", "transport", "session", "output", "state", "capacity", "_deadline", "_liveness",
        "_kept_by", "_kept", "_opened", "_reused", "_undecided", "_last",
    )  # fmt: skip

    services: Services
    address: Address
    transport: Any
    session: ClientSession
    output: UpstreamOutput
    state: Http2State
    capacity: int
    _deadline: float
    _liveness: Liveness
    _kept_by: Connections[Any]
    _kept: bool
    _opened: int
    _reused: bool
    _undecided: list[WebSocketStream]
    _last: int

    # -- who is on it, and who finds it

    def _streams(self) -> list[Http2Stream]:
        """All that are open, or wait to be."""
        return [*cast("dict[int, Http2Stream]", self.session.streams).values(), *self._undecided]

    @property
    def _is_idle(self) -> bool:
        return not self.session.streams and not self._opened

    def _hide(self) -> None:
        self._kept = False
        self._kept_by.discard(self)

    def belong_to(self, connections: Connections[Any]) -> None:
        """Be kept by these alone from now on."""
        self._hide()
        self._kept_by = connections

    # -- deadlines

    @property
    def deadline(self) -> float:
        """The first of its own and its streams'."""
        return min([self._deadline, *[one.deadline for one in self._streams()]])

    @deadline.setter
    def deadline(self, value: float) -> None:
        """Its own."""
        self._deadline = value

    def deadline_passed(self) -> None:
        """A response is too late, the upstream is silent, or it was idle for long enough."""
        now = self.services.seconds()
        for one in [one for one in self._streams() if one.deadline <= now]:
            one.late()
        if self._deadline > now:
            return
        self._deadline = NEVER
        if self.state is _CLOSED:
            self.transport.abortConnection()
        elif not self._is_idle:
            self._silent(now)
        elif self._kept_by is self.services.connections:
            self.close()
        # Else it ends with the client connection that it belongs to.

    def _silent(self, now: float) -> None:
        if self._liveness.gone:
            self._abort(f"{self.address} does not say that it is still there")
            return
        asks, self._deadline = self._liveness.ask(now)
        if asks:
            self.session.ping(_PING)
            self.output.want()

    # -- the end

    def close(self) -> None:
        """Let go of the connection, as far as nobody else is on it."""
        if self.state is not _CLOSED and self._is_idle:
            self._close_to_others()
            if self.session.last_made >= self._last and not self.session.going_away:
                # It would have taken more.
                self.services.shared_dials.goes_on(self.address.key)
            if self.session.last_made > self.output.last:
                # What has not gone out was asked elsewhere just now, or nobody waits for it any more.
                self.session.take_output()
            self.session.go_away()
            self._say_last()

    def _close_to_others(self) -> None:
        self.state = next_http2_state(self.state, _CLOSED)
        self.output.stop()
        self.capacity = 0
        self._hide()

    def _say_last(self) -> None:
        self.transport.unregisterProducer()
        self.output.end(said=self._reused and self.output.last > 0)
        # A peer that does not close in its turn is dropped at the deadline.
        self._deadline = self.services.linger_limit.ahead
        self.transport.loseConnection()

    def _abort(self, detail: str | None) -> None:
        """The connection is of no use any more."""
        self._close_to_others()
        self._deadline = NEVER
        self.transport.unregisterProducer()
        self.transport.abortConnection()
        self._fail_all(UpstreamClosed(detail) if detail is not None else None)

    def _fail_all(self, fault: ExchangeError | None) -> None:
        streams, last = self._streams(), self.output.last
        # What has not gone out of bodies is had back.
        self.session.withdraw(last)
        fail_all(streams, last, fault)
