"""A response as a short function sees it, and one that it may give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from txproxy.interfaces.answers import Answer
from txproxy.interfaces.hooks.field_view import Fields
from txproxy.wire.headers import Headers
from txproxy.wire.message import ResponseHead


class Response:
    """The head of one response, which goes to the client as it is left: ``status`` (200 to 599; not of one that has no
    body by its status, such as 304, nor to one) and ``headers``.
    """

    __slots__ = ("_head", "_status", "headers")

    def __init__(self, head: ResponseHead) -> None:
        self._head = head
        self._status = head.status
        self.headers = Fields(head.headers)

    @property
    def status(self) -> int:
        """Such as 200."""
        return self._status

    @status.setter
    def status(self, status: int) -> None:
        """Such as 200."""
        if type(status) is not int or not 200 <= status <= 599:
            raise ValueError(f"{status!r} is no status of an answer")
        if status != self._status and not {status, self._status}.isdisjoint(_BODILESS):
            raise ValueError(f"{status} cannot stand in place of {self._status}: one of them has no body")
        self._status = status

    def changed_head(self) -> ResponseHead:
        """The head as it is now."""
        head, status = self._head, self._status
        if status == head.status and not self.headers.changed:
            return head
        reason = head.reason if status == head.status else b""
        return ResponseHead(
            status, Headers.from_lines(self.headers.lines), reason, head.body, head.minor, head.keep_alive
        )

    def __repr__(self) -> str:
        return f"Response({self.status}, {self.headers!r})"


_BODILESS = frozenset({101, 204, 205, 304})


class Reply:
    """A whole response: ``status`` (200 to 599), ``body`` as text or bytes, and ``headers``. A body without a
    ``Content-Type`` is plain text, or HTML where it begins with ``<``. What can be none is a ``ValueError``.
    """

    __slots__ = ("answer",)

    def __init__(
        self,
        status: int,
        body: str | bytes = b"",
        headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    ) -> None:
        if type(status) is not int or not 200 <= status <= 599:
            raise ValueError(f"{status!r} is no status of an answer; accepted is 200 to 599")
        if body and status in _BODILESS:
            raise ValueError(f"a {status} has no body")
        data = body.encode() if isinstance(body, str) else body
        fields = Fields(Headers())
        for name, value in headers.items() if isinstance(headers, Mapping) else headers:
            fields.add(name, value)
        if data and "content-type" not in fields:
            kind = "text/html" if data.lstrip().startswith(b"<") else "text/plain"
            fields.add("Content-Type", f"{kind}; charset=utf-8")
        self.answer = Answer(status, tuple(fields.lines), data)

    def __repr__(self) -> str:
        return f"Reply({self.answer.status})"
