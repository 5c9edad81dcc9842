"""Requests that fill the cache before clients ask: by the way that a client's would take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Cooperator

from txproxy.errors import ConfigError
from txproxy.interfaces.answers import Answer, Refusal
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler
from txproxy.proxy.exchanges.errands import ErrandStream
from txproxy.proxy.services import Services
from txproxy.wire import grammar
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, ResponseHead
from txproxy.wire.target import is_origin_form

# So many requests at once.
_AT_ONCE: Final = 8
# Who asks, for access rules and logs.
_CLIENT: Final = "127.0.0.1"
_SCHEMES: Final = (b"http", b"https")
# What the request says by itself, and what would be no part of it.
_NOT_TO_SET: Final = frozenset(b"host content-length transfer-encoding connection expect upgrade".split())


@attrs.frozen(eq=False)
class Way:
    """Where requests of a listener called ``name`` go: ``handle``, with the ``services`` of its exchanges. Those of a
    ``forward`` proxy have a whole URL as their target.
    """

    name: str
    forward: bool
    services: Services
    handle: Handler


class _Warming(ErrandStream):
    """One such request. It is as a client's: no errand passes a cache, which is for clients. The answer is read to its
    end, as whoever stores it would wait for a client that stops.
    """

    def __init__(self, way: Way, head: RequestHead, context: RequestContext) -> None:
        super().__init__(way.services, way.handle, head, context)
        self._errands = way.services.errands
        self.status = 0
        self.done: Deferred[_Warming] = Deferred(lambda _: self._exchange.client_gone())
        self._over = False

    def start(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self._errands.add(self)
        super().start()

    def client_gone(self) -> None:
        """See :class:`txproxy.proxy.services.Errand`."""
        self._exchange.client_gone()
        self.exchange_done()

    def send_head(self, response: ResponseHead) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.status = response.status

    def send_answer(self, given: Refusal | Answer, response: ResponseHead, body: bytes) -> int:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.status = response.status
        return len(body)

    def begin_answer(self, given: Refusal | Answer, response: ResponseHead) -> bool:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.status = response.status
        return True

    def cut(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        self.exchange_done()

    def exchange_done(self) -> None:
        """See :class:`txproxy.proxy.exchanges.errands.ErrandStream`."""
        super().exchange_done()
        self._errands.discard(self)
        if not self._over:
            self._over = True
            self.done.callback(self)

    def told(self, url: str) -> dict[str, object]:
        """What has come of it."""
        exchange = self._exchange
        found: dict[str, object] = {"url": url, "status": self.status or exchange.status}
        verdict = self._context.cache
        if exchange.outcome not in ("ok", "answered"):
            found["error"] = exchange.detail or exchange.outcome
        elif verdict is None:
            found["cache"] = "not asked"
        else:
            found["cache"] = verdict.word
            found["stored"] = verdict.stored or verdict.forwarded is None
            if verdict.why:
                found["why"] = verdict.why
        return found


def warm_request(way: Way, url: str, fields: Sequence[bytes]) -> tuple[RequestHead, RequestContext]:
    """The request for ``url`` with these field lines, as a client of ``way`` would send it; ``ConfigError`` if that is
    no URL.
    """
    given = url.partition("#")[0]
    absolute = grammar.ABSOLUTE.fullmatch(given.encode("ascii", "replace")) if given.isascii() else None
    scheme, authority, path = absolute.groups() if absolute is not None else (b"", b"", b"")
    scheme, path = scheme.lower(), path if path[:1] == b"/" else b"/" + path
    if scheme not in _SCHEMES or not grammar.AUTHORITY.fullmatch(authority) or not is_origin_form(path):
        raise ConfigError(f"{url!r} is no URL", "accepted is http://HOST/PATH or https://HOST/PATH, in ASCII")
    headers = Headers.parsed([b"Host: " + authority, *fields])
    head = RequestHead(b"GET", path, headers, authority, scheme if way.forward else None)
    return head, RequestContext(ClientConnection(_CLIENT, "http" if way.forward else scheme.decode("ascii")))


def field_line(text: str) -> bytes:
    """A field of such a request; ``ConfigError`` if it is none, or none that may be there."""
    name, colon, value = text.partition(":")
    line = name.encode("utf-8"), value.strip().encode("utf-8")
    if not colon or not grammar.TOKEN.fullmatch(line[0]) or not grammar.FIELD_VALUE.fullmatch(line[1]):
        raise ConfigError(f"{text!r} is no field", "accepted is 'NAME: VALUE'")
    if line[0].lower() in _NOT_TO_SET:
        raise ConfigError(f"{text!r}: the request has its own", "accepted are fields such as Accept-Encoding")
    return b"%b: %b" % line


async def warmed(way: Way, urls: Sequence[str], fields: Sequence[bytes], reactor: Any) -> list[dict[str, object]]:
    """What has come of a request for each of the ``urls``, a few at a time."""
    requests = [warm_request(way, url, fields) for url in urls]
    found: list[dict[str, object]] = [{}] * len(urls)

    def ask(number: int) -> Deferred[None]:
        warming = _Warming(way, *requests[number])
        running.add(warming)

        def over(_: object) -> None:
            running.discard(warming)
            found[number] = warming.told(urls[number])

        warming.done.addBoth(over)
        warming.start()
        return warming.done  # type: ignore[return-value]

    running: set[_Warming] = set()
    numbers = iter(range(len(urls)))
    cooperator = Cooperator(scheduler=lambda call: reactor.callLater(0, call))
    workers = [cooperator.coiterate(map(ask, numbers)) for _ in range(min(_AT_ONCE, len(urls)))]
    try:
        for worker in workers:
            await worker
    finally:
        # Whoever wanted it has left, if anything is left of it.
        cooperator.stop()
        for worker in workers:
            worker.addErrback(lambda _: None)
        for warming in list(running):
            warming.client_gone()
    return found
