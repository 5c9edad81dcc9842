"""The optional faster poll loop: ``twistd --reactor=txproxy``.

Twisted's epoll reactor enters a logging context for each event, and asks each descriptor for its number before and
after. A proxy spends a fifth of its time there. This one calls the descriptor and looks only at what it answers, and
lets the transports of txproxy gather their writes until the end of a turn. Nothing depends on it; log lines lack the
prefix of the connection, and that is all that is missing.
"""

from __future__ import annotations

import errno
from select import EPOLLERR, EPOLLHUP, EPOLLIN, EPOLLOUT
from time import monotonic
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

from txproxy.net.transports.turn_writes import TurnWrites

_log = Logger()
# More of them wait for the next turn: what these write goes out before, and what is done bit by bit has its turn. With
# hundreds at once a request costs a third more, as all that belongs to one has left the processor's memory between its
# steps.
_MOST_EVENTS: Final = 64
# How often it looks for events before timers have their turn.
_MOST_ROUNDS: Final = 8


class TxproxyReactor(EPollReactor):
    """Twisted's epoll reactor with a shorter way from an event to its descriptor, and a clock that nobody sets."""

    # As Twisted's asyncio reactor has it. By the time of day, as epoll's has it, no time limit and no timer would come
    # for an hour after that was set back by one.
    seconds = staticmethod(monotonic)

    def __init__(self) -> None:
        super().__init__()
        self.turn_writes = TurnWrites()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, and hand each to its descriptor."""
        turn = self.turn_writes
        turn.flush()
        events = self._poll(-1 if timeout is None else timeout)
        selectables = self._selectables
        for _ in range(_MOST_ROUNDS):
            for fd, event in events:
                selectable = selectables.get(fd)
                if selectable is None:
                    # closed by the handling of an event before
                    continue
                if event == EPOLLIN:
                    try:
                        why = selectable.doRead()
                    except BaseException as fault:
                        self._failed(selectable, fault)
                        continue
                    if why is not None:
                        self._disconnectSelectable(selectable, why, True)
                else:
                    self._other_event(selectable, fd, event)
            turn.flush_writes()
            if not turn.asks:
                return
            # Who has spoken by now has not answered what goes out next. All of it is handled at once, as in a turn.
            events = self._poll(0)
            turn.flush_asks({fd for fd, _ in events} if len(events) < _MOST_EVENTS else None)
        turn.flush()

    def _poll(self, timeout: float) -> list[tuple[int, int]]:
        try:
            events: list[tuple[int, int]] = self._poller.poll(timeout, _MOST_EVENTS)
            return events
        except OSError as fault:
            if fault.errno == errno.EINTR:
                return []
            raise

    doIteration = doPoll

    def _other_event(self, selectable: Any, fd: int, event: int) -> None:
        if event & (EPOLLHUP | EPOLLERR) or not event & EPOLLOUT:
            # Twisted's own way, which knows what each of these means.
            self._doReadOrWrite(selectable, fd, event)
            return
        why = None
        try:
            if event & EPOLLIN:
                why = selectable.doRead()
                if why is not None:
                    self._disconnectSelectable(selectable, why, True)
                    return
                if self._selectables.get(fd) is not selectable:
                    return
            why = selectable.doWrite()
        except BaseException as fault:
            self._failed(selectable, fault)
            return
        if why is not None:
            self._disconnectSelectable(selectable, why, False)

    def _failed(self, selectable: Any, fault: BaseException) -> None:
        _log.failure("Unhandled Error")
        self._disconnectSelectable(selectable, fault, False)


def install() -> None:
    """Make it the reactor of this program."""
    installReactor(TxproxyReactor())
