"""Long bodies on a disk, slice by slice: each is read and found to be what was written before the kernel sends it.

All of them at once would have a client wait for the first byte for as long as it takes to read a film.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from twisted.internet.defer import Deferred

from txproxy.cache.disk.file_body import bodies_on_disk
from txproxy.cache.disk.segment import NotInMemory
from txproxy.cache.parts.partial_content import wanted
from txproxy.cache.parts.parts_body import Part, PartsBody, is_checked_late
from txproxy.cache.stored import Entry
from txproxy.proxy.caching.stored_reader import Reader
from txproxy.wire.headers import Headers

# How far ahead of a reader it is looked whether what comes is there: as far as it gets in one turn, and then some.
_AHEAD: Final = 2 << 20

# Looks at parts in a thread; fires with whether they are what was written.
Check = Callable[[list[Part]], Deferred[bool]]


class SliceChecks:
    """Lets a ``reader`` have what of the parts of a ``body`` was checked and is in memory (see
    :class:`txproxy.proxy.caching.stored_reader.Growth`). What is not it has ``check`` read in a thread, and the reader
    waits for that; where it is not what was written, the reader fails. ``later`` has something called in the next turn
    of the reactor.
    """

    __slots__ = ("reader", "_body", "_check", "_later", "_checked")

    def __init__(self, body: PartsBody, check: Check, later: Callable[[Callable[[], None]], object]) -> None:
        self.reader: Reader | None = None
        self._body = body
        self._check = check
        self._later = later
        # the one that was read last: some file systems cannot tell that it is in memory
        self._checked: Part | None = None

    @property
    def available(self) -> int:
        """Up to where the reader may read on from where it is."""
        at = 0 if self.reader is None else self.reader.position
        most = at + _AHEAD
        while at < most:
            part = self._body.part_at(at)
            if part is None or not (part is self._checked or _is_at_hand(part)):
                break
            at = part.stop
        return at

    def reader_waits(self, reader: Reader) -> None:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        part = self._body.part_at(reader.position)
        if part is None:
            self.reader_gone(reader)
            reader.fail()
        else:
            self._check([part]).addCallback(self._go_on, part)

    def reader_gone(self, reader: Reader) -> None:
        """See :class:`txproxy.proxy.caching.stored_reader.Growth`."""
        self.reader = None

    def _go_on(self, is_good: bool, part: Part) -> None:
        reader = self.reader
        if reader is None:
            # It has left meanwhile.
            return
        if is_good:
            self._checked = part
            self._later(reader.go_on)
        else:
            self.reader_gone(reader)
            reader.fail()


def unchecked_parts(entry: Entry, request: Headers, now: float) -> list[Part]:
    """The parts of what is stored that a request wants, and that nobody has looked at since they were written."""
    body = entry.body
    if not isinstance(body, PartsBody) or not is_checked_late(body):
        return []
    pieces = wanted(entry, body.length, request, now) or []
    parts = [part for piece in pieces for part in body.within(*piece)]
    return [part for part in parts if not all(one.is_verified for one in bodies_on_disk(part.body))]


def _is_at_hand(part: Part) -> bool:
    try:
        return all(one.check(wait=False) for one in bodies_on_disk(part.body))
    except (NotInMemory, OSError):
        return False
