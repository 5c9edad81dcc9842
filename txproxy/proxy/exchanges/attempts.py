"""One request's way to an upstream: attempts, one after the other until one is answered, and the body that goes with
them.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import DialError, ExchangeError, RequestError, UpstreamClosed
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.attempt import Attempt, Tracker
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan
from txproxy.interfaces.streams import ClientStream, UpstreamConnection, UpstreamStream
from txproxy.net.via_proxy import spoke_early
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.exchanges.failed_attempt import judge
from txproxy.proxy.exchanges.phases import DIALING, OVER, PLANNING, SENT, Phase
from txproxy.proxy.exchanges.request_body import RequestBody
from txproxy.proxy.exchanges.request_side import RequestSide
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.connection_binding import bind_by_request
from txproxy.wire.message import RequestHead

_log = Logger()


class Attempts(RequestSide):
    """One request on its way to an upstream. What is to be done with it, and what becomes of a response, is decided by
    who inherits: :class:`txproxy.proxy.exchanges.exchange.Exchange`.
    """

    # Most requests end with the values that stand here. To set what is looked at once or never would cost more.
    # what is to be done with the request
    plan: Plan | None = None
    # the status that the upstream has answered with, whatever the client got
    upstream_status = 0
    # whether an upstream had to wait with its response, for the client or for a bound
    held = False
    # who is to know how the attempt ends
    tracker: Tracker | None = None
    _pending: Deferred[Any] | None = None
    # how often this attempt was made again, at the same upstream
    made_anew = 0

    def __init__(
        self, services: Services, downstream: ClientStream, request: RequestHead, context: RequestContext
    ) -> None:
        self.services = services
        self.downstream = downstream
        self.request = request
        self.context = context
        self.phase: Phase = PLANNING
        # what bounds it, if anything does
        self.bound: Bound | None = None
        # See Recorded. What each exchange is asked for in the end is found sooner where it is set.
        self.started = self.first_byte = self.call = self._response_body = None
        # the body of the request, if it has one
        self.body = RequestBody(self) if request.body else None
        self.request_done = not request.body

    # -- what is decided and done elsewhere

    def refuse(self, given: Refusal | Answer) -> None:
        """Answer in place of an upstream."""
        raise NotImplementedError

    def mode_failed(self, failure: Failure) -> None:
        """End with a fault of the mode, or of what stands around it."""
        raise NotImplementedError

    def carried(self) -> int:
        """See :class:`txproxy.interfaces.Metered`."""
        raise NotImplementedError

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.Metered`."""
        raise NotImplementedError

    def pass_to_client(self, data: bytes) -> None:
        """Part of the response's body goes to the client."""
        raise NotImplementedError

    def undecided(self, failure: Failure) -> None:
        """What was waited for has failed, or has come and could not be gone on with."""
        raise NotImplementedError

    # -- an attempt

    def go(self, plan: Plan) -> None:
        """Make the first attempt of ``plan``."""
        self.plan = plan
        if plan.bounds is not None and self.bound is None:
            self.bound = Bound(plan.bounds, self)
        if plan.max_body is None or self.request.body <= plan.max_body:
            if self.body is not None or not self._is_sent(plan):
                self._make(plan.attempt)
            return
        self.tracker = plan.attempt.tracker
        if self.started is not None:
            self._note_attempt()
        self.fail(RequestError("the body is too large", status=413))

    def _is_sent(self, plan: Plan) -> bool:
        """Make the first attempt of a request without a body, if there is nothing but that to do, and a connection that
        is kept: the same as below, in fewer steps.
        """
        attempt, context, fields = plan.attempt, self.context, self.request.headers
        head = attempt.head
        if head is None or context.trace is not None or context.connection.connections is not None:
            return False
        if b"authorization" in (fields.form or fields).index:
            return False
        kept = self.services.connections.next_of(attempt.address.key)
        if kept is None:
            return False
        self.tracker = attempt.tracker
        self.phase = SENT
        kept.start(self, head, plan.response_timeout)
        return True

    def _make(self, attempt: Attempt) -> None:
        self.tracker = attempt.tracker
        if self.context.trace is not None:
            attempt.tell(self.context.trace)
        body = self.body
        if body is not None and body.early is not None and body.early.late and attempt.tracker is not None:
            self.tracker = body.early.postponed.lend(attempt.tracker, self)
        if attempt.head is not None:
            key = attempt.address.key
            own = self.context.connection.connections
            kept = self.services.lease_quiet(key, own) if own is not None else None
            if kept is None:
                # Once part of its body has been taken, it cannot go elsewhere.
                kept = self.services.connections.lease(key) if body is None else self.services.lease_quiet(key)
            if kept is not None:
                if self.started is not None:
                    self.kept = kept
                self._send(kept, attempt.head)
                return
        if self.started is not None:
            self._note_attempt()
        self._dial(attempt)

    def _dial(self, attempt: Attempt, alone: bool = False) -> None:
        self.phase = DIALING
        dial = self.services.dial_alone if alone else self.services.dial
        try:
            dialing = dial(attempt.address, self.context.client_ip)
        except Exception:
            dialing = fail()  # an embedder's dialer, perhaps
        self._pending = dialing
        dialing.addCallbacks(self._dialed, self._dial_failed).addErrback(self.undecided)

    def _dialed(self, connection: UpstreamConnection) -> None:
        if self.phase is not DIALING:
            # It is over, or is refused, which a filter may have yet to say something to.
            connection.close()
            return
        self._pending = None
        try:
            self._go_on(connection, self.plan)
        except Exception:
            connection.close()
            raise

    def _go_on(self, connection: UpstreamConnection, plan: Plan | None) -> None:
        assert plan is not None
        attempt = plan.attempt
        if self.started is not None:
            self._note_connection(connection)
        if attempt.head is None:
            if attempt.answered is not None:
                attempt.answered(200)
            self.switch(None, connection)
        elif connection.spoke_early:
            connection.close()
            self._spoken_early(plan)
        else:
            self._send(connection.open(), attempt.head)

    def _send(self, upstream: UpstreamStream, head: RequestHead) -> None:
        fields = self.request.headers
        if b"authorization" in (fields.form or fields).index and not bind_by_request(upstream, self.downstream, fields):
            # RFC 4559 6: a connection that others use is not to be logged in.
            upstream.close()
            assert self.plan is not None
            self._dial(self.plan.attempt, alone=True)
            return
        self.phase = SENT
        self.upstream = upstream
        body = self.body
        seconds = self.plan.response_timeout if self.plan is not None else None
        if body is None:
            upstream.begin(self, head, seconds)
        else:
            upstream.begin(self, body.head_for(head), seconds)
            body.begin(upstream)

    def leave(self, fault: ExchangeError | None, status: int) -> None:
        """Let who keeps track of the attempt know how it went."""
        if self.started is not None:
            self.attempt_over(fault, status)
        tracker = self.tracker
        if tracker is not None:
            self.tracker = None
            tracker.ended(fault, status)
        if fault is not None and self.context.trace is not None:
            self.context.trace.say("attempt", "failed", f"{fault.error}: {fault.detail}")

    def drop_upstream(self) -> None:
        """Have nothing more to do with the connection to the upstream."""
        self.wants_body = False
        upstream, self.upstream = self.upstream, None
        if upstream is not None:
            upstream.close()

    # -- after one that failed: whether another is safe, and where it goes

    def upstream_failed(self, fault: ExchangeError) -> None:
        """The upstream connection is gone before the response was complete."""
        upstream, self.upstream = self.upstream, None
        self.wants_body = False
        if self.phase is OVER:
            return
        plan = self.plan
        assert plan is not None and upstream is not None
        if self.phase is SENT and self._response_body is not None:
            # Its response has come, and waits for a filter: it is cut, and nothing is asked again.
            self.leave(fault, self.upstream_status)
            self.fail(fault)
            return
        if self.phase is SENT and self.body is not None:
            self.body.have_back(upstream, fault.retry_safe)
        failed = judge(self, upstream, fault)
        if failed.repeatable:
            # What this one has agreed to, another has not.
            self._switching = None
            if not self.request_done:
                self.downstream.request_unwanted()
            plan.cuts += failed.cut
            if failed.by_chance:
                # Another connection, of which there is one for each attempt, tells whether it is there at all.
                self.made_anew += 1
                self._go_again(plan.attempt, failed.unseen)
                return
        if self.started is not None:
            # It has failed, whoever is to blame.
            self.attempt_over(fault, self.upstream_status)
        self.leave(failed.blame, self.upstream_status)
        self.context.not_repeated = failed.why_not
        self._try_again(plan, fault, failed.repeatable)

    def _go_again(self, attempt: Attempt, unseen: bool) -> None:
        """At the same upstream, by another connection."""
        kept = None
        if unseen and self.body is not None:
            kept = self.services.lease_quiet(attempt.address.key)
        elif unseen:
            kept = self.services.connections.lease(attempt.address.key)
        if kept is not None and attempt.head is not None:
            self._send(kept, attempt.head)
        else:
            self._dial(attempt)

    def not_asked(self, upstream: UpstreamStream, ended: bool) -> None:
        """The upstream has spoken, or has ``ended`` a kept connection, before any of the request went out."""
        self.upstream = None
        self.wants_body = False
        plan = self.plan
        assert plan is not None
        if self.body is not None:
            self.body.have_back(upstream, unseen=True)
            if not self.request_done:
                self.downstream.request_unwanted()
        if upstream.reused and not self.body_seen:
            # RFC 9110 9.2.2: a request that was never applied may be repeated, whatever it is.
            self._dial(plan.attempt)
        elif ended:
            # A valve has let part of it go.
            self.leave(None, 0)
            self.fail(UpstreamClosed(f"{plan.attempt.address} closed the connection before it was asked"))
        else:
            self._spoken_early(plan)

    def _spoken_early(self, plan: Plan) -> None:
        fault = spoke_early(plan.attempt.address)
        self.leave(fault, 0)
        self._try_again(plan, fault, fault.retry_safe and not self.body_seen)

    def _dial_failed(self, failure: Failure) -> None:
        if self.phase is not DIALING:
            return
        self._pending = None
        fault = failure.value
        if not isinstance(fault, ExchangeError):
            _log.failure("dialing failed in an unforeseen way", failure)
            fault = DialError("dialing failed")
        self.leave(fault, 0)
        plan = self.plan
        assert plan is not None
        self._try_again(plan, fault, repeatable=True)

    def _try_again(self, plan: Plan, fault: ExchangeError, repeatable: bool) -> None:
        """After an attempt that failed: make another, if it is ``repeatable`` and there is somewhere to go."""
        try:
            attempt = plan.next_attempt(plan, fault) if repeatable and plan.next_attempt is not None else None
        except ExchangeError as final:
            self.fail(final)
            return
        except Exception:
            self.mode_failed(Failure())
            return
        if attempt is None:
            self.fail(fault)
        elif isinstance(attempt, Deferred):
            self.phase = PLANNING
            self._pending = attempt
            again = (attempt,)
            attempt.addCallbacks(self._next_late, self._next_never, again, {}, again).addErrback(self.undecided)
        else:
            self._next(attempt)

    def waits_for(self, awaited: Deferred[Any]) -> bool:
        """Whether this, which has come or failed, was still waited for, as it is no more now; else it is over, or has
        been answered in the meantime, though a filter may have yet to say what becomes of that.
        """
        if self._pending is not awaited or self.phase is not PLANNING:
            return False
        self._pending = None
        return True

    def _next_late(self, attempt: Attempt, awaited: Deferred[Attempt]) -> None:
        if self.waits_for(awaited):
            self._next(attempt)
        else:
            attempt.give_back()

    def _next_never(self, failure: Failure, awaited: Deferred[Attempt]) -> None:
        if self.phase is OVER or self.waits_for(awaited):
            self.undecided(failure)

    def _next(self, attempt: Attempt) -> None:
        self._note_decision()
        self.made_anew = 0
        assert self.plan is not None
        self.plan.attempt = attempt
        traced = self.context.traced
        if traced is not None and traced.own:
            attempt.follow(traced)
        self._make(attempt)

    @property
    def body_seen(self) -> bool:
        """Whether part of the request's body has gone."""
        return self.body is not None and self.body.seen

    # -- the request's body, from the downstream
