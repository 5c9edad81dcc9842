"""Reading the tables of a configuration file, so that all that is wrong in it is found, and said where."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from txproxy.components.values import has_control, hint, shown
from txproxy.config.findings import Findings
from txproxy.config.sources.outside_values import is_file_value, value_of_file
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
        # what was asked for last: the file that has it may be another than that of the rest
        self._last: str | None = None

    def __contains__(self, key: str) -> bool:
        return key in self._data

    @property
    def names(self) -> tuple[str, ...]:
        """All keys of a table whose keys are names."""
        return tuple(self._data)

    def _ask(self, key: str, shape: str, parse: Callable[[Any], Any] | None = None, default: object = None) -> Any:
        self._asked[key] = None
        self._last = key
        self.findings.ask(f"{self._kind}.{key}".removeprefix("."), shape, parse, default)
        return self._data.get(key)

    def value(self, key: str, default: Any) -> Any:
        """The value at ``key``, for who only looks, and is of the kind of ``default``, which it is if there is none."""
        found = self._data.get(key)
        if is_file_value(found) and not isinstance(default, dict):
            # That it is not there is said by who reads it.
            with suppress(ConfigError):
                found = self._here(found, key)
        if not isinstance(default, str):
            found = self._as_given(found, key)
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
        value = self._ask(key, "value", parse, default)
        if value is None:
            return default
        try:
            return self._taken(parse, value, key)
        except ConfigError as fault:
            self.faults_of(fault, key)
            return default

    def given(self, key: str) -> Any:
        """The value at ``key``, whatever it is; None if there is none."""
        return self._as_given(self.read(key, lambda value: value, None), key)

    def _as_given(self, value: Any, *keys: str | int) -> Any:
        plain = self.findings.outside.plain((*self.path, *keys), value)
        return value if plain is None else plain

    def _taken(self, parse: Callable[[Any], T], value: Any, *keys: str | int) -> T:
        """What ``parse`` makes of a value that may stand elsewhere. Numbers and flags are texts there."""
        value = self._here(value, *keys)
        try:
            return parse(value)
        except ConfigError:
            plain = self.findings.outside.plain((*self.path, *keys), value)
            if plain is None:
                raise
            return parse(plain)

    def _here(self, value: Any, *keys: str | int) -> Any:
        """A value, or the elements of a list, from the files in which they stand alone."""
        if isinstance(value, list):
            return [self._here(one, *keys, number) for number, one in enumerate(value)]
        if not is_file_value(value):
            return value
        name, path = value["file"], (*self.path, *keys)
        return value_of_file(self.findings.outside, path, name, self.file_name(name, str(keys[0])))

    def need(self, key: str, parse: Callable[[Any], T], default: D, accepted: str) -> T | D:
        """The same for a key that must be there."""
        if self._ask(key, "needed") is None:
            self.fault(f"{key} is missing", accepted=f"accepted is {accepted}")
        return self.read(key, parse, default)

    def elements(
        self, key: str, parse: Callable[[Any], Any] | None = None, *, files: bool = False
    ) -> list[tuple[Path, Any]] | None:
        """The elements of a list, or a value that stands alone, each with its path in this table; None if there is
        nothing. ``parse`` is what will take each of them. With ``files`` a table that names a file is one of these, and
        not a value that stands there.
        """
        values = self._ask(key, "list", parse)
        if values is None:
            return None
        several = values if isinstance(values, list) else [values]
        found: list[tuple[Path, Any]] = []
        for number, value in enumerate(several):
            keys: Path = (key, number) if isinstance(values, list) else (key,)
            try:
                found.append((keys, value if files else self._here(value, *keys)))
            except ConfigError as fault:
                self.faults_of(fault, *keys)
        return found

    def all(self, key: str, parse: Callable[[Any], T]) -> tuple[T, ...] | None:
        """What ``parse`` makes of each of them; those that are wrong are left out."""
        elements = self.elements(key, parse)
        if elements is None:
            return None
        parsed = []
        for keys, value in elements:
            try:
                parsed.append(self._taken(parse, value, *keys))
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

    def file_name(self, value: object, key: str | None = None) -> str:
        """The name of a file that is read, as it can be opened: a relative one begins where the file is in which it
        stands. It is at ``key``, or at the one that was asked for last.
        """
        name = self.written_name(value, key)
        self.findings.named[name] = None
        return name

    def written_name(self, value: object, key: str | None = None) -> str:
        """The same of one that is written to."""
        if not isinstance(value, str) or not value or has_control(value):
            raise ConfigError(f"{shown(value)} is no name of a file", "accepted is a path, in quotes")
        last = self._last if key is None else key
        path = self.path if last is None else (*self.path, last)
        return os.path.join(self.findings.folder_of(path) or self.base, value)

    def pairs(self, key: str, parse: Callable[[Any], T], accepted: str) -> tuple[tuple[str, T], ...]:
        """The pairs of a table whose keys are free."""
        value = self._ask(key, "pairs", parse)
        if value is None:
            return ()
        if not isinstance(value, dict):
            self.fault(f"{shown(value)} is no table", key, accepted=f"accepted is {accepted}")
            return ()
        found = []
        for name, item in value.items():
            try:
                found.append((name, self._taken(parse, item, key, name)))
            except ConfigError as fault:
                self.faults_of(fault, key, name)
        return tuple(found)

    # -- tables within

    def table(self, key: str, short: str = "") -> Table | None:
        """The table at ``key``, if there is one; ``short`` is what may stand in its place."""
        value = self._ask(key, "table")
        if value is None:
            return None
        if not isinstance(value, dict):
            tables = f"{short and f'{short}, '}{{ KEY = VALUE }}, or a table of its own"
            self.fault(f"{shown(value)} is no table", key, accepted=f"accepted is {tables}")
            return None
        return Table(value, (*self.path, key), f"{self._kind}.{key}".removeprefix("."), self.findings, self.base)

    def tables(self, key: str) -> list[Table]:
        """The list of tables at ``key``; empty if there is none."""
        values = self._ask(key, "tables")
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
        value = self._ask(key, "named")
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
