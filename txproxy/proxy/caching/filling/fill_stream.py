"""What a request of the cache's own gets from an upstream, told to the fill that has sent it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar

from twisted.logger import Logger

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import Handler, decided
from txproxy.interfaces.plan import Decision, Plan
from txproxy.proxy.exchanges.errands import ErrandStream
from txproxy.proxy.services import Services
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead

_log = Logger()
_T = TypeVar("_T")


class Filled(Protocol):
    """Who has sent the request."""

    def informational(self, response: ResponseHead) -> None:
        """A head before the final one."""

    def head_came(self, response: ResponseHead, plain: ResponseHead) -> None:
        """The final head, and the same without what was added for one client."""

    def whole_came(self, response: ResponseHead, plain: ResponseHead, body: bytes) -> None:
        """The same of a response that is there in one piece."""

    def body_came(self, data: bytes) -> None:
        """Part of the body."""

    def flushed(self) -> None:
        """No more of it is at hand just now."""

    def ended(self, trailers: Headers) -> None:
        """It is complete."""

    def refused(self, refusal: Refusal) -> None:
        """There is no response."""

    def left_by_owner(self) -> bool:
        """The proxy that has sent the request stops; gives whether others want it to go on."""

    def was_cut(self, error: str, detail: str) -> None:
        """The rest of the body does not come."""


class _Seen(ResponseFilter):
    """Sees the head before lines are added to it that are for one client (those of an attempt)."""

    def __init__(self) -> None:
        self.head_seen: ResponseHead | None = None

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        self.head_seen = response.with_lines(response.headers.lines)
        return response


class FillStream(ErrandStream):
    """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""

    errand = "request of the cache"

    def __init__(
        self, services: Services, handle: Handler, head: RequestHead, context: RequestContext, fill: Filled
    ) -> None:
        # The plan is made here: those who stand around the cache see none of it.
        treated = partial(_treated, handle) if context.treatments else handle
        super().__init__(services, treated, head, context)
        self._services = services
        # until it is over
        self._fill: Filled | None = fill
        self._seen = _Seen()
        self._context.filter_responses(self._seen)

    @property
    def cuts(self) -> int:
        """How often an upstream has closed its connection in place of a response."""
        plan = self._exchange.plan
        return 0 if plan is None else plan.cuts

    @property
    def upstream(self) -> Any:
        """The upstream of a pool that was asked last; None if that was none."""
        plan = self._exchange.plan
        return getattr(plan.attempt, "upstream", None) if plan is not None else None

    def start(self, asked: RequestContext | None = None) -> None:
        """Send it, for a request of this context, if a client waits."""
        services = self._services
        services.errands.add(self)
        if asked is not None and services.observed:
            # Whoever is told of the client's request hears of this as of its own attempts.
            self._exchange.record()
            asked.fetched = (*asked.fetched, self._exchange)
        super().start()

    def pause(self) -> None:
        """Bring no more of the body."""
        if self._fill is not None:
            self._exchange.pause_response()

    def resume(self) -> None:
        """Bring more of it."""
        if self._fill is not None:
            self._exchange.resume_response()

    def cancel(self) -> None:
        """Nobody wants the response, or the rest of it."""
        if self._fill is not None:
            self.exchange_done()
            self._exchange.client_gone()

    def client_gone(self) -> None:
        """See :class:`txproxy.proxy.services.Errand`: the proxy stops. Its own clients have left by now."""
        if self._fill is not None and not self._fill.left_by_owner():
            self.cancel()

    def send_informational(self, response: ResponseHead) -> None:
        """See :class:`ErrandStream`."""
        if self._fill is not None:
            self._fill.informational(response)

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if fill is not None and not self._tell(fill, fill.head_came, response, self._seen.head_seen or response):
            self.cancel()

    def send_whole(self, response: ResponseHead, body: bytes) -> None:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if fill is not None:
            self._tell(fill, fill.whole_came, response, self._seen.head_seen or response, body)

    def send_body(self, data: bytes) -> None:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if fill is not None and not self._tell(fill, fill.body_came, data):
            self.cancel()

    def flush(self) -> None:
        """See :class:`ErrandStream`."""
        if self._fill is not None:
            self._fill.flushed()

    def send_end(self, trailers: Headers) -> None:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if fill is not None:
            self._tell(fill, fill.ended, trailers)

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if not isinstance(given, Refusal):
            self.send_whole(response, body)
        elif fill is not None:
            self._tell(fill, fill.refused, given)
        return len(body)

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """See :class:`ErrandStream`."""
        self.send_head(response)
        return True

    def _tell(self, fill: Filled, call: Callable[..., None], *what: Any) -> bool:
        """Tell the fill, and give whether it has got that. If not, nobody is to wait because of a fault of ours."""
        try:
            call(*what)
        except Exception:
            _log.failure("the cache failed")
            fill.was_cut("proxy_internal_error", "the cache failed")
            return False
        return True

    def cut(self) -> None:
        """See :class:`ErrandStream`."""
        fill = self._fill
        if fill is not None:
            self.exchange_done()
            fill.was_cut(self._exchange.outcome, self._exchange.detail)

    def exchange_done(self) -> None:
        """See :class:`ErrandStream`."""
        super().exchange_done()
        self._fill = None
        self._services.errands.discard(self)


def _treated(handle: Handler, head: RequestHead, context: RequestContext) -> Decision:
    """What ``handle`` decides, with what the treatments of the client's request make of it."""
    return decided(handle(head, context), partial(_treat, context))


def _treat(context: RequestContext, decision: _T) -> _T:
    if isinstance(decision, Plan):
        for treat in context.treatments:
            treat(decision)
    return decision
