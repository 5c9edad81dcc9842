"""Dials to where one connection takes the requests of many: those who want one at the same time get the same.

As long as nobody has said how many streams an upstream takes on a connection, it is taken to be as many as we open
there; what it has said is remembered of its address, and so is whether it has agreed to HTTP/2 at all, and after how
many requests its connections end. So there is another dial only where more wait than those on their way will take.
Whoever waits also gets what becomes free in the meantime.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from txproxy.interfaces.address import Address
from txproxy.wire.http2.frames import LAST_STREAM

# how many streams a connection is taken to have as long as nothing was said: RFC 9113 section 6.5.2 has no fewer
_TAKEN: Final = 100
# so many addresses are remembered, those that were heard of last
_MOST_REMEMBERED: Final = 1024

# Makes a connection to an address on behalf of a client.
Connect = Callable[[Address, str], "Deferred[Any]"]


class SharedDials:
    """Who waits for connections, by where these go. ``connect`` makes one, on which there are ``most`` streams."""

    __slots__ = ("waiting", "_connect", "_taken", "_streams", "_ends", "_in_http1", "_http1_alone")

    def __init__(self, connect: Connect, most: int = _TAKEN) -> None:
        self._connect = connect
        self._taken = min(most, _TAKEN)
        # who waits, by what for
        self.waiting: dict[str, _Place] = {}
        self._streams: OrderedDict[str, int] = OrderedDict()
        # the last stream that was taken by the connection which ended last, less than 0 if the one before said another
        self._ends: OrderedDict[str, int] = OrderedDict()
        # where HTTP/1.1 was agreed on when it was last dialled, and where nothing else is offered any more
        self._in_http1: OrderedDict[str, int] = OrderedDict()
        self._http1_alone: OrderedDict[str, int] = OrderedDict()

    def dial(self, address: Address, client_ip: str) -> Deferred[Any]:
        """A connection to ``address`` with room for a stream, on behalf of a client. It may be one that others wait
        for as well.
        """
        place = self.waiting.get(address.key)
        if place is None:
            place = self.waiting[address.key] = _Place(self, address)
        waiter: Deferred[Any] = Deferred(place.left)
        place.waiters.append(waiter)
        place.dial_enough(client_ip)
        return waiter

    def room(self, connection: Any) -> bool:
        """``connection`` takes more streams: those who wait may have them; whether somebody did, and may be about to
        open one.
        """
        place = self.waiting.get(connection.key)
        return place is not None and place.serve(connection)

    # -- what is known of addresses

    def remember(self, key: str, streams: int) -> None:
        """A connection of HTTP/2 to there takes so many streams, or none just now."""
        _remember(self._streams, key, max(streams, 1))

    def streams_of(self, key: str) -> int:
        """How many streams a new connection of HTTP/2 will take."""
        return self._streams.get(key, self._taken)

    def ended_after(self, key: str, last: int) -> None:
        """A connection of HTTP/2 to there has said in the middle that it takes no stream after the ``last``."""
        _remember(self._ends, key, last if abs(self._ends.get(key, 0)) == last else -last)

    def goes_on(self, key: str) -> None:
        """A connection to there takes more streams than were taken before."""
        self._ends.pop(key, None)

    def last_of(self, key: str) -> int:
        """The last stream that a new connection of HTTP/2 takes, where two have said the same one after the other: as
        those of nginx do after its ``keepalive_requests``. What is sent after it is refused.
        """
        last = self._ends.get(key, 0)
        return last if last > 0 else LAST_STREAM

    def agreed(self, key: str, http2: bool) -> None:
        """What was agreed on with whoever is there."""
        if http2:
            self._in_http1.pop(key, None)
        else:
            _remember(self._in_http1, key, 1)

    def requests_of(self, key: str) -> int:
        """How many requests a new connection will take."""
        return self._in_http1.get(key) or self.streams_of(key)

    def needs_http1(self, address: Address) -> bool:
        """Whoever is at ``address`` has asked for HTTP/1.1 (RFC 9113 section 8.1.1), and gets it from now on; False if
        that cannot be.
        """
        if address.in_http1() is address:
            return False
        _remember(self._http1_alone, address.key, 1)
        return True

    def offering(self, address: Address) -> Address:
        """``address``, with the protocols on offer that it may be asked in."""
        return address.in_http1() if address.key in self._http1_alone else address

    def over(self, key: str) -> None:
        """Nobody waits there any more."""
        del self.waiting[key]


def _remember(known: OrderedDict[str, int], key: str, number: int) -> None:
    known[key] = number
    known.move_to_end(key)
    if len(known) > _MOST_REMEMBERED:
        known.popitem(last=False)


class _Place:
    """Those who wait for a connection to one ``address``, and the dials that are on their way."""

    __slots__ = ("waiters", "_dials", "_address", "_dialing")

    def __init__(self, dials: SharedDials, address: Address) -> None:
        self.waiters: deque[Deferred[Any]] = deque()
        self._dials = dials
        self._address = address
        self._dialing: dict[Deferred[Any], None] = {}

    def dial_enough(self, client_ip: str) -> None:
        """As many times as those who wait will take."""
        while len(self.waiters) > self._dials.requests_of(self._address.key) * len(self._dialing):
            dialing = self._dials._connect(self._address, client_ip)
            self._dialing[dialing] = None
            dialing.addCallbacks(self._dialed, self._failed, callbackArgs=(dialing, client_ip), errbackArgs=(dialing,))

    def serve(self, connection: Any) -> bool:
        """Let those who wait have what there is room for; whether there were any."""
        served = False
        while self.waiters and connection.capacity:
            served = True
            self.waiters.popleft().callback(connection)
        self._end_if_done()
        return served

    def left(self, waiter: Deferred[Any]) -> None:
        """Somebody does not wait any more."""
        self.waiters.remove(waiter)
        if not self.waiters:
            for dialing in list(self._dialing):
                dialing.cancel()
        self._end_if_done()

    def _dialed(self, connection: Any, dialing: Deferred[Any], client_ip: str) -> None:
        self._dialing.pop(dialing, None)
        offer = getattr(connection, "offer", None)
        if offer is not None:
            offer()
        else:
            if self.waiters:
                self.waiters.popleft().callback(connection)
            else:
                connection.close()
        self.dial_enough(client_ip)
        self._end_if_done()

    def _failed(self, failure: Failure, dialing: Deferred[Any]) -> None:
        self._dialing.pop(dialing, None)
        if not self._dialing:
            # With another on its way it may be but this one.
            waiters, self.waiters = self.waiters, deque()
            self._end_if_done()
            for waiter in waiters:
                waiter.errback(Failure(failure.value))
        elif failure.check(CancelledError):
            self._end_if_done()

    def _end_if_done(self) -> None:
        if not self.waiters and not self._dialing and self._dials.waiting.get(self._address.key) is self:
            self._dials.over(self._address.key)
