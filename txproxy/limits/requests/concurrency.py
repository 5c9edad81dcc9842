"""How many requests of a key are at work at once: those that wait for their turn, and the end of each, told once."""

from __future__ import annotations

from collections import deque
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import Handler
from txproxy.interfaces.plan import Decision
from txproxy.limits.requests.limit_keys import KeyOf
from txproxy.limits.requests.limiter import LimitCounts, refusal
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.requests.shared_slots import SharedSlots
from txproxy.limits.requests.slots import Slots
from txproxy.wire.message import RequestHead


class _Waiting:
    """A request in the queue; its ``turn`` fires with whether it has come."""

    __slots__ = ("key", "turn", "timer", "ready")

    def __init__(self, key: Hashable) -> None:
        self.key = key
        self.turn: Deferred[bool]
        self.timer: IDelayedCall | None = None
        # whether it has its place already
        self.ready = False

    def decided(self) -> None:
        """It waits for time no longer."""
        timer, self.timer = self.timer, None
        if timer is not None and timer.active():
            timer.cancel()


class Places:
    """Places of keys: ``most`` of each, and ``queue`` more may wait for one, ``timeout`` seconds each. ``delayed`` and
    ``refused`` count those who had to wait and got one, and those who got none. They are those of several processes
    together where a ``clock`` is given for that.
    """

    __slots__ = ("slots", "shared", "delayed", "refused", "_timeout", "_ready", "_serving")

    def __init__(self, most: int, queue: int, timeout: float, clock: Any = None) -> None:
        self.shared: SharedSlots[_Waiting] | None = SharedSlots(most, queue, clock) if clock is not None else None
        self.slots: Slots[_Waiting] = self.shared if self.shared is not None else Slots(most, queue)
        if self.shared is not None:
            self.shared.on_room = self._serve
        self.delayed = self.refused = 0
        self._timeout = timeout
        self._ready: deque[_Waiting] = deque()
        self._serving = False

    def wait(self, key: Hashable, clock: Any) -> Deferred[bool] | None:
        """Whether its turn has come, when that is known; None if it cannot wait."""
        waiting = _Waiting(key)
        gone = self.slots.wait(key, waiting)
        if gone is waiting:
            self.refused += 1
            return None
        waiting.turn = Deferred(lambda _: self._give_up(waiting))
        waiting.timer = clock.callLater(self._timeout, self._late, waiting)
        if gone is not None:
            self._send_away(gone)
        return waiting.turn

    def leave(self, key: Hashable) -> None:
        """One of ``key`` has ended."""
        following = self.slots.leave(key)
        if following is not None:
            self._let_in(following)

    def _serve(self, key: Hashable) -> None:
        """There may be room, as others have less."""
        assert self.shared is not None
        while (following := self.shared.next(key)) is not None:
            self._let_in(following)

    def _let_in(self, following: _Waiting) -> None:
        following.decided()
        following.ready = True
        self._ready.append(following)
        if self._serving:
            # What has its turn may be over at once, and so on: that is no reason to go ever deeper.
            return
        self._serving = True
        try:
            while self._ready:
                self.delayed += 1
                self._ready.popleft().turn.callback(True)
        finally:
            self._serving = False

    def _late(self, waiting: _Waiting) -> None:
        self.slots.give_up(waiting.key, waiting)
        self._send_away(waiting)

    def _send_away(self, waiting: _Waiting) -> None:
        waiting.decided()
        self.refused += 1
        waiting.turn.callback(False)

    def _give_up(self, waiting: _Waiting) -> None:
        """Its client has left."""
        waiting.decided()
        if waiting.ready:
            self._ready.remove(waiting)
            self.leave(waiting.key)
        else:
            self.slots.give_up(waiting.key, waiting)


