"""Requests that a route makes of its own: to ask whether a client may pass, and to show a second pool what comes."""

from __future__ import annotations

from collections import deque
from random import random
from typing import Any, Final

from twisted.internet.defer import Deferred

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.context import RequestContext, RequestFilter
from txproxy.proxy.exchanges.errands import ErrandStream
from txproxy.proxy.exchanges.responses.filters import RequestBodyFilters
from txproxy.proxy.services import Services
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.rewriting.header_fields import changed, settable
from txproxy.wire import grammar
from txproxy.wire.forwarding import HOP_BY_HOP, end_to_end, plain, replaced
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.target import is_origin_form

# Of the answer to a question whether a client may pass; no more of it is of use to anybody.
_MOST_ANSWER: Final = 65536
# How far a shadow may be behind before it gets no more.
_MOST_BEHIND: Final = 1 << 20
_NO_FIELDS: Final = Headers()
# Of the request, and not of the question: its body, and what it asks of another resource (RFC 9110 sections 13 and 14).
_NOT_ASKED_WITH: Final = HOP_BY_HOP | frozenset(
    b"content-length content-type expect range if-match if-none-match if-modified-since if-unmodified-since "
    b"if-range".split()
)
_TOLD: Final = frozenset({b"x-forwarded-method", b"x-forwarded-uri"})
_OF_THE_HOP: Final = frozenset(b"date transfer-encoding content-length connection".split())


