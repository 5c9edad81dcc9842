"""Which attributes the instances of a class have, told before there are any.

CPython keeps these names once for each class, in a table of 30 places that the first instances fill: each new one takes
away a free place. An instance with a name that has found none gets a dictionary of its own, which costs it a
microsecond. Where many requests come at once to a proxy that has just begun, that would be every one from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

# The instance that fills the table has taken one place.
MOST_NAMES: Final = 29

_Kind = TypeVar("_Kind", bound=type)


def instance_names(*names: str) -> Callable[[_Kind], _Kind]:
    """Decorates a class whose instances are made for each request: most of them have no other attributes than these,
    and no class has more than ``MOST_NAMES`` of them at hand. It is the class's own: one that inherits says so anew.
    """
    assert len(names) <= MOST_NAMES, names

    def told(kind: _Kind) -> _Kind:
        first: Any = object.__new__(kind)
        for name in names:
            setattr(first, name, None)
        return kind

    return told
