"""``before`` and ``after``: short functions in the way of requests, as one middleware."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.hooks.request_view import Request
from txproxy.interfaces.hooks.response_view import Reply, Response
from txproxy.interfaces.middleware import Handler, IMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.matching.octets import shown
from txproxy.proxy.hooks.hook_call import Hook
from txproxy.wire.message import RequestHead, ResponseHead

_ACCEPTED: Final = "None, a Reply, an Answer or a Refusal"


@implementer(IMiddleware)
class Hooks:
    """Asks each of ``before`` about a request, in order, until one answers, and each of ``after`` about the
    response.
    """

    def __init__(self, before: Iterable[Hook] = (), after: Iterable[Hook] = ()) -> None:
        self._before = tuple(before)
        self._after = tuple(after)

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        seen = Request(request, context)
        if self._after:
            if context.trace is not None:
                context.trace.say("after", ", ".join(hook.name for hook in self._after), "once there is a response")
            context.filter_responses(AfterHooks(self._after, seen))
        for place, hook in enumerate(self._before):
            given = hook.call(seen)
            if context.trace is not None:
                context.trace.say("before", hook.name, _did(given, request, seen))
            if isinstance(given, Deferred):
                later: Any = Deferred.fromCoroutine(self._ask_on(given, place, seen, proceed))
                decision: Decision = later
                return decision
            if given is not None:
                return _answer(given, hook)
        return proceed(seen.changed_head(), context)

    async def _ask_on(self, given: Deferred[Any], place: int, seen: Request, proceed: Handler) -> Any:
        answer = await given
        for hook in self._before[place + 1 :]:
            if answer is not None:
                break
            place += 1
            answer = hook.call(seen)
            if isinstance(answer, Deferred):
                answer = await answer
        if answer is not None:
            return _answer(answer, self._before[place])
        decision = proceed(seen.changed_head(), seen.context)
        return await decision if isinstance(decision, Deferred) else decision


def _did(given: object, request: RequestHead, seen: Request) -> str:
    """What a function has done with a request, for who wants to know."""
    if given is not None:
        return "waits" if isinstance(given, Deferred) else "answers"
    path = seen.head.path
    return "goes on" if path == request.path else f"goes on to {shown(path)}"


def _answer(given: object, hook: Hook) -> Answer | Refusal:
    if isinstance(given, Reply):
        return given.answer
    if isinstance(given, Answer | Refusal):
        return given
    raise hook.wrong(given, _ACCEPTED)


class AfterHooks(ResponseFilter):
    """Each of ``hooks`` is asked about the response to what was ``asked``, in order."""

    # Each has its own.
    timeout = None

    def __init__(self, hooks: tuple[Hook, ...], asked: Request) -> None:
        self._hooks = hooks
        self._asked = asked

    def head(self, response: ResponseHead, context: RequestContext) -> Any:
        """See :class:`ResponseFilter`."""
        for place, hook in enumerate(self._hooks):
            seen = Response(response)
            given = hook.call(self._asked, seen)
            if isinstance(given, Deferred):
                return Deferred.fromCoroutine(self._ask_on(given, place, seen))
            if given is not None:
                return _answer(given, hook)
            response = seen.changed_head()
        return response

    async def _ask_on(self, given: Deferred[Any], place: int, seen: Response) -> ResponseHead | Answer | Refusal:
        answer = await given
        for hook in self._hooks[place + 1 :]:
            if answer is not None:
                break
            place += 1
            seen = Response(seen.changed_head())
            answer = hook.call(self._asked, seen)
            if isinstance(answer, Deferred):
                answer = await answer
        return seen.changed_head() if answer is None else _answer(answer, self._hooks[place])
