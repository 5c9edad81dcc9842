"""What becomes of memory that is free again."""

from __future__ import annotations

import gc
from typing import Final

_LARGE: Final = 4 << 20
# When the collector looks: after so many objects that came and have not gone again, each second time at those as well
# that it has left the time before, and after so many of those at everything. What 100 requests that are under way at
# once consist of, and some more, is less than the first: to look at what is about to go took a twelfth of what a
# request costs. It looks at no more than twice as many at a time, but for looks at everything.
_LOOKS: Final = (1750, 0, 50)


def keep_freed_memory() -> None:
    """Have the C library keep some megabytes of what was freed last, where it would give all but 128 kB of it back.

    What bodies lie in while they pass comes and goes hundreds of times a second: to give that back, and to get it again
    page by page, each of them empty, takes as long as to encrypt it. glibc keeps twice as much as the largest piece
    that it has once mapped apart from others and unmapped again (mallopt(3), ``M_MMAP_THRESHOLD``). Other libraries do
    nothing of the kind, and lose nothing by this.
    """
    bytes(_LARGE)


def settle_collector() -> None:
    """What start-up has made stays: the collector need not look at it again and again. At what comes later it looks
    less often than by itself, and for a shorter time at the young, and seldom at everything: with thousands of
    connections that takes tens of milliseconds, in which no client is served, and finds next to nothing, as what ends
    here has no circles. It may have had its rest until now.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_LOOKS)
    gc.enable()
