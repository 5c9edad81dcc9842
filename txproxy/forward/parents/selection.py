"""Several parent proxies: which of them is next for a host.

What a parent answers is an answer: no other is asked because of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache

from twisted.internet.interfaces import IReactorTime

from txproxy.errors import ConfigError, Finding
from txproxy.forward.parents.parent import Parent
from txproxy.matching.hosts import HostPattern, normal_host
from txproxy.upstreams.balancing.weighted_turns import SmoothTurns


class _Group:
    """Parents that are there for the same hosts."""

    def __init__(self, parents: Sequence[Parent]) -> None:
        real = [parent for parent in parents if not parent.direct]
        self.parents = tuple(real)
        self.direct = next((parent for parent in parents if parent.direct), None)
        self._tiers = [
            SmoothTurns({parent: parent.weight for parent in real if parent.backup is backup})
            for backup in (False, True)
        ]

    def choose(self, now: float, tried: Sequence[Parent], held: Callable[[Parent], bool] | None) -> Parent | None:
        if held is not None:
            for one in self.parents:
                if one.usable(now) and one not in tried and held(one):
                    return one
        for tier in self._tiers:
            parent = tier.next(lambda one: not one.usable(now) or one in tried)
            if parent is not None:
                parent.taken(now)
                return parent
        if self.direct is not None and self.direct not in tried:
            return self.direct
        if tried or not self.parents:
            return None
        # To try is better than to refuse, and the one that is tried next anyway is the likeliest to work.
        return min(self.parents, key=lambda one: one.out_until)


class Parents:
    """Several of them, from texts or as :class:`Parent`.

    For a host there are those whose pattern fits it best (``www.example.com`` better than ``*.example.com``), and if
    there are none, those without a pattern. Those that are for the rule that has allowed a request come before all that
    are for no rule. Of them the turn goes by weight, backups come when none of the others
    works, and ``direct`` after these. A host that no parent is there for is reached directly.

    ``check_interval``: seconds between attempts to connect to each of them, so that one that has failed, or works
    again, is known before a request finds out; None for no such attempts.
    """

    def __init__(self, parents: Iterable[str | Parent] = (), *, check_interval: float | None = None) -> None:
        faults: list[Finding] = []
        made: list[Parent] = []
        for one in parents:
            try:
                made.append(one if isinstance(one, Parent) else Parent(one))
            except ConfigError as fault:
                faults += fault.findings
        if check_interval is not None and check_interval <= 0:
            accepted = "accepted is a number of seconds above 0"
            faults.append(Finding(("check_interval",), f"{check_interval!r} is no interval", accepted, ""))
        if faults:
            raise ConfigError(faults)
        self.direct = next((one for one in made if one.direct and not one.patterns and not one.rules), None) or Parent(
            "direct"
        )
        self.check_interval = check_interval
        self._parents = tuple(made)
        self._clock: IReactorTime | None = None
        self._groups: dict[tuple[Parent, ...], _Group] = {}
        self._group = lru_cache(maxsize=4096)(self._find_group)

    def __iter__(self) -> Iterator[Parent]:
        return iter(self._parents)

    def __len__(self) -> int:
        return len(self._parents)

    def use_clock(self, clock: IReactorTime) -> None:
        """Tell the time by ``clock``."""
        self._clock = clock
        for parent in self._parents:
            parent.use_clock(clock)

    def choose(
        self,
        host: str,
        tried: Sequence[Parent] = (),
        rule: str = "",
        held: Callable[[Parent], bool] | None = None,
    ) -> Parent | None:
        """Whose turn it is for a request to ``host`` that ``rule`` has allowed, leaving out who was ``tried``; None if
        nobody is left. One of which ``held`` is true comes first, whosever turn it is.
        """
        group = self._group(host, rule)
        if group is None:
            return self.direct if not tried else None
        return group.choose(self._clock.seconds() if self._clock is not None else 0.0, tried, held)

    def explain(self, host: str, rule: str, chosen: Parent) -> list[tuple[Parent, str]]:
        """Each of them in the order written, with ``"chosen"``, or why it is not."""
        group = self._group(host, rule)
        now = self._clock.seconds() if self._clock is not None else 0.0
        said = []
        for one in self._parents:
            if one is chosen:
                why = "chosen"
            elif group is None or not (one in group.parents or one is group.direct):
                why = "it is for other hosts, or for another rule"
            elif one.direct:
                why = "only where no other works"
            elif not one.usable(now):
                why = "it has failed"
            else:
                why = "a backup" if one.backup and not chosen.backup else "it is another's turn"
            said.append((one, why))
        return said

    def _find_group(self, host: str, rule: str) -> _Group | None:
        name = normal_host(host)
        group = _best([parent for parent in self._parents if rule in parent.rules], name)
        group = group or _best([parent for parent in self._parents if not parent.rules], name)
        if not group:
            return None
        if group not in self._groups:
            self._groups[group] = _Group(group)
        return self._groups[group]


def _best(parents: Sequence[Parent], name: str) -> tuple[Parent, ...]:
    """Those whose pattern fits a host best."""
    fits = [(max((_fit(one, name) for one in parent.patterns), default=0), parent) for parent in parents]
    best = max((fit for fit, _ in fits), default=-1)
    return tuple(parent for fit, parent in fits if fit == best >= 0)


def _fit(pattern: HostPattern, name: str) -> int:
    """How well a pattern fits a host: -1 for not at all, and more the more of the name it has; its own name alone most
    of all.
    """
    return 2 * len(pattern.name) + (not pattern.sign) if pattern.holds(name) else -1
