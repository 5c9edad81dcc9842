"""What commands print: tables of columns, JSON, and sizes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Final

_UNITS: Final = ("", "k", "M", "G", "T")
_TIMES: Final = ((86400, "d"), (3600, "h"), (60, "m"))


def print_json(found: object) -> int:
    """An answer as it comes; gives the exit status."""
    print(json.dumps(found, indent=2))
    return 0


def size(count: int) -> str:
    """So many bytes, as ``1.5k``."""
    size, unit = float(count), 0
    while size >= 1024 and unit < len(_UNITS) - 1:
        size, unit = size / 1024, unit + 1
    return f"{size:.1f}{_UNITS[unit]}" if unit and size < 10 else f"{size:.0f}{_UNITS[unit]}"


def seconds(count: float) -> str:
    """So many seconds, as ``2.5s`` or ``3h``."""
    for length, unit in _TIMES:
        if count >= 2 * length:
            return f"{count // length:.0f}{unit}"
    return f"{count:.1f}s" if count < 10 else f"{count:.0f}s"


def printable(value: object) -> str:
    """Nothing that a terminal would obey; ``-`` for nothing."""
    if value is None or value == "":
        return "-"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in str(value))


def table_lines(head: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Columns, of which the last is as long as it is."""
    lines = [head, *([printable(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, [*widths, 0], strict=True)).rstrip() for line in lines
    ]


def print_table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """The same, printed; gives the exit status."""
    print("\n".join(table_lines(head, rows)))
    return 0
