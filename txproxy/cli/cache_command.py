"""``txproxy cache``: what a running proxy has stored, by its admin endpoint."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from txproxy.cli.admin_client import DEFAULT, AdminClient
from txproxy.cli.printing import print_json, print_table, printable, size
from txproxy.cli.reference.examples import examples_of
from txproxy.cli.verb_command import CommandVerb, add_nothing, run_verb
from txproxy.errors import ConfigError

# So many pages at once are asked for: the admin API takes no more.
_MOST_WARMED: Final = 1000


_USAGE: Final = f"""\
Usage: txproxy cache list [PREFIX] [--limit N]    what is stored, of URLs that begin so
       txproxy cache stats                        how much is stored, and how often it was used
       txproxy cache purge [URL ...] [--prefix PREFIX] [--host HOST] [--tag TAG] [--group ORIGIN GROUP] [--all] [--soft]
                                                  use no more of it
       txproxy cache warm [URL ...] [--from FILE] [-H 'NAME: VALUE'] [--listener NAME]
                                                  fetch what clients will ask for
       txproxy cache VERB --help                  the options of one

Whom to ask is said by --admin ENDPOINT, or by [admin] of --config FILE; without either it is {DEFAULT}.
A token, if there is one, is in --token-file FILE, or named by that configuration. --json prints the answer as it comes.
The exit status is 0 when all is well, 1 when it is not, and 2 for a wrong call.
{examples_of("cache")}"""


def run(arguments: Sequence[str]) -> int:
    """Do it; gives the exit status."""
    return run_verb("cache", VERBS, _USAGE, arguments)


def _add_list(parser: ArgumentParser) -> None:
    parser.add_argument("prefix", metavar="PREFIX", nargs="?", help="of URLs [default: all]")
    parser.add_argument("--limit", metavar="N", default="100", help="so many at most, up to 10000 [default: 100]")


def _add_purge(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", nargs="*", help="of what is purged")
    for name, what in (("prefix", "all URLs that begin so"), ("host", "all of a host"), ("tag", "all with this tag")):
        parser.add_argument(f"--{name}", metavar=name.upper(), action="append", default=[], help=f"{what}; repeatable")
    what = "all of a group (RFC 9875) of an origin such as https://shop.example; repeatable"
    parser.add_argument("--group", metavar=("ORIGIN", "GROUP"), nargs=2, action="append", default=[], help=what)
    parser.add_argument("--all", action="store_true", help="everything")
    parser.add_argument(
        "--soft", action="store_true", help="ask the origin before it is used again [default: forget it]"
    )


def _add_warm(parser: ArgumentParser) -> None:
    parser.add_argument("url", metavar="URL", nargs="*")
    parser.add_argument("--from", metavar="FILE", dest="file", help="more URLs, one a line; - is standard input")
    parser.add_argument(
        "--listener",
        metavar="NAME",
        help="whose requests they are [default: the first reverse proxy's, or forward proxy's]",
    )
    what = "a field of the requests, such as 'Accept-Encoding: gzip'; repeatable"
    parser.add_argument("-H", "--header", metavar="'NAME: VALUE'", action="append", default=[], help=what)


# -- what is done


def _list(client: AdminClient, given: Namespace) -> int:
    query = {"limit": given.limit} | ({"prefix": given.prefix} if given.prefix is not None else {})
    found = client.ask("GET", f"/api/cache/entries?{urlencode(query)}")
    if given.json:
        return print_json(found)
    rows = [
        (one["status"], size(one["bytes"]), one["age"], one["ttl"], "+".join(one["in"]), one["url"])
        for one in found["entries"]
    ]
    print_table(("STATUS", "SIZE", "AGE", "TTL", "IN", "URL"), rows)
    if not found["complete"]:
        sys.stderr.write("there is more; --limit and PREFIX say of what\n")
    return 0


def _stats(client: AdminClient, given: Namespace) -> int:
    found = client.ask("GET", "/api/cache")
    if given.json:
        return print_json(found)
    for name in ("memory", "disk"):
        tier = found.get(name)
        if tier is not None:
            share = f"{size(tier['bytes'])} of {size(tier['most_bytes'])}"
            objects = f", {tier['objects']} objects" if "objects" in tier else ""
            more = f", {tier['evictions']} evicted" if "evictions" in tier else ""
            print(f"{name}: {share}{objects}, {tier['hits']} hits{more}")
    print(f"fetching: {found['fetching']}")
    print(f"purges: {found['purges']['marks']} kept, the last is number {found['purges']['sequence']}")
    return 0


def _purge(client: AdminClient, given: Namespace) -> int:
    wanted: list[dict[str, object]] = [{"url": url} for url in given.url]
    wanted += [{name: value} for name in ("prefix", "host", "tag") for value in getattr(given, name)]
    wanted += [{"group": group, "origin": origin} for origin, group in given.group]
    wanted += [{"all": True}] if given.all else []
    if not wanted:
        raise ConfigError("nothing is to be purged", "accepted are URLs, --prefix, --host, --tag, --group, --all")
    answers = [client.ask("POST", "/api/cache/purge", {**one, "soft": given.soft}) for one in wanted]
    if given.json:
        return print_json(answers)
    for one in wanted:
        words = (name if value is True else f"{name} {printable(value)}" for name, value in one.items())
        print(f"purged: {' '.join(words)}")
    return 0


def _warm(client: AdminClient, given: Namespace) -> int:
    urls = [*given.url, *_lines(given.file)]
    if not urls:
        raise ConfigError("there are no URLs", "accepted are some, or --from FILE")
    more = {"headers": given.header} | ({"listener": given.listener} if given.listener is not None else {})
    found: list[dict[str, Any]] = []
    for start in range(0, len(urls), _MOST_WARMED):
        part = {"urls": urls[start : start + _MOST_WARMED], **more}
        found += client.ask("POST", "/api/cache/warm", part, patience=None)["warmed"]
    if given.json:
        print_json({"warmed": found})
    else:
        print_table(("STATUS", "CACHE", "URL"), [(one["status"], _became(one), one["url"]) for one in found])
    return 1 if any("error" in one for one in found) else 0


def _became(one: dict[str, Any]) -> str:
    if "error" in one:
        return f"failed: {one['error']}"
    return "stored" if one.get("stored") else f"not stored: {one.get('why') or one['cache']}"


def _lines(file: str | None) -> list[str]:
    if file is None:
        return []
    try:
        with open(0 if file == "-" else file, encoding="utf-8", closefd=file != "-") as opened:
            return [line.strip() for line in opened if line.strip() and not line.startswith("#")]
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or "this is no UTF-8"
        raise ConfigError(f"--from {file}: {why}", "accepted is a file with one URL a line") from None


VERBS: Final = {
    "list": CommandVerb(_add_list, _list, "What is stored."),
    "stats": CommandVerb(add_nothing, _stats, "How much is stored, and how often it was used."),
    "purge": CommandVerb(_add_purge, _purge, "Use no more of what is stored."),
    "warm": CommandVerb(_add_warm, _warm, "Fetch what clients will ask for."),
}
