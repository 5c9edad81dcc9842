"""What the master knows of each worker, and of the places that they take."""

from __future__ import annotations

import os
from contextlib import suppress
from enum import Enum
from typing import Final

import attrs
from twisted.internet.interfaces import IDelayedCall

from txproxy.runtime.workers.channel import Channel

# So many in a row may fail before there is a pause; one that was killed is no sign of more.
_FREE: Final = 3
# Before the next try of a worker that fails again and again: the first time, and at the most, in seconds.
_FIRST_PAUSE: Final = 0.5
_LONGEST_PAUSE: Final = 30.0


class State(Enum):
    """How far a worker is."""

    STARTING = "starting"
    SERVING = "serving"
    LEAVING = "leaving"  # it accepts no more, and finishes what runs


@attrs.define(eq=False)
class Member:
    """A worker, as the master sees it."""

    number: int
    channel: Channel
    started: float
    state: State = State.STARTING
    pid: int = 0


@attrs.define(eq=False)
class Place:
    """What a worker stands in: who ends there is followed by another."""

    member: Member | None = None
    # how often in a row one has ended soon after it was started
    failures: int = 0
    timer: IDelayedCall | None = None


def reap(pid: int) -> None:
    """Let the system forget a child that has ended."""
    with suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def pause(failures: int) -> float:
    """How long to wait after so many that have failed in a row, in seconds."""
    return 0.0 if failures < _FREE else min(_FIRST_PAUSE * 2.0 ** (failures - _FREE), _LONGEST_PAUSE)
