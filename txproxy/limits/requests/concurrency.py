"""How many requests of a key are at work at once: those that wait for their turn, and the end of each, told once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txproxy.interfaces.allowances import LimitHit
from txproxy.interfaces.context import RequestContext, ResponseFilter
from txproxy.interfaces.middleware import Handler
from txproxy.interfaces.plan import Decision
from txproxy.limits.requests.lent_slots import PATIENCE, LentSlots
from txproxy.limits.requests.limit_keys import KeyOf
from txproxy.limits.requests.limiter import LimitCounts, refusal
from txproxy.limits.requests.request_limit import RequestLimit
from txproxy.limits.requests.shared_slots import SharedSlots
from txproxy.limits.requests.slots import Slots
from txproxy.wire.message import RequestHead


class _Waiting:
    """A request in the queue; its ``turn`` fires with whether it has come."""

    __slots__ = ("key", "turn", "timer", "ready", "queued", "on_queue")

    def __init__(self, key: Hashable, on_queue: Callable[[], None]) -> None:
        self.key = key
        self.on_queue = on_queue
        # whether it has to wait for the end of another one
        self.queued = False
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
    """Places of keys, which ``slots`` count; who finds none waits ``timeout`` seconds, if it may. ``delayed`` and
    ``refused`` count those who had to wait and got one, and those who got none, and ``lent`` those for whom the hub of
    several processes was asked.
    """

    __slots__ = ("slots", "delayed", "refused", "lent", "_timeout", "_clock", "_ready", "_serving")

    def __init__(self, slots: Slots[_Waiting], timeout: float) -> None:
        self.slots = slots
        if isinstance(slots, SharedSlots):
            slots.on_room = partial(self._serve, slots)
        elif isinstance(slots, LentSlots):
            slots.on_turn, slots.on_refusal = self._let_in, self._not_lent
        self.delayed = self.refused = self.lent = 0
        self._timeout = timeout
        self._clock: Any = None
        self._ready: deque[_Waiting] = deque()
        self._serving = False

    def wait(self, key: Hashable, clock: Any, on_queue: Callable[[], None] = lambda: None) -> Deferred[bool] | None:
        """Whether its turn has come, when that is known; None if it cannot wait. ``on_queue`` is called once it has to
        wait for the end of another one.
        """
        waiting = _Waiting(key, on_queue)
        self._clock = clock
        slots = self.slots
        if isinstance(slots, LentSlots) and slots.ask(key, waiting):
            waiting.turn = Deferred(lambda _: self._give_up(waiting))
            waiting.timer = clock.callLater(PATIENCE, self._late, waiting)
            return waiting.turn
        gone = slots.wait(key, waiting)
        if gone is waiting:
            self.refused += 1
            return None
        waiting.turn = Deferred(lambda _: self._give_up(waiting))
        self._queue(waiting, gone)
        return waiting.turn

    def _queue(self, waiting: _Waiting, gone: _Waiting | None) -> None:
        waiting.queued = True
        waiting.on_queue()
        waiting.timer = self._clock.callLater(self._timeout, self._late, waiting)
        if gone is not None:
            self._send_away(gone)

    def _not_lent(self, key: Hashable, waiting: _Waiting) -> None:
        """The hub had none for it."""
        waiting.decided()
        gone = self.slots.wait(key, waiting)
        if gone is waiting:
            self._send_away(waiting)
        else:
            self._queue(waiting, gone)

    def leave(self, key: Hashable) -> None:
        """One of ``key`` has ended."""
        following = self.slots.leave(key)
        if following is not None:
            self._let_in(following)

    def _serve(self, slots: SharedSlots[_Waiting], key: Hashable) -> None:
        """There may be room, as others have less."""
        while (following := slots.next(key)) is not None:
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
                ready = self._ready.popleft()
                if ready.queued:
                    self.delayed += 1
                else:
                    self.lent += 1
                ready.turn.callback(True)
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
    ``shared`` by a clock. One that is not enforced makes nobody wait: it goes by what processes hear of each other.
    """

    __slots__ = ("config", "_allowed", "_places", "_passed", "leave")

    def __init__(self, config: RequestLimit, shared: Any = None) -> None:
        assert config.concurrent is not None
        self.config = config
        self._allowed = 0
        self._passed = 0
        if shared is None:
            slots: Slots[_Waiting] = Slots(config.concurrent, config.queue)
        elif config.enforce:
            slots = LentSlots(config.concurrent, config.queue, shared.seconds)
        else:
            slots = SharedSlots(config.concurrent, config.queue, shared)
        self._places = Places(slots, config.queue_timeout)
        self.leave = self._places.leave

    @property
    def shared(self) -> SharedSlots[Any] | None:
        """What all processes hear of each other, where that is enough."""
        slots = self._places.slots
        return slots if isinstance(slots, SharedSlots) else None

    @property
    def lent(self) -> LentSlots[Any] | None:
        """What the hub of all processes lends, where there is one."""
        slots = self._places.slots
        return slots if isinstance(slots, LentSlots) else None

    def enter(self, key: Hashable, context: RequestContext) -> bool:
        """Whether one of ``key`` may begin, which is then at work."""
        if self._places.slots.enter(key):
            self._allowed += 1
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

        def delayed() -> None:
            context.limit = LimitHit(self.config.name, "delayed")

        return self._places.wait(key, clock, delayed)

    def tell(self, key: Hashable) -> str:
        """How it stands, for who asks why."""
        return f"{self._places.slots.of(key)} at work{' in this process' if self.lent is not None else ''}"

    @property
    def counts(self) -> LimitCounts:
        """What came of it."""
        places, slots, config = self._places, self._places.slots, self.config
        return LimitCounts(
            config.name,
            self._allowed + places.lent,
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
