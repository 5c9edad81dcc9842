"""What the proxy says itself, on its way to the client."""

from __future__ import annotations

from typing import Final

from twisted.logger import Logger

from txproxy.errors import ExchangeError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.proxy.answers import prefers_html, reply
from txproxy.proxy.filters import ReplacedResponse, filtered_head, of_refusal, with_length
from txproxy.proxy.services import Services
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

_log = Logger()
_NO_FIELDS: Final = Headers()


class OwnAnswer:
    """``given``, as a ``response`` with its ``body`` for whoever sent ``request``."""

    __slots__ = ("given", "response", "body", "_services", "_request")

    def __init__(self, services: Services, request: RequestHead, given: Answer | Refusal) -> None:
        self._services = services
        self._request = request
        self._set(given)

    def _set(self, given: Answer | Refusal) -> None:
        services = self._services
        html = prefers_html(self._request.headers)
        self.given = given
        self.response, self.body = reply(given, services.name, html, services.http_date(), services.pages)

    def pass_through(self, filters: tuple[ResponseFilter, ...], context: RequestContext) -> None:
        """It passes those ``filters`` that are for it. What one of them says in its place passes those after it."""
        while filters:
            if isinstance(self.given, Refusal):
                filters = of_refusal(filters)
            try:
                self._filter(filters, context)
                return
            except ReplacedResponse as replaced:
                self._set(replaced.answer)
                filters = replaced.filters
            except ExchangeError as fault:
                self._set(Refusal.of(fault))
                return
            except Exception:
                _log.failure("a filter failed")
                self._set(Refusal(500, "proxy_internal_error", "a filter failed"))
                return

    def _filter(self, filters: tuple[ResponseFilter, ...], context: RequestContext) -> None:
        bodiless = self._request.method == b"HEAD" or self.response.status in (204, 304)
        response, passing = filtered_head(self.response, context, filters, bodiless)
        if passing is not None:
            self.body = passing.body(self.body) + passing.end(_NO_FIELDS)
            response = with_length(response, len(self.body))
        self.response = response
