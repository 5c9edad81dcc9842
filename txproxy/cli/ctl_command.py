"""``txproxy ctl``: what a running proxy has at work, and changes of that, by its admin endpoint."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from txproxy.cli.admin_client import DEFAULT, AdminClient, AdminFault
from txproxy.cli.event_lines import print_events
from txproxy.cli.printing import print_json, print_table, printable, seconds, size
from txproxy.cli.verb_command import CommandVerb, add_nothing, run_verb
from txproxy.config.log_lines import LOG_LEVELS
from txproxy.errors import ConfigError

USAGE: Final = f"""\
Usage: txproxy ctl pools                            pools, and how many of their upstreams are well
       txproxy ctl upstreams [POOL]                 upstreams, their states and why
       txproxy ctl drain POOL UPSTREAM [--for TIME] send it no new clients, and disable it after that time
       txproxy ctl disable|enable POOL UPSTREAM     send it nothing more, or let it serve again
       txproxy ctl weigh POOL UPSTREAM WEIGHT       give it another weight; with 0 it drains
       txproxy ctl add POOL URL                     one more upstream, with ;weight=N and the like
       txproxy ctl remove POOL UPSTREAM             one less
       txproxy ctl connections [--busy] [--listener NAME] [--client ADDRESS] [--pool NAME] [--limit N]
                                                    who is connected, and what is at work for whom
       txproxy ctl end ID                           end a connection, or a request, by its ID in that list
       txproxy ctl questions                        what rules ask a person about
       txproxy ctl allow|refuse ID                  the answer to one
       txproxy ctl limits [LIMIT] [--key KEY]       what came of limits of requests, or who owes what of one with a rate
       txproxy ctl reset LIMIT [--key KEY]          a new beginning, for one or for all
       txproxy ctl reload                           read the configuration again, and say what is wrong with it
       txproxy ctl log-level [LEVEL]                how much is logged, or so much from now on
       txproxy ctl revisions [NUMBER]               which configurations have run, or what one has changed
       txproxy ctl apply NUMBER                     back to one that has run
       txproxy ctl events                           what changes, a line each, until Ctrl-C
       txproxy ctl VERB --help                      the options of one

