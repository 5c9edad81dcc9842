"""What is known of each key of the configuration file, from those who read it, for its entry in the reference.

What a key takes, and what it is without a value, is asked of the functions that read it. Its example is that of the
file that tests load. What is also an option has the words of that.
"""

from __future__ import annotations

import datetime
import json
import re
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs

# The examples are those of a file that tests load.
sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.config.everything import EVERYTHING
from tests.config.toml.documents import DOCUMENTS, toml
from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.components.settings import settings_of
from txproxy.config.findings import Findings
from txproxy.config.toml.file import parse
from txproxy.errors import ConfigError
from txproxy.proxy.limits import Limits
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

# The tables whose keys are settings of a class.
SETTINGS = {"limits": Limits, "cache": CacheSettings, "pools.NAME": PoolSettings, "pools.NAME.health": HealthCheck}
# What no key takes, so that whoever reads it says what is accepted.
_NOTHING, _NONSENSE = datetime.date(1979, 5, 27), "no such: thing!"
_TEXT = ("a text in quotes, not an empty one", "a text in quotes")
_SHAPES = {"pairs": "a table, of values that are ", "list": "one, or a list of: "}
_WHOLE = {"table": "a table", "tables": "a list of tables", "named": "tables with names of your own"}


@attrs.frozen
class Asked:
    """One way in which a key is read; see ``Findings.ask``."""

    shape: str
    parse: Callable[[Any], Any] | None
    default: object


@attrs.define
class Key:
    """A key, as those who read it say."""

    path: str
    asked: list[Asked] = attrs.Factory(list)
    modes: list[str] = attrs.Factory(list)

    @property
    def takes(self) -> str:
        """What is accepted."""
        kinds = [kind for one in self.asked if (kind := _taken(one))]
        return ", or ".join(dict.fromkeys(kinds))

    @property
    def needed(self) -> bool:
        """Whether its table cannot be without it."""
        return any(one.shape == "needed" for one in self.asked)

    @property
    def default(self) -> str:
        """What it is without a value, as a file would have it; empty if that is nothing."""
        return next((said for one in self.asked if (said := _written(one.default, self.takes))), "")


def _taken(asked: Asked) -> str:
    if asked.shape in _WHOLE:
        return _WHOLE[asked.shape]
    said = _accepted(asked.parse) if asked.parse is not None else ""
    return f"{_SHAPES.get(asked.shape, '')}{said}" if said else ""


def _accepted(parse: Callable[[Any], Any]) -> str:
    what = _refusal(parse, _NOTHING)
    if what not in _TEXT:
        return what
    more = _refusal(parse, _NONSENSE)
    return f"a text: {more}" if more and more not in _TEXT else "a text"


def _refusal(parse: Callable[[Any], Any], value: object) -> str:
    try:
        parse(value)
    except ConfigError as fault:
        said = fault.findings[0].accepted
        return re.sub(r"^accepted(?: is| are|:)? ", "", said).removeprefix("it is ")
    return ""


def _written(value: object, takes: str) -> str:
    if value is None or (value in ("", b"", (), False) and not isinstance(value, bool | int)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, tuple):
        return ", ".join(value) if all(isinstance(one, str) for one in value) else ""
    if isinstance(value, int | float):
        return _number(value, "seconds" in takes, "bytes" in takes or "64k" in takes)
    return value if isinstance(value, str) else ""


def _number(value: float, seconds: bool, size: bool) -> str:
    if value and seconds:
        unit, of = next((one for one in (("h", 3600), ("m", 60), ("s", 1)) if not value % one[1]), ("s", 1))
        return f"{value / of:g}{unit}"
    if size and value and not value % 1024:
        unit, of = next(one for one in (("G", 1 << 30), ("M", 1 << 20), ("k", 1 << 10)) if not value % one[1])
        return f"{value / of:g}{unit}"
    return f"{value:g}" if isinstance(value, float) else str(value)


class _Questions(Findings):
    """Remembers what a file is asked for."""

    def __init__(self, keys: dict[str, Key], mode: str) -> None:
        super().__init__()
        self._keys = keys
        self._mode = mode

    def ask(self, path: str, shape: str, parse: Callable[[Any], Any] | None, default: object) -> None:
        """See ``Findings.ask``."""
        key = self._keys.setdefault(path, Key(path))
        key.asked.append(Asked(shape, parse, default))
        if self._mode and self._mode not in key.modes:
            key.modes.append(self._mode)


