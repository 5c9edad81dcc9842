"""``txproxy ctl``: which configuration runs, and how much is logged."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import Any, Final
from urllib.parse import quote

from txproxy.cli.admin_client import AdminClient
from txproxy.cli.printing import print_json, print_table, printable
from txproxy.cli.verb_command import CommandVerb, add_nothing
from txproxy.config.log_lines import LOG_LEVELS


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


def _persist(client: AdminClient, given: Namespace) -> int:
    found = client.ask("POST", "/api/persist")
    if given.json:
        return print_json(found)
    for one in found["changes"]:
        print(printable(one))
    for one in found["left"]:
        print(f"not written: {printable(one)}")
    if not found["changes"]:
        print(f"{printable(found['file'])} says what runs: nothing was changed")
        return 0
    print(f"written into {printable(found['file'])}")
    return _reloaded(found, given)


CONFIGURATION_VERBS: Final = {
    "reload": CommandVerb(add_nothing, _reload, "Read the configuration again."),
    "log-level": CommandVerb(_add_level, _log_level, "How much is logged."),
    "revisions": CommandVerb(_add_revision, _revisions, "Which configurations have run."),
    "persist": CommandVerb(add_nothing, _persist, "Write what was changed into the file that says what runs."),
    "apply": CommandVerb(_add_apply, _apply, "Back to a configuration that has run."),
}
