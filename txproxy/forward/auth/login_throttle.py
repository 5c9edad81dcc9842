"""Failed logins are slowed, by client, so that nobody gets far by guessing."""

from __future__ import annotations

import math
from collections import OrderedDict

import attrs
from twisted.internet.interfaces import IReactorTime

from txproxy.errors import ConfigError
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


class _Record:
    """What is known of one address."""

    __slots__ = ("failures", "since", "under_way", "held")

    def __init__(self, now: float) -> None:
        self.failures = 0
        self.since = now
        self.under_way = 0
        # When the tries end that are decided already, but whose answer is delayed.
        self.held: list[float] = []


class FailedTries:
    """Counts them.

    A try that failed holds its place until its delay is over, whether its client waits for the answer or not: to
    leave and come again saves no time.
    """

    def __init__(self, clock: IReactorTime, limits: TryLimits | None = None) -> None:
        self._clock = clock
        self._limits = limits = limits or TryLimits()
        # Failures beyond those that make the longest delay change nothing, and would take long to be forgotten.
        self._most = limits.free + 1 + math.ceil(math.log2(limits.longest / limits.first))
        self._records: OrderedDict[str, _Record] = OrderedDict()

    def __len__(self) -> int:
        return len(self._records)

    def wait(self, address: str) -> float:
        """Seconds until ``address`` may try again; 0 if that is at once."""
        record = self._records.get(address)
        if record is None:
            return 0.0
        now = self._clock.seconds()
        self._age(record, now)
        slowed = record.failures >= self._limits.free
        if record.under_way + len(record.held) < (self._limits.at_once if slowed else self._limits.burst):
            return 0.0
        return max(1.0, min(record.held) - now) if record.held else 1.0

    def begin(self, address: str) -> None:
        """A try of ``address`` is under way, until ``passed`` or ``failed``."""
        self._record(address).under_way += 1

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
        if over < 0:
            return 0.0
        delay = min(limits.longest, limits.first * 2.0**over)
        record.held.append(now + delay)
        return delay

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
        record = self._records.get(address)
        # It may have had to make room for others.
        if record is not None and record.under_way:
            record.under_way -= 1
            if not record.under_way and not record.failures and not record.held:
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
