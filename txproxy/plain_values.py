"""Values of a configuration, which are all in what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs


class PlainValue:
    """For frozen classes of attrs whose values have worked out more than they were given (``init=False``: compiled
    expressions, closures). A pickle has what was given alone; who reads it makes the value anew, its checks included.
    """

    __slots__ = ()

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[type, Mapping[str, Any]]]:
        kind: Any = type(self)
        given = {field.alias: getattr(self, field.name) for field in attrs.fields(kind) if field.init}
        return _made, (kind, given)


def _made(kind: Callable[..., Any], given: Mapping[str, Any]) -> Any:
    return kind(**given)
