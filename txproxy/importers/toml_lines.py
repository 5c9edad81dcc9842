"""Lines of TOML for what an importer has found."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_FROM_OUTSIDE: Final = re.compile(r"\$(?=\{_?[A-Z])")
_LONGEST: Final = 100


def tables(name: str, found: Iterable[Mapping[str, Any]]) -> list[str]:
    """The elements of ``[[name]]``."""
    return [line for table in found for line in (f"[[{name}]]", *pairs(table), "")]


def pairs(table: Mapping[str, Any]) -> list[str]:
    """A line for each key of a table; long lists have several."""
    return [f"{key(name)} = {value(said)}" for name, said in table.items()]


def comment(text: str) -> str:
    """``text``, such as the name of a file, of which nothing is to begin a line."""
    return "# " + "".join(character if character.isprintable() else "?" for character in text)


def key(text: str) -> str:
    """A key, in quotes where it needs them."""
    return text if _BARE.fullmatch(text) else value(text)


def value(said: Any) -> str:
    """A value: a text, number, truth, list, or a table in line."""
    if isinstance(said, bool):
        return "true" if said else "false"
    if isinstance(said, int | float):
        return str(said)
    if isinstance(said, str):
        # What looks like a variable of the environment is the text that it is.
        said = _FROM_OUTSIDE.sub("$$", said)
        if "\\" in said and "'" not in said and said.isprintable():
            return f"'{said}'"
        # JSON's strings are TOML's, but for this one.
        return json.dumps(said, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(said, Mapping):
        return f"{{ {', '.join(pairs(said))} }}"
    parts = [value(one) for one in said]
    line = f"[{', '.join(parts)}]"
    return line if len(line) <= _LONGEST else "\n".join(["[", *(f"    {part}," for part in parts), "]"])
