"""A file of TOML, read whole: its text, and the tables that this is."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from txproxy.errors import ConfigError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_PLACE: Final = re.compile(r" \(at (?:line ([0-9]+), column ([0-9]+)|end of document)\)$")
_LARGEST: Final = 16 << 20


def text_of(file: str) -> str:
    """The text in ``file``; ``ConfigError`` if it cannot be read, or is none."""
    try:
        with open(file, "rb") as opened:
            data = opened.read(_LARGEST + 1)
    except (OSError, ValueError) as fault:
        why = getattr(fault, "strerror", None) or str(fault)
        raise ConfigError(f"{file}: {why}", "accepted is a TOML file that can be read") from None
    if len(data) > _LARGEST:
        raise ConfigError(f"{file}: too large", "accepted is a TOML file of less than 16 MB")
    try:
        # TOML 1.0: what is not UTF-8 is no TOML.
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        line = data.count(b"\n", 0, fault.start) + 1
        raise ConfigError("this is not UTF-8", "accepted is TOML, which is", place=f"{file}:{line}") from None


def tables_of(content: str, file: str) -> dict[str, Any]:
    """What a text says, which is that of ``file``; ``ConfigError`` with a line if it is no TOML."""
    try:
        return tomllib.loads(content)
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        line, why = _place_of(str(fault), content)
        raise ConfigError(
            why, "accepted is TOML, where texts have quotes, see https://toml.io", place=f"{file}:{line}"
        ) from None


def _place_of(fault: str, content: str) -> tuple[int, str]:
    """The line that Python's words about TOML are of, and the rest of them."""
    found = _PLACE.search(fault)
    if found is None:
        return 1, fault
    line = int(found[1]) if found[1] is not None else content.rstrip("\n").count("\n") + 1
    return line, fault[: found.start()] + (f" at column {found[2]}" if found[2] is not None else "")
