"""Which paths the admin API has, and what is done at each by which method."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeAlias
from urllib.parse import unquote

import attrs

from txproxy.admin.api_call import ApiCall
from txproxy.admin.merging import OF_ALL, Merge

# Gives what is answered: Text, Streamed, or what JSON can have; or what is made that by who shows it.
Handle: TypeAlias = "Callable[[ApiCall], object | Awaitable[object]]"


@attrs.frozen
class Verb:
    """What is done at a ``path`` (``/api/pools/{name}``) by a ``method``. ``query`` are the parameters that there may
    be, ``body`` the keys of one; None for no body. ``open`` is what anybody may ask, without the token. Where there are
    several workers, what they say becomes one by ``merge``: it has to be something that can be pickled. ``show`` makes
    an answer of what ``handle`` gives, or of what was merged; None where it is one.
    """

    method: str
    path: str
    handle: Handle
    query: tuple[str, ...] = ()
    body: tuple[str, ...] | None = None
    open: bool = False
    merge: Merge = OF_ALL
    show: Callable[[ApiCall, Any], object | Awaitable[object]] | None = None


class ApiPaths:
    """All ``verbs``, by their paths."""

    def __init__(self, verbs: Iterable[Verb]) -> None:
        self.verbs = tuple(verbs)
        self._by_path: dict[tuple[str, ...], dict[str, Verb]] = {}
        for verb in self.verbs:
            there = self._by_path.setdefault(_steps(verb.path), {})
            assert verb.method not in there, f"{verb.method} {verb.path} is there twice"
            there[verb.method] = verb

    def verb(self, method: str, path: str) -> Verb | None:
        """The verb at a path that is written as it is in the verb itself."""
        return self._by_path.get(_steps(path), {}).get(method)

    def find(self, path: str) -> tuple[dict[str, Verb], tuple[str, ...]] | None:
        """The verbs at ``path`` by their methods, and the names in it; None if there are none. One that has no names is
        before others that it could be.
        """
        given = _steps(path)
        if given in self._by_path and "{" not in path:
            return self._by_path[given], ()
        for steps, verbs in self._by_path.items():
            names = _names(steps, given)
            if names is not None:
                return verbs, names
        return None


def _steps(path: str) -> tuple[str, ...]:
    return tuple(path.split("/"))


def _names(steps: tuple[str, ...], given: tuple[str, ...]) -> tuple[str, ...] | None:
    """What ``given`` has where the ``steps`` have names; None if it is another path."""
    if len(steps) != len(given):
        return None
    names = []
    for step, word in zip(steps, given, strict=True):
        if step.startswith("{"):
            if not word:
                return None
            names.append(unquote(word))
        elif step != word:
            return None
    return tuple(names)
