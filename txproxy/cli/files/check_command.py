"""``txproxy check``: whether configurations are right, once or whenever something about them changes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from txproxy.cli.arguments import Parser, read_arguments
from txproxy.config.findings import Findings
from txproxy.config.toml.file import load
from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp
from txproxy.runtime.dry_run import rehearse

# How often stamps are looked at, in seconds.
_EVERY: Final = 0.5
_ACCEPTED: Final = "accepted is txproxy check [--watch] FILE, or several files"


def make_parser() -> Parser:
    """What reads the arguments of ``txproxy check``."""
    parser = Parser(
        "txproxy check",
        description="Read configurations, and list every error in them: the exit status is 1 if there is one.",
        allow_abbrev=False,
    )
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument(
        "--watch",
        action="store_true",
        help="check again whenever a file, or what it includes or names, has changed, until Ctrl-C",
    )
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run it; gives the exit status."""
    given = read_arguments(make_parser(), "check", arguments, _ACCEPTED)
    if isinstance(given, int):
        return given
    if not given.watch:
        return max(_checked(file, Findings()) for file in given.files)
    try:
        watch_files(given.files, time.sleep)
    except KeyboardInterrupt:
        return 0
    return 1


def watch_files(files: Iterable[str], sleep: Callable[[float], object]) -> None:
    """Check each, and again whenever it, what it includes or what it names has changed; until ``sleep``, which waits
    for so many seconds, raises something.
    """
    states = {file: _look(file, ()) for file in files}
    while True:
        sleep(_EVERY)
        for file, state in states.items():
            if any(Stamp.now(name) != stamp for name, stamp in state.items()):
                states[file] = _look(file, state)


def _look(file: str, known: Iterable[str]) -> dict[str, Stamp | None]:
    """Check a file; gives all that it consists of, each with its stamp. What is known from before has that of before
    it was read: what changes meanwhile is read again.
    """
    stamps = {name: Stamp.now(name) for name in (file, *known)}
    findings = Findings()
    _checked(file, findings)
    sys.stdout.flush()
    names = (file, *findings.named, *findings.outside.files)
    return {name: stamps[name] if name in stamps else Stamp.now(name) for name in names}


def _checked(file: str, findings: Findings) -> int:
    try:
        config = load(file, findings)
        rehearse(config)
    except ConfigError as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    for warning in config.warnings:
        sys.stderr.write(f"warning: {warning}\n")
    print(f"{file}: ok")
    return 0
