"""Upstreams that somebody's code knows: it is asked again and again, and the pool has those that it names."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import ConfigError
from txproxy.interfaces.hooks.code_faults import CodeFaults
from txproxy.upstreams.overlay import change_as
from txproxy.upstreams.pool_settings import OwnPool
from txproxy.upstreams.upstream import Upstream

_log = Logger()
# seconds within which it has to answer
_AT_MOST: Final = 30.0


class FollowingPool(OwnPool, Protocol):
    """What is needed of a pool."""

    upstreams: list[Upstream]
    clock: Any

    def add(self, item: Upstream) -> Upstream:
        """One more."""

    def remove(self, upstream: Upstream) -> None:
        """One less."""

    def replace(self, upstream: Upstream, other: Upstream) -> Upstream:
        """Another one instead."""

    def refresh(self) -> None:
        """Let what was said of one take its effect."""

    def weigh(self, upstream: Upstream, weight: int) -> None:
        """Give it another weight."""


class OwnSource:
    """Keeps the upstreams of ``pool`` as ``ask`` names them, which a configuration calls ``name``: a function that
    gives their texts, or a Deferred of these, and is asked each ``interval`` seconds. ``make`` makes an upstream of a
    text.

    Until it has answered, the pool has what it was given; those go when they are not named. Where it fails, or names
    nobody, all stay.
    """

    def __init__(
        self,
        pool: FollowingPool,
        name: str,
        ask: Callable[[], Any],
        make: Callable[[str], Upstream],
        interval: float,
    ) -> None:
        self.name = name
        # those of the pool that are its to take away, by their names, with their texts
        self.present: dict[str, tuple[str, Upstream]] = {}
        self.answer: tuple[str, ...] = ()
        self._pool = pool
        self._ask = ask
        self._make = make
        self._interval = interval
        self._timer: IDelayedCall | None = None
        self._asking: Deferred[Any] | None = None
        self._faults = CodeFaults("discovery", name)
        self._first: list[Upstream] = list(pool.upstreams)

    def start(self) -> None:
        """Ask now, and again and again."""
        if self._timer is None and self._asking is None:
            self._begin()

    def stop(self) -> None:
        """Ask no more; what the pool has stays."""
        asking, self._asking = self._asking, None
        if asking is not None:
            asking.cancel()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _begin(self) -> None:
        self._timer = None
        self._asking = asking = maybeDeferred(self._ask)
        if not asking.called:
            asking.addTimeout(_AT_MOST, self._pool.clock)
        asking.addCallback(self._answered).addErrback(self._failed).addBoth(self._end, asking)

    def _end(self, _: object, asking: Deferred[Any]) -> None:
        if self._asking is asking:
            self._asking = None
            self._timer = self._pool.clock.callLater(self._interval, self._begin)

    def _failed(self, failure: Failure) -> None:
        if self._asking is None:
            return  # stopped
        if isinstance(failure.value, ConfigError):
            self._faults.said(str(failure.value))
        else:
            self._faults.failed(failure)

    def _answered(self, given: object) -> None:
        texts = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str | bytes) else (None,)
        if not all(isinstance(text, str) for text in texts):
            self._faults.wrong(given, "a list of upstreams, as texts")
            return
        if not texts:
            self._faults.said("it names nobody; the known upstreams stay")
            return
        self.follow(texts)

    def follow(self, texts: tuple[str, ...]) -> None:
        """The pool has these; ``ConfigError`` if one is none, and then all stay."""
        if texts == self.answer:
            return
        made = [(text, self._make(text)) for text in dict.fromkeys(texts)]
        if any(upstream.resolve for _, upstream in made):
            raise ConfigError("a name that is to be looked up is the configuration's to say", "accepted is none")
        pool, known = self._pool, self.present
        first = {upstream.name: upstream for upstream in self._first}
        wanted = {upstream.name for _, upstream in made}
        gone = [upstream for name, (_, upstream) in known.items() if name not in wanted]
        gone += [upstream for name, upstream in first.items() if name not in wanted]
        self._first = [upstream for name, upstream in first.items() if name in wanted]
        kept: dict[str, tuple[str, Upstream]] = {}
        for text, upstream in made:
            old = known.get(upstream.name)
            if old is not None and old[0] == text:
                kept[upstream.name] = old
                continue
            if old is not None:
                kept[upstream.name] = (text, self._changed(old[1], upstream))
                continue
            if any(one.name == upstream.name for one in pool.upstreams):
                # The configuration, or an administrator, has it.
                continue
            upstream.stands_for = self.name
            kept[upstream.name] = (text, pool.add(upstream))
        self.present, self.answer = kept, texts
        for upstream in gone:
            self._remove(upstream)

    def _changed(self, old: Upstream, new: Upstream) -> Upstream:
        """What is said of one that is there is another thing by now."""
        pool = self._pool
        if (old.backup, old.max, old.address) != (new.backup, new.max, new.address):
            new.stands_for = self.name
            pool.replace(old, new)
            change_as(new, old, pool.seconds())
            if old.address == new.address:
                # It is the same server, and as well as before.
                new.take_over(old)
                new.checked(old.unhealthy is None, old.unhealthy or "")
            pool.refresh()
            return new
        # What an administrator says stays until something else is said here.
        if old.given_weight != new.given_weight:
            old.given_weight = new.weight
            pool.weigh(old, new.weight)
        if old.given_order is not new.given_order:
            old.given_order = new.given_order
            old.order(new.given_order, new.cause, pool.seconds())
            pool.refresh()
        return old

    def _remove(self, upstream: Upstream) -> None:
        if upstream in self._pool.upstreams and len(self._pool.upstreams) > 1:
            self._pool.remove(upstream)
