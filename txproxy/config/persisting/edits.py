"""Changes of a running proxy, written into the text of its configuration: comments and layout stay."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

import attrs

from txproxy.config.sources.lines import sections_of
from txproxy.config.sources.outside_values import escaped
from txproxy.errors import ConfigError
from txproxy.upstreams.overlay import PoolEdits, UpstreamEdit
from txproxy.upstreams.upstream_urls import ORDER_WORDS, with_parameters

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_NOT_KEPT: Final = ConfigError(
    "the file is written in a way that would not be kept", "accepted is to change it by hand"
)


# pieces of a text, each with the keys of its header
Sections: TypeAlias = "list[tuple[tuple[str, ...], str]]"


class NotInstalled(Exception):
    """What keeps comments and layout is not there."""


@attrs.frozen
class Edits:
    """What is to be written: of ``pools``, and how much is logged (``level``), None if that is right."""

    pools: tuple[PoolEdits, ...] = ()
    level: str | None = None

    def told(self) -> Iterator[str]:
        """A sentence for each."""
        for pool in self.pools:
            for _, name in pool.removed:
                yield f"pool {pool.pool}: {name} is not in it any more"
            for one in pool.changed:
                said = [f"has weight {one.weight}"] if one.weight is not None else []
                said += [f"is {one.order}"] if one.order is not None else []
                yield f"pool {pool.pool}: {one.name} {' and '.join(said)}"
            for text in pool.added:
                yield f"pool {pool.pool}: {text} is in it"
        if self.level is not None:
            yield f"log: the level is {self.level}"

    @property
    def left(self) -> tuple[str, ...]:
        """What cannot be written."""
        return tuple(f"pool {pool.pool}: {one}" for pool in self.pools for one in pool.left)


def edited(text: str, edits: Edits) -> str:
    """``text``, a sound configuration, with these ``edits``. ``NotInstalled`` without the library that this takes;
    ``ConfigError`` where the text cannot be kept as it is.
    """
    try:
        import tomlkit
    except ImportError:
        raise NotInstalled from None
    document: Any = tomlkit.parse(text)
    kept = tomlkit.dumps(document) == text
    _edit(document, edits)
    # Where one list of tables is interrupted by another table, all of it would be put in another order.
    found: str = tomlkit.dumps(document) if kept else _edited_in_place(text, edits)
    if tomllib.loads(found) != document.unwrap():
        # What is written has to mean what was meant, whatever way the file is written in.
        raise _NOT_KEPT
    return found


def _edit(document: Any, edits: Edits) -> None:
    import tomlkit

    for pool in edits.pools:
        _edit_pool(document["pools"][pool.pool], pool)
    if edits.level is not None:
        if "log" not in document:
            # A table of its own after all others: what stands before them is the file's own.
            document["log"] = tomlkit.table()
        document["log"]["level"] = edits.level


def _edited_in_place(text: str, edits: Edits) -> str:
    """The same, where the tables of each pool stand together: each of these is edited by itself."""
    sections = sections_of(text)
    for pool in edits.pools:
        sections = _with_edited(sections, ("pools", pool.pool), Edits(pools=(pool,)))
    if edits.level is not None:
        sections = _with_edited(sections, ("log",), Edits(level=edits.level))
    return "".join(piece for _, piece in sections)


def _with_edited(sections: Sections, keys: tuple[str, ...], edits: Edits) -> Sections:
    """``sections`` with those edited that are about ``keys``; where there are none, one more at the end."""
    import tomlkit

    places = [place for place, (found, _) in enumerate(sections) if found[: len(keys)] == keys]
    if not places and keys in (("log",),) and "log" not in tomllib.loads(sections[0][1]):
        places = [len(sections)]
        before = sections[-1][1]
        sections = [*sections[:-1], (sections[-1][0], before if before.endswith("\n") else f"{before}\n"), (keys, "")]
    if not places or places[-1] - places[0] != len(places) - 1:
        raise _NOT_KEPT
    text = "".join(piece for _, piece in sections[places[0] : places[-1] + 1])
    document: Any = tomlkit.parse(text)
    if tomlkit.dumps(document) != text:
        raise _NOT_KEPT
    _edit(document, edits)
    return [*sections[: places[0]], (keys, tomlkit.dumps(document)), *sections[places[-1] + 1 :]]


def _edit_pool(table: Any, edits: PoolEdits) -> None:
    upstreams = table["upstreams"]
    if not isinstance(upstreams, list):
        # One may stand alone.
        table["upstreams"] = [upstreams]
        upstreams = table["upstreams"]
    for one in edits.changed:
        value = upstreams[one.place]
        if isinstance(value, str):
            upstreams[one.place] = with_parameters(value, one.weight, one.order)
        else:
            _edit_table(value, one)
    for place, _ in sorted(edits.removed, reverse=True):
        del upstreams[place]
    for text in edits.added:
        text = escaped(text)
        upstreams.append(_as_table(text) if _are_tables(upstreams) else text)


def _edit_table(table: Any, edit: UpstreamEdit) -> None:
    words = str(table["url"]).partition(";")[2]
    if words:
        # It may be said in either way.
        table["url"] = with_parameters(str(table["url"]), edit.weight, edit.order)
    if edit.weight is not None and not ("weight" not in table and "weight=" in words):
        table["weight"] = edit.weight
    if edit.order is not None:
        for word in ORDER_WORDS.values():
            if word in table:
                del table[word]
        if edit.order in ORDER_WORDS and not words:
            table[ORDER_WORDS[edit.order]] = True


def _are_tables(upstreams: Iterable[Any]) -> bool:
    """Whether they are written as ``[[pools.NAME.upstreams]]``, where each has to be one."""
    from tomlkit.items import AoT

    return isinstance(upstreams, AoT)


def _as_table(text: str) -> Any:
    import tomlkit

    url, *words = text.split(";")
    table = tomlkit.table()
    values: Mapping[str, Any] = {
        name: int(value) if value else True for name, _, value in (word.partition("=") for word in words)
    }
    for name, value in {"url": url, **values}.items():
        table[name] = value
    return table
