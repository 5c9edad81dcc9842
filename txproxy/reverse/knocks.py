"""Whether an upstream that has cut off requests is there at all.

A server that dies takes with it all the requests that it has at that moment, which can be more than a retry budget lets
go elsewhere at once. But they cost the others no more than the share of theirs that would have come anyway: what the
budget is to prevent is that requests are repeated at those who are there, and too busy.
"""

from __future__ import annotations

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure

from txproxy.errors import DialError
from txproxy.interfaces import Address
from txproxy.reverse.probe import Dial


class Knocks:
    """Connects to upstreams, and closes again: one connection at a time for each, however many requests ask."""

    def __init__(self, dial: Dial) -> None:
        self._dial = dial
        self._asking: dict[str, list[Deferred[bool]]] = {}

    def gone(self, address: Address) -> Deferred[bool]:
        """Whether ``address`` takes no connections. To cancel it harms nobody else who asks."""
        asked: Deferred[bool] = Deferred()
        asking = self._asking.get(address.key)
        if asking is not None:
            asking.append(asked)
            return asked
        self._asking[address.key] = [asked]
        # Whoever listens takes the connection. To shake hands would cost both sides more.
        plain = attrs.evolve(address, tls=None)
        dialing = self._dial(plain, Protocol)
        dialing.addCallbacks(self._there, self._away, callbackArgs=(address.key,), errbackArgs=(address.key,))
        return asked

    def _there(self, protocol: Protocol, key: str) -> None:
        assert protocol.transport is not None
        protocol.transport.abortConnection()  # type: ignore[attr-defined]
        self._tell(key, False)

    def _away(self, failure: Failure, key: str) -> None:
        self._tell(key, failure.check(DialError) is not None)

    def _tell(self, key: str, gone: bool) -> None:
        for asked in self._asking.pop(key):
            asked.callback(gone)
