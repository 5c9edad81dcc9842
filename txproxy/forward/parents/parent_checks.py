"""Active checks of parent proxies: each is connected to now and then, and the dialer tells it how that went."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IHandshakeListener, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError
from txproxy.forward.parents.parent import Parent
from txproxy.forward.parents.selection import Parents
from txproxy.net.transports.tls_record_transports import after_handshake
from txproxy.upstreams.health.probe import Dial

_log = Logger()

# Intervals differ by so much of themselves, so that several proxies do not fall into step.
_JITTER = 0.1


@implementer(IHandshakeListener)
class _Visitor(Protocol):
    """Connects, and leaves."""

    handshake_done: Callable[[Failure | None], None] | None = None
    # A proxy has nothing to say to who has asked nothing.
    spoken_to = False

    def dataReceived(self, data: bytes) -> None:
        self.spoken_to = True

    def handshakeCompleted(self) -> None:
        after_handshake(self.transport, self._ready)

    def _ready(self) -> None:
        if self.handshake_done is not None:
            self.handshake_done(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.handshake_done is not None:
            self.handshake_done(reason)


class ParentChecks:
    """Connects to each of ``parents`` every ``interval`` seconds while it runs."""

    def __init__(self, parents: Parents, interval: float, clock: IReactorTime, dial: Dial) -> None:
        self._interval = interval
        self._clock = clock
        self._dial = dial
        self._random = Random()
        self._timers: dict[Parent, IDelayedCall] = {}
        self._dialing: dict[Parent, Deferred[Any]] = {}
        for parent in parents:
            if not parent.direct:
                # Not all at once, and soon.
                self._timers[parent] = clock.callLater(min(1.0, interval) * self._random.random(), self._visit, parent)

    def stop(self) -> None:
        """No more."""
        timers, self._timers = self._timers, {}
        for timer in timers.values():
            timer.cancel()
        dialing, self._dialing = self._dialing, {}
        for visit in dialing.values():
            visit.cancel()

    def _visit(self, parent: Parent) -> None:
        wait = self._interval * (1 + _JITTER * (self._random.random() - 0.5))
        self._timers[parent] = self._clock.callLater(wait, self._visit, parent)
        if parent not in self._dialing:
            self._dialing[parent] = visit = self._dial(parent.itself, _Visitor)
            visit.addCallbacks(partial(self._arrived, parent), partial(self._missed, parent))

    def _arrived(self, parent: Parent, visitor: Any) -> None:
        self._dialing.pop(parent, None)
        visitor.transport.loseConnection()

    def _missed(self, parent: Parent, failure: Failure) -> None:
        if self._dialing.pop(parent, None) is not None and not failure.check(ExchangeError):
            _log.failure("a check of {name} failed in an unforeseen way", failure, name=parent.name)
