"""Quotas: how many bytes clients, users and rules may use in a day and in a month."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from txproxy.errors import ConfigError, RequestDenied
from txproxy.frozen_values import frozen
from txproxy.interfaces.allowances import Metered
from txproxy.interfaces.pages import page
from txproxy.limits.scopes import PER, Scope, parse_scope, positive
from txproxy.limits.usage import DAY, MONTH, IUsage, Usage
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.plain_values import PlainValue

_KNOWN: Final = 4096
_UNITS: Final = ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "k"))


@frozen(kw_only=True)
class Quota(PlainValue):
    """Bytes that each client, user or rule (``per``) may use in a calendar ``day`` and ``month``, those from the client
    and those to it together; None for no bound. ``only`` are those that it is for: networks of clients, names of users
    or rules; empty for all.

    A wrong value is a ``ConfigError``.
    """

    per: str = "client"
    day: int | None = attrs.field(default=None, validator=positive)
    month: int | None = attrs.field(default=None, validator=positive)
    only: tuple[str, ...] = attrs.field(default=(), converter=tuple)
    scope: Scope = attrs.field(init=False, eq=False, repr=False)

    @scope.default
    def _parse(self) -> Scope:
        return parse_scope(self.per, self.only)

    def __attrs_post_init__(self) -> None:
        if self.day is None and self.month is None:
            raise ConfigError("a quota bounds nothing", "accepted is one with day or month, or both")


class OverQuota(RequestDenied):
    """A quota is used up. No 429, after which programs would try again: the next day, or month, is far."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        # A method of its own would be a circle, with all that its traceback has of a connection.
        self.page = lambda html: page(html, "403 Forbidden", f"{detail}.")


def _size_text(size: int) -> str:
    for unit, name in _UNITS:
        if size >= unit and size % unit == 0:
            return f"{size // unit}{name}"
    return f"{size} bytes"


@frozen
class Consumed:
    """What a client, user or rule (``per``) of a ``name`` has used in the running day and month, in bytes, and the most
    that it may (None: any); its ``key`` is what it is counted as.
    """

    key: str
    per: str
    name: str
    day: int
    month: int
    most_day: int | None
    most_month: int | None


@frozen
class _Line:
    """One bound of a quota for one key."""

    key: str
    who: str
    period: str
    most: int

    def says(self) -> str:
        return f"{self.who} has used up the {self.period}'s {_size_text(self.most)}"


class _Meter:
    """Counts for one client, user and rule. See :class:`txproxy.interfaces.Meter`."""

    __slots__ = ("keys", "lines", "_quotas")

    def __init__(self, quotas: Quotas, keys: tuple[str, ...], lines: tuple[_Line, ...]) -> None:
        self.keys = keys
        self.lines = lines
        self._quotas = quotas

    def began(self, exchange: Metered) -> None:
        """See :class:`txproxy.interfaces.Meter`."""
        self._quotas.began(self, exchange)

    def ended(self, exchange: Metered) -> None:
        """See :class:`txproxy.interfaces.Meter`."""
        self._quotas.ended(exchange)

    def over(self, usage: IUsage) -> _Line | None:
        """The bound that is used up, if one is."""
        for line in self.lines:
            if usage.used(line.key, line.period) >= line.most:
                return line
        return None


