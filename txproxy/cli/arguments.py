"""Wrong calls of the command: one line each, and exit status 2."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Sequence
from typing import NoReturn

from txproxy.cli.reference.examples import examples_of
from txproxy.components.values import hint
from txproxy.errors import ConfigError, masked


class Parser(ArgumentParser):
    """Says what is wrong in one line. Its help ends with ``examples``, if there are some."""

    examples: str = ""

    def format_help(self) -> str:
        """See ``ArgumentParser``."""
        return super().format_help() + (f"\n{self.examples}" if self.examples else "")

    def error(self, message: str) -> NoReturn:
        """A wrong call, with what is most like an option that there is not."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown == message:
            raise ConfigError(message)
        words = unknown.split()
        if not words:
            raise ConfigError("there is an argument with nothing in it")
        options = tuple(name for name in self._option_string_actions if name.startswith("--"))
        raise ConfigError(f"{message}{hint(words[0].partition('=')[0], options)}")


def asks_for_help(parser: Parser, command: str, arguments: Sequence[str]) -> bool:
    """Whether somebody wants to know how ``txproxy COMMAND`` is called: who does is told."""
    if "--help" not in arguments and "-h" not in arguments:
        return False
    sys.stdout.write(f"{parser.format_help()}\n{examples_of(command)}")
    return True


def read_arguments(parser: Parser, command: str, arguments: Sequence[str], accepted: str = "") -> Namespace | int:
    """What the arguments of ``txproxy COMMAND`` are; or an exit status, where help was asked for, or the call is wrong
    and a line has said so, with what is ``accepted``.
    """
    if asks_for_help(parser, command, arguments):
        return 0
    try:
        return parser.parse_intermixed_args(arguments)
    except ConfigError as fault:
        return wrong_call(command, f"{fault}; {accepted or f'txproxy {command} --help lists what is accepted'}")


def wrong_call(command: str, what: str) -> int:
    """Say what is wrong with a call of ``command``; gives the exit status."""
    sys.stderr.write(f"{f'txproxy {command}'.rstrip()}: {masked(what)}\n")
    return 2
