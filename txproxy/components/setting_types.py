"""Whether a value of a file is what an annotation of somebody's code asks for."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, Final, Literal, Union

_LISTS: Final = (list, tuple, set, frozenset, Sequence, Iterable, Set)
_WORDS: Final[dict[Any, str]] = {
    str: "a text in quotes",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    type(None): "no such key",
}


def hints_of(found: Any) -> dict[str, Any]:
    """The annotations of what a function, or a class, is called with; none where these cannot be told."""
    try:
        # What a class is called with is its own or inherited.
        return typing.get_type_hints(inspect.getattr_static(found, "__init__") if isinstance(found, type) else found)
    except Exception:
        # Names that are there for type checkers alone.
        return {}


def fits(value: object, wanted: Any) -> bool:
    """Whether it is one. What nobody here knows takes all."""
    kind = typing.get_origin(wanted) or wanted
    arguments = typing.get_args(wanted)
    if kind in (Union, types.UnionType):
        return any(fits(value, one) for one in arguments)
    if kind is Literal:
        return value in arguments
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in (str, bool, type(None)):
        return isinstance(value, kind)
    if kind in _LISTS:
        inner = [one for one in arguments if one is not Ellipsis]
        return isinstance(value, list) and (len(inner) != 1 or all(fits(one, inner[0]) for one in value))
    if kind in (dict, Mapping):
        return isinstance(value, dict) and (
            len(arguments) != 2 or all(fits(one, arguments[1]) for one in value.values())
        )
    return True


def accepted_of(wanted: Any) -> str:
    """What is accepted in place of what is none."""
    return f"accepted is {_words(wanted)}"


def _words(wanted: Any) -> str:
    kind = typing.get_origin(wanted) or wanted
    arguments = typing.get_args(wanted)
    if kind in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(map(_words, arguments)))
    if kind is Literal:
        return " or ".join(map(repr, arguments))
    if kind in _LISTS and arguments:
        return f"a list, each {_words(arguments[0])}"
    if kind in _LISTS:
        return _WORDS[list]
    return _WORDS[dict] if kind is Mapping else _WORDS.get(kind, str(wanted))
