"""What becomes of memory that is free again."""

from __future__ import annotations

from typing import Final

_LARGE: Final = 4 << 20


def keep_freed_memory() -> None:
    """Have the C library keep some megabytes of what was freed last, where it would give all but 128 kB of it back.

    What bodies lie in while they pass comes and goes hundreds of times a second: to give that back, and to get it again
    page by page, each of them empty, takes as long as to encrypt it. glibc keeps twice as much as the largest piece
    that it has once mapped apart from others and unmapped again (mallopt(3), ``M_MMAP_THRESHOLD``). Other libraries do
    nothing of the kind, and lose nothing by this.
    """
    bytes(_LARGE)
