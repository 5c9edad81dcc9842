"""The one form that configurations have: their text, written anew. What it means and its comments stay."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from txproxy.cli.files.key_order import KEY_ORDER
from txproxy.cli.files.toml_tokens import Array, Blank, Comment, Header, InlineTable, Item, Pair, Value, items_of
from txproxy.config.sources.toml_text import tables_of
from txproxy.errors import ConfigError

_WIDTH: Final = 120
_INDENT: Final = "    "
_RANKS: Final = {key: rank for rank, key in enumerate(KEY_ORDER)}


@attrs.frozen
class _Line:
    """Lines of the text, with a comment after the last one, if there is one. ``joined`` is whether comments may stand
    in one column with those of the line before.
    """

    text: str
    comment: Comment | None = None


def formatted(text: str, file: str) -> str:
    """``text``, which is that of ``file``, in our form. ``ConfigError`` if it is no TOML, or would not be kept."""
    before = tables_of(text, file)
    items = _sorted(items_of(text))
    lines = _spaced(items)
    found = "".join(f"{line}\n" for line in _aligned(lines))
    if not _same(tables_of(found, file), before) or _comments(items_of(found)) != _comments(items_of(text)):
        said = "it is written in a way that would not be kept"
        raise ConfigError(f"{file}: {said}", "accepted is to change it by hand")
    return found


# -- order


def _sorted(items: Sequence[Item]) -> list[Item]:
    """Keys that stand together without a comment of their own line are in our order."""
    found: list[Item] = []
    together: list[Pair] = []
    for number, item in enumerate((*items, Blank())):
        if isinstance(item, Pair):
            together.append(item)
            continue
        begin = number - len(together) - 1
        # A comment above may be about all of them, or the first alone: that is for people to tell.
        if not _is_about(items, number) and not (begin >= 0 and isinstance(items[begin], Comment)):
            together.sort(key=_rank)
        found += together
        together = []
        found.append(item)
    return found[:-1]


def _is_about(items: Sequence[Item], number: int) -> bool:
    """Whether there is a comment that may be about keys before it: it is no table's that follows."""
    following = next((item for item in items[number:] if not isinstance(item, Comment)), None)
    return number < len(items) and isinstance(items[number], Comment) and not isinstance(following, Header)


def _rank(pair: Pair) -> int:
    return _RANKS.get(pair.key.partition(".")[0], len(_RANKS))


# -- lines


def _spaced(items: Sequence[Item]) -> list[_Line | None]:
    """The lines, None for an empty one: one before each table and its comments, and never two."""
    lines: list[_Line | None] = []
    for number, item in enumerate(items):
        if isinstance(item, Blank):
            if lines and lines[-1] is not None and not (number and isinstance(items[number - 1], Header)):
                lines.append(None)
        elif isinstance(item, Header):
            above = len(lines)
            while above and (line := lines[above - 1]) is not None and line.text == "" and line.comment is not None:
                above -= 1
            if above and lines[above - 1] is not None:
                lines.insert(above, None)
            lines.append(_Line(item.text, item.comment))
        elif isinstance(item, Comment):
            lines.append(_Line("", item))
        else:
            lines.append(_Line(f"{item.key} = {_rendered(item.value, len(item.key) + 3)}", item.comment))
    while lines and lines[-1] is None:
        lines.pop()
    return lines


def _aligned(lines: Iterable[_Line | None]) -> list[str]:
    """The lines with their comments, which are in one column where lines follow each other."""
    found: list[str] = []
    together: list[_Line] = []
    for line in (*lines, None):
        if line is not None and (line.text or line.comment is None):
            together.append(line)
            continue
        found += _in_a_column(together)
        together = []
        found.append(line.comment.text if line is not None and line.comment is not None else "")
    return found[:-1]


def _in_a_column(lines: Sequence[_Line]) -> list[str]:
    commented = [(line, line.comment) for line in lines if line.comment is not None]
    least = max((_width(line.text) + 2 for line, _ in commented), default=0)
    # Where most of them stood, if there is room.
    columns = Counter(comment.column for _, comment in commented)
    column = max([least, *(column for column, _ in columns.most_common(1))])
    return [
        line.text if line.comment is None else line.text + " " * (column - _width(line.text)) + line.comment.text
        for line in lines
    ]


def _width(text: str) -> int:
    return len(text) - text.rfind("\n") - 1


# -- values


def _rendered(value: Value, column: int, indent: str = "") -> str:
    """A value that begins at a ``column``, in lines that begin with ``indent``."""
    if isinstance(value, str):
        return value
    if isinstance(value, InlineTable):
        pairs = ", ".join(f"{key} = {_rendered(one, column, indent)}" for key, one in value.pairs)
        return f"{{ {pairs} }}" if pairs else "{}"
    elements = [_rendered(one, column, indent) for one, _ in value.parts if one is not None]
    short = f"[{', '.join(elements)}]"
    has_comments = any(comment is not None for _, comment in value.parts)
    if not value.parts or not (value.several or has_comments or column + len(indent) + len(short) > _WIDTH):
        return short
    return _in_lines(value, indent)


def _in_lines(value: Array, indent: str) -> str:
    inner = indent + _INDENT
    lines: list[_Line] = []
    for one, comment in value.parts:
        text = "" if one is None else f"{inner}{_rendered(one, 0, inner)},"
        lines.append(_Line(text, comment))
    found: list[str] = []
    together: list[_Line] = []
    for line in (*lines, _Line("", Comment("", 0))):
        if line.text:
            together.append(line)
            continue
        found += _in_a_column(together)
        together = []
        found.append(inner + line.comment.text if line.comment is not None else "")
    return "[\n" + "".join(f"{line}\n" for line in found[:-1]) + f"{indent}]"


# -- what has to stay


def _comments(items: Iterable[Item]) -> list[str]:
    found: list[str] = []

    def of_value(value: Value | None) -> None:
        if isinstance(value, InlineTable):
            for _, one in value.pairs:
                of_value(one)
        elif isinstance(value, Array):
            for element, comment in value.parts:
                of_value(element)
                found.extend([comment.text] if comment is not None else ())

    for item in items:
        if isinstance(item, Comment):
            found.append(item.text)
        elif isinstance(item, Pair | Header):
            if isinstance(item, Pair):
                of_value(item.value)
            found.extend([item.comment.text] if item.comment is not None else ())
    return sorted(found)


def _same(one: Any, other: Any) -> bool:
    # Not a number is not the same as itself.
    return repr(_in_order(one)) == repr(_in_order(other))


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(value[key]) for key in sorted(value)}
    return [_in_order(one) for one in value] if isinstance(value, list) else value
