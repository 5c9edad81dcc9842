"""Active health checks: the upstreams of a pool are asked regularly whether they are well.

:class:`Checks` asks each upstream, on a connection of its own each time: whether a new client would be served is what
counts, and a kept connection cannot tell.
"""

from __future__ import annotations

from collections import deque
from random import Random
from typing import TYPE_CHECKING, Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from txproxy.frozen_values import frozen
from txproxy.upstreams.health.health_check import HealthCheck

if TYPE_CHECKING:
    from txproxy.upstreams.health.probe import Checked, Dial, Probe

_log = Logger()

# Intervals differ by so much of themselves, so that many proxies and upstreams do not fall into step.
_JITTER: Final = 0.1
# All upstreams have had their first check after so many seconds, or one interval.
_FIRST: Final = 1.0


@frozen
class LastCheck:
    """When a check has ended, in seconds of the clock, and what was wrong; empty if nothing was."""

    at: float
    cause: str


class _Watch:
    """The checks of one upstream: one at a time, and what has come of them."""

    def __init__(self, checks: Checks, upstream: Checked) -> None:
        self._checks = checks
        self._upstream = upstream
        self._timer: IDelayedCall | None = None
        self._probe: Probe | None = None
        self._began = 0.0
        self._last = True
        self._streak = 0
        self.last: LastCheck | None = None
        # when the last of those that went well in a row have begun, as many as make an upstream healthy
        self._well: deque[float] = deque(maxlen=checks.check.rise)
        # What the upstream was told last. It begins healthy; that is confirmed once, for one that other checks, before
        # these, have left unhealthy.
        self._told: bool | None = None

    def begin(self) -> None:
        """Check soon, and again and again."""
        checks = self._checks
        wait = checks.random.uniform(0, min(checks.check.interval, _FIRST))
        self._timer = checks.clock.callLater(wait, self._ask)

    def end(self) -> None:
        """Check no more; a check under way is dropped."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._drop()

    def _drop(self) -> None:
        probe, self._probe = self._probe, None
        if probe is not None:
            probe.abandon()

    def _ask(self) -> None:
        self._timer = None
        # The one before has given its verdict, but its connection may not be gone.
        self._drop()
        checks = self._checks
        self._began = checks.clock.seconds()
        self._probe = probe = checks.probe(
            checks.check, self._upstream, checks.clock, checks.preface, self._verdict, checks.tolerate
        )
        probe.start(checks.dial)

    def _verdict(self, cause: str) -> None:
        checks = self._checks
        pause = checks.check.interval * checks.random.uniform(1 - _JITTER, 1 + _JITTER)
        left = self._began + pause - checks.clock.seconds()
        # Before the upstream is told: it may want to be forgotten.
        self._timer = checks.clock.callLater(max(0.0, left), self._ask)
        ok = not cause
        self.last = LastCheck(checks.clock.seconds(), cause)
        self._streak = self._streak + 1 if ok is self._last else 1
        self._last = ok
        if ok:
            self._well.append(self._began)
        else:
            self._well.clear()
        if ok is not self._told and self._streak >= (checks.check.rise if ok else checks.check.fall):
            self._change(ok, cause)
        if len(self._well) == checks.check.rise and self._upstream.passed(self._well[0]):
            _log.info(
                "{upstream} of {pool} is ejected no more, as its checks go well",
                upstream=self._upstream.name,
                pool=checks.name,
            )

    def _change(self, ok: bool, cause: str) -> None:
        before, self._told = self._told, ok
        names = {"upstream": self._upstream.name, "pool": self._checks.name}
        if not ok:
            _log.warn("{upstream} of {pool} is unhealthy: {cause}", cause=cause, **names)
        elif before is False:
            _log.info("{upstream} of {pool} is healthy again", **names)
        self._upstream.checked(ok, cause)


class Checks:
    """Checks the upstreams of a pool, each on its own.

    ``dial`` makes connections (see :class:`txproxy.interfaces.IDialer`), ``random`` spreads the checks, ``name`` is the
    pool's, for the log. ``preface`` is what each connection begins with, TLS included: a header of the PROXY protocol
    that speaks for nobody (UNKNOWN, LOCAL), where the pool's upstreams expect one. ``tolerate`` is what
    they may do wrong.

    An upstream is taken to be healthy until checks fail. After ``fall`` failures in a row its ``checked(False, cause)``
    is called, after ``rise`` successes ``checked(True, "")``: once for each change. As long as checks go well it is
    told so by ``passed``.
    """

    def __init__(
        self,
        check: HealthCheck,
        clock: IReactorTime,
        dial: Dial,
        random: Random | None = None,
        *,
        name: str = "the pool",
        preface: bytes = b"",
        tolerate: frozenset[str] = frozenset(),
    ) -> None:
        # Most pools ask nobody, and need not know how. It comes with HTTP/2.
        from txproxy.upstreams.health.probe import Probe

        self.probe = Probe
        self.check = check
        self.clock = clock
        self.dial = dial
        self.random = random or Random()
        self.name = name
        self.preface = preface
        self.tolerate = tolerate
        self._watches: dict[Checked, _Watch] = {}
        self._running = False

    def start(self) -> None:
        """Begin with those that are watched."""
        if not self._running:
            self._running = True
            for watch in self._watches.values():
                watch.begin()

    def stop(self) -> None:
        """Check nobody, and leave no timer and no connection behind. What was found out stays, for another start."""
        if self._running:
            self._running = False
            for watch in self._watches.values():
                watch.end()

    def watch(self, upstream: Checked) -> None:
        """Check ``upstream`` as well."""
        if upstream not in self._watches:
            self._watches[upstream] = watch = _Watch(self, upstream)
            if self._running:
                watch.begin()

    def last(self, upstream: Checked) -> LastCheck | None:
        """What the last check of ``upstream`` has found, if there was one."""
        watch = self._watches.get(upstream)
        return watch.last if watch is not None else None

    def forget(self, upstream: Checked) -> None:
        """Check ``upstream`` no more."""
        watch = self._watches.pop(upstream, None)
        if watch is not None and self._running:
            watch.end()
