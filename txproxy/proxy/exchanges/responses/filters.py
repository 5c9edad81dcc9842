"""The filters of one exchange, as one: what a response, or the body of a request, passes on its way."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext, RequestFilter, ResponseFilter
from txproxy.interfaces.hooks.code_faults import CodeLate
from txproxy.wire.headers import Headers
from txproxy.wire.message import CHUNKED, RequestHead, ResponseHead

_LENGTH: Final = b"content-length"
_BODILESS: Final = (204, 304)
_MADE_ANEW: Final = (b"date", _LENGTH)


class Refused(Exception):
    """A filter of requests says no."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.detail)
        self.refusal = refusal


class ReplacedResponse(Exception):
    """A filter answers in place of the response; the ``filters`` that are left are for that answer."""

    def __init__(self, answer: Answer | Refusal, filters: tuple[ResponseFilter, ...]) -> None:
        super().__init__()
        self.answer = answer
        self.filters = filters


class FilterWaits(Exception):
    """The one of the ``filters`` at this ``place`` has been given a ``response``, and says later what it is to be:
    ``coming`` is a Deferred of that.
    """

    def __init__(
        self, coming: Deferred[Any], response: ResponseHead, filters: tuple[ResponseFilter, ...], place: int
    ) -> None:
        super().__init__()
        self.coming = coming
        self.response = response
        self.filters = filters
        self.place = place

    def limited(self, clock: Any) -> Deferred[Any]:
        """What is coming, which may take as long as its filter says."""
        timeout = self.filters[self.place].timeout
        if timeout is not None:
            self.coming.addTimeout(timeout, clock, self._late)
        return self.coming

    def _late(self, result: Any, timeout: float) -> Any:
        if isinstance(result, Failure):
            name = type(self.filters[self.place]).__qualname__
            raise CodeLate(f"the response filter {name} took longer than {timeout:g} s")
        return result


class ResponseBodyFilters:
    """A body that passes one filter after the other."""

    __slots__ = ("_filters",)

    def __init__(self, filters: list[ResponseFilter]) -> None:
        self._filters = filters

    def body(self, data: bytes) -> bytes:
        """What passes of ``data``."""
        return _through(self._filters, data)

    def end(self, trailers: Headers) -> bytes:
        """What is still to pass."""
        rest = b""
        for one in self._filters:
            rest = (one.body(rest) if rest else b"") + one.end(trailers)
        return rest


class RequestBodyFilters:
    """The same for the body of a request."""

    __slots__ = ("_filters",)

    def __init__(self, filters: tuple[RequestFilter, ...]) -> None:
        self._filters = filters

    @property
    def keeps_length(self) -> bool:
        """Whether all of them do."""
        return all(one.keeps_length for one in self._filters)

    def framed(self, head: RequestHead) -> RequestHead:
        """``head`` for the body that comes out of them."""
        if self.keeps_length or head.body == CHUNKED:
            return head
        headers = Headers.from_lines(_without_length(head.headers.lines))
        return RequestHead(head.method, head.path, headers, head.authority, head.scheme, CHUNKED, head.minor)

    def body(self, data: bytes) -> bytes:
        """What passes of ``data``; raises ``Refused``."""
        for one in self._filters:
            if not data:
                break
            data = _passed(one.body(data))
        return data

    def end(self) -> bytes:
        """What is still to pass; raises ``Refused``."""
        rest = b""
        for one in self._filters:
            rest = (_passed(one.body(rest)) if rest else b"") + _passed(one.end())
        return rest


def filtered_head(
    response: ResponseHead,
    context: RequestContext,
    filters: tuple[ResponseFilter, ...],
    bodiless: bool,
    begin: int = 0,
    given: Any = None,
) -> tuple[ResponseHead, ResponseBodyFilters | None]:
    """The head that the client gets, and what its body passes, if it passes any filter; ``bodiless`` if it has none.
    Raises ``ReplacedResponse``, and ``FilterWaits``: then it goes on at the one at which it is to ``begin``, with what
    that has ``given``.
    """
    any_wants_body = False
    for place, one in enumerate(filters):
        if place >= begin:
            if given is None:
                given = one.head(response, context)
            if isinstance(given, Deferred):
                given = _at_once(given)
                if isinstance(given, Deferred):
                    raise FilterWaits(given, response, filters, place)
            if not isinstance(given, ResponseHead):
                raise ReplacedResponse(given, filters[place + 1 :])
            response, given = given, None
        if response.status in _BODILESS and not bodiless:
            # What the upstream still sends has no place in it (RFC 9110 section 6.4.1).
            lines = [line for line in response.headers.lines if line.partition(b":")[0].lower() not in _MADE_ANEW]
            raise ReplacedResponse(Answer(response.status, tuple(lines)), filters[place + 1 :])
        if one.wants_body:
            any_wants_body = True
    if not any_wants_body:
        return response, None
    wanting = [one for one in filters if one.wants_body]
    if not all(one.keeps_length for one in wanting):
        response = response.with_lines(_without_length(response.headers.lines))
        if not bodiless:
            response.body = CHUNKED
    return response, None if bodiless else ResponseBodyFilters(wanting)


def _at_once(coming: Deferred[Any]) -> Any:
    """What has come, if it has; else the same Deferred."""
    found: list[Any] = []

    def come(result: Any) -> Any:
        found.append(result)
        return result

    coming.addBoth(come)
    if not found:
        return coming
    if isinstance(found[0], Failure):
        coming.addErrback(lambda _: None)
        found[0].raiseException()
    return found[0]


def of_refusal(filters: tuple[ResponseFilter, ...]) -> tuple[ResponseFilter, ...]:
    """Those of ``filters`` that are for refusals."""
    return tuple(one for one in filters if one.refusals)


def with_length(response: ResponseHead, size: int) -> ResponseHead:
    """A response whose whole body is there, of ``size`` bytes."""
    lines = _without_length(response.headers.lines)
    lines.append(b"Content-Length: %d" % size)
    response = response.with_lines(lines)
    response.body = size
    return response


def _through(filters: list[ResponseFilter], data: bytes) -> bytes:
    for one in filters:
        if not data:
            break
        data = one.body(data)
    return data


def _passed(given: bytes | Refusal) -> bytes:
    if isinstance(given, Refusal):
        raise Refused(given)
    return given


def _without_length(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if line.partition(b":")[0].lower() != _LENGTH]