class _Question(ErrandStream):
    """Gathers the answer, and hands it to ``answered``."""

    errand = "authorization of a request"

    def __init__(self, services: Services, action: ToPool, head: RequestHead, context: RequestContext) -> None:
        super().__init__(services, action.plan, head, context)
        self.answered: Deferred[ResponseHead | Refusal | Answer] = Deferred(lambda _: self._leave())
        self.body = b""
        self._head: ResponseHead | None = None

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self._head = response

    def send_body(self, data: bytes) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.body += data
        if len(self.body) > _MOST_ANSWER:
            self._leave()
            self._give(Refusal(502, "http_response_body_size", "the answer of the authorization server is too large"))

    def send_end(self, trailers: Headers) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        assert self._head is not None
        self._give(self._head)

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self._give(given)
        return 0

    def cut(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.exchange_done()
        self._give(Refusal(502, "http_response_incomplete", "the answer of the authorization server was cut"))

    def _leave(self) -> None:
        self._exchange.client_gone()
        self.exchange_done()

    def _give(self, answer: ResponseHead | Refusal | Answer) -> None:
        if not self.answered.called:
            self.answered.callback(answer)


@frozen
class Passed:
    """A request that may pass: its ``head`` as it goes on, and field ``lines`` for whatever answers it."""

    head: RequestHead
    lines: tuple[bytes, ...] = ()


@frozen
class ForwardAuth:
    """Asks ``path`` of a pool whether a request may pass (nginx's auth_request, Traefik's forwardAuth).

    The question is a GET with the request's fields, and with X-Forwarded-Method and X-Forwarded-Uri. At 2xx the request
    passes, with the fields of the answer that ``copy`` names in place of the client's own, and the client gets those of
    its ``cookies`` that are named (``*``: all of them), whatever answers the request; any other answer is the client's.
    If there is none, the request does not pass.
    """

    action: ToPool
    path: bytes = b"/"
    copy: tuple[bytes, ...] = ()
    cookies: tuple[bytes, ...] = ()

    def __attrs_post_init__(self) -> None:
        if not is_origin_form(self.path):
            raise ConfigError(
                f"{self.path.decode('utf-8', 'replace')!r} is no path", "accepted is one that begins with /"
            )
        for name in self.copy:
            # Whoever answers must not say where the request ends.
            if name.lower() == b"set-cookie":
                raise ConfigError("Set-Cookie is a field of responses", "accepted are cookies, for those of the answer")
            settable(name.decode("utf-8", "surrogateescape"))
        for name in self.cookies:
            if name != b"*" and not grammar.TOKEN.fullmatch(name):
                given = name.decode("utf-8", "replace")
                raise ConfigError(f"{given!r} is no name of a cookie", "accepted is a token, or *")

    def ask(
        self, services: Services, head: RequestHead, context: RequestContext
    ) -> Deferred[Passed | Refusal | Answer]:
        """The request that may pass, or what to answer in its place."""
        lines = end_to_end(head.headers, _NOT_ASKED_WITH)
        told = [b"X-Forwarded-Method: " + head.method, b"X-Forwarded-Uri: " + (head.path or head.authority)]
        headers = replaced(Headers.from_lines(lines), _TOLD, _TOLD, told)
        asked = changed(RequestHead(b"GET", self.path, headers, head.authority), self.path, headers, _TOLD | head.kept)
        question = _Question(services, self.action, asked, context)
        question.answered.addCallback(self._judge, question, head)
        question.start()
        return question.answered  # type: ignore[return-value]

    def _judge(
        self, answer: ResponseHead | Refusal | Answer, question: _Question, head: RequestHead
    ) -> Passed | Refusal | Answer:
        if not isinstance(answer, ResponseHead):
            return answer
        if not 200 <= answer.status < 300:
            lines = [
                line
                for line, (name, _) in zip(answer.headers.lines, answer.headers, strict=True)
                if name.lower() not in _OF_THE_HOP
            ]
            return Answer(answer.status, tuple(lines), question.body)
        given = self._cookies(answer.headers) if self.cookies else ()
        if not self.copy:
            return Passed(head, given)
        names = frozenset(name.lower() for name in self.copy)
        copied = [name + b": " + value for name, value in answer.headers if name.lower() in names]
        # What the client says under these names goes, however it is spelt.
        headers = replaced(head.headers, frozenset(map(plain, names)), names, copied)
        return Passed(changed(head, head.path, headers, names), given)

    def _cookies(self, headers: Headers) -> tuple[bytes, ...]:
        """The lines of the cookies that the client is to get."""
        every = b"*" in self.cookies
        return tuple(
            b"Set-Cookie: " + value
            for value in headers.get_all(b"set-cookie")
            if every or value.partition(b"=")[0].strip(b" \t") in self.cookies
        )


class _Ends:
    """The addresses of a connection, which may be gone when they are asked for."""

    def __init__(self, transport: Any) -> None:
        self._peer = transport.getPeer()
        self._host = transport.getHost()

    def getPeer(self) -> Any:
        """As a transport's."""
        return self._peer

    def getHost(self) -> Any:
        """As a transport's."""
        return self._host


class _Copy(ErrandStream):
    """A request that is sent a second time, with the body as it comes; nobody waits for what is answered."""

    errand = "copy of a request"

    def __init__(self, services: Services, action: ToPool, head: RequestHead, context: RequestContext) -> None:
        super().__init__(services, action.plan, head, context)
        self._errands = services.errands
        transport = context.connection.transport
        self._connection.transport = _Ends(transport) if action.prefaced and transport is not None else None
        self._waiting: deque[bytes] = deque()
        self._behind = 0
        self._complete = not head.body

    def start(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self._errands.add(self._exchange)
        super().start()

    def exchange_done(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        super().exchange_done()
        self._waiting.clear()
        self._errands.discard(self._exchange)

    def cut(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.exchange_done()

    def body(self, data: bytes) -> None:
        """Part of the body."""
        if self._exchange.outcome:
            return
        self._behind += len(data)
        if self._behind > _MOST_BEHIND:
            # The request itself is not to wait for its copy.
            self.cut_off()
            return
        self._waiting.append(data)
        self.request_wanted()

    def end(self) -> None:
        """The body is complete."""
        self._complete = True
        self.request_wanted()

    def cut_off(self) -> None:
        """No more of it."""
        self._exchange.client_gone()
        self.exchange_done()

    def request_wanted(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        exchange = self._exchange
        while self._waiting and exchange.wants_body:
            data = self._waiting.popleft()
            self._behind -= len(data)
            exchange.request_body(data)
        if exchange.wants_body:
            exchange.request_flush()
            # The upstream may have been found gone just now.
            if self._complete and exchange.wants_body:
                exchange.request_end(_NO_FIELDS)


class _Copying(RequestFilter):
    """Hands the body of a request to its copy."""

    keeps_length = True

    def __init__(self, copy: _Copy) -> None:
        self._copy = copy
        self._complete = False

    def body(self, data: bytes) -> bytes:
        """See :class:`txproxy.interfaces.RequestFilter`."""
        self._copy.body(data)
        return data

    def end(self) -> bytes:
        """See :class:`txproxy.interfaces.RequestFilter`."""
        self._complete = True
        self._copy.end()
        return b""

    def closed(self) -> None:
        """See :class:`txproxy.interfaces.RequestFilter`."""
        if not self._complete:
            self._copy.cut_off()


@frozen
class Mirror:
    """Sends a copy of requests to a second pool (nginx's mirror): ``share`` of them, 0 to 1. What it answers is thrown
    away, and what becomes of it is nobody's concern. A copy that is slower with a body than the request is given up.
    """

    action: ToPool
    share: float = 1.0

    def __attrs_post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise ConfigError(f"{self.share!r} is no share", "accepted is a number above 0 and up to 1")

    @property
    def meaning(self) -> str:
        """What is done, in words."""
        return f"{self.share:.0%} of these requests go to pool {self.action.pool.name} as well"

    def begin(self, services: Services, head: RequestHead, context: RequestContext) -> RequestFilter | None:
        """Send a copy; gives who gets the body, if there is one."""
        if self.share < 1 and random() >= self.share:
            return None
        lines = end_to_end(head.headers, HOP_BY_HOP)
        headers = Headers.from_lines(lines)
        sent = RequestHead(head.method, head.path, headers, head.authority, body=head.body)
        if head.body:
            # The copy gets the body as it comes out of those that it passes before.
            sent = RequestBodyFilters(context.request_filters).framed(sent)
        copy = _Copy(services, self.action, changed(sent, head.path, sent.headers, head.kept), context)
        copy.start()
        return _Copying(copy) if head.body else None
