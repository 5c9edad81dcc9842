"""Failed logins are slowed, by client, so that nobody gets far by guessing."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import attrs
from twisted.internet.interfaces import IReactorTime

from txproxy.errors import ConfigError
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.matching.clients import IPV6_PREFIX, prefix_length


@attrs.frozen(kw_only=True)
class TryLimits:
    """All times in seconds. A wrong value is a ``ConfigError``.

    ``free`` failures are answered at once; those after them take ``first``, then twice as long each, up to
    ``longest``. One failure is forgotten every ``forget``. While an address is slowed, ``at_once`` of its tries may be
    under way, delays included, and else ``burst``. ``capacity``: addresses that are remembered. An IPv6
    network of ``ipv6_prefix`` counts as one address.
    """

    free: int = 3
    first: float = 1.0
    longest: float = 30.0
    forget: float = 60.0
    at_once: int = 4
    burst: int = 64
    capacity: int = 10_000
    ipv6_prefix: int = attrs.field(default=IPV6_PREFIX, converter=prefix_length)

    def __attrs_post_init__(self) -> None:
        if not 0 < self.first <= self.longest or self.forget <= 0:
            raise ConfigError(
                "the times by which failed tries are slowed are wrong", "accepted is 0 < first <= longest"
            )
        if self.free < 0 or min(self.at_once, self.burst, self.capacity) < 1:
            raise ConfigError("the numbers of failed tries are wrong", "accepted is 1 or more, and 0 or more for free")


@attrs.frozen
class Failed:
    """What another process has to know of one address: its ``failures``, for how many seconds these are known, and in
    how many the delays of its tries end.
    """

    failures: int
    age: float
    delays: tuple[float, ...]


class _Record:
    """What is known of one address."""

    __slots__ = ("failures", "since", "held")

    def __init__(self, now: float) -> None:
        self.failures = 0
        self.since = now
        # When the tries end that are decided already, but whose answer is delayed.
        self.held: list[float] = []


class FailedTries:
    """Counts them.

    A try that failed holds its place until its delay is over, whether its client waits for the answer or not: to
    leave and come again saves no time.

    Those of other processes count as well: ``under_way`` has how many there are of each address, and ``on_failed`` is
    told of each failure here, with its delay.
    """

    def __init__(self, clock: IReactorTime, limits: TryLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits = limits or TryLimits()
        # Failures beyond those that make the longest delay change nothing, and would take long to be forgotten.
        self._most = limits.free + 1 + math.ceil(math.log2(limits.longest / limits.first))
        self._records: OrderedDict[str, _Record] = OrderedDict()
        self.under_way = SharedLevels()
        self.on_failed: Callable[[str, float], None] | None = None

    def __len__(self) -> int:
        return len(self._records)

    def wait(self, address: str) -> float:
        """Seconds until ``address`` may try again; 0 if that is at once."""
        record = self._records.get(address)
        under_way = self.under_way.of(address)
        if record is None:
            return 0.0 if under_way < self._limits.burst else 1.0
        now = self._clock.seconds()
        self._age(record, now)
        slowed = record.failures >= self._limits.free
        if under_way + len(record.held) < (self._limits.at_once if slowed else self._limits.burst):
            return 0.0
        return max(1.0, min(record.held) - now) if record.held else 1.0

    def begin(self, address: str) -> None:
        """A try of ``address`` is under way, until ``passed`` or ``failed``."""
        self._record(address)
        self.under_way.change(address, 1)

    def passed(self, address: str) -> None:
        """It was right."""
        self._end(address)

    def given_up(self, address: str) -> None:
        """It was never made."""
        self._end(address)

    def failed(self, address: str) -> float:
        """It was wrong; seconds until that is to be answered."""
        self._end(address)
        record = self._record(address)
        now = self._clock.seconds()
        self._age(record, now)
        limits = self._limits
        over = record.failures - limits.free
        record.failures = min(record.failures + 1, self._most)
        delay = 0.0
        if over >= 0:
            delay = min(limits.longest, limits.first * 2.0**over)
            record.held.append(now + delay)
        if self.on_failed is not None:
            self.on_failed(address, delay)
        return delay

    def heard(self, address: str, failed: Failed) -> None:
        """So many more have failed at another process."""
        record, now = self._record(address), self._clock.seconds()
        self._age(record, now)
        record.failures = min(record.failures + failed.failures, self._most)
        record.held += [now + delay for delay in failed.delays]

    def known(self, most: int) -> dict[str, Failed]:
        """Of so many addresses, all that is known: those that have tried last."""
        found: dict[str, Failed] = {}
        now = self._clock.seconds()
        for address, record in reversed(self._records.items()):
            self._age(record, now)
            if record.failures and len(found) < most:
                delays = tuple(end - now for end in record.held)
                found[address] = Failed(record.failures, now - record.since, delays)
        return found

    def take_over(self, address: str, failed: Failed) -> None:
        """Another process has known that of ``address`` since before this one came."""
        record, now = self._record(address), self._clock.seconds()
        self._age(record, now)
        if failed.failures > record.failures:
            record.failures, record.since = min(failed.failures, self._most), now - failed.age
        if len(failed.delays) > len(record.held):
            record.held = [now + delay for delay in failed.delays]

    def _record(self, address: str) -> _Record:
        record = self._records.get(address)
        if record is None:
            if len(self._records) >= self._limits.capacity:
                self._records.popitem(last=False)
            record = self._records[address] = _Record(self._clock.seconds())
        else:
            self._records.move_to_end(address)
        return record

    def _end(self, address: str) -> None:
        if self.under_way.here(address):
            self.under_way.change(address, -1)
        record = self._records.get(address)
        # It may have had to make room for others.
        if record is not None and not self.under_way.here(address) and not record.failures and not record.held:
            del self._records[address]

    def _age(self, record: _Record, now: float) -> None:
        forgotten = int((now - record.since) / self._limits.forget)
        if not record.failures:
            record.since = now
        elif forgotten:
            record.failures = max(0, record.failures - forgotten)
            record.since += forgotten * self._limits.forget
        if record.held:
            record.held = [end for end in record.held if end > now]
