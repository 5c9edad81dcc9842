"""What tells one request from others wherever it goes: ``X-Request-Id``, and ``traceparent``."""

from __future__ import annotations

import re
from os import urandom
from random import random
from typing import Any, Final

from zope.interface import implementer

from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import Handler, IMiddleware
from txproxy.interfaces.plan import Decision
from txproxy.matching.networks import PeerNetworks
from txproxy.wire.forwarding import has_unusual, replaced, without_lookalikes
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.trace_context import FIELD, STATE, new_trace, read_traceparent

_NONE: Final[frozenset[bytes]] = frozenset()
_STATE: Final = frozenset({STATE})
_REQUEST_ID: Final = b"x-request-id"
_REQUEST_IDS: Final = frozenset({_REQUEST_ID})
# UUIDs, hexadecimal digits, Base64, and what separates such. Whoever reads a log may trust in that.
_KEPT: Final = re.compile(rb"[0-9A-Za-z._~:/+=@-]{1,128}")


@implementer(IMiddleware)
class RequestTracing:
    """Gives each request that comes to a mode an ``X-Request-Id`` (``request_ids``), which its response has as well,
    and a ``traceparent`` (``trace_context``), if it has none that is valid.

    An identifier that comes with a request stays where its peer is in ``trusted`` networks (None: whoever it is);
    anybody else's may be another's already, and is replaced. A trace goes on, whoever has begun it.

    With ``sample`` (None: nobody does) spans are written down for the proxy: of all traces whose beginner has it so,
    and of that share of those that begin here. Upstreams are told of one of the proxy's own then, in each attempt
    of another.
    """

    def __init__(
        self,
        *,
        request_ids: bool = True,
        trace_context: bool = True,
        trusted: PeerNetworks | None = None,
        sample: float | None = None,
    ) -> None:
        self._request_ids = request_ids
        self._traces = trace_context
        self._trusted = trusted
        self._sample = sample

    def handle(self, request: RequestHead, context: RequestContext, proceed: Handler) -> Decision:
        """See :class:`txproxy.interfaces.IMiddleware`."""
        return proceed(self._known(request, context), context)

    def within(self, handler: Handler, scope: str = "", services: Any = None) -> Handler:
        """The same composed with the ``handler`` that it stands around, for less."""

        def known(request: RequestHead, context: RequestContext) -> Decision:
            return handler(self._known(request, context), context)

        return known

    def _known(self, request: RequestHead, context: RequestContext) -> RequestHead:
        """``request`` with what it is known by."""
        index = request.headers.index
        dropped = _NONE
        new: dict[bytes, bytes] = {}
        if self._request_ids:
            given = index.get(_REQUEST_ID, b"")
            if not self._keeps(given, context):
                given = urandom(16).hex().encode("ascii")
                new[_REQUEST_ID] = b"X-Request-Id: " + given
            elif has_unusual(index):
                # What looks like the identifier that is kept is another's word.
                request = _without_lookalikes(request)
            context.filter_responses(_Identified(b"X-Request-Id: " + given))
        if self._traces:
            traced = read_traceparent(index.get(FIELD, b""))
            if traced is None:
                sampled = self._sample is None or random() < self._sample
                traced = new_trace(sampled, own=sampled and self._sample is not None)
                new[FIELD] = traced.line
                # Section 3.3.1 of Trace Context: what a tracestate says belongs to its traceparent.
                dropped = _STATE
            elif traced.sampled and self._sample is not None:
                traced = traced.followed()
                new[FIELD] = traced.line
            context.traced = traced
        if not new:
            return request
        headers = replaced(request.headers, dropped.union(new), frozenset(new), list(new.values()))
        return request.with_fields(headers, request.path)

    def _keeps(self, given: bytes, context: RequestContext) -> bool:
        trusted = self._trusted is None or context.connection.peer_ip in self._trusted
        return trusted and _KEPT.fullmatch(given) is not None


def _without_lookalikes(request: RequestHead) -> RequestHead:
    lines = without_lookalikes(request.headers.lines, _REQUEST_IDS)
    if len(lines) == len(request.headers.lines):
        return request
    return request.with_fields(Headers.parsed(lines), request.path)


class _Identified(ResponseFilter):
    """Has the client get the identifier, in place of one that an upstream says."""

    refusals = True

    def __init__(self, line: bytes) -> None:
        self._line = line

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        headers = response.headers
        lines = headers.lines
        if _REQUEST_ID in headers.index:
            lines = [line for line, name in zip(lines, headers.names(), strict=True) if name != _REQUEST_ID]
        return response.with_lines([*lines, self._line])
