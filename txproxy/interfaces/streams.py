"""The two sides of an exchange: whoever has brought a request, and the connection to who answers it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.wire.headers import Headers
from txproxy.wire.message import EndOfMessage, RequestHead, ResponseHead


class ClientStream(Protocol):
    """Whoever brought a request, and gets the response."""

    @property
    def errand(self) -> str:
        """What this is, where it is not a client's own request: nobody is told of its end."""

    def request_wanted(self) -> None:
        """The exchange wants the request's body now, or again; ``Exchange.wants_body`` says whether it still does."""

    def request_unwanted(self) -> None:
        """The upstream that was to get the body, which was waited for until now, is gone; there may be another."""

    def send_informational(self, response: ResponseHead) -> None:
        """A response head before the final one (RFC 9110 section 15.2)."""

    def send_head(self, response: ResponseHead) -> None:
        """The head of the response; its lines are end-to-end."""

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """A whole response, which has no trailers."""

    def send_body(self, data: bytes) -> None:
        """Part of the response's body."""

    def sink(self) -> Any:
        """The transport to which bytes may pass by ``send_body``, with nothing gathered before them; or None."""

    def sending_socket(self) -> Any:
        """The plain socket to which such bytes are to go at once, before which all that was gathered has been written,
        to go out with them; or None.
        """

    def passed(self, size: int) -> None:
        """So many bytes have."""

    def send_end(self, trailers: Headers) -> None:
        """The response is complete."""

    def flush(self) -> None:
        """Write what was gathered."""

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """A whole response of the proxy's own, which tells of what was ``given``; gives how much of its body goes
        out.
        """

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """The head of such a response; gives whether its body is to go out after it."""

    def cut(self) -> None:
        """The response cannot be completed, and the client must be able to tell."""

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """Send ``response`` (200 to CONNECT if None) and become a tunnel to ``upstream``."""

    def exchange_done(self) -> None:
        """The exchange is over."""

    def hold_connections(self) -> Any:
        """Where upstream connections are kept that are this client connection's alone
        (:class:`txproxy.proxy.upstream.connection_pool.Connections`, and ``connection.connections`` from now on); None
        if there is no such place.
        """


class RawConnection(Protocol):
    """A connection to an upstream of which a tunnel is to be made."""

    transport: Any

    def become_tunnel(self, end: Any) -> bytes:
        """Hand the connection over to the ``end`` of a tunnel; gives the bytes that came early."""

    def close(self) -> None:
        """Let go of the connection, whatever it is doing; its exchange learns nothing."""


class UpstreamConnection(RawConnection, Protocol):
    """A connection to an upstream: streams are opened on it, one for each request."""

    @property
    def key(self) -> str:
        """Which others go to the same place."""

    @property
    def capacity(self) -> int:
        """How many more streams it takes now: 0 or 1 with HTTP/1."""

    @property
    def spoke_early(self) -> bool:
        """Whether bytes have come before anything was asked."""

    def open(self) -> UpstreamStream:
        """The stream of one request, for which there has to be capacity. An HTTP/1 connection is its own."""

    def start(self, exchange: Any, head: RequestHead, seconds: float | None = None) -> None:
        """Open a stream for the request of an ``exchange``, which has no body, and begin it there, in one step: from
        before anything can happen to it on, the stream is the exchange's ``upstream``, and what was ``kept`` for it.
        """

    @property
    def room(self) -> int:
        """How many it starts together, by ``start_alike``: 0 where each is started alone."""


class SharedConnection(UpstreamConnection, Protocol):
    """One on which several streams may be opened."""

    def start_alike(self, exchanges: Sequence[Any], head: RequestHead) -> int:
        """The same as ``start`` for each of these ``exchanges``, whose requests have this ``head``; says for how many
        of them it was done, as there may be less room by now: the others are to be started alone.
        """


class UpstreamStream(RawConnection, Protocol):
    """One request at an upstream, and the response to it."""

    # whether its connection has served another request before
    reused: bool
    # whether anything of the response has come
    received_any: bool
    # whether the request is complete
    request_sent: bool
    # what logs have found out of where its connection leads, once one of them wants to know
    facts: Any

    @property
    def shared(self) -> bool:
        """Whether others have, or may have, requests on its connection at the same time."""

    def unread(self) -> object:
        """True where bytes, or an end, lie there before anything was asked."""

    def begin(self, exchange: Any, head: RequestHead, seconds: float | None = None) -> None:
        """Send a request; without a body it goes out at once. So many ``seconds`` the upstream has for each part of its
        response; None: as long as it mostly has.
        """

    def send_body(self, data: bytes) -> None:
        """Part of the request's body."""

    def send_end(self, trailers: Headers) -> None:
        """The request is complete."""

    def unsent_body(self, unseen: bool) -> list[bytes | EndOfMessage] | None:
        """What was sent of the request's body, if nothing of that has gone out nor will: it is over here. A body that
        was kept may be had back as well if it was ``unseen``: the upstream has not looked at the request, nor will.
        """

    def flush(self) -> None:
        """Write what was gathered."""

    def pause_response(self) -> None:
        """Read no more: the client is slow."""

    def resume_response(self) -> None:
        """Read on."""

    def belong_to(self, connections: Any) -> None:
        """Have the connection kept by these alone from now on."""
