"""One request and its response: plan, dial, send, retry, finish. An exchange knows its outcome.

It stands between a downstream (whoever brought the request: an HTTP/1 connection, a twisted.web request) and an
upstream connection, and owns neither. Body bytes pass through it event by event and are never gathered.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred, fail
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import (
    DialError,
    ExchangeError,
    RequestError,
    ResponseDenied,
    ResponseIncomplete,
    ResponseTimeout,
    UpstreamClosed,
)
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Answer, Decided, Decision, Plan, Postponed, Refusal
from txproxy.interfaces.streams import ClientStream, UpstreamConnection
from txproxy.net.deadlines import NEVER
from txproxy.net.via_proxy import spoke_early
from txproxy.proxy.early_body import FIRST_PART, EarlyBody
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.services import Services
from txproxy.proxy.tunnel import Tunnel
from txproxy.proxy.upstream.connection_binding import bind_by_request
from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end, received_in_http10
from txproxy.wire.headers import Headers
from txproxy.wire.http1.trailers import of_request, of_response
from txproxy.wire.message import RequestHead, ResponseHead

_log = Logger()

# RFC 9110 9.2.2, and the registry of methods (16.1)
IDEMPOTENT: Final = frozenset(
    b"ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT COPY DELETE GET HEAD LABEL LINK MERGE MKACTIVITY MKCALENDAR MKCOL "
    b"MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PROPFIND PROPPATCH PUT QUERY REBIND REPORT SEARCH TRACE UNBIND "
    b"UNCHECKOUT UNLINK UPDATE UPDATEREDIRECTREF VERSION-CONTROL".split()
)
_DROP_AT_204: Final = HOP_BY_HOP | {b"content-length"}
_NO_FIELDS: Final = Headers()


class _Phase(Enum):
    PLANNING = "planning"
    GATHERING = "gathering"  # the first part of the body is waited for
    DIALING = "dialing"
    SENT = "sent"  # the request, or its beginning, is at an upstream
    ANSWERED = "answered"  # the head of the response has gone to the client
    OVER = "over"


_PLANNING: Final = _Phase.PLANNING
_GATHERING: Final = _Phase.GATHERING
_SENT: Final = _Phase.SENT
_ANSWERED: Final = _Phase.ANSWERED
_OVER: Final = _Phase.OVER


class Exchange:
    """One request on its way.

    ``outcome`` is ``""`` until the end, then ``"ok"``, ``"tunnel"``, ``"answered"`` (by the mode), ``"client-gone"``,
    or the RFC 9209 type of what went wrong, and ``detail`` a sentence to it. ``status`` is what the client got (0:
    nothing), ``sent`` the bytes of body that it got, ``received`` those that came of its own.
    """

    __slots__ = (
        "services", "downstream", "request", "context", "plan", "status", "sent", "received", "outcome", "detail",
        "started", "request_done", "wants_body", "_phase", "_upstream", "_pending", "_body_seen", "_switching",
        "_observed", "_held", "bound", "early", "_unsent",
    )  # fmt: skip

    def __init__(
        self, services: Services, downstream: ClientStream, request: RequestHead, context: RequestContext
    ) -> None:
        self.services = services
        self.downstream = downstream
        self.request = request
        self.context = context
        self.plan: Plan | None = None
        self.status = 0
        self.sent = 0
        self.received = 0
        self.outcome = ""
        self.detail = ""
        self.started = 0.0
        self.request_done = not request.body
        # whether the body of the request may be brought now
        self.wants_body = False
        self._phase = _PLANNING
        self._upstream: UpstreamConnection | None = None
        self._pending: Deferred[Any] | None = None
        self._body_seen = False
        # the answer that changes protocols, once the request is complete
        self._switching: ResponseHead | None = None
        self._observed = False
        # whether an upstream had to wait with its response, for the client or for a bound
        self._held = False
        # what bounds it, if anything does
        self.bound: Bound | None = None
        # what has come of a body whose first part is, or was, waited for
        self.early: EarlyBody | None = None
        # the connection that has a request, with a body, which another is to send
        self._unsent: UpstreamConnection | None = None

    @property
    def client_ip(self) -> str:
        """The believed address of the client."""
        return self.context.client_ip

    @property
    def response_begun(self) -> bool:
        """Whether the head of the final response has gone to the client."""
        return self._phase is _ANSWERED

    def carried(self) -> int:
        """See :class:`txproxy.interfaces.Metered`."""
        tunnel = self.bound.tunnel if self.bound is not None else None
        return self.received + self.sent if tunnel is None else tunnel.received + tunnel.sent

    # -- plan and dial

    def start(self, plan: Callable[[RequestHead, RequestContext], Decision]) -> None:
        """Ask the mode for its ``plan``, and go."""
        services = self.services
        if services.observed and not self.downstream.errand:
            self.started = services.seconds()
            self._observed = True
        try:
            decision = plan(self.request, self.context)
        except ExchangeError as fault:
            self._fail(fault)
        except Exception:
            # Written by an embedder, perhaps. Said loudly, and answered.
            self._mode_failed(Failure())
        else:
            if type(decision) is Plan:
                self._go(decision)
            else:
                self._decided(decision)

    def refuse_unread(self, fault: ExchangeError, waited: float = 0.0) -> None:
        """Answer what could not be read as a request, so that the mode is not asked. So many seconds it was ``waited``
        for.
        """
        if self.services.observed:
            self.started = self.services.seconds() - waited
            self._observed = True
        self._fail(fault)

    def _decided(self, decision: Decision) -> None:
        if isinstance(decision, Deferred):
            self._phase = _Phase.PLANNING
            self._pending = decision
            decision.addCallbacks(self._decided_late, self._plan_failed)
        elif isinstance(decision, Plan):
            self._go(decision)
        elif isinstance(decision, Postponed):
            self._postpone(decision)
        else:
            self._refuse(decision)

    def _decided_late(self, decision: Decided) -> None:
        self._pending = None
        if self._phase is not _OVER:
            self._decided(decision)
        elif isinstance(decision, Plan):
            # Whoever was to cancel it has not.
            decision.give_back()

    def _plan_failed(self, failure: Failure) -> None:
        self._pending = None
        if self._phase is _OVER:
            return
        if isinstance(failure.value, ExchangeError):
            self._fail(failure.value)
        else:
            self._mode_failed(failure)

    def _mode_failed(self, failure: Failure) -> None:
        _log.failure("the mode failed", failure)
        self._refuse(Refusal(500, "proxy_internal_error", "the mode failed"))

    def _go(self, plan: Plan) -> None:
        before, self.plan = self.plan, plan
        if before is not None and before.response_lines:
            # They are the request's, whoever answers it; and a mode may have added them again.
            others = [line for line in plan.response_lines if line not in before.response_lines]
            plan.response_lines = (*before.response_lines, *others)
        if plan.bounds is not None and self.bound is None:
            self.bound = Bound(plan.bounds, self)
        if plan.max_body is not None and self.request.body > plan.max_body:
            self._fail(RequestError("the body is too large", status=413))
            return
        early = self.early
        if early is not None and early.late and plan.party is not None:
            plan.party = early.postponed.lend(plan.party, self)
        if plan.head is not None:
            own = self.context.connection.connections
            kept = self.services.take_quiet(plan.address.key, own) if own is not None else None
            if kept is not None:
                pass
            elif not self.request.body:
                kept = self.services.connections.take(plan.address.key)
            else:
                # Once part of its body has been taken, it cannot go elsewhere.
                kept = self.services.take_quiet(plan.address.key)
            if kept is not None:
                self._send(kept, plan.head)
                return
        self._dial(plan)

    def _dial(self, plan: Plan) -> None:
        self._phase = _Phase.DIALING
        try:
            dialing = self.services.dial(plan.address, self.context.client_ip)
        except Exception:
            # An embedder's dialer, perhaps.
            dialing = fail()
        self._pending = dialing
        dialing.addCallbacks(self._dialed, self._dial_failed)

    def _dialed(self, upstream: UpstreamConnection) -> None:
        self._pending = None
        plan = self.plan
        assert plan is not None
        if self._phase is _OVER:
            upstream.close()
        elif plan.head is None:
            if plan.answered is not None:
                plan.answered(200)
            self._switch(None, upstream)
        elif upstream.spoke_early:
            upstream.close()
            self._spoken_early(plan)
        elif self._unsent is not None:
            self._send_unsent(upstream, self._unsent)
        else:
            self._send(upstream, plan.head)

    def _dial_failed(self, failure: Failure) -> None:
        self._pending = None
        if self._phase is _OVER:
            return
        fault = failure.value
        if not isinstance(fault, ExchangeError):
            _log.failure("dialing failed in an unforeseen way", failure)
            fault = DialError("dialing failed")
        if self._unsent is None:
            self._try_again(fault)
        else:
            self._leave(fault, 0)
            self._fail(fault)

    def _try_again(self, fault: ExchangeError) -> None:
        """After an attempt that failed, and may be repeated."""
        plan = self.plan
        assert plan is not None
        self._leave(fault, 0)
        try:
            again = plan.again
            decision = again(plan, fault, self.request, self.context) if again is not None else None
        except ExchangeError as final:
            self._fail(final)
            return
        except Exception:
            self._mode_failed(Failure())
            return
        if decision is not None:
            self._decided(decision)
        else:
            self._fail(fault)

    def _leave(self, fault: ExchangeError | None, status: int) -> None:
        """Let the party of the attempt know how it went."""
        plan = self.plan
        if plan is not None and plan.party is not None:
            party, plan.party = plan.party, None
            party.ended(fault, status)

    def _send(self, upstream: UpstreamConnection, head: RequestHead) -> None:
        self._phase = _SENT
        self._upstream = upstream
        index = self.request.headers.index
        if b"authorization" in index:
            bind_by_request(upstream, self.downstream, index[b"authorization"])
        upstream.begin(self, head)
        if self.early is not None:
            self._send_early(upstream, self.early)
        elif not self.request_done:
            self.wants_body = True
            self.downstream.request_wanted()

    def _send_unsent(self, upstream: UpstreamConnection, unsent: UpstreamConnection) -> None:
        """As ``unsent`` was to."""
        self._unsent = None
        self._phase = _SENT
        self._upstream = upstream
        index = self.request.headers.index
        if b"authorization" in index:
            bind_by_request(upstream, self.downstream, index[b"authorization"])
        upstream.begin_again(self, unsent)
        self.release_request()

    # -- the first part of a body (see txproxy.proxy.early_body)

    @property
    def gathering(self) -> bool:
        """Whether it is waited for."""
        return self._phase is _GATHERING

    def _postpone(self, postponed: Postponed) -> None:
        """The decision waits for it."""
        self.early = EarlyBody(postponed)
        if postponed.max_body is not None and self.request.body > postponed.max_body:
            self._fail(RequestError("the body is too large", status=413))
            return
        self._phase = _GATHERING
        self.wants_body = True
        self.downstream.request_wanted()

    def _gather(self, data: bytes) -> None:
        early = self.early
        assert early is not None
        most = early.postponed.max_body
        if most is not None and self.received > most:
            raise RequestError("the body is too large", status=413)
        early.pieces.append(data)
        if self.received >= FIRST_PART:
            self._decide(early, late=False)

    def _more_takes_time(self) -> None:
        """All of it that is there is not enough."""
        early = self.early
        assert early is not None
        if early.until is NEVER:
            early.until = self.services.moment_limit.ahead
        if not self.received and not early.encouraged and self._expects():
            # RFC 9110 10.1.1 would have the origin asked, which takes a place that is not to be had yet. As nginx and
            # HAProxy do where they wait for a body.
            early.encouraged = True
            self.downstream.send_informational(ResponseHead(100, Headers(), reason=b"Continue"))

    def _expects(self) -> bool:
        expected = self.request.headers.get(b"expect") if self.request.minor else None
        return expected is not None and expected.lower() == b"100-continue"

    def first_part_late(self) -> None:
        """It has not come in time: go on without it if there is room, else wait on."""
        early = self.early
        assert early is not None
        self._decide(early, late=True)

    def _decide(self, early: EarlyBody, late: bool) -> None:
        self.wants_body = False
        self._phase = _PLANNING
        try:
            decision = early.postponed.decide(late)
        except ExchangeError as final:
            self._fail(final)
            return
        except Exception:
            self._mode_failed(Failure())
            return
        if decision is None:
            self.wants_body = True
            self._phase = _GATHERING
            early.until = self.services.moment_limit.ahead
            return
        # Whatever becomes of the attempts that follow, it is waited for but once.
        early.until = NEVER
        early.late = late
        self._decided(decision)

    def _send_early(self, upstream: UpstreamConnection, early: EarlyBody) -> None:
        """What was gathered goes out first."""
        self.wants_body = not self.request_done
        pieces, early.pieces = early.pieces, []
        for piece in pieces:
            if self._upstream is not upstream:
                return
            self._pass_body(piece)
        if self._upstream is upstream:
            if self.request_done:
                self._body_complete(early.trailers)
            elif self.wants_body:
                self.downstream.request_wanted()

    @property
    def body_late(self) -> bool:
        """See :class:`txproxy.interfaces.Uploading`."""
        return not self.request_done and self.received < FIRST_PART and self._phase is not _ANSWERED

    # -- the request's body, from the downstream

    def request_body(self, data: bytes) -> None:
        """Part of the request's body."""
        self.received += len(data)
        if self._phase is _GATHERING:
            self._gather(data)
            return
        plan = self.plan
        assert plan is not None
        if plan.max_body is not None and self.received > plan.max_body:
            raise RequestError("the body is too large", status=413)
        self._pass_body(data)

    def _pass_body(self, data: bytes) -> None:
        self._body_seen = True
        plan = self.plan
        assert self._upstream is not None and plan is not None
        if plan.shadow is not None:
            plan.shadow.body(data)
        if self.bound is not None and self.bound.up is not None:
            self.bound.up.pass_on(data)
        else:
            self._upstream.send_body(data)

    def deliver_request(self, data: bytes) -> None:
        """A valve lets part of the request's body pass."""
        upstream = self._upstream
        if upstream is not None:
            upstream.send_body(data)
            upstream.flush()

    def request_end(self, trailers: Headers) -> None:
        """The request is complete."""
        self.request_done = True
        self.wants_body = False
        if self._phase is _GATHERING:
            assert self.early is not None
            self.early.trailers = trailers
            self._decide(self.early, late=False)
        else:
            self._body_complete(trailers)

    def _body_complete(self, trailers: Headers) -> None:
        self._body_seen = True
        plan = self.plan
        if plan is not None and plan.shadow is not None:
            shadow, plan.shadow = plan.shadow, None
            shadow.end()
        if self.bound is not None and self.bound.up is not None:
            self.bound.up.after(lambda: self._end_request(trailers))
        else:
            self._end_request(trailers)

    def _end_request(self, trailers: Headers) -> None:
        if self._upstream is not None:
            plan = self.plan
            if trailers.lines and plan is not None and plan.head is not None:
                own = plan.own_fields
                trailers = of_request(trailers, self.request, plan.head, own.request if own is not None else ())
            self._upstream.send_end(trailers)
            if self._switching is not None:
                self._upstream.resume_response()
                self._switch(self._switching, self._upstream)

    def request_flush(self) -> None:
        """No more of the body is at hand just now."""
        if self._upstream is not None:
            self._upstream.flush()
        elif self._phase is _GATHERING:
            self._more_takes_time()

    def request_failed(self, fault: ExchangeError) -> None:
        """The rest of the request cannot be read."""
        self._leave(None, 0)
        self._drop_upstream()
        self._fail(fault)

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

    def hold_request(self) -> None:
        """A valve is closed: bring no more of the request's body."""
        self.wants_body = False

    def release_request(self) -> None:
        """It is open again."""
        if not self.request_done and self._upstream is not None:
            self.wants_body = True
            self.downstream.request_wanted()

    # -- the client's side of the response

    def pause_response(self) -> None:
        """The client is slow."""
        self._held = True
        if self.bound is not None and self.bound.down is not None:
            self.bound.down.pause()
        elif self._upstream is not None:
            self._upstream.pause_response()

    def resume_response(self) -> None:
        """The client takes more."""
        if self.bound is not None and self.bound.down is not None:
            self.bound.down.resume()
        elif self._upstream is not None:
            self._upstream.resume_response()

    def hold_response(self) -> None:
        """A valve is closed: read no more of the upstream."""
        self._held = True
        if self._upstream is not None:
            self._upstream.pause_response()

    def release_response(self) -> None:
        """It is open again."""
        if self._upstream is not None:
            self._upstream.resume_response()

    def client_gone(self) -> None:
        """Nobody waits for this any more: cancel what is under way."""
        if self._phase is _OVER:
            return
        self._finish("client-gone", "the client closed the connection")
        self._drop_upstream()
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.cancel()

    # -- the response, from the upstream

    def response_head(self, head: ResponseHead) -> None:
        """A head from the upstream: informational, a switch of protocols, or the final one."""
        if head.status < 200:
            self._informational(head)
            return
        if self._final_head(head):
            self.downstream.send_head(head)

    def response_whole(self, head: ResponseHead, body: bytes) -> None:
        """A final response that has come in one piece; the upstream connection is no longer ours."""
        self._upstream = None
        self.wants_body = False
        if not self._final_head(head):
            return
        if self.bound is not None and self.bound.down is not None and body:
            self.downstream.send_head(head)
            self.bound.down.pass_on(body)
            self.downstream.flush()
            self.response_end(_NO_FIELDS)
            return
        self.sent = len(body)
        self.downstream.send_whole(head, body)
        self._finish("ok", "")
        self.downstream.exchange_done()

    def _final_head(self, head: ResponseHead) -> bool:
        """Make of the upstream's head the client's; False if the response is not for the client, who got another."""
        status = head.status
        plan = self.plan
        assert plan is not None
        headers = head.headers
        onward = headers.onward if status != 204 else None
        if onward is None:
            onward = self._onward(headers, status)
        if plan.map_back is not None and headers.names_server:
            onward = Headers.from_lines(plan.map_back(plan, self.request, self.context, onward.lines))
        if plan.answered is not None or plan.rewrite is not None:
            lines = self._rewritten(plan, head, onward.lines)
            if lines is None:
                return False
            if lines is not onward.lines:
                onward = Headers.from_lines(lines)
        if plan.response_lines or plan.attempt_lines:
            more = (*plan.attempt_lines, *plan.response_lines)
            onward = Headers.from_lines([*onward.lines, *(more if head.minor else received_in_http10(more))])
        self._phase = _ANSWERED
        self.status = status
        head.headers = onward
        return True

    def _rewritten(self, plan: Plan, head: ResponseHead, lines: list[bytes]) -> list[bytes] | None:
        """Tell of the head of a response, and give the ``lines`` that the client gets; None if it got another one."""
        try:
            if plan.answered is not None:
                plan.answered(head.status)
            return plan.rewrite(head, lines[:]) if plan.rewrite is not None else lines
        except ExchangeError as fault:
            self._leave(None, head.status)
            self._drop_upstream()
            self._fail(fault)
        except Exception:
            failure = Failure()
            self._leave(None, head.status)
            self._drop_upstream()
            self._mode_failed(failure)
        return None

    def _onward(self, headers: Headers, status: int) -> Headers:
        """The end-to-end fields of a response."""
        index = headers.index
        headers.names_server = (
            b"location" in index or b"set-cookie" in index or b"content-location" in index or b"refresh" in index
        )
        # RFC 9110 8.6: no Content-Length in a 204.
        lines = end_to_end(headers, HOP_BY_HOP if status != 204 else _DROP_AT_204)
        if b"date" not in index:
            # RFC 9110 6.6.1: a recipient with a clock adds the Date that is missing.
            lines.append(b"Date: " + self.services.http_date())
            return Headers.from_lines(lines)
        onward = Headers.from_lines(lines)
        if status != 204:
            # The fields of the next response may be the very same (see the codec).
            headers.onward = onward
        return onward

    def _informational(self, head: ResponseHead) -> None:
        lines = end_to_end(head.headers, _DROP_AT_204)
        if head.status == 101:
            self._switch_protocols(head, lines)
        elif self.request.minor:
            # RFC 9110 15.2: a proxy forwards 1xx, but never to an HTTP/1.0 client.
            self.downstream.send_informational(ResponseHead(head.status, Headers.from_lines(lines), reason=head.reason))

    def _switch_protocols(self, head: ResponseHead, lines: list[bytes]) -> None:
        """For the client this is the final response: what is said in those is said in it."""
        plan, upstream = self.plan, self._upstream
        assert plan is not None and upstream is not None
        changed = self._rewritten(plan, head, lines)
        if changed is not None:
            upgrade = head.headers.get(b"upgrade") or b""
            added = (*plan.attempt_lines, *plan.response_lines)
            lines = [*changed, *added, b"Connection: upgrade", b"Upgrade: " + upgrade]
            response = ResponseHead(101, Headers.from_lines(lines), reason=head.reason)
            if upstream.request_sent:
                self._switch(response, upstream)
            else:
                # RFC 9110 7.8: the request is completed first. Of the other protocol nothing is read before that.
                self._switching = response
                upstream.pause_response()

    def response_body(self, data: bytes) -> None:
        """Part of the response's body."""
        if self.bound is not None and self.bound.down is not None:
            self.bound.down.pass_on(data)
            return
        self.sent += len(data)
        plan = self.plan
        assert plan is not None
        if plan.max_response is not None and self.sent > plan.max_response:
            self._cut_response()
            return
        self.downstream.send_body(data)

    def deliver_response(self, data: bytes) -> None:
        """A valve lets part of the response's body pass."""
        self.sent += len(data)
        plan = self.plan
        assert plan is not None
        if plan.max_response is not None and self.sent > plan.max_response:
            self._cut_response()
            return
        self.downstream.send_body(data)
        self.downstream.flush()

    def _cut_response(self) -> None:
        self._drop_upstream()
        self._fail(ResponseDenied("the response is longer than may pass", error="http_response_body_size"))

    def sink(self) -> Any:
        """The transport to which the bytes of a body of known length may pass; None if they must come here."""
        if self.bound is not None and self.bound.down is not None:
            return None
        return self.downstream.sink()

    def response_passed(self, size: int) -> None:
        """So many bytes of the body went to the client's transport past everybody."""
        self.sent += size
        self.downstream.passed(size)

    def response_end(self, trailers: Headers) -> None:
        """The response is complete; the upstream connection is no longer ours."""
        self._upstream = None
        self.wants_body = False
        if self.bound is not None and self.bound.down is not None and self.bound.down.holding:
            self.bound.down.after(lambda: self.response_end(trailers))
            return
        if trailers.lines and self.plan is not None and self.plan.own_fields is not None:
            trailers = of_response(trailers, self.plan.own_fields.response)
        self.downstream.send_end(trailers)
        self._finish("ok", "")
        self.downstream.exchange_done()

    def flush(self) -> None:
        """No more of the response is at hand just now."""
        self.downstream.flush()

    def upstream_failed(self, fault: ExchangeError) -> None:
        """The upstream connection is gone before the response was complete."""
        upstream, self._upstream = self._upstream, None
        self.wants_body = False
        if self._phase is _OVER:
            return
        plan = self.plan
        assert plan is not None and upstream is not None
        cut = isinstance(fault, UpstreamClosed | ResponseIncomplete)
        # Nothing has reached the client as long as the final head is not complete. One that is malformed is an answer.
        unanswered = self._phase is _SENT and (not upstream.received_any or cut or isinstance(fault, ResponseTimeout))
        repeat = unanswered and self._may_repeat()
        # RFC 9112 9.3.1: the upstream closed a kept-alive connection while the request was on its way.
        closed_idle = cut and upstream.reused and not upstream.received_any
        if repeat:
            if not self.request_done:
                self.downstream.request_unwanted()
            plan.cuts += cut
            if closed_idle:
                # A new one, of which there is one for each attempt, tells whether it is there at all.
                self._dial(plan)
                return
        self._leave(None if closed_idle or self._is_clients(fault) else fault, self.status)
        if repeat:
            self._try_again(fault)
        else:
            self._fail(fault)

    def not_asked(self, upstream: UpstreamConnection, ended: bool) -> None:
        """The upstream has spoken, or has ``ended`` a kept connection, before any of the request went out."""
        self._upstream = None
        self.wants_body = False
        plan = self.plan
        assert plan is not None
        if upstream.reused and not self._body_seen:
            self._dial(plan)
        elif ended and (self.bound is None or self.bound.up is None):
            # RFC 9110 9.2.2: a request that was never applied may be repeated, whatever it is.
            self._unsent = upstream
            self._dial(plan)
        elif ended:
            # A valve has let part of it go.
            self._leave(None, 0)
            self._fail(UpstreamClosed(f"{plan.address} closed the connection before it was asked"))
        else:
            self._spoken_early(plan)

    def _spoken_early(self, plan: Plan) -> None:
        fault = spoke_early(plan.address)
        if fault.retry_safe and not self._body_seen:
            self._try_again(fault)
        else:
            self._leave(fault, 0)
            self._fail(fault)

    def _is_clients(self, fault: ExchangeError) -> bool:
        """Whether a ``fault`` of the upstream's connection is not to be held against it, because it may have been tired
        of the client: of one that is slow to take the response, or of a body that it did not want to the end.
        """
        return not isinstance(fault, ResponseTimeout) and (self._held or not self.request_done)

    def _may_repeat(self) -> bool:
        # RFC 9110 9.2.2: an idempotent request, of which no body has gone that could not be sent again
        return self.request.method in IDEMPOTENT and not self._body_seen

    # -- tunnels

    def _switch(self, response: ResponseHead | None, upstream: UpstreamConnection) -> None:
        self.status = response.status if response is not None else 200
        self._phase = _ANSWERED
        self._upstream = None
        self.request_done = True
        self.wants_body = False
        if self.bound is not None:
            self.bound.close_valves()
        self.downstream.switch(response, upstream)

    def tunnel_closed(self, tunnel: Tunnel) -> None:
        """The tunnel has ended."""
        self.sent = tunnel.sent
        self.received = tunnel.received
        detail = f"{tunnel.received} bytes from the client"
        self._finish("tunnel", f"{detail}; {tunnel.why}" if tunnel.why else detail)

    def tunnel_refused(self, fault: ExchangeError) -> None:
        """The tunnel has ended before anything passed."""
        if self._phase is not _OVER:
            self.services.say_fault(self.context.connection.peer_ip, fault, self.downstream.errand)
            self._finish(fault.error, fault.detail)

    # -- the end

    def abandon(self, fault: ExchangeError) -> None:
        """See :class:`txproxy.interfaces.Metered`."""
        if self._phase is _OVER:
            return
        if self.bound is not None and self.bound.tunnel is not None:
            self.bound.tunnel.end(fault.detail)
            return
        pending, self._pending = self._pending, None
        self._leave(None, self.status)
        self._drop_upstream()
        self._fail(fault)
        if pending is not None:
            pending.cancel()

    def _drop_upstream(self) -> None:
        self.wants_body = False
        upstream, self._upstream = self._upstream, None
        if upstream is not None:
            upstream.close()

    def _refuse(self, refusal: Refusal | Answer) -> None:
        # The status is not the upstream's.
        self._leave(None, 0)
        given = self.plan or (self.early.postponed if self.early is not None else None)
        if given is not None and given.response_lines:
            # A decision that was postponed may have them already.
            others = [line for line in given.response_lines if line not in refusal.lines]
            refusal = attrs.evolve(refusal, lines=(*refusal.lines, *others))
        self.status = refusal.status
        self.sent = self.downstream.send_refusal(refusal)
        if isinstance(refusal, Answer):
            self._finish("answered", "")
        else:
            self._finish(refusal.error or "refused", refusal.detail)
        self.downstream.exchange_done()

    def _fail(self, fault: ExchangeError) -> None:
        self.services.say_fault(self.context.connection.peer_ip, fault, self.downstream.errand)
        if self._phase is _ANSWERED:
            self._finish(fault.error, fault.detail)
            self.downstream.cut()
        else:
            self._refuse(Refusal.of(fault))

    def _finish(self, outcome: str, detail: str) -> None:
        self._phase = _OVER
        self.outcome = outcome
        self.detail = detail
        plan = self.plan
        if plan is not None:
            if plan.party is not None:
                party, plan.party = plan.party, None
                party.ended(None, self.status)
            if plan.shadow is not None:
                shadow, plan.shadow = plan.shadow, None
                shadow.cut()
        if self.bound is not None:
            self.bound.ended()
        if self._observed:
            self.services.exchange_finished(self)