class Quotas:
    """Counts what clients and users (and rules, where a quota is theirs) use, and refuses those that are over a quota.
    Bytes of bodies and of tunnels count, both ways; heads do not.

    Of several quotas ``per`` the same, the first that is for a client, user or rule holds; those of client, user and
    rule hold together. An IPv6 network of ``ipv6_prefix`` is one client. What is counted at a ``place`` counts for
    itself, beside what others have in the same store.

    What runs is counted every ``interval`` seconds, and ended if a quota is used up meanwhile.
    """

    def __init__(
        self,
        quotas: Iterable[Quota],
        usage: IUsage,
        clock: Any,
        *,
        interval: float = 2.0,
        ipv6_prefix: int = IPV6_PREFIX,
        place: str = "",
    ) -> None:
        self._quotas = tuple(quotas)
        self._at = f" at {place}" if place else ""
        self._counts_rules = any(quota.per == "rule" for quota in self._quotas)
        self._usage = usage
        self._clock = clock
        self._interval = interval
        self._prefix = ipv6_prefix
        self._meters: dict[tuple[str, str | None, str], _Meter] = {}
        self._running: dict[Metered, tuple[_Meter, int]] = {}
        self._timer: IDelayedCall | None = None

    def meter(self, client_ip: str, user: str | None, rule: str) -> _Meter:
        """What counts an exchange of ``client_ip`` (and ``user``) that ``rule`` has allowed. Raises ``OverQuota``."""
        key = (client_ip, user, rule)
        meter = self._meters.get(key)
        if meter is None:
            if len(self._meters) >= _KNOWN:
                self._meters.clear()
            meter = self._meters[key] = self._make(client_ip, user, rule)
        line = meter.over(self._usage)
        if line is not None:
            raise OverQuota(line.says())
        return meter

    def _make(self, client_ip: str, user: str | None, rule: str) -> _Meter:
        names = {
            "client": client_key(client_ip, self._prefix),
            "user": user,
            "rule": rule if self._counts_rules else "",
        }
        keys = {per: f"{per} {name}{self._at}" for per, name in names.items() if name}
        lines, seen = [], set()
        for quota in self._quotas:
            if quota.scope.name(client_ip, user, rule, self._prefix) is None or quota.per in seen:
                continue
            seen.add(quota.per)
            bounds = ((DAY, quota.day), (MONTH, quota.month))
            who = f"{quota.per} {names[quota.per]}"
            lines += [_Line(keys[quota.per], who, period, most) for period, most in bounds if most is not None]
        return _Meter(self, tuple(keys.values()), tuple(lines))

    def used(self, client_ip: str, user: str | None, period: str) -> int:
        """Bytes that a user, or without one a client, has used in the running ``day`` or ``month``, for rules that ask.
        See :data:`txproxy.forward.access.conditions.condition_type.Usage`.
        """
        key = f"user {user}" if user else f"client {client_key(client_ip, self._prefix)}"
        used: int = self._usage.used(key + self._at, period)
        return used

    # -- what is used

    @property
    def quotas(self) -> tuple[Quota, ...]:
        """What it goes by."""
        return self._quotas

    def consumed(self, others: Collection[str] = ()) -> list[Consumed]:
        """What each client, user and rule has used here; ``others`` are the places that have the same store."""
        usage = self._usage
        if not isinstance(usage, Usage):
            # Only who counts so can tell of all.
            return []
        self._count_all()
        elsewhere = tuple(f" at {place}" for place in others if f" at {place}" != self._at)
        days, months = usage.all_used(DAY), usage.all_used(MONTH)
        found = []
        for key in dict.fromkeys((*days, *months)):
            per, _, name = key.removesuffix(self._at).partition(" ")
            if per in PER and key.endswith(self._at) and not (elsewhere and not self._at and key.endswith(elsewhere)):
                quota = self._quota_of(per, name)
                day, month = (quota.day, quota.month) if quota is not None else (None, None)
                found.append(Consumed(key, per, name, days.get(key, 0), months.get(key, 0), day, month))
        return found

    def _quota_of(self, per: str, name: str) -> Quota | None:
        """The one that holds for a client, user or rule."""
        client = name.partition("/")[0] if per == "client" else ""
        user, rule = (name if per == "user" else None), (name if per == "rule" else "")
        own = (quota for quota in self._quotas if quota.per == per)
        return next((one for one in own if one.scope.name(client, user, rule, self._prefix) is not None), None)

    def ends(self, period: str) -> datetime.datetime | None:
        """When a running ``day`` or ``month`` ends, in local time; None where that is not known."""
        return self._usage.ends(period) if isinstance(self._usage, Usage) else None

    def forget(self, keys: Iterable[str], periods: Iterable[str] = (DAY, MONTH)) -> Deferred[None]:
        """What these have used until now does not count any more; fires when that is safe."""
        self._count_all()
        assert isinstance(self._usage, Usage), "it has told of these"
        return self._usage.forget(keys, periods)

    # -- what runs

    def _count_all(self) -> None:
        for exchange in self._running:
            self._count(exchange)

    def began(self, meter: _Meter, exchange: Metered) -> None:
        """Count ``exchange`` from now on."""
        self._running[exchange] = meter, 0
        if self._timer is None:
            self._timer = self._clock.callLater(self._interval, self._check)

    def ended(self, exchange: Metered) -> None:
        """Count the rest of it."""
        self._count(exchange)
        del self._running[exchange]

    def _count(self, exchange: Metered) -> _Meter:
        meter, counted = self._running[exchange]
        carried = exchange.carried()
        if carried != counted:
            for key in meter.keys:
                self._usage.add(key, carried - counted)
            self._running[exchange] = meter, carried
        return meter

    def _check(self) -> None:
        self._timer = None
        meters = {exchange: self._count(exchange) for exchange in self._running}
        for exchange, meter in meters.items():
            line = meter.over(self._usage)
            if line is not None:
                exchange.abandon(OverQuota(line.says()))
        if self._running:
            self._timer = self._clock.callLater(self._interval, self._check)

    def stop(self) -> Deferred[None]:
        """Count what still runs; fires when all is written."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._count_all()
        stopped: Deferred[None] = self._usage.stop()
        return stopped
