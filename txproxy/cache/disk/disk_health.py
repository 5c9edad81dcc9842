"""Whether a disk takes what is written to it: one that is full, or gone, is left alone for a while, and then tried."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

# For how long nothing is written where that has failed, in seconds.
RETRY_AFTER: Final = 10.0
# How long all has to go well before that is said: the last blocks of a full disk still take small responses.
_OVER_AFTER: Final = 60.0


class DiskHealth:
    """What became of the last writes below ``path``. ``clock`` gives the time in seconds."""

    __slots__ = ("failures", "_path", "_clock", "_failed_at", "_succeeded", "_trouble")

    def __init__(self, path: str, clock: Callable[[], float] = time.monotonic) -> None:
        # how many writes have failed
        self.failures = 0
        self._path = path
        self._clock = clock
        self._failed_at = -RETRY_AFTER
        self._trouble: str | None = None
        # whether one has succeeded since
        self._succeeded = True

    @property
    def may_write(self) -> bool:
        """Whether anything is to be written now: not for a while after that has failed."""
        return self._succeeded or self._clock() - self._failed_at >= RETRY_AFTER

    @property
    def is_sure(self) -> bool:
        """Whether what is written now can be taken to succeed: the last write did."""
        return self._succeeded

    @property
    def trouble(self) -> str | None:
        """The directory and why nothing can be written to it; None once all went well for a while."""
        if self._trouble is not None and self._succeeded and self._clock() - self._failed_at >= _OVER_AFTER:
            self._trouble = None
        return self._trouble

    def failed(self, error: OSError) -> None:
        """A write has failed."""
        self.failures += 1
        self._failed_at = self._clock()
        self._succeeded = False
        self._trouble = f"{self._path}: {error.strerror or error}"

    def worked(self) -> None:
        """A write has succeeded."""
        self._succeeded = True
