"""The side of a worker that leaves: it gives its connections to one that stays.

A connection is taken apart here, and goes over the channel as plain values with its sockets, of which copies are kept
until the other worker says that it has it (``taken``). That says so before it reads or writes the first byte, so that a
connection is never served twice: if the other one ends without having said it, it has done nothing, and what it was
sent goes on here. What it does not take (``refused``) goes on here as well, until the drain is over, and is not offered
to it again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from txproxy.proxy.downstream.admission import Admitted
from txproxy.proxy.handover.carried import VERSION
from txproxy.proxy.handover.giving import Given
from txproxy.runtime.builder import Factory
from txproxy.runtime.workers.channel import Channel, Message

_log = Logger()
# So many are on their way at once. Their answers fit into what the kernel holds for the channel, so that one that was
# sent is known to the other side whatever becomes of the sender.
AT_ONCE: Final = 64
# Nor more than so many bytes, but for those of one connection.
_MOST_WAITING: Final = 1 << 20
# How often to look for what has become ready to go since, and how long to wait for the other side, in seconds.
_LOOK_EVERY: Final = 0.2
_PATIENCE: Final = 2.0


@attrs.frozen(eq=False)
class Place:
    """Where connections are: at a ``listener``, by its name, whose clients come after a header of the PROXY protocol
    (``told``; None where that is not known any more).
    """

    listener: str
    told: bool | None
    factory: Factory


class Giver:
    """Gives what is at ``places`` when it begins, and later, as long as it is asked to. ``take_back(place, given)``
    serves one here again and gives its transport, or None if it cannot, and ``alone()`` is called when the
    other worker has ended.
    """

    def __init__(
        self,
        reactor: Any,
        channel: Channel,
        places: Callable[[], Iterable[Place]],
        take_back: Callable[[Place, Given], object],
        alone: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._channel = channel
        self._places = places
        self._take_back = take_back
        self._alone = alone
        self._numbers = count()
        self._queue: deque[tuple[Place, Admitted]] = deque()
        self._sent: dict[int, tuple[Place, Given]] = {}
        # transports of those that the other side does not want
        self._refused: set[object] = set()
        # until the other side has said what it takes
        self._agreed = False
        self._begun = False
        self._timer: IDelayedCall | None = None
        self._settled: list[Deferred[None]] = []
        self.given = 0
        channel.start(reactor, self._received, self._lost)

    def begin(self) -> Deferred[None]:
        """Give all that can go, from now on; fires when all that can go at once has gone, or the other side takes too
        long.
        """
        self._begun = True
        self._look()
        return self.settled()

    def settled(self) -> Deferred[None]:
        """Fires when nothing is on its way, or the other side takes too long."""
        settled: Deferred[None] = Deferred()
        if self._channel.closed or (self._agreed and not self._queue and not self._sent):
            settled.callback(None)
            return settled
        self._settled.append(settled)
        # It is not to wait longer for who does not answer.
        return settled.addTimeout(_PATIENCE, self._reactor, lambda _, __: None)

    def _look(self) -> None:
        """Look for what can go, now and again."""
        self._timer = None
        if self._channel.closed:
            return
        self._timer = self._reactor.callLater(_LOOK_EVERY, self._look)
        if self._agreed and not self._queue:
            for place in self._places():
                everyone = place.factory.admission.everyone()
                self._queue.extend((place, one) for one in everyone if one.transport not in self._refused)
            self._go_on()

    def _go_on(self) -> None:
        channel = self._channel
        while self._queue and len(self._sent) < AT_ONCE and channel.waiting < _MOST_WAITING and not channel.closed:
            place, client = self._queue.popleft()
            try:
                given: Given | None = client.give()
            except Exception:
                _log.failure("a connection could not be handed over")
                client.abort()
                continue
            if given is not None:
                number = next(self._numbers)
                self._sent[number] = place, given
                content = number, place.listener, place.told, given.carried.plain()
                channel.send("connection", content, [one.fileno() for one in given.sockets])
        if self._agreed and not self._queue and not self._sent:
            self._say_settled()

    def _say_settled(self) -> None:
        settled, self._settled = self._settled, []
        for one in settled:
            if not one.called:
                one.callback(None)

    # -- what the other side says

    def _received(self, message: Message) -> None:
        if message.kind == "takes":
            if VERSION not in message.content:
                # It speaks of connections in other words: these end here.
                self._channel.close()
                self._lost()
                return
            self._agreed = True
            if self._begun:
                if self._timer is not None:
                    self._timer.cancel()
                self._look()
        elif message.kind == "taken":
            self.given += 1
            self._let_go(*self._sent.pop(message.content))
            self._go_on()
        elif message.kind == "refused":
            transport = self._have_back(*self._sent.pop(message.content))
            if transport is not None:
                self._refused.add(transport)
            self._go_on()

    def _let_go(self, place: Place, given: Given) -> None:
        """It is another's."""
        given.close()
        place.factory.admission.arrived()

    def _have_back(self, place: Place, given: Given) -> object:
        """It is served here again."""
        transport = self._take_back(place, given)
        place.factory.admission.arrived()
        return transport

    def _lost(self) -> None:
        """The other one has ended: what it has not said that it has is served here."""
        sent, self._sent = self._sent, {}
        self._queue.clear()
        for place, given in sent.values():
            self._have_back(place, given)
        self._stop()
        if self._agreed:
            self._alone()

    def _stop(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._say_settled()

    def end(self) -> None:
        """This process ends. What the other side has been sent is its own, if it takes that now."""
        if self._sent:
            _log.error("{count} connections were handed over, and nobody has said so", count=len(self._sent))
        sent, self._sent = self._sent, {}
        for place, given in sent.values():
            self._let_go(place, given)
        self._queue.clear()
        if self.given:
            _log.info("handed over {count} connections", count=self.given)
        self._stop()
        if not self._channel.closed:
            self._channel.finish(0.0)
            self._channel.close()
