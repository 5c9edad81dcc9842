"""Exchanges that no client has asked for: the proxy's own requests, in the course of a client's."""

from __future__ import annotations

from typing import Any, Final

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler
from txproxy.interfaces.streams import RawConnection
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.services import Services
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

_NO_FIELDS: Final = Headers()


class ErrandStream:
    """The client's side of such an exchange (see :class:`txproxy.interfaces.streams.ClientStream`): ``head`` goes where
    ``handle`` says. It is told of as the request of ``context`` is, on a connection of which nothing else is known.
    What comes of it is thrown away, unless those who inherit take it.
    """

    errand = ""

    def __init__(self, services: Services, handle: Handler, head: RequestHead, context: RequestContext) -> None:
        self._connection = context.connection.anew()
        self._context = context.on(self._connection)
        self._context.errand = self.errand
        self._exchange = Exchange(services, self, head, self._context)
        self._handle = handle

    def start(self) -> None:
        """Send it."""
        self._exchange.start(self._handle)

    def request_wanted(self) -> None:
        """Bring the body."""

    def request_unwanted(self) -> None:
        """There is a copy of it, which waits."""

    def send_informational(self, response: ResponseHead) -> None:
        """Nobody needs it."""

    def send_head(self, response: ResponseHead) -> None:
        """The head of the answer."""

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """A whole answer."""
        self.send_head(response)
        self.send_body(body)
        self.send_end(_NO_FIELDS)

    def send_body(self, data: bytes) -> None:
        """Part of the answer's body."""

    def sink(self) -> Any:
        """Nothing passes by."""
        return None

    def sending_socket(self) -> Any:
        """Nothing passes by."""
        return None

    def passed(self, size: int) -> None:
        """Nothing passes by."""

    def send_end(self, trailers: Headers) -> None:
        """The answer is complete."""

    def flush(self) -> None:
        """Nothing is gathered."""

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """There is no answer."""
        return 0

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """There is none whose body comes slowly."""
        self.send_answer(given, response, b"")
        return False

    def cut(self) -> None:
        """The answer will not be complete."""

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """No Upgrade is offered from here."""
        upstream.close()

    def exchange_done(self) -> None:
        """It is over: what has become of it is known here, and whoever comes to know the exchange as a client's attempt
        has no circle with this, which would wait for the collector.
        """
        self._exchange.downstream = _NOBODY

    def hold_connections(self) -> Any:
        """No further request follows this one."""
        return None


class _Nobody(ErrandStream):
    """In the place of one that is over."""

    def __init__(self) -> None:
        """It has nothing."""

    def exchange_done(self) -> None:
        """It was over."""


_NOBODY: Final = _Nobody()
