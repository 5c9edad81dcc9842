"""What a client gets of the proxy with a response that was kept, as with one that comes from its origin."""

from __future__ import annotations

from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.wire.forwarding import received_in_http10
from txproxy.wire.message import ResponseHead


class ViaOfKept(ResponseFilter):
    """Adds ``line``, which is the proxy's own Via, to what comes of no attempt (RFC 9110 section 7.6.3). Those of
    attempts get it with their other lines, also where a cache has made them.
    """

    only_adds = steady = True

    def __init__(self, line: bytes) -> None:
        self._line = line
        self._lines = {line, *received_in_http10([line])}

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        if context.attempt is not None:
            return response
        lines = response.headers.lines
        return response.with_lines([*lines, self._line]) if self._lines.isdisjoint(lines) else response
