"""A command with verbs that asks a running proxy by its admin endpoint."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence

import attrs

from txproxy.cli.admin_client import AdminClient, AdminFault, add_arguments, client_of
from txproxy.cli.arguments import Parser, wrong_call
from txproxy.cli.reference.verb_examples import verb_examples_of
from txproxy.components.values import hint
from txproxy.errors import ConfigError, masked


@attrs.frozen
class CommandVerb:
    """One of its verbs: ``add`` adds what it takes, ``act`` does it and gives the exit status."""

    add: Callable[[ArgumentParser], None]
    act: Callable[[AdminClient, Namespace], int]
    about: str


def run_verb(
    command: str,
    verbs: Mapping[str, CommandVerb],
    usage: str,
    arguments: Sequence[str],
    client: Callable[[Namespace], AdminClient] = client_of,
) -> int:
    """Do what the arguments of ``txproxy COMMAND`` say, by the ``client`` that they ask; gives the exit status."""
    arguments = _verb_first(arguments, verbs)
    name = arguments[0] if arguments else ""
    if name in ("--help", "-h"):
        sys.stdout.write(usage)
        return 0
    if name not in verbs:
        what = f"{name!r} is no verb{hint(name, tuple(verbs))}" if name else "a verb is needed"
        return wrong_call(command, f"{what}; accepted: {', '.join(verbs)}")
    verb, called = verbs[name], f"{command} {name}"
    parser = Parser(f"txproxy {called}", description=verb.about, allow_abbrev=False)
    parser.examples = verb_examples_of(command, name)
    verb.add(parser)
    add_arguments(parser)
    try:
        given = parser.parse_intermixed_args(arguments[1:])
        return verb.act(client(given), given)
    except ConfigError as fault:
        return wrong_call(command, f"{fault}; txproxy {called} --help lists what is accepted")
    except AdminFault as fault:
        sys.stderr.write(f"txproxy {command}: {masked(str(fault))}\n")
        return 1


def _verb_first(arguments: Sequence[str], verbs: Mapping[str, CommandVerb]) -> Sequence[str]:
    """The same with options after the verb that were before it: who says where the endpoint is may say so first."""
    place = next((place for place, one in enumerate(arguments) if one in verbs), 0)
    if not place or not arguments[0].startswith("--") or arguments[0] == "--help":
        return arguments
    return [arguments[place], *arguments[:place], *arguments[place + 1 :]]


def add_nothing(parser: ArgumentParser) -> None:
    """It takes nothing more."""
