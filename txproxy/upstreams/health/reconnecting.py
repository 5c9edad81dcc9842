"""Whether an upstream that has cut off requests is there at all.

A server that dies takes with it all the requests that it has at that moment, which can be more than a retry budget lets
go elsewhere at once. But they cost the others no more than the share of theirs that would have come anyway: what the
budget is to prevent is that requests are repeated at those who are there, and too busy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from txproxy.errors import DialError, OutOfSockets
from txproxy.interfaces.address import Address

if TYPE_CHECKING:
    from txproxy.upstreams.health.probe import Dial


class Reconnecting:
    """Connects to upstreams, and closes again: one connection at a time for each, however many requests ask."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._asking: dict[str, list[Deferred[bool]]] = {}
        self._dialing: dict[str, Deferred[Any]] = {}

    def gone(self, address: Address) -> Deferred[bool]:
        """Whether ``address`` takes no connections. To cancel it harms nobody else who asks."""
        key = address.key
        asked: Deferred[bool] = Deferred(lambda asked: self._forget(key, asked))
        asking = self._asking.get(key)
        if asking is not None:
            asking.append(asked)
            return asked
        self._asking[key] = [asked]
        # Whoever listens takes the connection. To shake hands would cost both sides more.
        plain = attrs.evolve(address, tls=None)
        self._dialing[key] = dialing = maybeDeferred(self._dial, plain, Protocol)
        dialing.addCallbacks(self._there, self._away, callbackArgs=(key,), errbackArgs=(key,))
        return asked

    def _forget(self, key: str, asked: Deferred[bool]) -> None:
        asking = self._asking.get(key, [])
        if asked in asking:
            asking.remove(asked)
            if not asking:
                # Nobody wants to know any more, and nothing is to outlive who did.
                self._dialing[key].cancel()

    def _there(self, protocol: Protocol, key: str) -> None:
        assert protocol.transport is not None
        protocol.transport.abortConnection()  # type: ignore[attr-defined]
        self._tell(key, False)

    def _away(self, failure: Failure, key: str) -> None:
        # That there are no sockets here says nothing of who is there.
        self._tell(key, failure.check(DialError) is not None and not failure.check(OutOfSockets))

    def _tell(self, key: str, gone: bool) -> None:
        del self._dialing[key]
        for asked in self._asking.pop(key):
            # What one of them does then may make another leave.
            if not asked.called:
                asked.callback(gone)
