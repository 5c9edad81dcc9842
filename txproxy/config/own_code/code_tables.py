"""Where a configuration file names code: its name as a text, or a table of ``use`` and settings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from txproxy.components.named_code import USE, NamedCode, read_name
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Path

T = TypeVar("T")


def read_code(
    table: Table, keys: Path, value: object, kind: str, what: str, look: Callable[[NamedCode], object]
) -> NamedCode | None:
    """What is named by a ``value`` at ``keys`` of a table; ``look`` says what is wrong with it. None if something is.

    ``kind`` is the path of such a table from this one, and ``what`` is to be found.
    """
    inner: Table | None = None
    if isinstance(value, dict):
        inner = table.inner(value, *keys, kind=kind)
        name = inner.need(USE, partial(read_name, what=what), "", "the name of it, such as my_package.fields:Team")
        settings = {key: given for key, given in value.items() if key != USE}
    else:
        settings = {}
        try:
            name = read_name(value, what)
        except ConfigError as fault:
            table.faults_of(fault, *keys)
            return None
    if not name:
        return None
    code = NamedCode(name, settings, table.findings.generation)
    try:
        look(code)
    except ConfigError as fault:
        table.faults_of(fault, *keys)
        return None
    return code


def read_codes(
    table: Table, key: str, what: str, look: Callable[[NamedCode], object], some: bool = False
) -> tuple[NamedCode, ...]:
    """All that are named at a key, by a text or a table that stands alone, or a list of these, in which there are to be
    ``some`` where a list of none would not mean what it says.
    """
    if some and table.elements(key) == []:
        table.fault("there is none in it", key, accepted="accepted is one or more, or no such key")
    found = (read_code(table, keys, value, f"{key}[]", what, look) for keys, value in table.elements(key) or ())
    return tuple(one for one in found if one is not None)
