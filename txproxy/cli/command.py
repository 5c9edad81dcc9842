"""The ``txproxy`` command: the modes as ``twistd -n`` runs them, and what helps to write a configuration."""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from importlib import import_module
from typing import Final

from txproxy.cli.arguments import wrong_call
from txproxy.cli.reference.usage_text import MODES, brief_usage, usage
from txproxy.cli.starting.interrupts import InterruptedAtOnce

# Those that ask a running proxy, and print what it says.
_ASKING: Final = ("cache", "ctl")
# All that there is to say of them is how they are called.
_BRIEF: Final = ("import", "completion", "demo")


def main(arguments: list[str] | None = None) -> None:
    """Run the command; ``SystemExit`` with 0 when all is well, 1 when not, 2 for a wrong call."""
    try:
        try:
            _main(arguments)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # Who reads it has seen enough, such as head. What is left is nobody's to be told of.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(128 + signal.SIGPIPE) from None
    except KeyboardInterrupt:
        # While it starts: later the reactor has the signal. As the shell says it of a program that a signal ends.
        raise SystemExit(128 + signal.SIGINT) from None


def _main(arguments: list[str] | None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    first = arguments[0] if arguments else ""
    if first in MODES:
        _run_mode(arguments)
    elif first in ("--help", "-h"):
        sys.stdout.write(usage())
        raise SystemExit(0)
    elif first in _BRIEF and arguments[1:] in (["--help"], ["-h"]):
        sys.stdout.write(brief_usage(first))
        raise SystemExit(0)
    elif first in _COMMANDS:
        raise SystemExit(_run_command(first, arguments[1:]))
    elif first == "--version":
        from txproxy import __version__

        print(f"txproxy {__version__}")
        raise SystemExit(0)
    else:
        close = get_close_matches(first, (*MODES, *_COMMANDS, "--help", "--version"), 1)
        meant = f" (is {close[0]} meant?)" if close else ""
        what = f"{' '.join(arguments)!r} is no call of txproxy{meant}" if arguments else "a command is needed"
        accepted = ", ".join((*MODES, *_COMMANDS, "--help", "--version"))
        raise SystemExit(wrong_call("", f"{what}; accepted: {accepted}"))


def _run_command(name: str, arguments: Sequence[str]) -> int:
    with InterruptedAtOnce():
        run: Callable[[Sequence[str]], int] = import_module(_COMMANDS[name]).run
        if name in _ASKING:
            return run(arguments)
    # The others are told of Ctrl-C: what they have begun to write is not to be left half done.
    return run(arguments)


def _run_mode(arguments: list[str]) -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Until it serves, Ctrl-C ends it at once: whoever loads plugins catches each exception, and goes on.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Most of what is made from here on stays, and the collector would look at it again and again. It is told of all at
    # once, and set to work, when the proxy serves.
    gc.disable()
    from txproxy.cli.starting.foreground import run

    run(arguments, own_reactor=hasattr(select, "epoll"))


# the modules of which each has a ``run`` that takes the arguments and gives the exit status
_COMMANDS: Final = {
    "init": "txproxy.cli.files.init_command",
    "check": "txproxy.cli.files.check_command",
    "fmt": "txproxy.cli.files.fmt_command",
    "import": "txproxy.cli.files.import_command",
    "explain": "txproxy.cli.explain_command",
    "cache": "txproxy.cli.cache_command",
    "ctl": "txproxy.cli.ctl_command",
    "top": "txproxy.cli.top_command",
    "docs": "txproxy.cli.reference.docs_command",
    "completion": "txproxy.cli.reference.completion",
    "demo": "txproxy.cli.demo",
}
