"""Consistent hashing: a ring of points, on which a request belongs to the upstream whose point is next to it."""

from __future__ import annotations

import re
from bisect import bisect
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from hashlib import blake2b
from math import inf
from struct import Struct
from typing import Final, Generic, TypeAlias, TypeVar

from zope.interface import implementer

from txproxy.components.registry import component, unknown
from txproxy.errors import ConfigError
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.balancing.strategy import BALANCING, IStrategy, Skip, Strategy, StrategyText, Weighted
from txproxy.wire.grammar import TOKEN
from txproxy.wire.message import RequestHead

T = TypeVar("T")

# Shares deviate from the weights by about 1 / sqrt(points): 9 % with 128.
_POINTS: Final = 128
_MOST: Final = 1 << 17
_DECIMAL: Final = re.compile(r"[0-9]{1,4}(?:\.[0-9]{1,6})?")
_UNPACK: Final = Struct(">8Q").unpack


def spot(key: bytes) -> int:
    """Where a key lies on the ring: the same in each process and on each machine, unlike ``hash()``."""
    return int.from_bytes(blake2b(key, digest_size=8).digest(), "big")


def _points(name: str, count: int) -> list[int]:
    points: list[int] = []
    encoded = name.encode("utf-8", "surrogateescape")
    for part in range(-(-count // 8)):
        points += _UNPACK(blake2b(b"%d %b" % (part, encoded)).digest())
    return points[:count]


class Ring(Generic[T]):
    """Members on a ring, each with 128 points a unit of weight. Above 131,072 in all, they are scaled down.

    Points hang on a member's name alone, so a key moves only if its own member goes, or a new one's point comes
    between. Members that are away for a while stay on the ring, to be passed over: that moves the same keys, takes no
    time, and changes no scale.
    """

    def __init__(self) -> None:
        self._members: dict[str, tuple[T, int]] = {}
        self._points: list[int] = []
        self._owners: list[T] = []

    def hold(self, members: Mapping[str, tuple[T, int]]) -> None:
        """See to it that these are on the ring: member and weight by name. Of those who are not among them, no more
        than three times as many stay; if there are none at all, the ring is as it was.
        """
        known = {**self._members, **members}
        if members and len(known) > 4 * len(members):
            known = dict(members)
        if known != self._members:
            self._members = known
            self._build()

    def _build(self) -> None:
        total = sum(weight for _, weight in self._members.values())
        scale = min(_POINTS, _MOST / total) if total else 0
        owners: dict[int, T] = {}
        for name, (member, weight) in self._members.items():
            owners.update(dict.fromkeys(_points(name, max(1, round(scale * weight))), member))
        self._points = sorted(owners)
        self._owners = [owners[point] for point in self._points]

    def owner(self, key: int) -> T:
        """Whose key it is. The ring must not be empty."""
        # Before the first point is -1, which is the last one: so the ring closes.
        return self._owners[bisect(self._points, key) - 1]

    def walk(self, key: int) -> Iterator[T]:
        """All members, each once, from a key's owner on around the ring."""
        owners = self._owners
        start = bisect(self._points, key) - 1
        seen = set()
        for index in range(start, start - len(owners), -1):
            owner = owners[index]
            if owner not in seen:
                yield owner
                seen.add(owner)
                if len(seen) == len(self._members):
                    return


# Where on the ring a request belongs.
Place: TypeAlias = Callable[[RequestHead | None, RequestContext], int]
_MOST_BOUND: Final = 1000.0
# An upstream that starts slowly gets its keys one after the other: those first of which this remainder is small, which
# says nothing of where they lie on the ring.
_KEYS: Final = 1 << 16


def load_bound(text: str) -> float:
    """A bound on the load of hashed upstreams; else ``ConfigError``."""
    bound = float(text) if _DECIMAL.fullmatch(text) else 0.0
    if not 1 < bound <= _MOST_BOUND:
        raise ConfigError(
            f"{text!r} bounds no load", f"accepted is a number above 1 and up to {_MOST_BOUND:g}, such as 1.25"
        )
    return bound


@implementer(IStrategy)
class Hashed(Strategy):
    """What is alike goes to the same upstream, as ``place`` says; where that cannot take it, to the next one on the
    ring. An upstream that goes takes only its own along; one that starts slowly gets its own back little by little.

    With a ``bound``, such as 1.25, an upstream that has more to do than so many times its share, rounded up, is passed
    over as well (Mirrokni, Thorup and Zadimoghaddam 2018, "Consistent Hashing with Bounded Loads"; HAProxy's
    hash-balance-factor): then keys move with the load.
    """

    def __init__(
        self,
        place: Place,
        bound: float | None = None,
        passed_over: str = Strategy.passed_over,
        *,
        reads_requests: bool = False,
    ) -> None:
        self.passed_over = passed_over
        self.reads_requests = reads_requests
        self.counts = bound is not None
        self._bound = inf if bound is None else load_bound(f"{bound:g}")
        self._place = place
        self._ring: Ring[Weighted] = Ring()
        self._bounds: dict[Weighted, float] = {}
        self._active: dict[Weighted, int] = {}
        self._total = 0
        # those that start slowly, and the share of their keys that they have by now, in 65536ths
        self._warm: dict[Weighted, float] = {}

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        total = sum(upstream.effective for upstream in upstreams)
        self._bounds = {upstream: self._bound * upstream.effective / total for upstream in upstreams}
        self._active = {upstream: upstream.active for upstream in upstreams}
        self._total = sum(self._active.values())
        self._warm = {
            upstream: upstream.effective / upstream.weight * _KEYS
            for upstream in upstreams
            if upstream.effective < upstream.weight
        }
        # The ring knows the configured weights: a slow start moves no key for good.
        self._ring.hold({upstream.name: (upstream, upstream.weight) for upstream in upstreams})

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        bounds = self._bounds
        if not bounds:
            return None
        place = self._place(head, context)
        if skip is None:
            upstream = self._ring.owner(place)
            # A whole number is below the ceiling of another if it is below that.
            if (
                upstream in bounds
                and upstream.active < bounds[upstream] * (self._total + 1)
                and (not self._warm or place % _KEYS < self._warm.get(upstream, _KEYS))
            ):
                return upstream
        return self._choose_next(place, skip)

    def changed(self, upstream: Weighted) -> None:
        """See :class:`IStrategy`."""
        before = self._active.get(upstream)
        if before is not None:
            self._active[upstream] = active = upstream.active
            self._total += active - before

    def _choose_next(self, place: int, skip: Skip | None) -> Weighted | None:
        spare = None
        for upstream in self._ring.walk(place):
            bound = self._bounds.get(upstream)
            if bound is None or (skip is not None and skip(upstream)):
                continue
            if upstream.active < bound * (self._total + 1) and place % _KEYS < self._warm.get(upstream, _KEYS):
                return upstream
            if spare is None:
                spare = upstream
        # All that could take it are over their bounds, as who is skipped has left room, or cold. Better there than
        # nowhere.
        return spare


@lru_cache(4096)
def _spot_of_address(ip: str) -> int:
    return spot(ip.encode("utf-8", "surrogateescape"))


def by_address(head: RequestHead | None, context: RequestContext) -> int:
    """Requests of one client address are alike."""
    return _spot_of_address(context.client_ip)


def by_path(head: RequestHead | None, context: RequestContext) -> int:
    """Requests for one path and query are alike; raw TCP goes by client address."""
    return spot(head.path) if head is not None else _spot_of_address(context.client_ip)


def by_header(name: str) -> Place:
    """Requests with the same value under ``name`` are alike; those without one go by client address."""
    key = name.lower().encode("ascii")

    def place(head: RequestHead | None, context: RequestContext) -> int:
        value = head.headers.index.get(key) if head is not None else None
        return spot(value) if value else _spot_of_address(context.client_ip)

    return place


# -- by their names


@component(BALANCING, "ip-hash", rank=6)
def ip_hash(text: StrategyText) -> Hashed:
    """By the client's address."""
    text.check_no_argument()
    return Hashed(by_address, _bound(text), "the client's address belongs to another")


@component(BALANCING, "uri-hash", rank=7)
def uri_hash(text: StrategyText) -> Hashed:
    """By path and query."""
    text.check_no_argument()
    return Hashed(by_path, _bound(text), "the path belongs to another", reads_requests=True)


@component(BALANCING, "header-hash", written="header-hash:NAME", rank=8)
def header_hash(text: StrategyText) -> Hashed:
    """By the value of a field."""
    field = text.argument or ""
    if not field.isascii() or not TOKEN.fullmatch(field.encode()):
        name = text.text.partition(";")[0]
        raise ConfigError(f"{name!r} names no header", "accepted is header-hash:NAME with a field name such as X-User")
    return Hashed(by_header(field), _bound(text), "the header's value belongs to another", reads_requests=True)


def _bound(text: StrategyText) -> float | None:
    if text.parameter is None:
        return None
    if not text.parameter:
        raise unknown(BALANCING, text.text, "strategy")
    key, equals, number = text.parameter.partition("=")
    if key != "bound" or not equals:
        raise ConfigError(
            f"{text.text!r}: {text.parameter!r} is no parameter of a strategy", "accepted is ;bound=1.25 after a hash"
        )
    return load_bound(number)
