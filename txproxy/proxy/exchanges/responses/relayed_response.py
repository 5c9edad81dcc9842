"""The response of an upstream on its way to the client: its head, its body event by event, and its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txproxy.errors import ExchangeError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import ResponseFilter
from txproxy.proxy.exchanges.attempts import Attempts
from txproxy.proxy.exchanges.phases import ANSWERED, SENT
from txproxy.proxy.exchanges.responses.filters import FilterWaits, ReplacedResponse, ResponseBodyFilters, filtered_head
from txproxy.proxy.exchanges.responses.held_response import HeldResponse
from txproxy.proxy.exchanges.responses.response_body import ResponseBody
from txproxy.proxy.exchanges.responses.response_head import informational, onward_fields, switching
from txproxy.wire.forwarding import received_in_http10
from txproxy.wire.headers import Headers
from txproxy.wire.http1.trailers import of_response
from txproxy.wire.message import ResponseHead, SharedHead


class RelayedResponse(Attempts):
    """One request on its way, and the response that comes for it. How all ends is decided by who inherits:
    :class:`txproxy.proxy.exchanges.exchange.Exchange`.
    """

    # what the client got: its status (0: nothing), and the bytes of its body
    status = 0
    sent = 0
    # the head of it
    response: ResponseHead | None = None
    # how it ends if all goes well
    _ends_as = "ok"
    # whether ``run_shared`` takes more than one response
    in_runs = False

    # -- what is decided elsewhere

    def refuse(self, given: Refusal | Answer, filters: tuple[ResponseFilter, ...] | None = None) -> None:
        """Answer in place of an upstream, past these filters."""
        raise NotImplementedError

    def _finish(self, outcome: str, detail: str, seconds: float | None = None) -> None:
        raise NotImplementedError

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
            clock = self.services.seconds
            self.first_byte = clock() - started
        head.headers = onward
        self.phase = ANSWERED
        self.status = self.upstream_status = status
        self.response = head
        return True

    def run_shared(self, head: SharedHead, alike: list[tuple[Any, bytes]]) -> int:
        """The same for the first of those whose streams have been answered ``alike``, and where ``in_runs`` says so for
        those after it as well; gives for how many, of whose streams all is over then.
        """
        one, body = alike[0]
        one.open, one.exchange = False, None
        self.response_shared(head, body)
        return 1

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
        started = self.started
        if started is not None:
            clock = self.services.seconds
            self.first_byte = clock() - started
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
        plain = informational(head)
        if plan.map_back is not None and plain.headers.names_server:
            lines = plan.map_back(plan.attempt, self.request, self.context, plain.headers.lines)
            plain.headers = Headers.from_lines(lines)
        passed = self._passed(plan.attempt, plain, lambda later, filters, held: self._switch_to(later, upgrade))
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
