"""The body of a request, from its client to the upstream that it goes to."""

from __future__ import annotations

from txproxy.errors import ExchangeError
from txproxy.interfaces.streams import ClientStream, RawConnection, UpstreamStream
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.exchanges.phases import ANSWERED, Phase
from txproxy.proxy.exchanges.recording import Recorded
from txproxy.proxy.exchanges.request_body import RequestBody
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead


class RequestSide(Recorded):
    """What an exchange is told of its request. Where this goes is decided by who inherits:
    :class:`txproxy.proxy.exchanges.attempts.Attempts`.
    """

    # Most requests end with the values that stand here. To set what is looked at once or never would cost more.
    received = 0
    # whether the body of the request may be brought now
    wants_body = False
    # the request at the upstream, while it is this exchange's
    upstream: UpstreamStream | None = None
    # the answer that changes protocols, once the request is complete
    _switching: ResponseHead | None = None
    downstream: ClientStream
    phase: Phase
    # what bounds it, if anything does; its body, if it has one; and whether all of it has come
    bound: Bound | None
    body: RequestBody | None
    request_done: bool

    # -- what is decided and done elsewhere

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """Become a tunnel to ``upstream``, after ``response`` if there is one."""
        raise NotImplementedError

    def fail(self, fault: ExchangeError) -> None:
        """End with this fault."""
        raise NotImplementedError

    def leave(self, fault: ExchangeError | None, status: int) -> None:
        """No more of this attempt."""
        raise NotImplementedError

    def drop_upstream(self) -> None:
        """Close what is under way there."""
        raise NotImplementedError

    # -- the request's body, from the downstream

    @property
    def body_late(self) -> bool:
        """See :class:`txproxy.interfaces.Uploading`."""
        return self.body is not None and self.body.late and self.phase is not ANSWERED

    def request_body(self, data: bytes) -> None:
        """Part of the request's body."""
        self.received += len(data)
        assert self.body is not None
        self.body.received(data)

    def request_end(self, trailers: Headers) -> None:
        """The request is complete."""
        self.request_done = True
        self.wants_body = False
        assert self.body is not None
        self.body.ended(trailers)

    def request_flush(self) -> None:
        """No more of the body is at hand just now."""
        if self.body is not None:
            self.body.flush()

    def request_sent(self, upstream: UpstreamStream) -> None:
        """All of it is at the upstream."""
        if self._switching is not None:
            upstream.resume_response()
            self.switch(self._switching, upstream)

    def request_failed(self, fault: ExchangeError) -> None:
        """The rest of the request cannot be read."""
        self.leave(None, 0)
        self.drop_upstream()
        self.fail(fault)

    def pause_request(self) -> None:
        """The upstream is slow."""
        if self.bound is not None and self.bound.up is not None:
            self.bound.up.pause()
        else:
            self.wants_body = False

    def resume_request(self) -> None:
        """The upstream takes more."""
        if self.bound is not None and self.bound.up is not None:
            self.bound.up.resume()
        else:
            self.release_request()

    def release_request(self) -> None:
        """Bring more of the body."""
        if not self.request_done and self.upstream is not None:
            self.wants_body = True
            self.downstream.request_wanted()
