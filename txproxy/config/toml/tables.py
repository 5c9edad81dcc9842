"""Reading the tables of a configuration file, so that all that is wrong in it is found, and said where."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

from txproxy.config.toml.lines import Path
from txproxy.config.values import brief, has_control, hint, shown
from txproxy.errors import ConfigError, masked

T = TypeVar("T")
D = TypeVar("D")

_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")


def written(path: Path) -> str:
    """A key's path as it is written: ``pools.web.upstreams[1]``."""
    parts = []
    for step in path:
        if isinstance(step, int):
            parts.append(f"[{step}]")
        else:
            parts.append(f".{step}" if _BARE_KEY.fullmatch(step) else f".'{step}'")
    return "".join(parts).removeprefix(".")


class Findings:
    """What is wrong with a file (``faults``), what is doubtful (``doubts``), and which keys it may have (``asked``:
    their paths, with ``[]`` for any element of a list, and ``NAME`` for a name that the file gives). ``opened`` is what
    was read to find that out, and has taken its time: see :class:`txproxy.config.model.Config`.
    """

    def __init__(self) -> None:
        self.faults: list[tuple[Path, str]] = []
        self.doubts: list[tuple[Path, str]] = []
        self.asked: dict[str, None] = {}
        self.opened: list[object] = []

    def fault(self, path: Path, text: str) -> None:
        """Something is wrong; one for each line of ``text``."""
        self.faults += [(path, brief(line)) for line in text.splitlines()]

    def doubt(self, path: Path, text: str) -> None:
        """Something may be a mistake."""
        self.doubts.append((path, masked(text)))


