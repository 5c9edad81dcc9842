"""The proxy's own answers: small, with ``Proxy-Status``, and telling nothing of the inside."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from twisted.python.failure import Failure

from txproxy.errors import ExchangeError, ResponseTimeout
from txproxy.interfaces.answers import Answer, BodySource, Refusal, RelayedAnswer
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.pages import Page, page
from txproxy.interfaces.trace import Trace
from txproxy.matching.octets import shown
from txproxy.proxy.error_pages import ErrorPages
from txproxy.proxy.exchanges.responses.filters import (
    FilterWaits,
    ReplacedResponse,
    ResponseBodyFilters,
    filtered_head,
    of_refusal,
    with_length,
)
from txproxy.proxy.services import Services
from txproxy.wire.grpc.calls import CONTENT_TYPE, is_call
from txproxy.wire.grpc.grpc_statuses import DEADLINE_EXCEEDED, message_value, of_http
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

_NO_FIELDS: Final = Headers()
# So many replies are kept for who is refused alike: a configuration has fewer of them, but for those that count down.
_MOST_REPLIES: Final = 64
# What a client is told; the detail of a refusal may name addresses and is for the log alone.
_SENTENCES: Final = {
    400: "The request is malformed or ambiguous.",
    403: "This proxy does not allow the request.",
    404: "There is nothing here.",
    405: "This method is not done here.",
    407: "This proxy wants to know who you are.",
    408: "The request took too long to arrive.",
    413: "The request's body is too large.",
    414: "The request's target is too long.",
    421: "This host is not served here.",
    429: "There are too many requests.",
    431: "The request's header fields are too large.",
    500: "The proxy failed.",
    501: "The proxy does not know how to do this.",
    502: "The upstream gave no valid answer.",
    503: "No upstream is available.",
    504: "The upstream took too long.",
    508: "The request goes in a circle.",
}
# The same by what Proxy-Status says, which is more.
_BY_ERROR: Final = {
    (403, "destination_ip_prohibited"): "The host has an address that is private, or near this proxy; the option "
    "--allow-destination (allow_destinations in a file) opens it.",
    (502, "connection_refused"): "The host refused the connection.",
    (502, "connection_terminated"): "The host closed the connection before it answered.",
    (502, "destination_unavailable"): "The host cannot be reached.",
    (502, "dns_error"): "The name of the host cannot be resolved.",
    (502, "tls_certificate_error"): "The certificate of the host cannot be verified.",
    (502, "tls_protocol_error"): "There is no TLS with the host.",
    (504, "connection_timeout"): "The host did not take the connection in time.",
    (504, "dns_timeout"): "The name of the host could not be resolved in time.",
    (504, "http_response_timeout"): "The host did not answer in time.",
}


# RFC 9110 15.5.14 and 15.5.15 renamed them; Python's table did in 3.13.
_NEWER_PHRASES: Final = {413: b"Content Too Large", 414: b"URI Too Long"}


def reason_of(status: int) -> bytes:
    """The standard reason phrase of ``status``, or nothing."""
    if status in _NEWER_PHRASES:
        return _NEWER_PHRASES[status]
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b""


def status_text(status: int) -> str:
    """``status`` with its phrase, for people."""
    return f"{status} {reason_of(status).decode('ascii')}".rstrip()


def prefers_html(request_headers: Headers | None) -> bool:
    """Whether the client names ``text/html`` before any other type in Accept."""
    accept = request_headers.get(b"accept") if request_headers is not None else None
    return accept is not None and accept.lower().lstrip().startswith((b"text/html", b"application/xhtml+xml"))


def reply(
    refusal: Refusal | Answer,
    name: bytes,
    html: bool,
    date: bytes,
    pages: ErrorPages | None = None,
    grpc: bool = False,
) -> tuple[ResponseHead, bytes]:
    """Head and body of a mode's own answer, or that tell a client of a refusal; ``name`` is who speaks in Proxy-Status
    (RFC 9209 section 2), ``pages`` what stands in place of our own small bodies. A body that is not at hand is none.
    Who has made a call of ``grpc`` is told of a refusal by a status of that.
    """
    if isinstance(refusal, Answer):
        return _answer(refusal, date)
    status = refusal.status
    reason = reason_of(status)
    sentence = refusal.sentence or _BY_ERROR.get((status, refusal.error)) or _SENTENCES.get(status, "")
    if grpc:
        return _in_grpc(refusal, name, sentence or status_text(status), date)
    found = pages.filled(status, {"reason": sentence}) if pages is not None else None
    if refusal.page is not None:
        found = _page_of(refusal.page, status, html, pages)
    kind, body = found if found is not None else page(html, f"{status} {reason.decode('ascii')}", sentence)
    lines = [b"Date: " + date, b"Content-Type: " + kind, b"Content-Length: %d" % len(body), b"Cache-Control: no-store"]
    lines += _reasons(refusal, name)
    return ResponseHead(status, Headers.from_lines(lines), reason=reason, body=len(body)), body


def replied(
    services: Services, given: Refusal | Answer, html: bool = False, grpc: bool = False
) -> tuple[ResponseHead, bytes]:
    """:func:`reply`, as this proxy gives it now. Refusals that are alike come to the same until Date says something
    else: whoever is refused may be so thousands of times a second.
    """
    date = services.http_date()
    if grpc or isinstance(given, Answer) or given.page is not None:
        return reply(given, services.name, html, date, services.pages, grpc)
    # Who has made it may have given a list.
    replies, alike = services.replies, (given.status, given.error, given.sentence, tuple(given.lines), html)
    known = replies.get(alike)
    if known is None:
        if len(replies) >= _MOST_REPLIES:
            replies.clear()
        known = replies[alike] = reply(given, services.name, html, date, services.pages)
    head, body = known
    # A filter may have another in the place of its fields: of those nobody changes anything.
    return ResponseHead(head.status, head.headers, reason=head.reason, body=head.body), body


def _page_of(own: Any, status: int, html: bool, pages: ErrorPages | None) -> Page:
    """What a refusal says itself, or what one of ``pages`` says in its words."""
    told = getattr(own, "told", None)
    if html and told is not None and pages is not None and pages.explains(status):
        filled = pages.filled(status, told)
        assert filled is not None
        return filled
    found: Page = own(html)
    return found


def _reasons(refusal: Refusal, name: bytes) -> list[bytes]:
    said = [b"Proxy-Status: %b; error=%b" % (name, refusal.error.encode("ascii"))] if refusal.error else []
    return [*said, *refusal.lines]


def _in_grpc(refusal: Refusal, name: bytes, sentence: str, date: bytes) -> tuple[ResponseHead, bytes]:
    """A response of nothing but a status: gRPC's clients look at that of HTTP where they find no other, and say then
    that they have got something strange.
    """
    late = refusal.error == ResponseTimeout.error
    code = DEADLINE_EXCEEDED if late else of_http(refusal.status)
    lines = [
        b"Date: " + date,
        b"Content-Type: " + CONTENT_TYPE,
        b"Grpc-Status: %d" % code,
        b"Grpc-Message: " + message_value(sentence),
    ]
    return ResponseHead(200, Headers.from_lines([*lines, *_reasons(refusal, name)]), reason=b"OK"), b""


def _answer(answer: Answer, date: bytes) -> tuple[ResponseHead, bytes]:
    body = answer.body
    data = body if isinstance(body, bytes) else b""
    if isinstance(answer, RelayedAnswer):
        return answer.head, data
    length = len(body) if isinstance(body, bytes) else body.length
    lines = [b"Date: " + date, *answer.lines]
    # RFC 9110 8.6: no Content-Length in a 204; and in a 304 it would be that of the content which is not sent.
    if length is not None and answer.status not in (204, 304):
        lines.append(b"Content-Length: %d" % length)
    reason = reason_of(answer.status)
    framed = length if length is not None else CHUNKED
    return ResponseHead(answer.status, Headers.from_lines(lines), reason=reason, body=framed), data


def in_place_of(
    fault: ExchangeError, filters: tuple[ResponseFilter, ...], services: Services
) -> tuple[Answer | Refusal, tuple[ResponseFilter, ...]]:
    """What a client is told of ``fault``, and what that passes: one of the ``filters`` may know better."""
    for place, one in enumerate(filters):
        try:
            instead = one.failed(fault)
        except ExchangeError as other:
            return Refusal.of(other), filters[place + 1 :]
        except Exception:
            return _filter_failed(services, Failure()), ()
        if instead is not None:
            return instead, filters[place + 1 :]
    return Refusal.of(fault), filters


def _filter_failed(services: Services, failure: Failure) -> Refusal:
    services.say_failed("a filter", failure)
    return Refusal(500, "proxy_internal_error", "a filter failed")


class OwnAnswer:
    """``given``, as a ``response`` with its ``body`` for whoever sent ``request``. A ``source`` in place of the body
    has yet to pass the ``filters``.
    """

    __slots__ = ("given", "response", "body", "source", "filters", "waits", "_services", "_request", "_unfiltered")

    def __init__(self, services: Services, request: RequestHead, given: Answer | Refusal) -> None:
        self._services = services
        self._request = request
        self.source: BodySource | None = None
        self.filters: ResponseBodyFilters | None = None
        # one of the filters that has yet to say what this is to be
        self.waits: FilterWaits | None = None
        self._set(given)

    def _set(self, given: Answer | Refusal) -> None:
        services = self._services
        headers = self._request.headers
        html = prefers_html(headers)
        # Of who speaks HTTP/2; to others it would be no gRPC.
        grpc = self._request.minor == 2 and is_call(headers.get(b"content-type"))
        self.given = given
        if self.source is not None:
            self.source.close()
        self.source = None if isinstance(given, Refusal) or isinstance(given.body, bytes) else given.body
        self.response, self.body = replied(services, given, html, grpc)
        self._unfiltered = self.response

    def pass_through(self, filters: tuple[ResponseFilter, ...], context: RequestContext) -> None:
        """It passes those ``filters`` that are for it. What one of them says in its place passes those after it. Where
        one ``waits``, the rest is for later (:meth:`go_on`).
        """
        self._pass(filters, context, None)

    def go_on(self, waits: FilterWaits, given: Any, context: RequestContext) -> None:
        """The one that was waited for has ``given`` this, or a failure."""
        self.waits = None
        if isinstance(given, Failure):
            if isinstance(given.value, ExchangeError):
                self._set(Refusal.of(given.value))
            else:
                self._set(_filter_failed(self._services, given))
            return
        self._pass(waits.filters, context, waits, given)

    def _pass(
        self,
        filters: tuple[ResponseFilter, ...],
        context: RequestContext,
        after: FilterWaits | None,
        given: Any = None,
    ) -> None:
        while filters:
            if after is None and isinstance(self.given, Refusal):
                filters = of_refusal(filters)
            try:
                self._filter(filters, context, after, given)
                return
            except FilterWaits as waits:
                self.waits = waits
                return
            except ReplacedResponse as replaced:
                self._set(replaced.answer)
                filters, after, given = replaced.filters, None, None
            except ExchangeError as fault:
                self._set(Refusal.of(fault))
                return
            except Exception:
                self._set(_filter_failed(self._services, Failure()))
                return

    def tell(self, trace: Trace) -> None:
        """Say what the client gets, but for the lines that all answers have."""
        given = self.given
        trace.say("answer", status_text(self.response.status), given.detail if isinstance(given, Refusal) else "")
        usual = [line for line in self._unfiltered.headers.lines if line not in given.lines]
        for line in self.response.headers.lines:
            if line not in usual:
                trace.add(shown(line))

    def _filter(
        self, filters: tuple[ResponseFilter, ...], context: RequestContext, after: FilterWaits | None, given: Any
    ) -> None:
        bodiless = self._request.method == b"HEAD" or self.response.status in (204, 304)
        if after is None:
            response, passing = filtered_head(self.response, context, filters, bodiless)
        else:
            response, passing = filtered_head(after.response, context, filters, bodiless, after.place, given)
        if self.source is not None:
            self.filters = passing
        elif passing is not None:
            self.body = passing.body(self.body) + passing.end(_NO_FIELDS)
            response = with_length(response, len(self.body))
        self.response = response
