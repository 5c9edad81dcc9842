"""Responses that policy does not let pass, by content type and by size."""

from __future__ import annotations

from txproxy.errors import ResponseDenied
from txproxy.forward.access.content_policy import ContentRules
from txproxy.forward.access.refusals import BlockedResponse, denied
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.wire.message import ResponseHead


class ContentFilter(ResponseFilter):
    """Holds the response to a request for ``url`` to ``rules``."""

    keeps_length = True

    def __init__(self, rules: ContentRules, url: str) -> None:
        self._rules = rules
        self._url = url
        self._received = 0

    def head(self, response: ResponseHead, context: RequestContext) -> ResponseHead:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        reason = self._rules.judge(response)
        if reason is not None:
            context.verdict = denied(reason, "content")
            raise BlockedResponse(context.verdict, self._url)
        # Where it says how long it is, that was judged.
        self.wants_body = self._rules.max_size is not None and response.body < 0
        return response

    def body(self, data: bytes) -> bytes:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        self._received += len(data)
        if self._rules.too_large(self._received):
            raise ResponseDenied("the response is longer than may pass", error="http_response_body_size")
        return data
