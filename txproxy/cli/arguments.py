"""Wrong calls of the command: one line each, and exit status 2."""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from typing import NoReturn

from txproxy.errors import ConfigError, masked


class Parser(ArgumentParser):
    """Says what is wrong in one line. Its help ends with ``examples``, if there are some."""

    examples: str = ""

    def format_help(self) -> str:
        """See ``ArgumentParser``."""
        return super().format_help() + (f"\n{self.examples}" if self.examples else "")

    def error(self, message: str) -> NoReturn:
        """A wrong call."""
        raise ConfigError(message)


def wrong_call(command: str, what: str) -> int:
    """Say what is wrong with a call of ``command``; gives the exit status."""
    sys.stderr.write(f"{f'txproxy {command}'.rstrip()}: {masked(what)}\n")
    return 2
