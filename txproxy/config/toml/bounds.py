"""What clients, users and rules may use, in a configuration file."""

from __future__ import annotations

from typing import Any, TypeVar

from txproxy.components.values import size, text, texts
from txproxy.config.model import BoundsConfig
from txproxy.config.toml.policy_tables import made, raw
from txproxy.config.toml.tables import Table
from txproxy.limits.quotas import Quota
from txproxy.limits.shaping import Bandwidth

T = TypeVar("T", Bandwidth, Quota)


def read_bounds(table: Table, ipv6_prefix: int) -> BoundsConfig:
    """The bounds that the whole file names. The file closes the table."""
    return BoundsConfig(
        bandwidths=_each(table, "bandwidths", Bandwidth, ("down", "up", "burst")),
        quotas=_each(table, "quotas", Quota, ("day", "month")),
        usage_file=table.file("usage_file"),
        ipv6_prefix=ipv6_prefix,
    )


def _each(table: Table, key: str, make: type[T], sizes: tuple[str, ...]) -> tuple[T, ...]:
    found = []
    for inner in table.tables(key):
        before = len(inner.findings.faults)
        values: dict[str, Any] = {
            "per": inner.read("per", text, "client"),
            "only": inner.some("only", texts(raw)) or (),
            **{name: inner.read(name, size, None) for name in sizes},
        }
        inner.close()
        if len(inner.findings.faults) == before:
            one = made(inner, make, **values)
            if one is not None:
                found.append(one)
    return tuple(found)


def no_usage(client_ip: str, user: str | None, period: str) -> int:
    """Stands for what will count, where a rule asks for it, until there is something that does."""
    return 0
