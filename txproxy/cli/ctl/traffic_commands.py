"""``txproxy ctl``: connections, exchanges and questions."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final
from urllib.parse import quote, urlencode

from txproxy.cli.admin_client import AdminClient, AdminFault
from txproxy.cli.event_lines import print_events
from txproxy.cli.printing import print_json, print_table, printable, seconds, size
from txproxy.cli.verb_command import CommandVerb, add_nothing

_EXCHANGES: Final = "/api/exchanges"
_FAILED: Final = f"{_EXCHANGES}/failed"
CONNECTION_COLUMNS: Final = ("ID", "LISTENER", "CLIENT", "STATE", "AGE", "IN", "OUT", "STATUS", "UPSTREAM", "REQUEST")
EXCHANGE_COLUMNS: Final = (
    "ID", "TIME", "LISTENER", "CLIENT", "TOOK", "STATUS", "OUTCOME", "TRIES", "UPSTREAM", "REQUEST",
)  # fmt: skip


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


def _add_exchanges(parser: ArgumentParser) -> None:
    what = "the whole way of this one, by its ID in the list [default: list them]"
    parser.add_argument("id", metavar="ID", nargs="?", help=what)
    parser.add_argument("--failed", action="store_true", help="those that have failed last [default: what is at work]")
    for name, value in (("listener", "NAME"), ("client", "ADDRESS"), ("route", "NAME"), ("pool", "NAME")):
        parser.add_argument(f"--{name}", metavar=value, help=f"those of this {name}")
    parser.add_argument("--limit", metavar="N", default="100", help="so many at most, up to 10000 [default: 100]")


def _exchanges(client: AdminClient, given: Namespace) -> int:
    if given.id is not None:
        return _whole_way(client, given)
    names = ("listener", "client", "route", "pool")
    query = {name: value for name in names if (value := getattr(given, name)) is not None} | {"limit": given.limit}
    found = client.ask("GET", f"{_FAILED if given.failed else _EXCHANGES}?{urlencode(query)}")
    if given.json:
        return print_json(found)
    print_table(EXCHANGE_COLUMNS, [_exchange_row(one) for one in found["exchanges"]])
    if not found["complete"]:
        print("there is more; --limit and the other options say of what")
    if found.get("skipped"):
        print(f"{found['skipped']} more were too many at once to be written down")
    return 0


def _exchange_row(one: dict[str, Any]) -> tuple[object, ...]:
    attempts = one["attempts"]
    return (
        one["id"], one["time"], one["listener"], one["client"], seconds(one["seconds"]), one["status"],
        one["outcome"] or one["phase"], len(attempts), attempts[-1]["upstream"] if attempts else None,
        " ".join(part for part in (one["method"], one["url"]) if part),
    )  # fmt: skip


def _whole_way(client: AdminClient, given: Namespace) -> int:
    every = [one for path in (_EXCHANGES, _FAILED) for one in client.ask("GET", f"{path}?limit=10000")["exchanges"]]
    found = next((one for one in every if one["id"] == given.id), None)
    if found is None:
        raise AdminFault(f"there is no exchange {given.id!r}, or not any more")
    if given.json:
        return print_json(found)
    for name, value in found.items():
        if isinstance(value, dict):
            value = " ".join(f"{key}={part}" for key, part in value.items() if part is not None)
        if not isinstance(value, list) and value is not None:
            print(f"{name}: {printable(value)}")
    for one in found["attempts"]:
        times = f"began {one['began']:g} s, connected {_time(one['connected'])}, ended {_time(one['ended'])}"
        print(f"attempt: {printable(one['upstream'])} ({printable(one['address'])}): {times}")
        detail = f": {printable(one['detail'])}" if one["detail"] else ""
        said = one["status"] or one["error"] or "no answer yet"
        print(f"    {printable(said)}{detail}")
        if one["then"]:
            print(f"    {printable(one['then'])}")
    for one in found["candidates"]:
        state = f"{one['state']} for {seconds(one['age'])}"
        print(f"upstream: {printable(one['upstream'])} ({state}): {printable(one['why'])}")
    return 0


def _time(value: float | None) -> str:
    return "never" if value is None else f"{value:g} s"


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
    what = "give the same answer to the same client, rule, method, host and port [default: to this one alone]"
    parser.add_argument("--for", dest="time", metavar="TIME", help=what)


def _answered(client: AdminClient, given: Namespace, allow: bool) -> int:
    if given.time is not None:
        found = _remembered(client, given, allow)
    else:
        found = client.ask("POST", f"/api/questions/{quote(given.id, safe='')}", {"allow": allow})
    if given.json:
        return print_json(found)
    kept = f" for {given.time}" if given.time is not None else ""
    print(f"{given.id}: {'allowed' if allow else 'refused'}{kept}")
    return 0


def _remembered(client: AdminClient, given: Namespace, allow: bool) -> Any:
    questions = client.ask("GET", "/api/questions")["questions"]
    asked = next((one for one in questions if one["id"] == given.id), None)
    if asked is None:
        raise AdminFault(f"{client.listen}: there is no question {given.id!r}, or not any more")
    kept = {key: asked[key] for key in ("listener", "rule", "method", "host", "port", "client", "user")}
    return client.ask("POST", "/api/answers", {**kept, "allow": allow, "for": given.time})


def _answers(client: AdminClient, given: Namespace) -> int:
    found = client.ask("GET", "/api/answers")
    if given.json:
        return print_json(found)
    rows = [
        (
            one["name"], one["listener"], "yes" if one["allow"] else "no", seconds(one["left"]), one["client"],
            one["user"], one["rule"], f"{one['method']} {one['host']}:{one['port']}",
        )
        for one in found["answers"]
    ]  # fmt: skip
    return print_table(("NAME", "LISTENER", "ALLOW", "FOR", "CLIENT", "USER", "RULE", "REQUESTS"), rows)


def _add_answer(parser: ArgumentParser) -> None:
    parser.add_argument("name", metavar="NAME", help="in the list of answers")


def _forget(client: AdminClient, given: Namespace) -> int:
    found = client.ask("DELETE", f"/api/answers/{quote(given.name, safe='')}")
    if given.json:
        return print_json(found)
    print(f"{found['forgotten']}: forgotten")
    return 0


TRAFFIC_VERBS: Final = {
    "connections": CommandVerb(_add_connections, _connections, "Who is connected, and what is at work for whom."),
    "exchanges": CommandVerb(_add_exchanges, _exchanges, "What is at work, or has failed last."),
    "events": CommandVerb(add_nothing, print_events, "What changes, as long as it is watched."),
    "end": CommandVerb(_add_end, _end, "End a connection, or a request."),
    "questions": CommandVerb(add_nothing, _questions, "What rules ask a person about."),
    "allow": CommandVerb(_add_question, lambda client, given: _answered(client, given, True), "Yes to a question."),
    "refuse": CommandVerb(_add_question, lambda client, given: _answered(client, given, False), "No to a question."),
    "answers": CommandVerb(add_nothing, _answers, "Answers that are remembered."),
    "forget-answer": CommandVerb(_add_answer, _forget, "Ask again about what an answer was remembered of."),
}
