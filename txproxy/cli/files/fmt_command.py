"""``txproxy fmt``: configurations in our one form."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Sequence
from difflib import unified_diff

from txproxy.cli.arguments import Parser, read_arguments
from txproxy.cli.files.toml_layout import formatted
from txproxy.config.persisting.file_replacing import replace_file
from txproxy.config.sources.toml_text import text_of
from txproxy.errors import ConfigError


def make_parser() -> Parser:
    """What reads the arguments of ``txproxy fmt``."""
    parser = Parser(
        "txproxy fmt",
        description="Put configurations into one form: spaces, quotes, empty lines, the order of keys. Comments "
        "stay, and so does what the file means.",
        allow_abbrev=False,
    )
    parser.add_argument("files", metavar="FILE", nargs="+")
    parser.add_argument("--check", action="store_true", help="write nothing; the exit status is 1 where it would")
    parser.add_argument("--diff", action="store_true", help="write nothing, and show what would be changed")
    return parser


def run(arguments: Sequence[str]) -> int:
    """Run it; gives the exit status."""
    given = read_arguments(make_parser(), "fmt", arguments)
    if isinstance(given, int):
        return given
    return max(_format(file, given.check, given.diff) for file in given.files)


def _format(file: str, check: bool, diff: bool) -> int:
    try:
        # As it is on the disk: what reads it for its meaning leaves out the mark.
        with open(file, "rb") as opened:
            data = opened.read()
        text = text_of(file).replace("\r\n", "\n")
        new = formatted(text, file)
        if diff:
            lines = unified_diff(text.splitlines(), new.splitlines(), file, f"{file}, as it would be", lineterm="")
            sys.stdout.write("".join(f"{line}\n" for line in lines))
        if check or diff:
            if check and new != text:
                sys.stderr.write(f"{file}: it would be changed\n")
            return int(check and new != text)
        if new != text:
            mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
            written = new.replace("\n", "\r\n") if b"\r\n" in data else new
            replace_file(file, mark + written.encode("utf-8"))
            print(f"{file}: changed")
    except (ConfigError, OSError) as fault:
        said = fault if isinstance(fault, ConfigError) else f"{file}: {fault.strerror}; accepted is a TOML file"
        sys.stderr.write(f"{said}\n")
        return 1
    return 0
