"""What several processes know of the upstreams of one pool: who is ejected, who fails his checks, and what an
administrator has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.upstreams.availability import may_be_ejected
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.upstream import State, Upstream

# What news has beside the standings by names, none of which is called so: names of upstreams that a process has just
# found, and what the one who leads knows of such.
_ASKED: Final = "\0asked"
_TOLD: Final = "\0told"


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

    Upstreams that are found by a name come to each process when it looks that up. What the others have told before of
    one that is new is asked of the one who leads.
    """

    def __init__(self, overlay: Overlay) -> None:
        self._overlay = overlay
        self._wake: Callable[[], None] | None = None
        self._leads = False
        # names of those of whom something is new
        self._new: dict[str, None] = {}
        # of those that have come and are to be asked for, or were, and are not told of yet; and that others ask for
        self._to_ask: dict[str, None] = {}
        self._unknown: set[str] = set()
        self._asked: dict[str, None] = {}
        self._hears = False
        overlay.pool.watch(self._joined, self._parted)

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake
        self._overlay.pool.on_change = self._changed

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = self._overlay.pool.on_change = None
        for names in (self._new, self._to_ask, self._unknown, self._asked):
            names.clear()

    def _changed(self, upstream: Upstream) -> None:
        # What was heard of another process is nothing to tell it.
        if not self._hears:
            self._tell_of(upstream.name, self._new)

    def _tell_of(self, name: str, names: dict[str, None]) -> None:
        if self._wake is not None:
            if not (self._new or self._to_ask or self._asked):
                self._wake()
            names[name] = None

    def _joined(self, upstream: Upstream) -> None:
        if self._wake is not None and not self._leads:
            self._unknown.add(upstream.name)
            self._tell_of(upstream.name, self._to_ask)

    def _parted(self, upstream: Upstream) -> None:
        self._unknown.discard(upstream.name)
        self._to_ask.pop(upstream.name, None)

    def _named(self, names: Iterable[str]) -> dict[str, Upstream]:
        """Those that there are; another configuration, or the name's addresses, may have others."""
        here = {upstream.name: upstream for upstream in self._overlay.pool.upstreams}
        return {name: here[name] for name in names if name in here}

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        new, self._new = self._new, {}
        asks, self._to_ask = self._to_ask, {}
        asked, self._asked = self._asked, {}
        content: dict[str, Any] = {name: Standing.of(upstream) for name, upstream in self._named(new).items()}
        if asks:
            content[_ASKED] = tuple(asks)
        if told := self._named(asked):
            content[_TOLD] = {
                name: (Standing.of(upstream), _changes(self._overlay, upstream)) for name, upstream in told.items()
            }
        return content or None, False

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._hears = True
        try:
            for name, upstream in self._named(content).items():
                self._hear(upstream, content[name])
            told = content.get(_TOLD, {})
            for name, upstream in self._named(self._unknown.intersection(told)).items():
                self._unknown.discard(name)
                self._learn(upstream, *told[name])
        finally:
            self._hears = False
        for name in content.get(_ASKED, ()) if self._leads else ():
            self._tell_of(name, self._asked)

    def _learn(self, upstream: Upstream, standing: Standing, changed: Changed) -> None:
        """What is known elsewhere of one that has come. That it is not ejected there is nothing new."""
        self._change(upstream, changed)
        self._overlay.pool.refresh()
        upstream.checked(standing.unhealthy is None, standing.unhealthy or "")
        if standing.ejected is not None and upstream.name not in self._new:
            self._eject(upstream, *standing.ejected)

    def _hear(self, upstream: Upstream, standing: Standing) -> None:
        upstream.checked(standing.unhealthy is None, standing.unhealthy or "")
        if upstream.name in self._new:
            # What its traffic has told here is newer, and the other hears of it in a moment.
            return
        if standing.ejected is None:
            upstream.recovered()
            return
        self._eject(upstream, *standing.ejected)

    def _eject(self, upstream: Upstream, cause: str, seconds: float) -> None:
        pool = self._overlay.pool
        ejection = pool.settings.ejection
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
            self._change(upstream, content.changed[name])
        overlay.pool.refresh()
        self.heard(peer, content.standings, now)

    def _change(self, upstream: Upstream, changed: Changed) -> None:
        now = self._overlay.pool.seconds()
        if changed.order is not None:
            state, cause, age, left = changed.order
            upstream.order(state, cause, now - age, now + left)
        if changed.weight is not None:
            upstream.weigh(changed.weight, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has found out is still so."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._leads = leads
        self._overlay.pool.lead(leads)


def _changes(overlay: Overlay, upstream: Upstream) -> Changed:
    what, now = overlay.changes_of(upstream), overlay.pool.seconds()
    left = max(0.0, upstream.drained_at - now)
    order = (upstream.ordered, upstream.cause, now - upstream.since, left) if "order" in what else None
    return Changed(order, upstream.weight if "weight" in what else None)
