"""Looks at a proxy each second while somebody looks on, and says what has changed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.admin.api_call import ApiFault, written
from txproxy.admin.events.status_changes import changes
from txproxy.admin.proxy_view import Stage

_log = Logger()
# In seconds.
_EVERY: Final = 1.0
_DRAINING: Final = Stage.DRAINING.value


class Reader(Protocol):
    """Who looks on."""

    def tell(self, events: list[bytes], status: bytes) -> None:
        """What has changed, and how all is now; empty if that is not known."""

    def end(self) -> None:
        """Read no more; who wants to may come again."""


class EventFeed:
    """Tells its readers what ``look`` gives, as server-sent events. Without a reader it does nothing."""

    def __init__(self, look: Callable[[], Awaitable[dict[str, Any]]], clock: Any) -> None:
        self._look = look
        self._clock = clock
        self._readers: dict[Reader, None] = {}
        self._timer: Any = None
        self._looking: Deferred[Any] | None = None
        self._before: dict[str, Any] | None = None
        # how it was last, for who comes between two looks
        self._status = b""

    def __len__(self) -> int:
        """So many look on."""
        return len(self._readers)

    def join(self, reader: Reader) -> None:
        """Tell one more."""
        self._readers[reader] = None
        if len(self._readers) == 1:
            self._begin()
        elif self._status:
            reader.tell([], self._status)

    def leave(self, reader: Reader) -> None:
        """One less."""
        self._readers.pop(reader, None)
        if self._readers:
            return
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        looking, self._looking = self._looking, None
        if looking is not None:
            looking.cancel()
        self._before, self._status = None, b""

    def _begin(self) -> None:
        self._timer = None
        due = self._clock.seconds() + _EVERY
        self._looking = looking = Deferred.fromCoroutine(_awaited(self._look()))
        looking.addCallbacks(self._seen, self._failed)
        looking.addBoth(lambda _: self._look_later(due, looking))

    def _look_later(self, due: float, looking: Deferred[Any]) -> None:
        # After one that was given up there is none, or another one already.
        if self._looking is not looking:
            return
        self._looking = None
        # A look that takes longer than a second is not followed by another at once.
        self._timer = self._clock.callLater(max(_EVERY / 2, due - self._clock.seconds()), self._begin)

    def _seen(self, status: dict[str, Any]) -> None:
        before, self._before = self._before, status
        found = changes(before, status) if before is not None else ()
        self._status = event("status", status)
        self._tell([event(kind, told) for kind, told in found], self._status)
        if before is not None and status["stage"] == _DRAINING != before["stage"]:
            # Who reads through a listener of this very proxy would hold it up until its drain is given up.
            for reader in list(self._readers):
                reader.end()

    def _failed(self, failure: Failure) -> None:
        if failure.check(CancelledError):
            return
        if failure.check(ApiFault):
            said = str(failure.value)
        else:
            _log.failure("the admin API failed", failure)
            said = "this has failed; the log says why"
        self._tell([event("fault", {"error": said})], b"")

    def _tell(self, events: list[bytes], status: bytes) -> None:
        for reader in list(self._readers):
            reader.tell(events, status)


async def _awaited(given: Awaitable[dict[str, Any]]) -> dict[str, Any]:
    return await given


def event(kind: str, told: object) -> bytes:
    """One, as the HTML standard has it (section 9.2.6); JSON on a single line has no line ends in it."""
    return b"event: %b\ndata: %b\n" % (kind.encode("ascii"), written(told))
