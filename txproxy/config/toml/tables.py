"""Reading the tables of a configuration file, so that all that is wrong in it is found, and said where."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from txproxy.components.values import has_control, hint, shown
from txproxy.config.findings import Findings
from txproxy.errors import ConfigError, Path

T = TypeVar("T")
D = TypeVar("D")


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

    def fault(self, said: str, *keys: str | int, accepted: str = "") -> None:
        """Something is wrong with this table, or with what is at ``keys`` in it."""
        self.findings.fault((*self.path, *keys), said, accepted)

    def doubt(self, said: str, *keys: str | int, accepted: str = "") -> None:
        """Something at ``keys`` may be a mistake."""
        self.findings.doubt((*self.path, *keys), said, accepted)

    def faults_of(self, fault: ConfigError, *keys: str | int, called: Mapping[str, Path] | None = None) -> None:
        """What somebody else says of what is at ``keys``. ``called`` has the paths, in this table, of what has other
        names there than here.
        """
        for one in fault.findings:
            first = one.path[0] if one.path else None
            if called is not None and isinstance(first, str) and first in called:
                path: Path = (*called[first], *one.path[1:])
            else:
                path = one.path
            self.fault(one.said, *keys, *path, accepted=one.accepted)

    # -- values

    def read(self, key: str, parse: Callable[[Any], T], default: D) -> T | D:
        """What ``parse`` makes of a value; ``default`` if there is none, or it is wrong."""
        value = self._ask(key)
        if value is None:
            return default
        try:
            return parse(value)
        except ConfigError as fault:
            self.faults_of(fault, key)
            return default

    def need(self, key: str, parse: Callable[[Any], T], default: D, accepted: str) -> T | D:
        """The same for a key that must be there."""
        if self._ask(key) is None:
            self.fault(f"{key} is missing", accepted=f"accepted is {accepted}")
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
                self.faults_of(fault, *keys)
        return tuple(parsed)

    def some(self, key: str, parse: Callable[[Any], T]) -> tuple[T, ...] | None:
        """The same where a list without an element would not mean what it says."""
        parsed = self.all(key, parse)
        if parsed == () and self._data[key] == []:
            self.fault("there is none in it", key, accepted="accepted is one or more, or no such key")
        return parsed

    def file(self, key: str) -> str | None:
        """The name of a file."""
        return self.read(key, self.file_name, None)

    def file_name(self, value: object) -> str:
        """A file's name as it can be opened: a relative one begins where the configuration file is."""
        if not isinstance(value, str) or not value or has_control(value):
            raise ConfigError(f"{shown(value)} is no name of a file", "accepted is a path, in quotes")
        return os.path.join(self.base, value)

    def pairs(self, key: str, parse: Callable[[Any], T], accepted: str) -> tuple[tuple[str, T], ...]:
        """The pairs of a table whose keys are free."""
        value = self._ask(key)
        if value is None:
            return ()
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table", key, accepted=f"accepted is {accepted}")
            return ()
        found = []
        for name, item in value.items():
            try:
                found.append((name, parse(item)))
            except ConfigError as fault:
                self.faults_of(fault, key, name)
        return tuple(found)

    # -- tables within

    def table(self, key: str) -> Table | None:
        """The table at ``key``, if there is one."""
        value = self._ask(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(
                f"{shown(value)} is no table", key, accepted="accepted is { KEY = VALUE }, or a table of its own"
            )
            return None
        return Table(value, (*self.path, key), f"{self._kind}.{key}".removeprefix("."), self.findings, self.base)

    def tables(self, key: str) -> list[Table]:
        """The list of tables at ``key``; empty if there is none."""
        values = self._ask(key)
        if values is None:
            return []
        kind = f"{self._kind}.{key}[]".removeprefix(".")
        if not isinstance(values, list):
            self.fault(f"{shown(values)} is no list of tables", key, accepted=f"accepted is [[{key}]], or a list")
            return []
        found = []
        for number, value in enumerate(values):
            if isinstance(value, dict):
                found.append(Table(value, (*self.path, key, number), kind, self.findings, self.base))
            else:
                self.fault(f"{shown(value)} is no table", key, number, accepted="accepted is { KEY = VALUE }")
        return found

    def named(self, key: str) -> dict[str, Table]:
        """The tables within the one at ``key``, by the names that the file has for them."""
        value = self._ask(key)
        if value is None:
            return {}
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table", key, accepted=f"accepted is [{key}.NAME] for each")
            return {}
        found = {}
        for name, item in value.items():
            if isinstance(item, dict):
                found[name] = Table(item, (*self.path, key, name), f"{key}.NAME", self.findings, self.base)
            else:
                self.fault(f"{shown(item)} is no table", key, name, accepted=f"accepted is [{key}.NAME] for each")
        return found

    def inner(self, data: Mapping[str, Any], *keys: str | int, kind: str) -> Table:
        """A table that stands where something shorter may stand as well; ``kind`` is what follows this one's."""
        return Table(data, (*self.path, *keys), f"{self._kind}.{kind}".removeprefix("."), self.findings, self.base)

    def close(self) -> None:
        """All that is known was asked for: what else there is, is a fault."""
        known = tuple(self._asked)
        for key in self._data:
            if key not in self._asked:
                self.fault(f"no such key{hint(key, known)}", key, accepted=f"accepted: {', '.join(known)}")
