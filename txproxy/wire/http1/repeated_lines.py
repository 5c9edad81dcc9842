"""Request lines that a client sends again, each with the very fields of the request before.

Such a request is found by its bytes, and has the head that all like it have, so that what was made of one serves for
each. Its slow twin is the pattern for request lines, which reads them as they come.
"""

from __future__ import annotations

from typing import Final

from txproxy.wire.message import RequestHead, SharedRequest

# A connection remembers heads of so many bytes at most, their fields included, which all of them share; and 32 at most.
MOST_BYTES: Final = 8192
_LEAST_SIZE: Final = MOST_BYTES // 32


class RepeatedLines:
    """Those of one connection. ``known`` has the heads of lines that have come twice, and ``room`` is how many bytes of
    others may be looked at before all are forgotten: nobody who has sent none of them again is listened to any longer.
    """

    __slots__ = ("known", "room", "_once")

    def __init__(self, known: dict[bytes, SharedRequest]) -> None:
        self.known = known
        self.room = MOST_BYTES
        self._once: set[bytes] = set()

    def came(self, line: bytes, head: RequestHead, size: int) -> None:
        """A ``line`` that is not known has come in a ``head`` of this ``size`` that has no body, and of which nothing
        hangs on anything but its bytes.
        """
        if line in self._once:
            self._once.remove(line)
            self.known[line] = SharedRequest.of(head)
            return
        self.room -= size if size > _LEAST_SIZE else _LEAST_SIZE
        if self.room > 0:
            self._once.add(line)
        else:
            pays = bool(self.known)
            self.forget()
            if not pays:
                self.room = 0

    def forget(self) -> None:
        """The fields are others from now on."""
        self.known.clear()
        self._once.clear()
        self.room = MOST_BYTES
