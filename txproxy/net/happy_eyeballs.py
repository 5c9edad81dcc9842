"""Connecting to one of several addresses (RFC 8305 section 5)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.python.failure import Failure
from zope.interface import implementer

# How long an address has before the next one is tried as well, in seconds.
_DELAY: Final = 0.25


@implementer(IStreamClientEndpoint)
class FirstOf:
    """Connects by whichever of ``endpoints`` is connected first. One has a quarter of a second before the next one is
    tried as well, and one that fails has the next one begin at once; ``timeout`` in seconds is for all of them, where
    that of Twisted's ``HostnameEndpoint`` begins anew with each.
    """

    def __init__(self, reactor: Any, endpoints: Sequence[IStreamClientEndpoint], timeout: float) -> None:
        self._reactor = reactor
        self._endpoints = endpoints
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """See ``twisted.internet.interfaces.IStreamClientEndpoint``."""
        attempts = _Attempts(self._reactor, list(self._endpoints), protocolFactory)
        attempts.next()
        done = attempts.done
        return done if done.called else done.addTimeout(self._timeout, self._reactor)


class _Attempts:
    """Those of one connection: which are left, and which run."""

    def __init__(self, reactor: Any, left: list[IStreamClientEndpoint], factory: IProtocolFactory) -> None:
        self.done: Deferred[IProtocol] = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._left = left
        self._factory = factory
        self._running: list[Deferred[Any]] = []
        self._timer: IDelayedCall | None = None

    def next(self) -> None:
        """Try one more."""
        self._stop_timer()
        attempt: Deferred[Any] = self._left.pop(0).connect(self._factory)
        self._running.append(attempt)
        # A wait that is over before it is there is none: an attempt may fail at once, and has the next one begin.
        attempt.addCallbacks(self._connected, self._failed, callbackArgs=(attempt,), errbackArgs=(attempt,))
        if attempt in self._running and self._left and self._timer is None:
            self._timer = self._reactor.callLater(_DELAY, self._waited)

    def _waited(self) -> None:
        self._timer = None
        self.next()

    def _connected(self, protocol: Any, attempt: Deferred[Any]) -> None:
        self._running.remove(attempt)
        self._stop()
        self.done.callback(protocol)

    def _failed(self, failure: Failure, attempt: Deferred[Any]) -> None:
        if attempt not in self._running:
            return  # another one was faster, or nobody waits
        self._running.remove(attempt)
        if self._left:
            self.next()
        elif not self._running:
            self._stop()
            self.done.errback(failure)

    def _stop(self) -> None:
        self._stop_timer()
        self._left = []
        running, self._running = self._running, []
        for attempt in running:
            attempt.cancel()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
