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

from twisted.internet import tcp
from twisted.internet.epollreactor import EPollReactor
from twisted.internet.main import installReactor
from twisted.logger import Logger

from txproxy.net.transports.turn_writes import TurnWrites

_log = Logger()
# More of them wait for the next turn: what these write goes out before, and what is done bit by bit has its turn. With
# hundreds at once a request costs a third more, as all that belongs to one has left the processor's memory between its
# steps.
_MOST_EVENTS: Final = 64
# Where more of them wait and each takes long, as many as this takes, in seconds, but no fewer than the least. To look
# who waits takes some tenths of a microsecond for each connection that there is: of a turn that is a twentieth at most.
_LONG_TURN: Final = 0.005
_A_CONNECTION: Final = 5e-6
_FEWEST_EVENTS: Final = 8
# How often it looks for events before timers have their turn.
_MOST_ROUNDS: Final = 8
# What clients connect to, and their connections.
_OF_CLIENTS: Final = (tcp.Server, tcp.Port)


class TxproxyReactor(EPollReactor):
    """Twisted's epoll reactor with a shorter way from an event to its descriptor, and a clock that nobody sets."""

    # As Twisted's asyncio reactor has it. By the time of day, as epoll's has it, no time limit and no timer would come
    # for an hour after that was set back by one.
    seconds = staticmethod(monotonic)

    def __init__(self) -> None:
        super().__init__()
        self.turn_writes = TurnWrites()
        # how many events are handled before all else has its turn; fewer while there are more, and each takes long
        self._most = _MOST_EVENTS

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events, and hand each to its descriptor."""
        turn = self.turn_writes
        turn.flush()
        events = self._poll(-1 if timeout is None else timeout)
        for _ in range(_MOST_ROUNDS):
            if len(events) < self._most:
                self._most = _MOST_EVENTS
                self._handle(events)
            else:
                self._handle_some(events)
            turn.flush_writes()
            if not turn.asks:
                return
            # Who has spoken by now has not answered what goes out next. All of it is handled at once, as in a turn.
            events = self._poll(0)
            turn.flush_asks({fd for fd, _ in events} if len(events) < self._most else None)
        turn.flush()

    def _handle(self, events: list[tuple[int, int]]) -> None:
        selectables = self._selectables
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

    def _handle_some(self, events: list[tuple[int, int]]) -> None:
        """The same where more of them wait. What clients ask for is put off by what others have asked for before; what
        an upstream has answered is not, as its place there is free for nobody before that is read: with clients enough
        who are refused, and ask again at once, upstreams would be idle for longer than they are at work.
        """
        began = self.seconds()
        if self._most < _MOST_EVENTS:
            events = self._answers_first(events)
        self._handle(events)
        longest = max(_LONG_TURN, len(self._selectables) * _A_CONNECTION)
        each = (self.seconds() - began) / len(events)
        self._most = _MOST_EVENTS if each * _MOST_EVENTS <= longest else max(_FEWEST_EVENTS, int(longest / each))

    def _answers_first(self, events: list[tuple[int, int]]) -> list[tuple[int, int]]:
        selectables = self._selectables
        # The kernel has all that are ready in a row, puts those that it tells of at its end, and leaves their order as
        # it is: to be told of all of them moves nobody, and each has its turn as before.
        ready = self._poller.poll(0, max(1, len(selectables)))
        answers = [
            (fd, event) for fd, event in ready if not isinstance(selectables.get(fd), _OF_CLIENTS)
        ][:_MOST_EVENTS]  # fmt: skip
        known = {fd for fd, _ in answers}
        return answers + [(fd, event) for fd, event in events if fd not in known]

    def _poll(self, timeout: float) -> list[tuple[int, int]]:
        try:
            events: list[tuple[int, int]] = self._poller.poll(timeout, self._most)
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
