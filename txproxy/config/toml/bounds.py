"""What clients, users and rules may use, in a configuration file."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from txproxy.components.values import size, text, texts
from txproxy.config.model import BoundsConfig
from txproxy.config.toml.policy_tables import made, raw
from txproxy.config.toml.tables import Table
from txproxy.limits.quotas import Quota
from txproxy.limits.scopes import PER
from txproxy.limits.shaping import Bandwidth

T = TypeVar("T", Bandwidth, Quota)

_RATES: Final = ("down", "up", "burst")
_SIZES: Final = ("day", "month")


def read_bounds(table: Table, ipv6_prefix: int) -> BoundsConfig:
    """The bounds that the whole file names. The file closes the table."""
    return BoundsConfig(
        bandwidths=_each(table, "bandwidths", Bandwidth, _RATES),
        quotas=_each(table, "quotas", Quota, _SIZES),
        usage_file=table.read("usage_file", table.written_name, None),
        ipv6_prefix=ipv6_prefix,
    )


def read_listener_bounds(table: Table, mode: str, ipv6_prefix: int) -> BoundsConfig:
    """The bounds that a listener has of its own. The listener closes the table."""
    if mode == "forward":
        for key in ("bandwidths", "quotas"):
            if table.read(key, raw, None) is not None:
                accepted = f"accepted is [[{key}]] at the top of the file"
                table.fault("all forward listeners have them together", key, accepted=accepted)
        return BoundsConfig()
    per = ("client",) if mode == "tcp" else PER
    bandwidths = _each(table, "bandwidths", Bandwidth, _RATES, per)
    quotas = _each(table, "quotas", Quota, _SIZES, per)
    return BoundsConfig(bandwidths=bandwidths, quotas=quotas, ipv6_prefix=ipv6_prefix)


def _each(table: Table, key: str, make: type[T], sizes: tuple[str, ...], per: tuple[str, ...] = PER) -> tuple[T, ...]:
    found = []
    for inner in table.tables(key):
        before = len(inner.findings.faults)
        values: dict[str, Any] = {
            "per": inner.read("per", text, "client"),
            "only": inner.some("only", texts(raw)) or (),
            **{name: inner.read(name, size, None) for name in sizes},
        }
        if values["per"] in PER and values["per"] not in per:
            inner.fault(f"raw streams have no {values['per']}s", "per", accepted=f"accepted: {', '.join(per)}")
        inner.close()
        if len(inner.findings.faults) == before:
            one = made(inner, make, **values)
            if one is not None:
                found.append(one)
    return tuple(found)


def no_usage(client_ip: str, user: str | None, period: str) -> int:
    """Stands for what will count, where a rule asks for it, until there is something that does."""
    return 0
