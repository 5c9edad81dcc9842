"""One server of a pool: where it is, what it carries, and whether it may be sent to.

What is known of an upstream's health comes from three sides, each with a state of its own: whoever administers it,
active checks, and the traffic. ``Upstream.state`` is the worst of them, with its cause and the time since when.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final

from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.net.deadlines import NEVER
from txproxy.upstreams.ejection import TRIAL, Breaker
from txproxy.upstreams.pool_settings import OwnPool, checked_weight

# A single process has none.
if TYPE_CHECKING:
    from txproxy.upstreams.several_processes.locked_places import LockedPlaces

# The share of its weight that an upstream begins with when it starts slowly.
_COLD: Final = 0.1
_DRAINED: Final = "drained"
_NO_WEIGHT: Final = "its weight is 0"


class State(Enum):
    """What an upstream is fit for, the better first."""

    HEALTHY = "healthy"
    FAILING = "failing"  # its traffic fails, and it has some all the same, as a trial or as too few would be left
    UNHEALTHY = "unhealthy"  # its checks fail
    EJECTED = "ejected"  # the traffic that it got has failed: nothing is sent until a time
    DRAINING = "draining"  # only clients that are pinned to it
    DISABLED = "disabled"  # by whoever administers it


_GIVEN: Final = {State.DRAINING: "drained", State.DISABLED: "disabled"}
_CLOSED, _HALF_OPEN = Breaker.CLOSED, Breaker.HALF_OPEN  # A look-up in an Enum class costs with each request.
_HEALTHY: Final = State.HEALTHY
_FIT: Final = (State.HEALTHY, State.FAILING)


class Upstream:
    """One server of a pool.

    ``name`` tells it from the others of its pool, ``authority`` is its name for a Host field, ``weight`` its share of
    the requests (0: only clients that are pinned to it), ``backup`` that it gets some only when no other can, ``max``
    how many it may have at once (0: any number; ``allowed`` of them in this process), ``drain`` that it begins as one
    that drains. ``active`` is how many it has now, ``effective`` its weight now: less while it starts slowly.
    ``places`` are those that its requests take where several processes must never have more than ``max`` together.
    ``stands_for`` is the name that it was given under, and is a member of.
    """

    __slots__ = (
        "name", "address", "authority", "weight", "backup", "max", "allowed", "resolve",
        "active", "effective", "room", "places", "served", "failures", "ejections", "pool", "breaker",
        "stands_for", "given_weight", "given_order", "_failing", "_failing_since",
        "_strikes", "_in_a_row", "_opened_at", "_ejected_until", "_closed_at", "_warm_from",
        "_trial_room", "_next_trial", "_order", "_order_cause", "_order_since", "_drained_at", "_weighed_out",
        "_checked", "_checked_cause", "_checked_since", "_ejected_cause", "_ejected_since", "_healthy_since",
    )  # fmt: skip

    def __init__(
        self,
        address: Address,
        authority: bytes,
        weight: int = 1,
        *,
        backup: bool = False,
        max: int = 0,
        name: str = "",
        resolve: bool = False,
        drain: bool = False,
    ) -> None:
        self.name = self.stands_for = name or str(address)
        self.address, self.authority = address, authority
        self.weight = checked_weight(weight)
        self.backup, self.resolve = backup, resolve
        self.max = self.allowed = max
        self.active = self.served = 0
        # so many that count for its ejection, and how often it was ejected
        self.failures = self.ejections = 0
        self.effective = float(weight)
        self.room = float(max) if max else NEVER
        self.places: LockedPlaces | None = None
        self.pool: OwnPool | None = None
        self.breaker = _CLOSED
        self._strikes = self._in_a_row = 0
        self._opened_at = self._closed_at = self._warm_from = self._ejected_until = self._ejected_since = 0.0
        self._ejected_cause = self._checked_cause = self._failing = ""
        # how many requests it may have while half open, and when it may have another beside them
        self._trial_room, self._next_trial = NEVER, 0.0
        # what its configuration says, or the record that it was found by
        self.given_weight = weight
        self.give(State.DRAINING if drain else State.HEALTHY)
        self._drained_at, self._checked = NEVER, State.HEALTHY
        self._checked_since = self._healthy_since = self._order_since = self._weighed_out = self._failing_since = 0.0

    def give(self, order: State) -> None:
        """What its configuration says of it: HEALTHY, DRAINING or DISABLED."""
        self.given_order = self._order = order
        self._order_cause = f"{_GIVEN[order]} by the configuration" if order in _GIVEN else ""

    def __repr__(self) -> str:
        return f"<Upstream {self.name} {self.state.value}>"

    # -- what it is fit for

    @property
    def state(self) -> State:
        """The worst that is known of it."""
        return self._standing()[0]

    @property
    def fit(self) -> bool:
        """Whether it serves by its state: it is healthy, or as good as others are."""
        return self._standing()[0] in _FIT

    @property
    def cause(self) -> str:
        """Why it is in that state; empty where it is healthy."""
        return self._standing()[1]

    @property
    def since(self) -> float:
        """Since when, in seconds of the pool's clock."""
        return self._standing()[2]

    def _standing(self) -> tuple[State, str, float]:
        # Whoever asks is told what time has done, though no request has come since.
        if self._order is not State.HEALTHY:
            if self._order is State.DRAINING and self._drained_at <= self._now():
                return State.DISABLED, _DRAINED, self._drained_at
            return self._order, self._order_cause, self._order_since
        if not self.weight:
            return State.DRAINING, _NO_WEIGHT, self._weighed_out
        if self._checked is not State.HEALTHY:
            return self._checked, self._checked_cause, self._checked_since
        if self.breaker is Breaker.OPEN and self._ejected_until > self._now():
            return State.EJECTED, self._ejected_cause, self._ejected_since
        if self._failing:
            return State.FAILING, self._failing, self._failing_since
        if self.breaker is not _CLOSED:
            return State.FAILING, self._ejected_cause, self._ejected_since
        return State.HEALTHY, "", self._healthy_since

    def _now(self) -> float:
        return self.pool.seconds() if self.pool is not None else 0.0

    @property
    def drained_at(self) -> float:
        """When its drain ends, in seconds of the pool's clock; infinite for none."""
        return self._drained_at

    @property
    def ordered(self) -> State:
        """The last word of an administrator, or of the configuration: HEALTHY (enabled), DRAINING or DISABLED."""
        if self._order is State.DRAINING and self._drained_at <= self._now():
            return State.DISABLED
        return self._order

    @property
    def unhealthy(self) -> str | None:
        """Why its checks fail; None if they do not."""
        return None if self._checked is _HEALTHY else self._checked_cause

    @property
    def ejected(self) -> tuple[str, float] | None:
        """Why it is ejected, or being tried after that, and for how many seconds more; None if it is not."""
        return None if self.breaker is _CLOSED else (self._ejected_cause, max(0.0, self._ejected_until - self._now()))

    @property
    def in_service(self) -> bool:
        """Whether no administrator has taken it out."""
        return self._order is State.HEALTHY and self.weight > 0

    @property
    def full(self) -> bool:
        """Whether it has all the requests that it may have."""
        return self.active >= self.room

    @property
    def pinnable(self) -> bool:
        """Whether clients that are pinned to it may still go there."""
        if self.active >= self.room:
            return False
        if self._order is _HEALTHY and self._checked is _HEALTHY and self.breaker is _CLOSED:
            return True
        return self.state in (*_FIT, State.DRAINING)

    # -- what requests tell (see txproxy.interfaces.Tracker)

    def answered(self, status: int) -> None:
        """The final response of a request has begun, or its tunnel; only those that were sent while the breaker was not
        closed need to tell. What has begun may last for hours, so that it is not its end that closes the breaker.
        """
        if self.breaker is _HALF_OPEN and not self._is_failure(None, status):
            self._close()

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """An attempt is over."""
        self.active -= 1
        if self.places is not None:
            self.places.give_back()
        if fault is not None:
            if self._is_failure(fault, status):
                self.struck(fault.detail or fault.error)
        elif status >= 500 and self._is_failure(None, status):
            self.struck(f"status {status}")
        elif self._strikes and status:
            self._strikes = 0
            self._works()
            self._tell("")
        if self.breaker is _HALF_OPEN and self.active + 1 < self._trial_room:
            if self.room <= self._trial_room:
                self.room = min(self.room, self.active + 1.0)
            self._trial_room = self.active + 1.0
        pool = self.pool
        if pool is not None and pool.listens:
            pool.released(self)

    def all_ended(self, count: int, status: int) -> None:
        """So many attempts are over that have gone well, with the same status: the same as ``ended`` for each."""
        pool = self.pool
        if self.places or status >= 500 or self._strikes or self.breaker is not _CLOSED or (pool and pool.listens):
            for _ in range(count):
                self.ended(None, status)
        else:
            self.active -= count

    def _is_failure(self, fault: ExchangeError | None, status: int) -> bool:
        ejection = self.pool.settings.ejection if self.pool is not None else None
        return ejection is not None and ejection.is_failure(fault, status)

    def struck(self, cause: str) -> None:
        """A failure. Enough of them in a row, and it gets nothing for a while."""
        self.failures += 1
        self._strike(self._strikes + 1, cause, self.breaker is Breaker.HALF_OPEN)
        self._tell(cause)

    def struck_elsewhere(self, count: int, cause: str, anew: bool) -> None:
        """So many failures at another process, in a row; ``anew``: after a request that went well."""
        if anew:
            self._works()
        if self.breaker is _CLOSED:
            self._strike(count if anew else self._strikes + count, cause, False)

    def _strike(self, strikes: int, cause: str, at_once: bool) -> None:
        self._strikes = strikes
        ejection = self.pool.settings.ejection if self.pool is not None else None
        if self.pool is not None and ejection is not None and (at_once or strikes >= ejection.failures):
            self.pool.eject(self, cause)
            # If it stays, the next failure of the many that there are then need not ask again, and one is left: so what
            # goes well is noticed.
            self._strikes = int(self.breaker is not Breaker.OPEN)

    def _tell(self, cause: str) -> None:
        if self.pool is not None and self.pool.on_strike is not None:
            self.pool.on_strike(self, cause)

    def fail(self, cause: str, since: float | None = None) -> bool:
        """It has failed often enough, and stays, from now on or ``since`` then; says whether that is new."""
        new = not self._failing
        if new:
            self._failing_since = self._now() if since is None else since
        self._failing, self._strikes = cause, max(1, self._strikes)
        return new

    @property
    def failing(self) -> tuple[str, float] | None:
        """The cause of that, and since when; None if it is not so."""
        return (self._failing, self._failing_since) if self._failing else None

    def _works(self) -> None:
        if self._failing:
            self._failing, self._strikes, self._healthy_since = "", 0, self._now()

    def open(self, now: float, cause: str, seconds: float | None = None) -> float:
        """Open the breaker, for so many seconds if another process has found that out; gives until when."""
        pool = self.pool
        ejection = pool.settings.ejection if pool is not None else None
        assert ejection is not None
        if self.breaker is _CLOSED and now - self._closed_at > ejection.longest:
            self._in_a_row = 0
        if self.breaker is _CLOSED:
            self._ejected_since = now
        self.breaker, self._opened_at = Breaker.OPEN, now
        self._in_a_row += 1
        self.ejections += 1
        self._strikes, self._failing = 0, ""
        self._ejected_cause = cause
        self._ejected_until = now + (ejection.seconds(self._in_a_row) if seconds is None else seconds)
        return self._ejected_until

    def _close(self) -> None:
        self.breaker = _CLOSED
        self._strikes, self._failing = 0, ""
        if self.pool is not None:
            self._closed_at = self._healthy_since = self._warm_from = self.pool.seconds()
            self.pool.changed(self)

    def recovered(self) -> None:
        """Another process has found that it works again, or none that it does not."""
        if self.breaker is not _CLOSED:
            self._close()

    # -- what checks and administrators say

    def checked(self, ok: bool, cause: str) -> None:
        """Active checks have found it well, or not."""
        state = State.HEALTHY if ok else State.UNHEALTHY
        if state is self._checked:
            return
        self._checked, self._checked_cause = state, cause
        if self.pool is not None:
            self._checked_since = self.pool.seconds()
            if ok:
                self._healthy_since = self._warm_from = self._checked_since
            self.pool.changed(self)

    def passed(self, since: float) -> bool:
        """Active checks go well, enough of them in a row, the first of which has begun at ``since``: that ends an
        ejection from before, as in Envoy. Says whether there was one.
        """
        if self._failing and since >= self._failing_since:
            self._works()
            self._tell("")  # One process checks for all.
        if self.breaker is _CLOSED or since < self._opened_at:
            return False
        self._close()
        return True

    def order(self, state: State, cause: str, now: float, until: float = NEVER) -> None:
        """An administrator's word: HEALTHY (enabled), DRAINING (until a time, then DISABLED) or DISABLED."""
        if state is State.HEALTHY and self._order is State.HEALTHY:
            return
        self._order, self._order_cause, self._order_since = state, cause, now
        self._drained_at = until if state is State.DRAINING else NEVER
        if state is State.HEALTHY:
            self._healthy_since = self._warm_from = now

    def weigh(self, weight: int, now: float) -> None:
        """Give it another weight; without one it drains."""
        if not weight and self.weight:
            self._weighed_out = now
        elif weight and not self.weight:
            self._healthy_since = self._warm_from = now
        self.weight = checked_weight(weight)

    def take_over(self, before: Upstream) -> None:
        """It goes on as one of another pool has been: what traffic has told of that is true of this as well."""
        self.breaker, self._strikes, self._in_a_row = before.breaker, before._strikes, before._in_a_row
        self._opened_at, self._closed_at = before._opened_at, before._closed_at
        self._ejected_cause, self._ejected_since = before._ejected_cause, before._ejected_since
        self._healthy_since, self._warm_from = before._healthy_since, before._warm_from
        self._ejected_until = before._ejected_until
        self._failing, self._failing_since = before._failing, before._failing_since
        if before.breaker is Breaker.HALF_OPEN:
            # Whoever tries it now tells the other one: here, it is about to be tried.
            self.breaker = Breaker.OPEN

    def begin(self, now: float, warm: bool) -> None:
        """It has joined a pool; ``warm`` says that it need not start slowly."""
        self._healthy_since = self._order_since = self._weighed_out = now
        self._warm_from = -NEVER if warm else now

    # -- time

    def shift(self, seconds: float) -> None:
        """The pool tells the time by another clock from now on, which says so many seconds more."""
        for name in ("_opened_at", "_next_trial", "_ejected_until", "_ejected_since", "_closed_at", "_warm_from",
                     "_order_since", "_drained_at", "_weighed_out", "_checked_since", "_healthy_since",
                     "_failing_since"):  # fmt: skip
            setattr(self, name, getattr(self, name) + seconds)

    def give_room(self, *, all_of_it: bool) -> None:
        """While it is half open it takes one request at a time, unless it is to take ``all_of_it``."""
        room = float(self.allowed) if self.max else NEVER
        self.room = room if all_of_it or self.breaker is not Breaker.HALF_OPEN else min(room, self._trial_room)

    def settle(self, now: float, slow_start: float) -> float:
        """Let time take its effect; gives when it will have one again."""
        wake = NEVER
        if self._drained_at <= now:
            self.order(State.DISABLED, _DRAINED, self._drained_at)
        elif self._order is State.DRAINING:
            wake = self._drained_at
        if self.breaker is Breaker.OPEN:
            if self._ejected_until <= now:
                self.breaker = Breaker.HALF_OPEN
                self._next_trial = now
            else:
                wake = min(wake, self._ejected_until)
        if self.breaker is Breaker.HALF_OPEN:
            if self._next_trial <= now:
                # What it still has from before, tunnels perhaps, is not what is tried now. Nor must a client that takes
                # its time with a trial keep others from one.
                self._trial_room = self.active + 1.0
                self._next_trial = now + TRIAL
            wake = min(wake, self._next_trial)
        self.effective = float(self.weight)
        if slow_start:
            age = now - self._warm_from
            if age < slow_start:
                self.effective *= max(_COLD, age / slow_start)
                wake = min(wake, now + slow_start / 20)
        return wake