class Table:
    """One table. Whoever reads it asks for each key that it may have, then calls :meth:`close`, which finds the others.

    ``kind`` is the path of its like (see :class:`Findings`), ``base`` the folder that relative file names begin at.
    """

    def __init__(self, data: Mapping[str, Any], path: Path, kind: str, findings: Findings, base: str) -> None:
        self.path = path
        self.findings = findings
        self.base = base
        self._data = data
        self._kind = kind
        self._asked: dict[str, None] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._data

    @property
    def names(self) -> tuple[str, ...]:
        """All keys of a table whose keys are names."""
        return tuple(self._data)

    def _ask(self, key: str) -> Any:
        self._asked[key] = None
        self.findings.asked[f"{self._kind}.{key}".removeprefix(".")] = None
        return self._data.get(key)

    def value(self, key: str, default: Any) -> Any:
        """The value at ``key`` as it stands in the file, for who only looks; ``default`` if there is none."""
        found = self._data.get(key)
        return default if found is None or not isinstance(found, type(default)) else found

    def fault(self, text: str, *keys: str | int) -> None:
        """Something is wrong with this table, or with what is at ``keys`` in it."""
        self.findings.fault((*self.path, *keys), text)

    def doubt(self, text: str, *keys: str | int) -> None:
        """Something at ``keys`` may be a mistake."""
        self.findings.doubt((*self.path, *keys), text)

    def faults_of(self, fault: ConfigError, keys: Mapping[str, Path]) -> None:
        """What is wrong according to somebody else, whose lines begin with ``name: ``; ``keys`` has the keys here of
        these names.
        """
        for line in str(fault).splitlines():
            name, _, rest = line.partition(": ")
            if name in keys:
                self.fault(rest, *keys[name])
            else:
                self.fault(line)

    # -- values

    def read(self, key: str, parse: Callable[[Any], T], default: D) -> T | D:
        """What ``parse`` makes of a value; ``default`` if there is none, or it is wrong."""
        value = self._ask(key)
        if value is None:
            return default
        try:
            return parse(value)
        except ConfigError as fault:
            self.fault(str(fault), key)
            return default

    def need(self, key: str, parse: Callable[[Any], T], default: D, accepted: str) -> T | D:
        """The same for a key that must be there."""
        if self._ask(key) is None:
            self.fault(f"{key} is missing; accepted is {accepted}")
        return self.read(key, parse, default)

    def elements(self, key: str) -> list[tuple[Path, Any]] | None:
        """The elements of a list, or a value that stands alone, each with its path in this table; None if there is
        nothing.
        """
        values = self._ask(key)
        if values is None:
            return None
        if not isinstance(values, list):
            return [((key,), values)]
        return [((key, number), value) for number, value in enumerate(values)]

    def all(self, key: str, parse: Callable[[Any], T]) -> tuple[T, ...] | None:
        """What ``parse`` makes of each of them; those that are wrong are left out."""
        elements = self.elements(key)
        if elements is None:
            return None
        parsed = []
        for keys, value in elements:
            try:
                parsed.append(parse(value))
            except ConfigError as fault:
                self.fault(str(fault), *keys)
        return tuple(parsed)

    def some(self, key: str, parse: Callable[[Any], T]) -> tuple[T, ...] | None:
        """The same where a list without an element would not mean what it says."""
        parsed = self.all(key, parse)
        if parsed == () and self._data[key] == []:
            self.fault("there is none in it; accepted is one or more, or no such key", key)
        return parsed

    def file(self, key: str) -> str | None:
        """The name of a file."""
        return self.read(key, self.file_name, None)

    def file_name(self, value: object) -> str:
        """A file's name as it can be opened: a relative one begins where the configuration file is."""
        if not isinstance(value, str) or not value or has_control(value):
            raise ConfigError(f"{shown(value)} is no name of a file; accepted is a path, in quotes")
        return os.path.join(self.base, value)

    def pairs(self, key: str, parse: Callable[[Any], T], accepted: str) -> tuple[tuple[str, T], ...]:
        """The pairs of a table whose keys are free."""
        value = self._ask(key)
        if value is None:
            return ()
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table; accepted is {accepted}", key)
            return ()
        found = []
        for name, item in value.items():
            try:
                found.append((name, parse(item)))
            except ConfigError as fault:
                self.fault(str(fault), key, name)
        return tuple(found)

    # -- tables within

    def table(self, key: str) -> Table | None:
        """The table at ``key``, if there is one."""
        value = self._ask(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table; accepted is {{ KEY = VALUE }}, or a table of its own", key)
            return None
        return Table(value, (*self.path, key), f"{self._kind}.{key}".removeprefix("."), self.findings, self.base)

    def tables(self, key: str) -> list[Table]:
        """The list of tables at ``key``; empty if there is none."""
        values = self._ask(key)
        if values is None:
            return []
        kind = f"{self._kind}.{key}[]".removeprefix(".")
        if not isinstance(values, list):
            self.fault(f"{shown(values)} is no list of tables; accepted is [[{key}]], or a list", key)
            return []
        found = []
        for number, value in enumerate(values):
            if isinstance(value, dict):
                found.append(Table(value, (*self.path, key, number), kind, self.findings, self.base))
            else:
                self.fault(f"{shown(value)} is no table; accepted is {{ KEY = VALUE }}", key, number)
        return found

    def named(self, key: str) -> dict[str, Table]:
        """The tables within the one at ``key``, by the names that the file has for them."""
        value = self._ask(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table; accepted is [{key}.NAME] for each", key)
            return {}
        found = {}
        for name, item in value.items():
            if isinstance(item, dict):
                found[name] = Table(item, (*self.path, key, name), f"{key}.NAME", self.findings, self.base)
            else:
                self.fault(f"{shown(item)} is no table; accepted is [{key}.NAME] for each", key, name)
        return found

    def inner(self, data: Mapping[str, Any], *keys: str | int, kind: str) -> Table:
        """A table that stands where something shorter may stand as well; ``kind`` is what follows this one's."""
        return Table(data, (*self.path, *keys), f"{self._kind}.{kind}".removeprefix("."), self.findings, self.base)

    def close(self) -> None:
        """All that is known was asked for: what else there is, is a fault."""
        known = tuple(self._asked)
        for key in self._data:
            if key not in self._asked:
                self.fault(f"no such key{hint(key, known)}; accepted: {', '.join(known)}", key)
