"""Bandwidth of clients, users and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final
from weakref import WeakValueDictionary

import attrs

from txproxy.frozen_values import frozen
from txproxy.limits.buckets import Bucket
from txproxy.limits.scopes import Scope, parse_scope, positive
from txproxy.limits.shared_buckets import SharedBuckets
from txproxy.matching.clients import IPV6_PREFIX
from txproxy.plain_values import PlainValue

# So many keys are known before those that nobody uses are forgotten, and so many at most: one client may come from any
# number of addresses, each of which has its key.
_KNOWN: Final = 4096
_MOST: Final = 65536
_WAYS: Final = ("up", "down")


@frozen(kw_only=True)
class Bandwidth(PlainValue):
    """Bytes a second that each client, user or rule (``per``) may have: ``down`` to the client, ``up`` from it; None
    for no bound. ``burst`` bytes may be saved up in each direction while less passes; None for what a quarter of a
    second brings. ``only`` are those that it is for: networks of clients, names of users or rules; empty for all.

    A wrong value is a ``ConfigError``.
    """

    per: str = "client"
    down: int | None = attrs.field(default=None, validator=positive)
    up: int | None = attrs.field(default=None, validator=positive)
    burst: int | None = attrs.field(default=None, validator=positive)
    only: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    scope: Scope = attrs.field(init=False, eq=False, repr=False)

    @scope.default
    def _parse(self) -> Scope:
        return parse_scope(self.per, self.only)


def _nothing() -> None:
    pass


class _Lane:
    """The allowance of one direction of one exchange: what all of its buckets have."""

    __slots__ = ("_buckets", "_more", "_waits_at", "_served")

    def __init__(self, buckets: tuple[Bucket, ...], more: Callable[[], None]) -> None:
        self._buckets = buckets
        self._more = more
        self._waits_at: Bucket | None = None
        self._served = False

    def take(self, size: int) -> int:
        """See :class:`txproxy.interfaces.Allowance`."""
        if self._waits_at is not None:
            return 0
        wanted = size
        scarce: Bucket | None = None
        for bucket in self._buckets:
            free = bucket.free(self, wanted, self._served)
            if not free:
                self._wait(bucket)
                return 0
            if free < wanted:
                wanted, scarce = free, bucket
        for bucket in self._buckets:
            bucket.spend(self, wanted)
        if scarce is not None:
            self._wait(scarce)
        return wanted

    def _wait(self, bucket: Bucket) -> None:
        self._waits_at = bucket
        bucket.wait(self)

    def serve(self) -> None:
        """See :class:`txproxy.limits.buckets.Waiting`."""
        self._waits_at = None
        self._served = True
        try:
            self._more()
        finally:
            self._served = False

    def close(self) -> None:
        """See :class:`txproxy.interfaces.Allowance`."""
        for bucket in self._buckets:
            bucket.leave(self)
        # What has ended leaves no circle, which would wait for the collector.
        self._more = _nothing


class Shaper:
    """See :class:`txproxy.interfaces.Shaper`."""

    __slots__ = ("_up", "_down")

    def __init__(self, up: tuple[Bucket, ...], down: tuple[Bucket, ...]) -> None:
        self._up = up
        self._down = down

    def up(self, more: Callable[[], None]) -> _Lane:
        """See :class:`txproxy.interfaces.Shaper`."""
        return _Lane(self._up, more)

    def down(self, more: Callable[[], None]) -> _Lane:
        """See :class:`txproxy.interfaces.Shaper`."""
        return _Lane(self._down, more)

    @property
    def idle(self) -> bool:
        """Whether a new one would do as well."""
        return all(bucket.idle for bucket in (*self._up, *self._down))


class Shaping:
    """Knows whose bandwidth is bounded, and keeps the buckets. Of several bandwidths ``per`` the same, the first that
    is for a client, user or rule holds; those of client, user and rule hold together. An IPv6 network of
    ``ipv6_prefix`` is one client. Where they are ``shared``, they are those of several processes together.
    """

    def __init__(
        self, bandwidths: Iterable[Bandwidth], clock: Any, ipv6_prefix: int = IPV6_PREFIX, shared: bool = False
    ) -> None:
        self._bandwidths = tuple(bandwidths)
        self.shared = SharedBuckets(clock, self._rates()) if shared else None
        self._clock = clock
        self._prefix = ipv6_prefix
        self._shapers: dict[tuple[str, str | None, str], Shaper | None] = {}
        self._most = _KNOWN
        # A bucket that is still in use is found again, though its shaper was forgotten.
        self._buckets: WeakValueDictionary[tuple[int, str, str], Bucket] = WeakValueDictionary()

    def _rates(self) -> dict[tuple[int, str], int]:
        ways = [(number, way, getattr(one, way)) for number, one in enumerate(self._bandwidths) for way in _WAYS]
        return {(number, way): rate for number, way, rate in ways if rate is not None}

    def shaper(self, client_ip: str, user: str | None, rule: str) -> Shaper | None:
        """What shapes an exchange of ``client_ip`` (and ``user``) that ``rule`` has allowed; None: nothing does."""
        key = (client_ip, user, rule)
        try:
            return self._shapers[key]
        except KeyError:
            pass
        if len(self._shapers) >= self._most:
            self._shapers = {key: one for key, one in self._shapers.items() if one is not None and not one.idle}
            if len(self._shapers) > _MOST // 2:
                # What is in use now has its buckets, and they are found again.
                self._shapers.clear()
            self._most = max(_KNOWN, 2 * len(self._shapers))
        shaper = self._shapers[key] = self._shaper(client_ip, user, rule)
        return shaper

    def _shaper(self, client_ip: str, user: str | None, rule: str) -> Shaper | None:
        up, down = [], []
        seen = set()
        for number, bandwidth in enumerate(self._bandwidths):
            name = bandwidth.scope.name(client_ip, user, rule, self._prefix)
            if name is None or bandwidth.per in seen:
                continue
            seen.add(bandwidth.per)
            up += self._bucket(number, name, "up", bandwidth.up, bandwidth.burst)
            down += self._bucket(number, name, "down", bandwidth.down, bandwidth.burst)
        return Shaper(tuple(up), tuple(down)) if up or down else None

    def _bucket(self, number: int, name: str, way: str, rate: int | None, burst: int | None) -> list[Bucket]:
        if rate is None:
            return []
        key = (number, name, way)
        bucket = self._buckets.get(key)
        if bucket is None:
            shared = self.shared
            bucket = shared.make(key, rate, burst) if shared is not None else Bucket(self._clock, rate, burst)
            self._buckets[key] = bucket
        return [bucket]
