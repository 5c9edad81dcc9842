"""``[[request_limits]]`` of a configuration file, and what listeners, routes and access rules say of limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from txproxy.components.rates import parse_rate
from txproxy.components.settings import default_of
from txproxy.components.values import duration, flag, hint, shown, text, texts, whole
from txproxy.config.model import AnyListener, TcpListener
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError
from txproxy.limits.requests.request_limit import OF_STREAMS, RequestLimit, by_word

_KEY: Final = "request_limits"
_ONLY_WITH: Final = {
    **dict.fromkeys(("burst", "delay", "ratelimit_fields"), "rate"),
    **dict.fromkeys(("queue", "queue_timeout"), "concurrent"),
}
_MOST: Final = 10**6


class LimitTables:
    """The limits of a file: those at its top, which have names, and each that stands where it holds."""

    def __init__(self, table: Table) -> None:
        """Read those at the top. The file closes the ``table``."""
        self._named: dict[str, RequestLimit] = {}
        # names of those that hold somewhere, and of all
        self._used: set[str] = set()
        self._taken: set[str] = set()
        for number, inner in enumerate(table.tables(_KEY), 1):
            limit = self._read(inner, f"limit {number}")
            if limit is not None:
                self._named[limit.name] = limit

    def at(self, table: Table, owner: str, streams: bool = False) -> tuple[RequestLimit, ...]:
        """Those that a listener, a route or a rule has: limits of its own, or names of those at the top. What is not
        named is called after its ``owner``; ``streams`` are raw. Whoever has the table closes it.
        """
        found: list[RequestLimit] = []
        for number, (keys, value) in enumerate(table.elements(_KEY) or (), 1):
            if isinstance(value, dict):
                inner = table.inner(value, *keys, kind=f"{_KEY}[]")
                limit = self._read(inner, f"{owner} {number}", streams)
            else:
                limit = self._find(table, keys, value, streams)
            if limit is not None:
                found.append(limit)
        return tuple(dict.fromkeys(found))

    def everywhere(self, listeners: Sequence[AnyListener]) -> list[AnyListener]:
        """The listeners, each with those at the top that nobody names, where it has all that these go by."""
        free = tuple(limit for name, limit in self._named.items() if name not in self._used)
        if not free:
            return list(listeners)
        with_them: list[AnyListener] = []
        for listener in listeners:
            own = free
            if isinstance(listener, TcpListener):
                own = tuple(limit for limit in free if limit.for_streams)
            with_them.append(attrs.evolve(listener, request_limits=(*own, *listener.request_limits)))
        return with_them

    def _find(self, table: Table, keys: tuple[str | int, ...], value: object, streams: bool) -> RequestLimit | None:
        if not isinstance(value, str):
            accepted = "accepted is the name of one of [[request_limits]], or { rate = '10/s' }"
            table.fault(f"{shown(value)} is no limit", *keys, accepted=accepted)
            return None
        limit = self._named.get(value)
        if limit is None:
            names = tuple(self._named)
            accepted = f"accepted: {', '.join(names)}" if names else "accepted is one of [[request_limits]]"
            table.fault(f"there is no limit {shown(value)}{hint(value, names)}", *keys, accepted=accepted)
            return None
        self._used.add(value)
        if streams and not limit.for_streams:
            table.fault(f"{value!r} goes by what raw streams do not have", *keys, accepted=_of_streams())
        return limit

    def _read(self, table: Table, called: str, streams: bool = False) -> RequestLimit | None:
        before = len(table.findings.faults)
        name = table.read("name", text, called)
        rate = table.read("rate", texts(parse_rate), None)
        concurrent = table.read("concurrent", whole(1, _MOST), None)
        given = [key for key in ("rate", "concurrent") if key in table]
        if len(given) != 1:
            what = "rate and concurrent are there" if given else "it bounds nothing"
            table.fault(what, accepted="accepted is exactly one of rate and concurrent")
        else:
            _see_effects(table, given[0])
        burst = table.read("burst", whole(1, _MOST), None)
        if rate is not None and burst is not None:
            if rate.burst is not None:
                table.fault("rate has a burst already", "burst", accepted="accepted is one of them")
            rate = attrs.evolve(rate, burst=burst)
        by = table.all("by", texts(by_word))
        if by is not None and len(set(by)) < len(by):
            table.fault("there is one in it twice", "by", accepted="accepted is each once")
        values: dict[str, Any] = {
            "rate": rate,
            "concurrent": concurrent,
            "by": default_of(RequestLimit, "by") if by is None else by,
            "delay": table.read("delay", whole(0, _MOST), 0),
            "queue": table.read("queue", whole(0, _MOST), 0),
            "queue_timeout": table.read("queue_timeout", duration, default_of(RequestLimit, "queue_timeout")),
            "status": table.read("status", whole(400, 599), None),
            "enforce": table.read("enforce", flag, True),
            "ratelimit_fields": table.read("ratelimit_fields", flag, False),
        }
        table.close()
        if name in self._taken:
            table.fault(f"{name!r} is the name of another", "name", accepted="accepted is one of its own")
        self._taken.add(name)
        if len(table.findings.faults) > before:
            return None
        try:
            limit = RequestLimit(name=name, **values)
        except ConfigError as fault:
            table.faults_of(fault)
            return None
        if streams and not limit.for_streams:
            table.fault("raw streams have nothing else to go by", "by", accepted=_of_streams())
        return limit


def _see_effects(table: Table, given: str) -> None:
    for key, wanted in _ONLY_WITH.items():
        if key in table and wanted != given:
            table.fault(f"has no effect with {given}", key, accepted=f"accepted is it with {wanted}")


def _of_streams() -> str:
    return f"accepted: {', '.join(OF_STREAMS)}"


def read_rule_limits(table: Table, tables: LimitTables, owner: str) -> tuple[tuple[str, tuple[RequestLimit, ...]], ...]:
    """What the access rules of a listener say of limits, by their names. What else is in them, others read."""
    found = []
    for number, (keys, value) in enumerate(table.elements("rules") or (), 1):
        if isinstance(value, dict) and _KEY in value:
            inner = table.inner(value, *keys, kind="rules[]")
            name = inner.value("name", "") or f"rule {number}"
            limits = tables.at(inner, f"{owner} {name}")
            if inner.value("action", "") == "deny":
                inner.fault("has no effect with deny", _KEY, accepted="accepted is it with allow")
            elif limits:
                found.append((name, limits))
    return tuple(found)
