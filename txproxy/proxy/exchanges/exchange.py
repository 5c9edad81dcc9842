"""One request and its response: plan, dial, send, retry, finish. An exchange knows its outcome.

It stands between a downstream (whoever brought the request: an HTTP/1 connection, a twisted.web request) and an
upstream connection, and owns neither. Body bytes pass through it event by event and are never gathered. Its way to the
upstream is in :mod:`txproxy.proxy.exchanges.attempts`; what is seldom needed, or is a matter of its own, stands beside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, UpstreamClosed
from txproxy.instance_names import instance_names
from txproxy.interfaces.answers import Answer, Refusal, RelayedAnswer
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decided, Decision, Plan, Postponed, StandingPlan
from txproxy.interfaces.streams import RawConnection
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.exchanges.phases import ANSWERED, OVER, PLANNING
from txproxy.proxy.exchanges.responses.given_answer import GivenAnswer
from txproxy.proxy.exchanges.responses.own_answers import in_place_of, status_text
from txproxy.proxy.tunnel import Tunnel
from txproxy.wire.http2.stream import Stream
from txproxy.wire.message import RequestHead, ResponseHead

_log = Logger()
# How one ends that the proxy cuts off, as it ends itself, and a sentence to it.
STOPPED: Final = ("stopped", "the proxy has stopped")


@instance_names(
    "services", "downstream", "request", "context", "bound", "started", "first_byte", "call", "_response_body", "body",
    "request_done", "plan", "tracker", "phase", "upstream", "wants_body", "upstream_status", "status", "response",
    "sent", "outcome", "detail", "eventful", "received", "kept", "seconds", "_pending", "steady_filters", "_ends_as",
)  # fmt: skip
class Exchange(GivenAnswer):
    """One request on its way.

    ``outcome`` is ``""`` until the end, then ``"ok"``, ``"tunnel"``, ``"answered"`` (by the mode), ``"client-gone"``,
    ``"slow-head"``, ``"slow-body"``, ``"slow-response"``, ``"stopped"``, or the RFC 9209 type of what went wrong,
    and ``detail`` a sentence to it. ``status`` is what the client got (0: nothing), ``sent`` the bytes of body that it
    got, ``received`` those that came of its own.
    """

    outcome = ""
    detail = ""
    # the plan that stands for it and others, if there is such
    standing: StandingPlan | None = None
    # what it has become, if it did
    tunnel: Tunnel | None = None

    @property
    def response_begun(self) -> bool:
        """Whether the head of the final response has gone to the client."""
        return self.phase is ANSWERED

    def carried(self) -> int:
        """See :class:`txproxy.interfaces.Metered`."""
        tunnel = self.tunnel
        return self.received + self.sent if tunnel is None else tunnel.received + tunnel.sent - tunnel.before

    # -- what is decided

    def start(self, plan: Callable[[RequestHead, RequestContext], Decision]) -> None:
        """Ask the mode for its ``plan``, and go."""
        services = self.services
        if services.observed and not self.context.errand:
            # Not at once: to call what an instance has in the place of a method takes three times as long.
            clock = services.seconds
            self.started = clock()
            self.eventful = False
            self.received = 0
        try:
            decision = plan(self.request, self.context)
        except ExchangeError as fault:
            self.fail(fault)
        except Exception:
            # Written by an embedder, perhaps. Said loudly, and answered.
            self.mode_failed(Failure())
        else:
            if type(decision) is Plan:
                self.go(decision)
            elif type(decision) is RelayedAnswer:
                # What a cache gives. To ask first whether it is a Deferred, which is an abstract class, takes long.
                self.refuse(decision)
            else:
                self.decided(decision)

    def refuse_unread(self, fault: ExchangeError, waited: float = 0.0) -> None:
        """Answer what could not be read as a request, so that the mode is not asked. So many seconds it was ``waited``
        for.
        """
        if self.services.observed:
            self.record(waited)
        self.fail(fault)

    def decided(self, decision: Decision) -> None:
        """This is to be done with the request."""
        if isinstance(decision, Deferred):
            self.phase = PLANNING
            self._pending = decision
            if self.request.minor:
                self.context.informational = self.downstream.send_informational
            late = (decision,)
            decision.addCallbacks(self._decided_late, self._decided_never, late, {}, late).addErrback(self.undecided)
        elif isinstance(decision, Plan):
            self.go(decision)
        elif not isinstance(decision, Postponed):
            self.refuse(decision)
        elif self.body is not None:
            self.body.postpone(decision)
        elif not self.ask(decision, late=False):
            # There is nothing that could be waited for any longer.
            self.refuse(
                Refusal(500, "proxy_internal_error", "the mode waits for a body that the request does not have")
            )

    def ask(self, postponed: Postponed, late: bool) -> bool:
        """Have it decided now; False if that has to wait on."""
        self.phase = PLANNING
        self._note_decision()
        try:
            decision = postponed.decide(late)
        except ExchangeError as final:
            self.fail(final)
        except Exception:
            self.mode_failed(Failure())
        else:
            if decision is None:
                return False
            self.decided(decision)
        return True

    def _decided_late(self, decision: Decided, awaited: Deferred[Decided]) -> None:
        if self.waits_for(awaited):
            self.context.informational = None
            self._note_decision()
            self.decided(decision)
            return
        # It was cancelled, which does not stop everybody.
        if isinstance(decision, Plan | Answer):
            decision.give_back()
        if self.phase is OVER:
            self.context.close_filters()

    def _decided_never(self, failure: Failure, awaited: Deferred[Decided]) -> None:
        if self.phase is OVER or self.waits_for(awaited):
            self.undecided(failure)

    def undecided(self, failure: Failure) -> None:
        """What was waited for has failed, or has come and could not be gone on with."""
        self._pending = self.context.informational = None
        self.drop_upstream()
        if self.phase is OVER:
            if not failure.check(CancelledError, ExchangeError):
                _log.failure("a fault was found when its client had gone", failure)
            self.context.close_filters()
        elif isinstance(failure.value, ExchangeError):
            self.fail(failure.value)
        else:
            self.mode_failed(failure)

    def mode_failed(self, failure: Failure) -> None:
        """The mode, or what stands around it, has a fault."""
        self.services.say_failed("the mode", failure)
        self.refuse(Refusal(500, "proxy_internal_error", "the mode failed"))

    # -- the client's side of the response

    def pause_response(self) -> None:
        """The client is slow."""
        self.held = True
        if self.bound is not None and self.bound.down is not None:
            self.bound.down.pause()
        elif self.upstream is not None:
            self.upstream.pause_response()

    def resume_response(self) -> None:
        """The client takes more."""
        if self.bound is not None and self.bound.down is not None:
            self.bound.down.resume()
        elif self.upstream is not None:
            self.upstream.resume_response()

    def client_gone(self, outcome: str = "client-gone", detail: str = "the client closed the connection") -> None:
        """Nobody waits for this any more: cancel what is under way."""
        if self.phase is OVER:
            return
        if self.services.stopped:
            # It is not the client that has left.
            outcome, detail = STOPPED
        self._finish(outcome, detail)
        self.drop_upstream()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    # -- tunnels

    def switch(self, response: ResponseHead | None, upstream: RawConnection) -> None:
        """Become a tunnel."""
        self.status = self.upstream_status = response.status if response is not None else 200
        self.response = response
        if self.started is not None:
            self.first_byte = self.services.seconds() - self.started
        self.phase = ANSWERED
        self.upstream = None
        self.request_done = True
        self.wants_body = False
        if self.bound is not None:
            self.bound.close_valves()
        self.downstream.switch(response, upstream)

    def tunnel_closed(self, tunnel: Tunnel) -> None:
        """The tunnel has ended."""
        self.sent = tunnel.sent
        self.received = tunnel.received
        self.context.tunnel_ended_by = tunnel.why
        # As where an upstream cuts a response off. That clients leave so is their way to leave.
        outcome = UpstreamClosed.error if tunnel.cut_by is tunnel.upstream else "tunnel"
        detail = f"{tunnel.received} bytes from the client"
        self._finish(outcome, f"{detail}; {tunnel.said}" if tunnel.said else detail)

    def resume_tunnel(self, plan: Plan, response: ResponseHead | None, status: int) -> None:
        """It has become a tunnel in another process, by such a ``plan``, and goes on here."""
        self.plan = plan
        self.tracker = plan.attempt.tracker
        if plan.bounds is not None:
            self.bound = Bound(plan.bounds, self)
            self.bound.close_valves()
        self.status = self.upstream_status = status
        self.response = response
        self.phase = ANSWERED
        self.request_done = True

    def let_go(self) -> None:
        """Another process goes on with the tunnel: it is over here, and whoever is told of its end is told there."""
        self.phase = OVER
        self.leave(None, self.upstream_status)
        self.context.close_filters()
        if self.bound is not None:
            self.bound.ended()

    def tunnel_refused(self, fault: ExchangeError) -> None:
        """The tunnel has ended before anything passed."""
        if self.phase is not OVER:
            self.services.say_fault(self.context.connection.peer_ip, fault, self.downstream.errand)
            self._finish(fault.error, fault.detail)

    # -- the end

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.Metered`."""
        if self.phase is OVER:
            return
        if self.tunnel is not None:
            self.tunnel.end(fault.detail)
            return
        pending, self._pending = self._pending, None
        self.leave(None, self.upstream_status)
        self.drop_upstream()
        self.fail(fault)
        if pending is not None:
            pending.cancel()

    def fail(self, fault: ExchangeError) -> None:
        """It ends with this fault."""
        self.services.say_fault(self.context.connection.peer_ip, fault, self.downstream.errand)
        if self.phase is ANSWERED:
            self._cut(fault.outcome or fault.error, fault.detail)
            return
        filters = self.context.response_filters
        if filters:
            self.refuse(*in_place_of(fault, filters, self.services))
        else:
            self.refuse(Refusal.of(fault))

    def _cut(self, outcome: str, detail: str) -> None:
        """The response has begun, and cannot be completed."""
        self._finish(outcome, detail)
        self.downstream.cut()

    @property
    def stream(self) -> int | None:
        """See :class:`txproxy.interfaces.record.FinishedExchange`."""
        downstream = self.downstream
        return downstream.id if isinstance(downstream, Stream) else None

    def _finish(self, outcome: str, detail: str, seconds: float | None = None) -> None:
        self.phase = OVER
        self.outcome = outcome
        self.detail = detail
        tracker, call = self.tracker, self.call
        if tracker is not None:
            self.tracker = None
            tracker.ended(None, self.upstream_status if call is None else call.counts_as(self.upstream_status))
        if call is not None:
            call.ended()
        context = self.context
        filters = context.response_filters
        if (filters and (len(filters) > 1 or filters[0].wants_end)) or context.request_filters or context.filters_aside:
            context.close_filters()
        if self.bound is not None:
            self.bound.ended()
        if self.body is not None or self._response_body is not None:
            # They know the exchange: nobody has to wait for the collector of such circles.
            self.body = self._response_body = None
        if context.trace is not None and outcome in ("ok", "tunnel"):
            context.trace.say("answer", status_text(self.status), "from the upstream")
        started = self.started
        if started is None:
            pass
        elif context.errand:
            # It is a client's attempt.
            self.attempt_over(None, self.upstream_status)
        else:
            self.seconds = self.services.seconds() - started if seconds is None else seconds
            if context.fetched:
                self._take(context.fetched, started)
                context.fetched = ()
            try:
                tell = self.services.tell
                tell(self)
            except Exception:
                _log.failure("an observer failed")
