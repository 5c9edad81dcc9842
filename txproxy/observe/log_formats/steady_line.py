"""What the lines of one connection have in common, which is written once: clients ask in the same words again."""

from __future__ import annotations

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.record import FinishedExchange
from txproxy.wire.message import RequestHead


class Steady:
    """What lines have in common as long as all this is the same: what requests say beside their targets, who sends
    them, and by which rule they are let through. Of an exchange that has not gone well, that had more than one attempt,
    or that a limit or a cache has to do with, it says nothing.

    ``start``, ``after`` (the target), ``middle`` and ``end`` are parts of the line, and ``identifier`` is what a
    request is told by in its own fields; so many were ``made`` of this connection before.
    """

    __slots__ = (
        "made", "start", "after", "middle", "end", "identifier", "_headers", "_method", "_authority", "_minor",
        "_target", "_client_ip", "_user", "_scheme", "_rule", "_verdict",
    )  # fmt: skip

    def __init__(self, over: FinishedExchange, made: int, start: str, after: str, middle: str, end: str) -> None:
        request, context = over.request, over.context
        self._headers = request.headers
        self._method = request.method
        self._authority = request.authority
        self._minor = request.minor
        self._target = request.scheme
        self._client_ip = context.client_ip
        self._user = context.user
        self._scheme = context.scheme
        self._rule = context.rule
        self._verdict = context.verdict
        self.identifier = request.headers.index.get(b"x-request-id")
        self.start = start
        self.after = after
        self.middle = middle
        self.end = end
        self.made = made

    def holds_for(self, over: FinishedExchange, request: RequestHead, context: RequestContext) -> bool:
        """Whether it is true of this one."""
        return (
            request.headers is self._headers
            and over.outcome == "ok"
            and not over.eventful
            and request.method == self._method
            and request.authority == self._authority
            and request.minor == self._minor
            and request.scheme == self._target
            and context.client_ip == self._client_ip
            and context.user == self._user
            and context.scheme == self._scheme
            and context.rule == self._rule
            and context.verdict is self._verdict
            and context.limit is None
            and context.cache is None
            and not over.detail
        )
