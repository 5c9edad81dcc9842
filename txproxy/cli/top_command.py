"""``txproxy top``: what a running proxy does, looked at again and again, by its admin endpoint."""

from __future__ import annotations

import os
import shutil
import sys
import time
from argparse import Namespace
from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from txproxy.cli.admin_client import DEFAULT, AdminClient, AdminFault, add_arguments, client_of
from txproxy.cli.arguments import Parser, asks_for_help, wrong_call
from txproxy.cli.printing import print_json
from txproxy.cli.top_frame import Look, fitting, frame, read_numbers
from txproxy.components.values import parse_duration
from txproxy.errors import ConfigError, masked

_ABOUT: Final = f"What a running proxy does, live. Without --admin and --config it asks at {DEFAULT}. Ctrl-C ends it."
# From the upper left corner on, and without what is left of the frame before.
_OVER: Final = "\x1b[H\x1b[J"
# So many connections are asked for, of which those whose requests are the oldest are shown.
_LOOKED_AT: Final = 1000


def make_parser() -> Parser:
    """What reads the command's arguments."""
    parser = Parser("txproxy top", description=_ABOUT, allow_abbrev=False)
    parser.add_argument("--once", action="store_true", help="print one look, and end")
    parser.add_argument("--interval", metavar="TIME", default="2s", help="between two looks [default: 2s]")
    add_arguments(parser)
    return parser


def run(arguments: Sequence[str]) -> int:
    """Show it until somebody has seen enough; gives the exit status."""
    parser = make_parser()
    if asks_for_help(parser, "top", arguments):
        return 0
    try:
        given = parser.parse_args(arguments)
        return _show(client_of(given), given, parse_duration(given.interval))
    except ConfigError as fault:
        return wrong_call("top", f"{fault}; txproxy top --help lists what is accepted")
    except AdminFault as fault:
        sys.stderr.write(f"txproxy top: {masked(str(fault))}\n")
        return 1


def _show(client: AdminClient, given: Namespace, interval: float) -> int:
    before: Look | None = None
    # A terminal that knows no better, and what is no terminal, get one look below the other.
    clears = sys.stdout.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")
    try:
        while True:
            look = _look(client)
            if given.json:
                print_json({"upstreams": look.upstreams, "connections": look.connections})
            else:
                _print(frame(look, before, client.listen), clears and not given.once)
            if given.once:
                return 0
            before = look
            time.sleep(interval)
    except KeyboardInterrupt:
        return 0


def _print(lines: list[str], clears: bool) -> None:
    if clears:
        size = shutil.get_terminal_size()
        sys.stdout.write(_OVER + "\n".join(fitting(lines, size.columns, size.lines - 1)) + "\n")
    else:
        sys.stdout.write("\n".join(lines) + "\n\n")
    sys.stdout.flush()


def _look(client: AdminClient) -> Look:
    pools = [one["name"] for one in client.ask("GET", "/api/pools")["pools"]]
    return Look(
        time.monotonic(),
        read_numbers(client.text("/metrics")),
        {name: client.ask("GET", f"/api/pools/{quote(name, safe='')}/upstreams")["upstreams"] for name in pools},
        client.ask("GET", f"/api/connections?busy=1&limit={_LOOKED_AT}")["connections"],
    )
