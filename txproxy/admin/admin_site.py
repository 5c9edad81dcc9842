"""The admin API over HTTP: twisted.web's server, with bounds, and without what it says of itself."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.protocols.policies import WrappingFactory
from twisted.web.http import datetimeToString
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from txproxy.admin.api_call import JSON, written

MOST_BODY: Final = 1 << 20
# So many clients at once: when more come, those are closed who have been there longest without a request at work.
MOST_CLIENTS: Final = 64
# After so many seconds without a byte between two requests, or within one, a client is closed.
_PATIENCE: Final = 60.0
_TOO_LARGE: Final = written({"error": f"the body is too large; accepted are {MOST_BODY} bytes"})


class AdminRequest(Request):
    """One request, whose body is bounded."""

    _size = 0

    def gotLength(self, length: int | None) -> None:
        """See ``twisted.web.http.Request``. A body that says that it is too large is not waited for."""
        super().gotLength(min(length or 0, MOST_BODY))
        if length is not None and length > MOST_BODY:
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:
        """See ``twisted.web.http.Request``."""
        self._size += len(data)
        if self._size <= MOST_BODY:
            super().handleContentChunk(data)
        elif self._size - len(data) <= MOST_BODY:
            self._refuse()

    def _refuse(self) -> None:
        self._size = MOST_BODY + 1
        head = f"HTTP/1.1 413 Content Too Large\r\nContent-Type: {JSON}\r\nContent-Length: {len(_TOO_LARGE)}\r\n"
        self.channel.writeSequence([head.encode("ascii"), b"Connection: close\r\n\r\n", _TOO_LARGE])
        self.channel.loseConnection()

    def process(self) -> None:
        """All of it is there. Nothing is said of who serves it, and with which version."""
        if self._size <= MOST_BODY:
            self.setHeader(b"Date", datetimeToString())
            channel: Any = self.channel
            at_work: set[Any] = channel.site.at_work
            client = channel.transport
            at_work.add(client)
            self.notifyFinish().addBoth(lambda _: channel.site.done(client))
            channel.site.resource.render(self)


class _Quiet(Site):
    """Keeps no log: who asks each second whether all is well would fill one."""

    displayTracebacks = False

    def __init__(self, resource: Resource, **options: Any) -> None:
        super().__init__(resource, **options)
        # those whose request is just being answered
        self.at_work: set[Any] = set()
        # those who wait until there is none
        self.waiting: list[Deferred[None]] = []

    def done(self, client: Any) -> None:
        """It is answered, or gone."""
        self.at_work.discard(client)
        if not self.at_work:
            waiting, self.waiting = self.waiting, []
            for one in waiting:
                one.callback(None)

    def startFactory(self) -> None:
        """There is no time of a log to keep."""

    def stopFactory(self) -> None:
        """Neither."""

    def log(self, request: Any) -> None:
        """Nothing."""


class AdminSite(WrappingFactory):
    """Serves ``resource`` to so many clients as there may be."""

    noisy = False

    def __init__(self, resource: Resource, reactor: Any) -> None:
        self._site = _Quiet(resource, requestFactory=AdminRequest, timeout=_PATIENCE, reactor=reactor)
        self._site.noisy = False
        super().__init__(self._site)
        # those who are to go, and have not yet
        self._leaving: set[Any] = set()

    def logPrefix(self) -> str:
        """Who has begun to listen, in Twisted's words for it."""
        return "admin API"

    def buildProtocol(self, addr: Any) -> Any:
        """A protocol for a new client; none where all that there may be are being answered."""
        if len(self.protocols) - len(self._leaving) >= MOST_CLIENTS:
            # Who is silent is not to keep out those who ask whether all is well.
            silent = next((one for one in self.protocols if one not in self._site.at_work | self._leaving), None)
            if silent is None:
                return None
            self._leaving.add(silent)
            silent.transport.abortConnection()
        return super().buildProtocol(addr)

    def unregisterProtocol(self, client: Any) -> None:
        """See ``twisted.protocols.policies.WrappingFactory``."""
        self._leaving.discard(client)
        super().unregisterProtocol(client)

    async def settle(self, moment: float, seconds: float) -> None:
        """Return when who is here has been answered, or after so many ``seconds``. Those are closed who have asked
        nothing within a ``moment``: what they ask may have come, and not been read yet.
        """
        await deferLater(self._site.reactor, moment)
        for client in set(self.protocols) - self._site.at_work:
            client.transport.abortConnection()
        if self._site.at_work:
            settled: Deferred[None] = Deferred()
            self._site.waiting.append(settled)
            await settled.addTimeout(seconds, self._site.reactor, lambda _, __: self._site.waiting.remove(settled))

    def abort(self) -> None:
        """Close all clients, at once."""
        for client in list(self.protocols):
            client.transport.abortConnection()
