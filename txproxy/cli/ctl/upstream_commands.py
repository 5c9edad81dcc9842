"""``txproxy ctl``: pools and upstreams."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from txproxy.cli.admin_client import AdminClient, AdminFault
from txproxy.cli.printing import print_json, print_table, seconds
from txproxy.cli.verb_command import CommandVerb, add_nothing
from txproxy.errors import ConfigError

_POOLS: Final = "/api/pools"
_COLUMNS: Final = (
    "POOL", "UPSTREAM", "STATE", "FOR", "WEIGHT", "ACTIVE", "REQUESTS", "FAILURES", "EJECTIONS", "CHANGED", "WHY",
)  # fmt: skip


def _pools(client: AdminClient, given: Namespace) -> int:
    found = client.ask("GET", _POOLS)
    if given.json:
        return print_json(found)
    rows = [
        (one["name"], f"{one['healthy']}/{one['upstreams']}", one["active"], one["waiting"], one["strategy"])
        for one in found["pools"]
    ]
    return print_table(("POOL", "HEALTHY", "ACTIVE", "WAITING", "STRATEGY"), rows)


def _add_pool(parser: ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL", nargs="?", help="of this pool [default: of all]")


def _upstreams(client: AdminClient, given: Namespace) -> int:
    names = [given.pool] if given.pool is not None else [one["name"] for one in client.ask("GET", _POOLS)["pools"]]
    found = {name: client.ask("GET", _path(name))["upstreams"] for name in names}
    if given.json:
        return print_json(found)
    rows = [_upstream_row(name, one) for name, upstreams in found.items() for one in upstreams]
    return print_table(_COLUMNS, rows)


def _upstream_row(pool: str, one: dict[str, Any]) -> tuple[object, ...]:
    most = f"/{one['max']}" if one["max"] else ""
    counts = one["requests"], one["failures"], one["ejections"]
    weight = f"{one['weight']}{' backup' if one['backup'] else ''}"
    ends = f"; ends in {seconds(one['ends_in'])}" if one["ends_in"] is not None else ""
    return (
        pool, one["name"], one["state"], seconds(one["age"]), weight, f"{one['active']}{most}", *counts,
        ",".join(one["changed"]), f"{one['cause']}{ends}",
    )  # fmt: skip


def _add_upstream(parser: ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")
    parser.add_argument("upstream", metavar="UPSTREAM", help="its name, or a part of it that no other has")


def _add_drain(parser: ArgumentParser) -> None:
    _add_upstream(parser)
    what = "how long that takes, such as 5m; then it is disabled [default: until it is told otherwise]"
    parser.add_argument("--for", metavar="TIME", dest="time", help=what)


def _add_weigh(parser: ArgumentParser) -> None:
    _add_upstream(parser)
    parser.add_argument("weight", metavar="WEIGHT", help="0 to 1000000")


def _add_add(parser: ArgumentParser) -> None:
    parser.add_argument("pool", metavar="POOL")
    parser.add_argument("url", metavar="URL", help="as of --upstream")


def _path(pool: str, upstream: str | None = None) -> str:
    path = f"{_POOLS}/{quote(pool, safe='')}/upstreams"
    return path if upstream is None else f"{path}/{quote(upstream, safe='')}"


def _named(client: AdminClient, given: Namespace) -> str:
    """The path of the upstream that is meant; ``ConfigError`` if that is not clear."""
    names = [one["name"] for one in client.ask("GET", _path(given.pool))["upstreams"]]
    found = [name for name in names if given.upstream in name]
    if given.upstream not in names and len(found) != 1:
        said = "may be several" if found else "is none"
        what = f"{given.upstream!r} {said} of the upstreams of {given.pool}"
        raise AdminFault(f"{what}; accepted: {', '.join(found or names)}")
    return _path(given.pool, given.upstream if given.upstream in names else found[0])


def _changed(client: AdminClient, given: Namespace, change: Mapping[str, object]) -> int:
    found = client.ask("PATCH", _named(client, given), dict(change))
    if given.json:
        return print_json(found)
    weight = f", weight {found['weight']}" if "weight" in change else ""
    print(f"{found['name']}: {found['state']}{weight}")
    return 0


def _drain(client: AdminClient, given: Namespace) -> int:
    time = {"for": given.time} if given.time is not None else {}
    return _changed(client, given, {"order": "draining", **time})


def _disable(client: AdminClient, given: Namespace) -> int:
    return _changed(client, given, {"order": "disabled"})


def _enable(client: AdminClient, given: Namespace) -> int:
    return _changed(client, given, {"order": "enabled"})


def _weigh(client: AdminClient, given: Namespace) -> int:
    if not given.weight.isascii() or not given.weight.isdigit():
        raise ConfigError(f"{given.weight!r} is no weight", "accepted is 0 to 1000000")
    return _changed(client, given, {"weight": int(given.weight)})


def _add(client: AdminClient, given: Namespace) -> int:
    found = client.ask("POST", _path(given.pool), {"url": given.url})
    if given.json:
        return print_json(found)
    print(f"{found['name']}: added, {found['state']}")
    return 0


def _remove(client: AdminClient, given: Namespace) -> int:
    found = client.ask("DELETE", _named(client, given))
    if given.json:
        return print_json(found)
    print(f"{found['removed']}: removed")
    return 0


UPSTREAM_VERBS: Final = {
    "pools": CommandVerb(add_nothing, _pools, "Pools, and how many of their upstreams are well."),
    "upstreams": CommandVerb(_add_pool, _upstreams, "Upstreams, their states and why."),
    "drain": CommandVerb(_add_drain, _drain, "Send an upstream no new clients."),
    "disable": CommandVerb(_add_upstream, _disable, "Send an upstream nothing more."),
    "enable": CommandVerb(_add_upstream, _enable, "Let an upstream serve again."),
    "weigh": CommandVerb(_add_weigh, _weigh, "Give an upstream another weight."),
    "add": CommandVerb(_add_add, _add, "One more upstream."),
    "remove": CommandVerb(_add_upstream, _remove, "One less upstream."),
}
