"""What an administrator has changed of a pool while it serves, and what of that outlives another configuration.

Each upstream knows what it was given, and what it is now: what differs was changed. A change is kept as long as the
configuration says of that what it said before, and goes where it says something else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final

from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.net.deadlines import NEVER
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import State, Upstream
from txproxy.upstreams.upstream_urls import with_parameters

_log = Logger()
_ORDERS: Final = {State.HEALTHY: "enabled", State.DRAINING: "draining", State.DISABLED: "disabled"}


def _changed(upstream: Upstream) -> tuple[str | None, int | None]:
    """Its order and its weight, each None if that is as the configuration says."""
    order = _ORDERS[upstream.ordered] if upstream.ordered is not upstream.given_order else None
    return order, upstream.weight if upstream.weight != upstream.given_weight else None


@frozen
class UpstreamEdit:
    """What is to be written of the upstream of a ``name``, which is the one at that ``place`` in the configuration's
    list: its ``weight``, and its ``order`` (``enabled``, ``draining``, ``disabled``); None for what is right.
    """

    place: int
    name: str
    weight: int | None
    order: str | None


@frozen
class PoolEdits:
    """What is to be written of a ``pool``: which are ``removed`` (by their places, with their names) and ``changed``,
    what is ``added``, as it is written; and what is ``left``, as it cannot be.
    """

    pool: str
    removed: tuple[tuple[int, str], ...] = ()
    changed: tuple[UpstreamEdit, ...] = ()
    added: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


class Overlay:
    """The changes of ``pool``, which was made of ``texts``; ``make`` makes an upstream of such a text."""

    def __init__(self, pool: Pool, texts: Iterable[str], make: Callable[[str], Upstream]) -> None:
        self.pool = pool
        # whether somebody's code says which upstreams there are, and may have taken away what the configuration has
        self.follows = False
        self._make = make
        # what the configuration has, by names, and of that what was removed; and what was added
        self._given = dict(zip((upstream.name for upstream in pool.upstreams), texts, strict=True))
        self._removed: dict[str, str] = {}
        self._added: dict[str, str] = {}
        # what was known of members, by names: they come when their names were looked up
        self._expected: dict[str, Upstream] = {}

    @property
    def removed(self) -> tuple[str, ...]:
        """Names of those that the configuration has, and the pool has not any more."""
        return tuple(name for name in self._removed if name not in self._added)

    @property
    def added(self) -> Mapping[str, str]:
        """Those that the configuration does not have, by their names, as they were written."""
        return self._added

    def changes_of(self, upstream: Upstream) -> tuple[str, ...]:
        """What of it is not as the configuration says: ``added``, ``order``, ``weight``."""
        found = {
            "added": upstream.name in self._added,
            "order": upstream.ordered is not upstream.given_order,
            "weight": upstream.weight != upstream.given_weight,
        }
        return tuple(name for name, is_so in found.items() if is_so)

    def edits(self) -> PoolEdits:
        """What would have to be written to make the configuration say what is now."""
        here = {one.name: one for one in self.pool.upstreams}
        removed, changed, left = [], [], []
        for place, name in enumerate(self._given):
            one = here.get(name)
            if one is None and self.follows and name not in self._removed:
                continue
            if one is None or name in self._added:
                removed.append((place, name))
                continue
            order, weight = _changed(one)
            if order is not None or weight is not None:
                changed.append(UpstreamEdit(place, name, weight, order))
        for one in self.pool.upstreams:
            if one.stands_for != one.name and self.changes_of(one):
                left.append(f"{one.name} is a member of {one.stands_for}, of which alone the file can say something")
        added = []
        for name, text in self._added.items():
            order, weight = _changed(here[name])
            added.append(with_parameters(text, weight, order))
        return PoolEdits(self.pool.name, tuple(removed), tuple(changed), tuple(added), tuple(left))

    def add(self, text: str) -> Upstream:
        """One more upstream; ``ConfigError`` if it is none, or is there already."""
        upstream = self._make(text)
        if upstream.resolve:
            raise ConfigError(f"{upstream.name}: a name to be looked up is the configuration's to say")
        self.pool.add(upstream)
        if self._given.get(upstream.name) == text:
            # It was removed before.
            del self._removed[upstream.name]
        else:
            self._added[upstream.name] = text
        return upstream

    def remove(self, upstream: Upstream) -> None:
        """One less; ``ConfigError`` if it is the last one, or stands for a name."""
        name = upstream.name
        if upstream.resolve or upstream.stands_for != name:
            said = f"{upstream.stands_for} is looked up, and its addresses are its members"
            raise ConfigError(said, "accepted is to drain or to disable a member")
        self.pool.remove(upstream)
        self._added.pop(name, None)
        if name in self._given:
            self._removed[name] = self._given[name]

    def follow(self, before: Overlay) -> None:
        """Take over the changes of a pool whose place this one takes, but for what the configuration says otherwise."""
        pool = self.pool
        names = {upstream.name for upstream in pool.upstreams}
        for name, text in before._added.items():
            if name not in names:
                self._add_again(text)
        for name, text in before._removed.items():
            if self._given.get(name) == text and len(pool.upstreams) > 1:
                self.remove(pool.find(name))
                if name in before._added:
                    # As something else than the configuration says.
                    self._add_again(before._added[name])
        here = {upstream.name: upstream for upstream in pool.upstreams}
        for old in before.pool.upstreams:
            new = here.get(old.name)
            if new is not None:
                change_as(new, old, pool.seconds())
            elif old.stands_for in here:
                self._expected[old.name] = old
        if self._expected:
            pool.watch(self._joined, lambda upstream: None)
        pool.refresh()

    def _add_again(self, text: str) -> None:
        try:
            self.add(text)
        except ConfigError as fault:
            # The files of its TLS are others now, perhaps.
            _log.error(
                "{pool}: {text} was added, and cannot be kept: {fault}",
                pool=self.pool.name,
                text=text,
                fault=str(fault),
            )

    def _joined(self, upstream: Upstream) -> None:
        old = self._expected.pop(upstream.name, None)
        if old is not None:
            change_as(upstream, old, self.pool.seconds())


def change_as(upstream: Upstream, old: Upstream, now: float) -> None:
    """Change ``upstream`` as the ``old`` one was whose place it takes, but for what it is given otherwise."""
    if upstream.given_order is old.given_order and old.ordered is not old.given_order:
        until = old.drained_at if old.ordered is State.DRAINING else NEVER
        upstream.order(old.ordered, old.cause, old.since, until)
    elif upstream.given_order is old.ordered is State.DRAINING and old.drained_at < NEVER:
        # The configuration says so as well by now; until when, it cannot say.
        upstream.order(State.DRAINING, old.cause, old.since, old.drained_at)
    if upstream.given_weight == old.given_weight and old.weight != old.given_weight:
        upstream.weigh(old.weight, now)
