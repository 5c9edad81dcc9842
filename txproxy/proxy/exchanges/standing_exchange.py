"""The short cut of requests that are like one before: an exchange for which nothing is decided, and little is made.

Its slow twin is the exchange that it inherits from, and that it becomes as soon as anything is asked of it, or happens
to it, but that its response comes in one piece.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import Logger

from txproxy.instance_names import instance_names
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan, StandingPlan
from txproxy.proxy.exchanges.exchange import Exchange
from txproxy.proxy.exchanges.phases import OVER, PLANNING, SENT, Phase
from txproxy.proxy.services import Services
from txproxy.wire.message import RequestHead, ResponseHead, SharedHead, SharedRequest

_log = Logger()


class _Late:
    """An attribute of a standing exchange that is there once somebody asks for it: it is an exchange like all others
    then.
    """

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, exchange: Any, owner: type) -> Any:
        if exchange is None or exchange.standing is None:
            return None
        exchange.settle()
        return getattr(exchange, self._name)


@instance_names(
    "services", "downstream", "request", "request_done", "standing", "tracker", "phase", "upstream", "started", "kept",
    "eventful", "received", "status", "upstream_status", "response", "sent", "outcome", "first_byte", "seconds",
    "context", "plan", "detail", "wants_body", "_pending",
)  # fmt: skip
class StandingExchange(Exchange):
    """An exchange by a ``standing`` plan. Who asks for its plan or its context gets them as if they had been made at
    its beginning, and it is one like all others then: ``standing`` is None.
    """

    # What others have from their beginning. Nobody looks at these while it stands.
    context: Any = _Late("context")
    plan: Any = _Late("plan")
    bound = body = call = _response_body = None
    started: float | None = None
    first_byte: float | None = None
    # No other has one.
    request_done = True
    # Without a value here: see txproxy.wire.http2.stream.Stream.
    phase: Phase
    # What is to be set at the beginning is set where it begins: to call a method for it would take half as long as all
    # else that is done there.
    __init__ = object.__init__

    def settle(self) -> None:
        """Be an exchange like all others."""
        standing, self.standing = self.standing, None
        if standing is not None:
            request = self.request
            if type(request) is SharedRequest:
                # From now on it may be changed.
                self.request = request.alone()
            downstream: Any = self.downstream
            self.context = context = RequestContext(downstream.connection)
            self.plan = standing.plan(self.tracker, self.request, context)

    def make_attempt(self) -> None:
        """There is no connection that could be had at once: the same as others do."""
        plan: Plan = self.plan
        self._make(plan.attempt)

    def leave(self, fault: Any, status: int) -> None:
        """See :class:`txproxy.proxy.exchanges.attempts.Attempts`."""
        self.settle()
        super().leave(fault, status)

    def _finish(self, outcome: str, detail: str, seconds: float | None = None) -> None:
        self.settle()
        super()._finish(outcome, detail, seconds)

    def response_shared(self, head: SharedHead, body: bytes) -> None:
        """The same as others do with it, where there is nothing to be done: no filters are there without a context, and
        no bounds without a plan.
        """
        onward = head.onward
        if onward is None or self.standing is None:
            super().response_shared(head, body)
        else:
            self._answered(onward, body)

    def response_whole(self, head: ResponseHead, body: bytes) -> None:
        """The same as others do with it."""
        headers = head.headers
        onward = headers.onward
        if onward is None or self.standing is None or head.status == 204 or headers.names_server:
            super().response_whole(head, body)
        else:
            head.headers = onward
            self._answered(head, body)

    def _answered(self, response: ResponseHead, body: bytes) -> None:
        """That is what the client gets, and all is over."""
        self.upstream = None
        self.phase = OVER
        self.outcome = "ok"
        self.response = response
        self.status = self.upstream_status = status = response.status
        self.sent = len(body)
        started = self.started
        if started is not None:
            services = self.services
            # Not at once: see Exchange.start.
            seconds = services.seconds
            self.first_byte = self.seconds = seconds() - started
        downstream = self.downstream
        downstream.send_whole(response, body)
        tracker: Any = self.tracker
        tracker.ended(None, status)
        if started is not None:
            try:
                tell = services.tell
                tell(self)
            except Exception:
                _log.failure("an observer failed")
        downstream.exchange_done()


def head_by(standing: StandingPlan, request: RequestHead) -> RequestHead | None:
    """What is sent for a ``request``, which those that are the same remember; None if the plan is not for it."""
    if request.headers is not standing.of or request.authority != standing.authority:
        return None
    head = standing.head_for(request)
    if head is not None and type(request) is SharedRequest:
        request.standing, request.onward = standing, head
    return head


def begin_standing(
    stream: Any, services: Services, connection: ClientConnection, request: RequestHead, kind: Any = StandingExchange
) -> bool:
    """Begin the exchange of a ``request`` without a body, that of this ``stream`` and of that ``kind``, if there is a
    plan that stands for it; False, with nothing done, if that is not so.
    """
    standing: StandingPlan | None = connection.standing
    # Where a connection has some of its own, the client may have logged in on one.
    if standing is None or connection.connections is not None:
        return False
    if type(request) is SharedRequest and request.standing is standing:
        head = request.onward  # It was asked for one like it.
    else:
        if request.headers is not standing.of or request.authority != standing.authority:
            return False
        head = standing.head_for(request)
        if head is None:
            return False
        if type(request) is SharedRequest:
            request.standing, request.onward = standing, head
    tolls = standing.tolls
    now = None
    if services.observed or tolls is not None:
        # It is read once, for all that ask. Not at once: see Exchange.start.
        seconds = services.seconds
        now = seconds()
    if tolls is not None and not tolls.pay(now):
        # It is for them to say what becomes of it, and of those like it from now on.
        connection.standing = None
        return False
    upstream = standing.take()
    if upstream is None:
        if tolls is not None:
            tolls.pay_back()
        return False
    stream.exchange = exchange = kind()
    exchange.services = services
    exchange.downstream = stream
    exchange.request = request
    exchange.standing = standing
    exchange.tracker = upstream
    exchange.started = now if services.observed else None
    kept = services.connections.next_of(upstream.address.key)
    if kept is None:
        exchange.phase = PLANNING
        exchange.make_attempt()
    else:
        exchange.phase = SENT
        kept.start(exchange, head)
    return True
