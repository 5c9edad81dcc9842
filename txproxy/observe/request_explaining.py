"""``X-Txproxy-Explain``: a response says why it is what it is, to who shows the administrator's token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

from zope.interface import implementer

from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import Handler, IMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.interfaces.trace import Trace
from txproxy.wire.forwarding import EXPLAIN, replaced
from txproxy.wire.message import RequestHead, ResponseHead

_LINE: Final = b"X-Txproxy-Explain: "
_DROPPED: Final = frozenset({EXPLAIN})
_NONE: Final[frozenset[bytes]] = frozenset()
# A response may have so many of these lines, each of so many bytes: heads of more than 8 kB are refused by many.
_MOST_LINES: Final = 24
_LONGEST: Final = 240
_MOST_BYTES: Final = 4096


@implementer(IMiddleware)
class RequestExplaining:
    """Has the response to a request that shows what ``is_token`` holds for right say why it is what it is: a summary,
    and what each part that has a say has decided. The field goes no further, right or wrong, and who shows a wrong one
    is told nothing.
    """

    # What it does follows from the bytes of a request.
    repeats = True

    def __init__(self, is_token: Callable[[bytes], bool]) -> None:
        self._is_token = is_token

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        return self.within(proceed)(request, context)

    def within(self, handler: Handler, scope: str = "", services: Any = None) -> Handler:
        """The same composed with the ``handler`` that it stands around, for less."""
        asked = self._asked

        def explaining(request: RequestHead, context: RequestContext) -> Decision:
            if EXPLAIN in request.headers.index:
                request = asked(request, context)
            return handler(request, context)

        return explaining

    def _asked(self, request: RequestHead, context: RequestContext) -> RequestHead:
        """The request without what it was asked with."""
        if self._is_token(request.headers.index[EXPLAIN]):
            if context.trace is None:
                context.trace = Trace()
            context.filter_responses(_Explained(context.trace))
        return request.with_fields(replaced(request.headers, _DROPPED, _NONE, []), request.path)


class _Explained(ResponseFilter):
    """Says it to the client."""

    refusals = only_adds = True

    def __init__(self, trace: Trace) -> None:
        self._trace = trace

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        said: list[bytes] = []
        size = 0
        for text in (", ".join(_summary(context)), *_told(self._trace)):
            line = _LINE + _safe(text)
            size += len(line)
            if len(said) == _MOST_LINES or size > _MOST_BYTES:
                said.append(_LINE + b"...")
                break
            said.append(line)
        return response.with_lines([*response.headers.lines, *said])


def _summary(context: RequestContext) -> Iterator[str]:
    """What counts most, each by its name."""
    if context.stream is not None:
        yield f"HTTP/2 stream={context.stream}"
    if context.rule:
        yield f"route={context.rule}"
    verdict, limit, cache, attempt = context.verdict, context.limit, context.cache, context.attempt
    if verdict is not None:
        yield f"verdict={verdict.outcome.value} by {verdict.rule or 'default'}"
    if limit is not None:
        yield f"limit={limit.name} {limit.outcome}"
    if cache is not None:
        yield f"cache={cache.word}"
    if attempt is None and context.fetched:
        # It was the cache that has asked.
        attempt = context.fetched[-1].attempt
    if attempt is None:
        yield "attempts=0" if context.waited_for is None else f"pool={context.waited_for.name}, attempts=0"
        return
    upstream = getattr(attempt, "upstream", None)
    if upstream is not None:
        yield f"pool={getattr(upstream.pool, 'name', '')}, upstream={upstream.name}"
    else:
        yield f"upstream={attempt.address}"
    yield f"attempts={len(getattr(attempt, 'tried', ())) + 1}"


def _told(trace: Trace) -> Iterator[str]:
    """What was decided; but of what was sent the fields are nobody's business here."""
    sent = False
    for entry in trace.entries:
        if not entry.within:
            sent = entry.who.startswith("sent")
        if not (sent and entry.within):
            yield str(entry).strip() if not entry.within else f"- {str(entry).strip()}"


def _safe(text: str) -> bytes:
    """``text`` as a value of a field (RFC 9110 section 5.5): visible letters of ASCII, and spaces."""
    data = "".join(one if " " <= one <= "~" else one.encode("unicode_escape").decode() for one in text).encode("ascii")
    return data if len(data) <= _LONGEST else data[: _LONGEST - 3] + b"..."
