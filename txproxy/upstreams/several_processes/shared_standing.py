"""What several processes know of the upstreams of one pool: who is ejected, who fails his checks, and what an
administrator has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.upstreams.availability import may_be_ejected
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.upstream import State, Upstream


@frozen
class Standing:
    """What checks and traffic have found of an upstream: why it is ``unhealthy``, and why it is ``ejected``, for so
    many seconds; None for what it is not.
    """

    unhealthy: str | None
    ejected: tuple[str, float] | None

    @classmethod
    def of(cls, upstream: Upstream) -> Standing:
        """That of an upstream now."""
        return cls(upstream.unhealthy, upstream.ejected)


@frozen
class Changed:
    """What an administrator has said of an upstream: its ``order``, why, how long ago and for how much longer; and its
    ``weight``; None for what is as the configuration says.
    """

    order: tuple[State, str, float, float] | None
    weight: int | None


@frozen
class Whole:
    """All that is to be known of a pool, where it is not as the configuration says."""

    standings: dict[str, Standing]
    removed: tuple[str, ...]
    added: tuple[str, ...]
    changed: dict[str, Changed]


class SharedStanding:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of the pool of an ``overlay``. One process checks
    upstreams for all, and each ejects whom its own traffic has found to fail: the others do the same, unless too few
    would be left.
    """

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._wake: Callable[[], None] | None = None
        # names of those of whom something is new
        self._new: dict[str, None] = {}
        self._hears = False

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake
        self._overlay.pool.on_change = self._changed

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = self._overlay.pool.on_change = None
        self._new.clear()

    def _changed(self, upstream: Upstream) -> None:
        # What was heard of another process is nothing to tell it.
        if not self._hears and self._wake is not None:
            if not self._new:
                self._wake()
            self._new[upstream.name] = None

    def _named(self, names: Iterable[str]) -> dict[str, Upstream]:
        """Those that there are; another configuration, or the name's addresses, may have others."""
        here = {upstream.name: upstream for upstream in self._overlay.pool.upstreams}
        return {name: here[name] for name in names if name in here}

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        new, self._new = self._new, {}
        return {name: Standing.of(upstream) for name, upstream in self._named(new).items()} or None, False

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._hears = True
        try:
            for name, upstream in self._named(content).items():
                self._hear(upstream, content[name])
        finally:
            self._hears = False

    def _hear(self, upstream: Upstream, standing: Standing) -> None:
        pool = self._overlay.pool
        upstream.checked(standing.unhealthy is None, standing.unhealthy or "")
        if upstream.name in self._new:
            # What its traffic has told here is newer, and the other hears of it in a moment.
            return
        if standing.ejected is None:
            upstream.recovered()
            return
        ejection, (cause, seconds) = pool.settings.ejection, standing.ejected
        # One that is out is out, and one that is tried here may have failed there.
        if (
            ejection is None
            or upstream.breaker is Breaker.OPEN
            or (upstream.breaker is Breaker.HALF_OPEN and not seconds)
        ):
            return
        if may_be_ejected(upstream, pool.upstreams, ejection.share):
            upstream.open(pool.seconds(), cause, seconds)
            pool.refresh()

    # -- who has just come

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if not leads:
            return None
        overlay, sound = self._overlay, Standing(None, None)
        found = {upstream.name: Standing.of(upstream) for upstream in overlay.pool.upstreams}
        standings = {name: standing for name, standing in found.items() if standing != sound}
        changed = {
            upstream.name: _changes(overlay, upstream)
            for upstream in overlay.pool.upstreams
            if not {"order", "weight"}.isdisjoint(overlay.changes_of(upstream))
        }
        if not (standings or changed or overlay.added or overlay.removed):
            return None
        return Whole(standings, overlay.removed, tuple(overlay.added.values()), changed)

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        overlay = self._overlay
        for text in content.added:
            # It may be there by now.
            with suppress(ConfigError):
                overlay.add(text)
        for upstream in self._named(content.removed).values():
            with suppress(ConfigError):
                overlay.remove(upstream)
        for name, upstream in self._named(content.changed).items():
            changed: Changed = content.changed[name]
            if changed.order is not None:
                state, cause, age, left = changed.order
                upstream.order(state, cause, now - age, now + left)
            if changed.weight is not None:
                upstream.weigh(changed.weight, now)
        overlay.pool.refresh()
        self.heard(peer, content.standings, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has found out is still so."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._overlay.pool.lead(leads)


def _changes(overlay: Overlay, upstream: Upstream) -> Changed:
    what, now = overlay.changes_of(upstream), overlay.pool.seconds()
    left = max(0.0, upstream.drained_at - now)
    order = (upstream.ordered, upstream.cause, now - upstream.since, left) if "order" in what else None
    return Changed(order, upstream.weight if "weight" in what else None)
