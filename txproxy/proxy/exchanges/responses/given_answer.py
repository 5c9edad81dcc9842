"""What the client gets in place of an upstream's response."""

from __future__ import annotations

from typing import Any, Final, cast

from txproxy.errors import ExchangeError
from txproxy.interfaces.answers import Answer, BodySource, Refusal, RelayedAnswer
from txproxy.interfaces.context import ResponseFilter
from txproxy.interfaces.streams import UpstreamStream
from txproxy.proxy.exchange_bounds import Bound
from txproxy.proxy.exchanges.phases import ANSWERED, OVER, PLANNING
from txproxy.proxy.exchanges.responses.answer_sources import BytesSource
from txproxy.proxy.exchanges.responses.filters import FilterWaits, ResponseBodyFilters
from txproxy.proxy.exchanges.responses.held_response import HeldResponse
from txproxy.proxy.exchanges.responses.own_answers import OwnAnswer
from txproxy.proxy.exchanges.responses.relayed_response import RelayedResponse
from txproxy.proxy.exchanges.responses.response_body import ResponseBody
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead

_NO_FIELDS: Final = Headers()


class GivenAnswer(RelayedResponse):
    """One request on its way, which may be answered here. How all ends is decided by who inherits:
    :class:`txproxy.proxy.exchanges.exchange.Exchange`.
    """

    # what the answer has passed that has gone out as it was given; None if there was no such
    steady_filters: tuple[ResponseFilter, ...] | None = None

    # -- what is decided elsewhere

    def _cut(self, outcome: str, detail: str) -> None:
        raise NotImplementedError

    # -- an answer

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
        pending, self._pending = self._pending, waits.coming
        if pending is not None:
            # What the request was to become is of no use any more.
            pending.cancel()
        waits.limited(self.services.reactor).addBoth(self._answer_later, answer, waits).addErrback(self.undecided)

    def _answer_later(self, given: Any, answer: OwnAnswer, waits: FilterWaits) -> None:
        if not self.waits_for(waits.coming):
            # It was cancelled, which does not stop everybody.
            if answer.source is not None:
                answer.source.close()
            if isinstance(given, Answer) and given is not answer.given:
                given.give_back()
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
        if self.tracker is not None or not self.request_done:
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
