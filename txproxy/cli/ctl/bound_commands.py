"""``txproxy ctl``: limits of requests, and quotas."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final
from urllib.parse import quote, urlencode

from txproxy.cli.admin_client import AdminClient
from txproxy.cli.printing import print_json, print_table, seconds, size
from txproxy.cli.verb_command import CommandVerb
from txproxy.errors import ConfigError

_PER: Final = ("client", "user", "rule")
_COUNTED: Final = ("allowed", "delayed", "refused", "keys", "running", "waiting")


def _add_limits(parser: ArgumentParser) -> None:
    parser.add_argument("limit", metavar="LIMIT", nargs="?", help="the keys of this one [default: list them all]")
    _add_key(parser)


def _add_key(parser: ArgumentParser) -> None:
    what = "that of a client, such as its address, as the list of keys has it [default: all of them]"
    parser.add_argument("--key", metavar="KEY", help=what)


def _limits(client: AdminClient, given: Namespace) -> int:
    path = "/api/limits"
    if given.limit is not None:
        query = {"key": given.key} if given.key is not None else {}
        path = f"{path}/{quote(given.limit, safe='')}/keys?{urlencode(query)}"
    found = client.ask("GET", path)
    if given.json:
        return print_json(found)
    if given.limit is not None:
        rows = [(one["left"], seconds(one["seconds"]), one["name"]) for one in found["keys"]]
        return print_table(("LEFT", "OWES", "KEY"), rows)
    rows = [
        (*(one[name] for name in _COUNTED), "yes" if one["enforced"] else "no", one["name"]) for one in found["limits"]
    ]
    return print_table((*(name.upper() for name in _COUNTED), "ENFORCED", "LIMIT"), rows)


def _add_reset(parser: ArgumentParser) -> None:
    parser.add_argument("limit", metavar="LIMIT")
    _add_key(parser)


def _reset(client: AdminClient, given: Namespace) -> int:
    body = {"key": given.key} if given.key is not None else {}
    found = client.ask("POST", f"/api/limits/{quote(given.limit, safe='')}/reset", body)
    if given.json:
        return print_json(found)
    print(f"{given.limit}: {found['keys']} {'key' if found['keys'] == 1 else 'keys'} begun anew")
    return 0


def _add_quotas(parser: ArgumentParser) -> None:
    _add_whose(parser)
    parser.add_argument("--key", metavar="KEY", help="what this client, user or rule has used [default: all]")
    parser.add_argument("--limit", metavar="N", default="100", help="so many at most, up to 10000 [default: 100]")


def _add_whose(parser: ArgumentParser) -> None:
    parser.add_argument("--listener", metavar="NAME", help="at this listener [default: at all that count]")
    parser.add_argument("--per", choices=_PER, help="by clients, users or rules [default: by all]")


def _quotas(client: AdminClient, given: Namespace) -> int:
    names = ("listener", "per", "key", "limit")
    query = {name: value for name in names if (value := getattr(given, name)) is not None}
    found = client.ask("GET", f"/api/quotas?{urlencode(query)}")
    if given.json:
        return print_json(found)
    rows = [
        (one["per"], _used(one["day"]), _used(one["month"]), ",".join(one["listeners"]), one["key"])
        for one in found["used"]
    ]
    print_table(("PER", "DAY", "MONTH", "LISTENERS", "KEY"), rows)
    if found["day_ends"] is not None:
        print(f"the day ends at {found['day_ends']}, the month at {found['month_ends']}")
    if not found["complete"]:
        print("there is more; --limit and the other options say of what")
    return 0


def _used(one: dict[str, Any]) -> str:
    return f"{size(one['used'])}/{size(one['most'])}" if one["most"] is not None else size(one["used"])


def _add_forget(parser: ArgumentParser) -> None:
    parser.add_argument("key", metavar="KEY", nargs="?", help="of the list of quotas")
    parser.add_argument("--all", action="store_true", help="what all have used")
    _add_whose(parser)
    parser.add_argument("--period", choices=("day", "month"), help="in this running one [default: in both]")


def _forget(client: AdminClient, given: Namespace) -> int:
    if (given.key is None) is not given.all:
        raise ConfigError("a KEY or --all is needed", "accepted is one of them")
    names = ("listener", "per", "key", "period")
    body: dict[str, Any] = {name: value for name in names if (value := getattr(given, name)) is not None}
    found = client.ask("POST", "/api/quotas/reset", body | ({"all": True} if given.all else {}))
    if given.json:
        return print_json(found)
    print(f"{found['keys']} {'key' if found['keys'] == 1 else 'keys'} begun anew")
    return 0


BOUND_VERBS: Final = {
    "limits": CommandVerb(_add_limits, _limits, "What came of limits of requests, or the keys of one."),
    "reset": CommandVerb(_add_reset, _reset, "A new beginning for who has used up a rate."),
    "quotas": CommandVerb(_add_quotas, _quotas, "Who has used what of how much."),
    "forget": CommandVerb(_add_forget, _forget, "What a client, user or rule has used does not count any more."),
}