UPSTREAM is its name in the list of upstreams, or the part of it that no other one of the pool has.
Whom to ask is said by --admin ENDPOINT, or by [admin] of --config FILE; without either it is {DEFAULT}.
A token, if there is one, is in --token-file FILE, or named by that configuration. --json prints the answer as it comes.
The exit status is 0 when all is well, 1 when it is not, and 2 for a wrong call.
Example: txproxy ctl drain app http://10.0.0.1:8000 --for 5m --config proxy.toml
"""
_POOLS: Final = "/api/pools"
_COUNTED: Final = ("allowed", "delayed", "refused", "keys", "running", "waiting")
_UPSTREAM_COLUMNS: Final = (
    "POOL", "UPSTREAM", "STATE", "FOR", "WEIGHT", "ACTIVE", "REQUESTS", "FAILURES", "EJECTIONS", "CHANGED", "WHY",
)  # fmt: skip
CONNECTION_COLUMNS: Final = ("ID", "LISTENER", "CLIENT", "STATE", "AGE", "IN", "OUT", "STATUS", "UPSTREAM", "REQUEST")


def run(arguments: Sequence[str]) -> int:
    """Do it; gives the exit status."""
    return run_verb("ctl", VERBS, USAGE, arguments)


# -- pools and upstreams


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
    head = (
        "POOL",
        "UPSTREAM",
        "STATE",
        "FOR",
        "WEIGHT",
        "ACTIVE",
        "REQUESTS",
        "FAILURES",
        "EJECTIONS",
        "CHANGED",
        "WHY",
    )
    return print_table(head, rows)


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


# -- connections


def _add_connections(parser: ArgumentParser) -> None:
    parser.add_argument("--busy", action="store_true", help="those that have something at work")
    for name, what in (("listener", "NAME"), ("client", "ADDRESS"), ("pool", "NAME")):
        parser.add_argument(f"--{name}", metavar=what, help=f"those of this {name}")
    parser.add_argument("--limit", metavar="N", default="100", help="so many at most, up to 10000 [default: 100]")


def _connections(client: AdminClient, given: Namespace) -> int:
    query = {name: value for name in ("listener", "client", "pool") if (value := getattr(given, name)) is not None}
    query |= {"limit": given.limit, "busy": "1" if given.busy else "0"}
    found = client.ask("GET", f"/api/connections?{urlencode(query)}")
    if given.json:
        return print_json(found)
    rows = [row for one in found["connections"] for row in connection_rows(one)]
    print_table(CONNECTION_COLUMNS, rows)
    if not found["complete"]:
        print("there is more; --limit and the other options say of what")
    return 0


def connection_rows(one: dict[str, Any]) -> list[tuple[object, ...]]:
    """A connection, or what is at work on it."""
    if not one["exchanges"]:
        return [(one["id"], one["listener"], one["client"], one["state"], *[None] * 6)]
    return [
        (
            exchange["id"], one["listener"], exchange["client"], exchange["phase"],
            seconds(exchange["age"]) if exchange["age"] is not None else None, size(exchange["received"]),
            size(exchange["sent"]), exchange["status"], exchange["upstream"],
            " ".join(part for part in (exchange["method"], exchange["url"]) if part),
        )
        for exchange in one["exchanges"]
    ]  # fmt: skip


def _add_end(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="of a connection or a request, in the list of connections")


def _end(client: AdminClient, given: Namespace) -> int:
    kind = "exchanges" if "." in given.id else "connections"
    found = client.ask("DELETE", f"/api/{kind}/{quote(given.id, safe='')}")
    if given.json:
        return print_json(found)
    print(f"{found['ended']}: ended")
    return 0


# -- questions


def _questions(client: AdminClient, given: Namespace) -> int:
    found = client.ask("GET", "/api/questions")
    if given.json:
        return print_json(found)
    rows = [
        (
            one["id"], one["listener"], seconds(one["age"]), one["client"], one["user"], one["rule"], one["reason"],
            f"{one['method']} {one['url']}",
        )
        for one in found["questions"]
    ]  # fmt: skip
    return print_table(("ID", "LISTENER", "AGE", "CLIENT", "USER", "RULE", "REASON", "REQUEST"), rows)


def _add_question(parser: ArgumentParser) -> None:
    parser.add_argument("id", metavar="ID", help="in the list of questions")


def _answered(client: AdminClient, given: Namespace, allow: bool) -> int:
    found = client.ask("POST", f"/api/questions/{quote(given.id, safe='')}", {"allow": allow})
    if given.json:
        return print_json(found)
    print(f"{found['answered']}: {'allowed' if allow else 'refused'}")
    return 0


# -- limits


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


# -- configurations


def _reload(client: AdminClient, given: Namespace) -> int:
    return _reloaded(client.ask("POST", "/api/reload"), given)


def _reloaded(found: dict[str, Any], given: Namespace) -> int:
    if given.json:
        return print_json(found)
    for warning in found["warnings"]:
        print(f"warning: {warning}")
    print(f"revision {found['revision']} runs")
    return 0


def _add_level(parser: ArgumentParser) -> None:
    parser.add_argument("level", metavar="LEVEL", nargs="?", help=f"{', '.join(LOG_LEVELS)} [default: leave it]")


def _log_level(client: AdminClient, given: Namespace) -> int:
    path = "/api/log"
    found = client.ask("GET", path) if given.level is None else client.ask("PATCH", path, {"level": given.level})
    if given.json:
        return print_json(found)
    configured = f" (configured: {found['configured']})" if found["configured"] != found["level"] else ""
    print(f"{found['level']}{configured}")
    return 0


def _add_revision(parser: ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", nargs="?", help="what that has changed [default: list them all]")


def _revisions(client: AdminClient, given: Namespace) -> int:
    path = "/api/revisions"
    found = client.ask("GET", path if given.number is None else f"{path}/{quote(given.number, safe='')}")
    if given.json:
        return print_json(found)
    if given.number is None:
        rows = [(one["number"], one["at"], "yes" if one["runs"] else "", one["by"]) for one in found["revisions"]]
        return print_table(("NUMBER", "AT", "RUNS", "BY"), rows)
    for line in found["diff"].splitlines():
        print(printable(line) if line else "")
    return 0


def _add_apply(parser: ArgumentParser) -> None:
    parser.add_argument("number", metavar="NUMBER", help="of the list of revisions")


def _apply(client: AdminClient, given: Namespace) -> int:
    return _reloaded(client.ask("POST", f"/api/revisions/{quote(given.number, safe='')}/apply"), given)


VERBS: Final = {
    "pools": CommandVerb(add_nothing, _pools, "Pools, and how many of their upstreams are well."),
    "upstreams": CommandVerb(_add_pool, _upstreams, "Upstreams, their states and why."),
    "drain": CommandVerb(_add_drain, _drain, "Send an upstream no new clients."),
    "disable": CommandVerb(_add_upstream, _disable, "Send an upstream nothing more."),
    "enable": CommandVerb(_add_upstream, _enable, "Let an upstream serve again."),
    "weigh": CommandVerb(_add_weigh, _weigh, "Give an upstream another weight."),
    "add": CommandVerb(_add_add, _add, "One more upstream."),
    "remove": CommandVerb(_add_upstream, _remove, "One less upstream."),
    "connections": CommandVerb(_add_connections, _connections, "Who is connected, and what is at work for whom."),
    "questions": CommandVerb(add_nothing, _questions, "What rules ask a person about."),
    "allow": CommandVerb(_add_question, lambda client, given: _answered(client, given, True), "Yes to a question."),
    "refuse": CommandVerb(_add_question, lambda client, given: _answered(client, given, False), "No to a question."),
    "limits": CommandVerb(_add_limits, _limits, "What came of limits of requests, or the keys of one."),
    "reset": CommandVerb(_add_reset, _reset, "A new beginning for who has used up a rate."),
    "reload": CommandVerb(add_nothing, _reload, "Read the configuration again."),
    "log-level": CommandVerb(_add_level, _log_level, "How much is logged."),
    "revisions": CommandVerb(_add_revision, _revisions, "Which configurations have run."),
    "apply": CommandVerb(_add_apply, _apply, "Back to a configuration that has run."),
    "events": CommandVerb(add_nothing, print_events, "What changes, as long as it is watched."),
    "end": CommandVerb(_add_end, _end, "End a connection, or a request."),
}
