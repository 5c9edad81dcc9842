"""``txproxy explain``: what would be done with a request, and why."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from txproxy.cli.arguments import Parser, asks_for_help, wrong_call
from txproxy.errors import ConfigError


def make_parser() -> Parser:
    """What reads the arguments of ``txproxy explain``."""
    parser = Parser("txproxy explain", description="What would be done with a request, and why.", allow_abbrev=False)
    parser.add_argument("--config", metavar="FILE", required=True, help="the TOML file that says what is done")
    parser.add_argument("method", metavar="METHOD")
    parser.add_argument("url", metavar="URL", help="for CONNECT: HOST:PORT")
    parser.add_argument(
        "-H",
        "--header",
        metavar="'NAME: VALUE'",
        action="append",
        default=[],
        help="a field of the request; repeatable",
    )
    parser.add_argument("--client", metavar="ADDRESS", default="127.0.0.1", help="the client's [default: 127.0.0.1]")
    parser.add_argument("--user", metavar="NAME", help="who it is taken to be [default: nobody who is known]")
    parser.add_argument("--listener", metavar="NAME", help="the one that gets the request [default: told by the URL]")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Print it; gives the exit status."""
    parser = make_parser()
    if asks_for_help(parser, "explain", arguments):
        return 0
    from txproxy.runtime.explain import Question, explain

    try:
        given = parser.parse_intermixed_args(arguments)
        question = Question.of(given.method, given.url, given.header, given.client, given.listener, given.user)
    except ConfigError as fault:
        return wrong_call("explain", f"{fault}; txproxy explain --help lists what is accepted")
    from txproxy.config.toml.file import load

    try:
        text, found = explain(load(given.config), question)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    print(text)
    return 0 if found else 1
