"""Completion for shells: scripts that know all modes, commands, verbs, options and words, made of the options."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Final

from txproxy.cli.arguments import wrong_call
from txproxy.cli.reference.bash_completion import bash
from txproxy.cli.reference.described_options import DescribedCommand, described_commands
from txproxy.cli.reference.fish_completion import fish
from txproxy.cli.reference.zsh_completion import zsh

_SHELLS: Final[dict[str, Callable[[Sequence[DescribedCommand]], str]]] = {"bash": bash, "zsh": zsh, "fish": fish}


def completion(shell: str) -> str:
    """The script for ``bash``, ``zsh`` or ``fish``."""
    return _SHELLS[shell](described_commands())


def run(arguments: Sequence[str]) -> int:
    """Print it; gives the exit status."""
    if len(arguments) != 1 or arguments[0] not in _SHELLS:
        return wrong_call("completion", "accepted is txproxy completion bash, zsh or fish")
    sys.stdout.write(completion(arguments[0]))
    return 0
