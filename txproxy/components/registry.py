"""Components by their names: each stands in a file of its feature, and says there what it is called.

The kind of a component is the folder that it stands in. Whoever asks for those of a kind has all modules of that folder
imported, so that one more is one more file.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, TypeVar

from txproxy.components.values import hint, shown
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen

T = TypeVar("T")

_LAST: Final = 1000


@frozen
class Component:
    """What is called ``name``, which people write as ``written`` where more belongs to it, such as ``NAME:ARGUMENT``.
    ``rank`` is where it stands when all are told: by its name, after those that have one.
    """

    name: str
    thing: Any
    written: str
    rank: int


# Written while modules are imported, and only read afterwards.
_known: Final[dict[str, dict[str, Component]]] = {}


def component(kind: str, name: str, *, written: str = "", rank: int = _LAST) -> Callable[[T], T]:
    """What is decorated is the component of that name: a class or a function in the folder ``kind``, such as
    ``upstreams/balancing``.
    """

    def register(thing: T) -> T:
        module: str = getattr(thing, "__module__", "")
        assert f"{module}.".startswith(f"txproxy.{kind.replace('/', '.')}."), f"{name} stands in {module}"
        there = _known.setdefault(kind, {})
        assert name not in there, f"there are two of {kind} called {name}"
        there[name] = Component(name, thing, written or name, rank)
        return thing

    return register


@cache
def components(kind: str) -> Mapping[str, Component]:
    """All of a kind, by their names."""
    package = importlib.import_module(f"txproxy.{kind.replace('/', '.')}")
    for module in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
    return MappingProxyType(
        {one.name: one for one in sorted(_known[kind].values(), key=lambda one: (one.rank, one.name))}
    )


def names_of(kind: str) -> tuple[str, ...]:
    """How all of a kind are written."""
    return tuple(one.written for one in components(kind).values())


def find(kind: str, name: str, what: str, given: object = None) -> Any:
    """The component of that name; ``ConfigError`` if there is none, and what was ``given`` (None: the name) is no such
    ``what``.
    """
    found = components(kind).get(name)
    if found is None:
        raise unknown(kind, name if given is None else given, what)
    return found.thing


def unknown(kind: str, given: object, what: str) -> ConfigError:
    """Says that what was given is none of a kind."""
    names = names_of(kind)
    return ConfigError(f"{shown(given)} is no {what}{hint(given, names)}", f"accepted: {', '.join(names)}")
