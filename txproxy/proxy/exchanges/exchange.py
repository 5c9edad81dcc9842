"""One request and its response: plan, dial, send, retry, finish. An exchange knows its outcome.

It stands between a downstream (whoever brought the request: an HTTP/1 connection, a twisted.web request) and an
upstream connection, and owns neither. Body bytes pass through it event by event and are never gathered. Its way to the
upstream is in :mod:`txproxy.proxy.exchanges.attempts`; what is seldom needed, or is a matter of its own, stands beside.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, UpstreamClosed
from txproxy.instance_names import instance_names
from txproxy.interfaces.answers import Answer, BodySource, Refusal, RelayedAnswer
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.plan import Decided, Decision, Plan, Postponed
from txproxy.interfaces.streams import RawConnection, UpstreamStream
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.exchanges.answer_sources import BytesSource
from txproxy.proxy.exchanges.attempts import Attempts
from txproxy.proxy.exchanges.filters import FilterWaits, ReplacedResponse, ResponseBodyFilters, filtered_head
from txproxy.proxy.exchanges.held_response import HeldResponse
from txproxy.proxy.exchanges.own_answers import OwnAnswer, in_place_of, status_text
from txproxy.proxy.exchanges.phases import ANSWERED, OVER, PLANNING, SENT
from txproxy.proxy.exchanges.response_body import ResponseBody
from txproxy.proxy.exchanges.response_head import informational, onward_fields, switching
from txproxy.proxy.tunnel import Tunnel
from txproxy.wire.forwarding import received_in_http10
from txproxy.wire.headers import Headers
from txproxy.wire.http1.trailers import of_response
from txproxy.wire.message import RequestHead, ResponseHead, SharedHead

_log = Logger()

_NO_FIELDS: Final = Headers()


@instance_names(
    "services", "downstream", "request", "context", "bound", "started", "first_byte", "call", "_response_body", "body",
    "request_done", "plan", "_tracker", "phase", "upstream", "wants_body", "upstream_status", "status", "response",
    "sent", "outcome", "detail", "eventful", "received", "kept", "seconds", "_pending", "steady_filters", "_ends_as",
)  # fmt: skip
class Exchange(Attempts):
    """One request on its way.

    ``outcome`` is ``""`` until the end, then ``"ok"``, ``"tunnel"``, ``"answered"`` (by the mode), ``"client-gone"``,
    ``"slow-head"``, ``"slow-body"``, ``"slow-response"``, or the RFC 9209 type of what went wrong, and ``detail`` a
    sentence to it. ``status`` is what the client got (0: nothing), ``sent`` the bytes of body that it got, ``received``
    those that came of its own.
    """

    status = 0
    sent = 0
    # the head of it
    response: ResponseHead | None = None
    outcome = ""
    detail = ""
    # how it ends if all goes well
    _ends_as = "ok"
    # what the answer has passed that has gone out as it was given; None if there was no such
    steady_filters: tuple[ResponseFilter, ...] | None = None
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
            self.started = services.seconds()
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
            decision.addCallback(self._decided_late).addErrback(self.undecided)
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

    def _decided_late(self, decision: Decided) -> None:
        self._pending = self.context.informational = None
        self._note_decision()
        if self.phase is not OVER:
            self.decided(decision)
            return
        # Whoever was to cancel it has not.
        if isinstance(decision, Plan | Answer):
            decision.give_back()
        self.context.close_filters()

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
        self._finish(outcome, detail)
        self.drop_upstream()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    # -- the response, from the upstream

    def response_head(self, head: ResponseHead) -> None:
        """A head from the upstream: informational, a switch of protocols, or the final one."""
        if head.status >= 200:
            response = self._final_head(head)
            if response is not None:
                self.downstream.send_head(response)
        elif head.status == 101:
            self._switch_protocols(head)
        elif self.request.minor:
            # RFC 9110 15.2: a proxy forwards 1xx, but never to an HTTP/1.0 client.
            self.downstream.send_informational(informational(head))

    def response_whole(self, head: ResponseHead, body: bytes) -> None:
        """A final response that has come in one piece; the upstream connection is no longer ours."""
        self.upstream = None
        if self.body is not None:
            self.wants_body = False
        elif self._goes_on_as_it_is(head):
            self.sent = len(body)
            self.downstream.send_whole(head, body)
            self._finish("ok", "", self.first_byte)
            self.downstream.exchange_done()
            return
        response = self._final_head(head)
        if response is None:
            if isinstance(self._response_body, HeldResponse):
                self._response_body.whole(body)
            return
        if self._response_body is not None:
            cast(ResponseBody, self._response_body).whole(response, body)
            return
        # It has begun and ended at once: the clock need not be asked again.
        self.response_sent(response, body, self.first_byte)

    def _goes_on_as_it_is(self, head: ResponseHead) -> bool:
        """Make of the upstream's head the client's, if nothing is to be looked at or added: the same as
        :meth:`_final_head` does, in fewer steps.
        """
        plan = self.plan
        assert plan is not None
        attempt, headers, status = plan.attempt, head.headers, head.status
        if attempt.answered is not None or attempt.lines or self.bound is not None or status == 204:
            return False
        onward = headers.onward
        if onward is None or self.context.response_filters or (headers.names_server and plan.map_back is not None):
            return False
        started = self.started
        if started is not None:
            self.first_byte = self.services.seconds() - started
        head.headers = onward
        self.phase = ANSWERED
        self.status = self.upstream_status = status
        self.response = head
        return True

    def response_shared(self, head: SharedHead, body: bytes) -> None:
        """The same with a head that others have as well. Where there is nothing to be done with it, as is the rule,
        this is what is left of the above.
        """
        plan, context = self.plan, self.context
        assert plan is not None
        attempt, onward = plan.attempt, head.onward
        if (
            onward is None
            or context.response_filters
            or attempt.answered is not None
            or attempt.lines
            or self.bound is not None
        ):
            self.response_whole(head.alone(), body)
            fields = head.headers.onward
            if fields is not None and not head.headers.names_server:
                head.onward = SharedHead(head.status, fields, head.reason, head.body)
            return
        self.upstream = None
        self.wants_body = False
        self.status = self.upstream_status = head.status
        if self.started is not None:
            self.first_byte = self.services.seconds() - self.started
        self.phase = ANSWERED
        self.response = onward
        self.sent = len(body)
        self.downstream.send_whole(onward, body)
        self._finish("ok", "", self.first_byte)
        self.downstream.exchange_done()

    def not_answered(self) -> None:
        """The head of the response has not gone out after all."""
        self.phase = SENT

    def _final_head(self, head: ResponseHead) -> ResponseHead | None:
        """Make of the upstream's head the client's; None if the response is not for the client, who got another."""
        status = self.upstream_status = head.status
        if self.started is not None:
            self.first_byte = self.services.seconds() - self.started
        plan = self.plan
        assert plan is not None
        attempt = plan.attempt
        headers = head.headers
        onward = headers.onward if status != 204 else None
        if onward is None:
            onward = onward_fields(headers, status, self.services.http_date)
        if plan.map_back is not None and headers.names_server:
            onward = Headers.from_lines(plan.map_back(attempt, self.request, self.context, onward.lines))
        head.headers = onward
        filters: ResponseBodyFilters | None = None
        context = self.context
        passing = context.response_filters
        if len(passing) == 1 and passing[0].only_adds and attempt.answered is None:
            # The same as below, for one that is there often: a cache that is of no use to what it knows not to be kept.
            context.attempt = attempt
            try:
                added: Any = passing[0].head(head, context)
            except Exception as fault:
                self.not_passed(fault, head.status)
                return None
            head = added
        elif attempt.answered is not None or passing:
            passed = self._passed(attempt, head)
            if passed is None:
                return None
            head, filters = passed
            status = head.status
        if attempt.lines:
            lines = attempt.lines if head.minor else received_in_http10(attempt.lines)
            head.headers = head.headers.and_lines(lines)
        down = self.bound.down if self.bound is not None else None
        if filters is not None or down is not None:
            self._response_body = ResponseBody(self, filters, down)
        self.phase = ANSWERED
        self.status = status
        self.response = head
        return head

    def _held_head(self, head: ResponseHead, filters: ResponseBodyFilters | None, held: HeldResponse) -> None:
        """The head of a response that was waited for: the rest of :meth:`_final_head`, which is in the way of each."""
        plan, body = self.plan, held.all_of_it
        assert plan is not None
        lines = plan.attempt.lines
        if lines:
            head.headers = head.headers.and_lines(lines if head.minor else received_in_http10(lines))
        down = self.bound.down if self.bound is not None else None
        if filters is not None or down is not None:
            self._response_body = ResponseBody(self, filters, down)
        self.phase = ANSWERED
        self.status = head.status
        self.response = head
        if body is None:
            self.downstream.send_head(head)
            held.release()
            self.downstream.flush()
        elif self._response_body is not None:
            cast(ResponseBody, self._response_body).whole(head, body)
        else:
            self.response_sent(head, body)

    def hold(self, held: HeldResponse | None) -> None:
        """What of the response comes is kept by this one, or by nobody any more."""
        self._response_body = held

    def wait_for(self, coming: Deferred[Any] | None) -> None:
        """This is cancelled when the client leaves."""
        self._pending = coming

    def _passed(
        self,
        attempt: Attempt,
        head: ResponseHead,
        then: Callable[[ResponseHead, ResponseBodyFilters | None, HeldResponse], None] | None = None,
    ) -> tuple[ResponseHead, ResponseBodyFilters | None] | None:
        """Tell of the ``head`` of a response, and let it pass the filters; None if the client got something else, or
        gets it later: ``then`` (as a final response, if there is none) is called with it where a filter waits.
        """
        context = self.context
        try:
            if attempt.answered is not None:
                attempt.answered(head.status)
            filters = context.response_filters
            if not filters:
                return head, None
            context.attempt = attempt
            for place, one in enumerate(filters):
                if not one.only_adds:
                    filters = filters[place:]
                    break
                added: Any = one.head(head, context)
                head = added
            else:
                return head, None
            bodiless = self.request.method == b"HEAD" or head.status in (101, 204, 304)
            return filtered_head(head, context, filters, bodiless)
        except FilterWaits as waits:
            HeldResponse(self, waits, bodiless, then or self._held_head)
            return None
        except Exception as fault:
            self.not_passed(fault, head.status)
            return None

    def not_passed(self, fault: Exception, status: int) -> None:
        """A response with that ``status`` does not go to the client, by this ``fault``, which is being handled."""
        failure = Failure()
        self.leave(None, status)
        self.drop_upstream()
        if isinstance(fault, ReplacedResponse):
            self.refuse(fault.answer, fault.filters)
        elif isinstance(fault, ExchangeError):
            self.fail(fault)
        else:
            self.mode_failed(failure)

    def _switch_protocols(self, head: ResponseHead) -> None:
        """For the client this is the final response: what is said in those is said in it."""
        plan, upstream = self.plan, self.upstream
        assert plan is not None and upstream is not None
        upgrade = head.headers.get(b"upgrade") or b""
        passed = self._passed(
            plan.attempt, informational(head), lambda later, filters, held: self._switch_to(later, upgrade)
        )
        if passed is not None:
            self._switch_to(passed[0], upgrade)

    def _switch_to(self, head: ResponseHead, upgrade: bytes) -> None:
        plan, upstream = self.plan, self.upstream
        assert plan is not None and upstream is not None
        response = switching(head, upgrade, plan.attempt.lines)
        if upstream.request_sent:
            self.switch(response, upstream)
        else:
            # RFC 9110 7.8: the request is completed first. Of the other protocol nothing is read before that.
            self._switching = response
            upstream.pause_response()

    def response_body(self, data: bytes) -> None:
        """Part of the response's body."""
        if self._response_body is not None:
            self._response_body.pass_on(data)
        else:
            self.sent += len(data)
            self.downstream.send_body(data)

    def pass_to_client(self, data: bytes) -> None:
        """The same, of what has passed the filters."""
        self.sent += len(data)
        self.downstream.send_body(data)

    def sink(self) -> Any:
        """The transport to which the bytes of a body of known length may pass; None if they must come here."""
        return self.downstream.sink() if self._response_body is None else None

    def sending_socket(self) -> Any:
        """The socket to which bytes of such a body are to go at once; None if they must come here."""
        return self.downstream.sending_socket() if self._response_body is None else None

    def response_passed(self, size: int) -> None:
        """So many bytes of the body went to the client's transport past everybody."""
        self.sent += size
        self.downstream.passed(size)

    def response_end(self, trailers: Headers) -> None:
        """The response is complete; the upstream connection is no longer ours."""
        self.upstream = None
        self.wants_body = False
        if self._response_body is not None:
            self._response_body.end(trailers)
        else:
            self.response_over(trailers)

    def response_over(self, trailers: Headers) -> None:
        """All of it has passed."""
        if trailers.lines:
            if self.plan is not None and self.plan.own_fields is not None:
                trailers = of_response(trailers, self.plan.own_fields.response)
            self.context.trailers = trailers
        self.downstream.send_end(trailers)
        self._finish(self._ends_as, "")
        self.downstream.exchange_done()

    def response_sent(self, response: ResponseHead, body: bytes, seconds: float | None = None) -> None:
        """The same of one that goes out in one piece, ``seconds`` after the exchange began if that is known."""
        self.sent = len(body)
        self.downstream.send_whole(response, body)
        self._finish("ok", "", seconds)
        self.downstream.exchange_done()

    def flush(self) -> None:
        """No more of the response is at hand just now."""
        self.downstream.flush()

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
        self._tracker = plan.attempt.tracker
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

    def refuse(self, given: Refusal | Answer, filters: tuple[ResponseFilter, ...] | None = None) -> None:
        """Answer in place of an upstream; what is said passes these ``filters``, or all that there are. A response that
        has begun is cut: a second one within it would be read as part of its body.
        """
        if self.phase is ANSWERED and isinstance(given, Refusal):
            self._cut(given.outcome or given.error or "refused", given.detail)
            return
        if type(given) is RelayedAnswer and self._goes_as_it_is(given):
            return
        # The status is not the upstream's.
        self.leave(None, 0)
        held, self._response_body = self._response_body, None
        if isinstance(held, HeldResponse):
            held.drop()
        context = self.context
        answer = OwnAnswer(self.services, self.request, given)
        if filters is None:
            filters = context.response_filters
        if filters:
            context.attempt = None
            answer.pass_through(filters, context)
            if answer.waits is not None:
                self._hold_answer(answer)
                return
        self._answer(answer)

    def _hold_answer(self, answer: OwnAnswer) -> None:
        """One of the filters has yet to say what the client gets."""
        waits = answer.waits
        assert waits is not None
        self.phase = PLANNING
        self._pending = waits.coming
        waits.limited(self.services.reactor).addBoth(self._answer_later, answer, waits).addErrback(self.undecided)

    def _answer_later(self, given: Any, answer: OwnAnswer, waits: FilterWaits) -> None:
        self._pending = None
        if self.phase is OVER:
            if answer.source is not None:
                answer.source.close()
            return
        answer.go_on(waits, given, self.context)
        if answer.waits is not None:
            self._hold_answer(answer)
        else:
            self._answer(answer)

    def _answer(self, answer: OwnAnswer) -> None:
        """Send it: it has passed what there is."""
        context = self.context
        if context.trace is not None:
            answer.tell(context.trace)
        given = answer.given
        self.response = answer.response
        self.status = answer.response.status
        bounds = given.bounds if isinstance(given, RelayedAnswer) else None
        if answer.source is not None or bounds is not None:
            if bounds is not None and self.bound is None:
                self.bound = Bound(bounds, self)
            assert isinstance(given, Answer)
            self._relay(given, answer.response, answer.source or BytesSource(answer.body), answer.filters)
            return
        self.sent = self.downstream.send_answer(given, answer.response, answer.body)
        if isinstance(given, Answer):
            self._finish("answered", "")
        else:
            self._finish(given.outcome or given.error or "refused", given.detail)
        self.downstream.exchange_done()

    def _goes_as_it_is(self, given: RelayedAnswer) -> bool:
        """Send an answer that nothing has to be done with, if it is one: a cache gives many of these, and this is
        what is left of :meth:`refuse` for them.
        """
        body, head, context = given.body, given.head, self.context
        if given.bounds is not None or context.trace is not None or self.bound is not None:
            return False
        if self._tracker is not None or not self.request_done:
            return False
        filters = context.response_filters
        if filters:
            context.attempt = None
            for one in filters:
                if not one.steady:
                    return False
                head = one.head(head, context)  # type: ignore[assignment]
        self.response = head
        self.status = head.status
        if not isinstance(body, bytes):
            self._relay(given, head, body)
            return True
        self.steady_filters = filters
        self.sent = len(body)
        self.downstream.send_whole(head, body)
        self._finish("answered", "")
        self.downstream.exchange_done()
        return True

    def _relay(
        self, given: Answer, response: ResponseHead, source: BodySource, filters: ResponseBodyFilters | None = None
    ) -> None:
        """Send one whose body comes as an upstream's does."""
        self._ends_as = "answered"
        down = self.bound.down if self.bound is not None else None
        if filters is not None or down is not None:
            self._response_body = ResponseBody(self, filters, down)
        self.phase = ANSWERED
        # It is read from, paused and closed as a connection is.
        self.upstream = cast(UpstreamStream, source)
        if self.downstream.begin_answer(given, response):
            source.start(self)
            if self.phase is ANSWERED:
                # Whoever waits for the rest has the head already.
                self.downstream.flush()
        else:
            self.drop_upstream()
            self.response_over(_NO_FIELDS)

    def source_failed(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.answers.BodyReceiver`."""
        self.upstream = None
        if self.phase is not OVER:
            self.fail(fault)

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

    def _finish(self, outcome: str, detail: str, seconds: float | None = None) -> None:
        self.phase = OVER
        self.outcome = outcome
        self.detail = detail
        tracker, call = self._tracker, self.call
        if tracker is not None:
            self._tracker = None
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
                self.services.tell(self)
            except Exception:
                _log.failure("an observer failed")