class ConcurrencyLimiter:
    """The live part of a :class:`RequestLimit` that has ``concurrent``; of several processes together where it is
    ``shared`` by a clock.
    """

    __slots__ = ("config", "allowed", "_places", "_passed", "leave")

    def __init__(self, config: RequestLimit, shared: Any = None) -> None:
        assert config.concurrent is not None
        self.config = config
        self.allowed = 0
        self._passed = 0
        self._places = Places(config.concurrent, config.queue, config.queue_timeout, shared)
        self.leave = self._places.leave

    @property
    def shared(self) -> SharedSlots[Any] | None:
        """What all processes have together, where they do."""
        return self._places.shared

    def enter(self, key: Hashable, context: RequestContext) -> bool:
        """Whether one of ``key`` may begin, which is then at work."""
        if self._places.slots.enter(key):
            self.allowed += 1
            return True
        if self.config.enforce:
            return False
        self._passed += 1
        context.limit = LimitHit(self.config.name, "passed")
        return self._places.slots.enter(key, over=True)

    def take_over(self, key: Hashable) -> None:
        """One of ``key`` is at work that was let in elsewhere."""
        self._places.slots.enter(key, over=True)

    def wait(self, key: Hashable, context: RequestContext, clock: Any) -> Deferred[bool] | None:
        """Whether its turn has come, when that is known; None if it cannot wait either."""
        turn = self._places.wait(key, clock)
        if turn is not None:
            context.limit = LimitHit(self.config.name, "delayed")
        return turn

    def tell(self, key: Hashable) -> str:
        """How it stands, for who asks why."""
        return f"{self._places.slots.of(key)} at work"

    @property
    def counts(self) -> LimitCounts:
        """What came of it."""
        places, slots, config = self._places, self._places.slots, self.config
        return LimitCounts(
            config.name,
            self.allowed,
            places.delayed,
            places.refused + self._passed,
            len(slots),
            config.enforce,
            running=slots.running,
            waiting=slots.waiting,
        )


class _Held(ResponseFilter):
    """The places that a request has, which it gives back when it is over, in whatever way."""

    def __init__(self) -> None:
        self.places: list[tuple[ConcurrencyLimiter, Hashable]] = []
        self._over = False

    def add(self, limit: ConcurrencyLimiter, key: Hashable) -> None:
        """It has one more."""
        if self._over:
            limit.leave(key)
        else:
            self.places.append((limit, key))

    def closed(self) -> None:
        """See :class:`txproxy.interfaces.ResponseFilter`."""
        self._over = True
        places, self.places = self.places, []
        for limit, key in reversed(places):
            limit.leave(key)


def held_places(context: RequestContext) -> tuple[tuple[str, Hashable], ...]:
    """The places that a request has: the names of their limits, and the keys."""
    held = [one for one in context.response_filters if isinstance(one, _Held)]
    return tuple((limit.config.name, key) for one in held for limit, key in one.places)


def hold_places(
    context: RequestContext, limits: Mapping[str, ConcurrencyLimiter], places: Iterable[tuple[str, Hashable]]
) -> None:
    """Give a request those again that it had in another process, in those ``limits`` that are still there. It is at
    work, be there room or not.
    """
    known = [(limits[name], key) for name, key in places if name in limits]
    if known:
        held = _Held()
        context.filter_responses(held)
        for limit, key in known:
            limit.take_over(key)
            held.add(limit, key)


class Entering:
    """``handler`` for requests that have a place in each of the ``limits``, which they take in their order: so nobody
    waits for somebody who waits for him.
    """

    __slots__ = ("_limits", "_clock", "_handler")

    def __init__(self, limits: Sequence[tuple[ConcurrencyLimiter, KeyOf]], clock: Any, handler: Handler) -> None:
        self._limits = limits
        self._clock = clock
        self._handler = handler

    def __call__(self, request: RequestHead, context: RequestContext) -> Decision:
        held = _Held()
        # What becomes of it, and when it is over, others decide: a filter is told in each case.
        context.filter_responses(held)
        return self._enter(0, held, request, context)

    def _enter(self, first: int, held: _Held, request: RequestHead, context: RequestContext) -> Decision:
        for number in range(first, len(self._limits)):
            limit, key_for = self._limits[number]
            key = key_for(request, context)
            if limit.enter(key, context):
                held.add(limit, key)
                if context.trace is not None:
                    context.trace.say(f"limit {limit.config.name}", limit.config.meaning(), limit.tell(key))
                continue
            turn: Any = limit.wait(key, context, self._clock)
            if turn is None:
                return refusal(limit.config, context, 1.0)
            decision: Decision = turn.addCallback(self._turn, number, key, held, request, context)
            return decision
        return self._handler(request, context)

    def _turn(
        self, come: bool, number: int, key: Hashable, held: _Held, request: RequestHead, context: RequestContext
    ) -> Decision:
        limit, _ = self._limits[number]
        if not come:
            return refusal(limit.config, context, 1.0)
        held.add(limit, key)
        return self._enter(number + 1, held, request, context)