@cache
def keys() -> dict[str, Key]:
    """All keys that a file may have, by their paths: ``[]`` for an element of a list, ``NAME`` for any name."""
    found: dict[str, Key] = {}
    documents = [(toml(one), one["listeners"][0].get("mode", "reverse")) for one in DOCUMENTS.values()]
    for content, mode in [*documents, (EVERYTHING, "")]:
        try:
            parse(content, "example.toml", _Questions(found, mode))
        except ConfigError:
            # The files that it names are not there.
            pass
    # What is said of caching is read in the same way wherever it stands (config/toml/cache_tables).
    for path in [path for path in found if f"cache_rules[].{path.removeprefix('cache.')}" in found]:
        for place in ("routes[]", "listeners[].rules[]"):
            found[f"{place}.{path}"] = attrs.evolve(found[path], path=f"{place}.{path}")
    return found


# -- entries


@attrs.frozen
class Entry:
    """What a page says of a key: its tables, and its default where readers do not know it."""

    tables: tuple[str, ...]
    key: str
    default: str = ""
    takes: str = ""

    @property
    def paths(self) -> tuple[str, ...]:
        """Where it stands."""
        return tuple(path for table in self.tables if (path := f"{table}.{self.key}".lstrip(".")) in keys())

    @property
    def shown_default(self) -> str:
        """The default as the page has it."""
        first = keys()[self.paths[0]]
        return self.default or ("it has to be there" if first.needed else first.default or "none")

    @property
    def shown_takes(self) -> str:
        """What is accepted, as the page has it."""
        return self.takes or keys()[self.paths[0]].takes

    @property
    def modes(self) -> list[str]:
        """The modes of the listeners that may have it."""
        steps = self.paths[0].split(".")
        # What is in a table of a listener is read alike in each mode that has the table.
        return keys()[f"{steps[0]}.{steps[1].removesuffix('[]')}"].modes if steps[0] == "listeners[]" else []


_ENTRY = re.compile(r"^\.\. toml-(table|key)::(?: +(.*))?\n((?: +:\w+: .*\n)*)", re.MULTILINE)


def entries(page: str) -> Iterator[Entry]:
    """Those of a page's text."""
    tables: tuple[str, ...] = ()
    for kind, words, options in _ENTRY.findall(page):
        if kind == "table":
            tables = tables_of(words)
        else:
            yield Entry(tables, words, **dict(re.findall(r"^ +:(\w+): (.*)$", options, re.MULTILINE)))


def tables_of(words: str) -> tuple[str, ...]:
    return tuple("" if word == "top" else word for word in words.split())


def about(path: str) -> str:
    """What is said beside the declaration of a key that is a setting."""
    table, _, key = path.rpartition(".")
    one = settings_of(SETTINGS[table]).get(key) if table in SETTINGS else None
    return one.about if one is not None else ""


def header(table: str) -> str:
    """How a table begins in a file."""
    if not table:
        return "the file itself, before any table"
    name = table.replace("[]", "").replace("NAME", "app")
    return f"``[[{name}]]``" if table.endswith("[]") else f"``[{name}]``"


@cache
def _everything() -> Any:
    return tomllib.loads(EVERYTHING)


def example(path: str) -> str:
    """The line of a key in the file that has each of them, or how the table begins; empty if that has none."""
    shapes = {one.shape for one in keys()[path].asked}
    if shapes <= _WHOLE.keys():
        name = f"{path}.NAME" if "named" in shapes else f"{path}[]" if "tables" in shapes else path
        return header(name).strip("`")
    found: list[Any] = [_everything()]
    *steps, key = path.split(".")
    for step in steps:
        found = [inner for one in found for inner in _within(one, step)]
    values = [one[key] for one in found if isinstance(one, dict) and key in one]
    # Of several the shortest says as much, and a list of tables is shown by its own keys.
    lines = sorted((f"{key} = {_toml(value)}" for value in values), key=len)
    return lines[0] if lines else ""


def _within(table: Any, step: str) -> list[Any]:
    if not isinstance(table, dict):
        return []
    if step == "NAME":
        return list(table.values())
    inner = table.get(step.removesuffix("[]"), ())
    return inner if isinstance(inner, list) else [inner]


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_name(key)} = {_toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str) and "\\" in json.dumps(value) and "'" not in value:
        return f"'{value}'"
    return json.dumps(value, ensure_ascii=False)


def _name(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else json.dumps(key)
