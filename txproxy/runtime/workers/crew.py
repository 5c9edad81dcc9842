"""The workers of a master, and the mould that forks them: who ends is replaced."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from time import monotonic
from typing import Any, Final, Protocol, TypeAlias

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger, LogLevel

from txproxy.config.model import Config
from txproxy.errors import ConfigError
from txproxy.runtime.workers.channel import Channel, Message, channel_pair, encoded
from txproxy.runtime.workers.common.worker_hub import WorkerHub
from txproxy.runtime.workers.crew_members import Member, Place, State, pause, reap
from txproxy.runtime.workers.handover.introduction import ANOTHER, introduce
from txproxy.runtime.workers.inheritance import OldWorker
from txproxy.runtime.workers.mould_start import Running, start_mould
from txproxy.runtime.workers.program import is_told_to_end

_log = Logger()
# Who has lived for so long has not failed at its start, whatever ends it: another follows at once, as clients wait at
# its sockets. In seconds.
_LONG: Final = 1.0
# How often to look whether it is to end meanwhile, in milliseconds.
_LOOK_EVERY: Final = 100
# How long to wait for the rest of a message, in seconds.
_LAST_WORDS: Final = 1.0
# How long to wait for the first worker, in seconds.
_PATIENCE: Final = 60.0
# Whom a process becomes once it has read what it needs: user, group, and whether only in effect.
Identity: TypeAlias = "tuple[int | None, int | None, bool]"


class Greeting(Protocol):
    """What each new worker is sent first."""

    def __call__(self, number: int) -> tuple[Any, Sequence[int]]:
        """For the worker of this number: a content, and its descriptors."""


class Crew:
    """So many workers as :meth:`resize` says, of the configuration in :meth:`configure`. ``greet`` has what each gets
    first, and ``heard`` gets what it says: ``ended``, with its process, when it has, and ``gone`` if nobody had its
    place by then. What it tells the others goes to the ``hub``.
    """

    def __init__(
        self,
        reactor: Any,
        greet: Greeting,
        heard: Callable[[int, Message], None],
        start: Callable[[], tuple[Channel, Running]] = start_mould,
        hub: WorkerHub | None = None,
    ) -> None:
        self._reactor = reactor
        self._greet = greet
        self._heard = heard
        self._start = start
        self._hub = hub or WorkerHub()
        self._mould: Channel | None = None
        self._process: Running | None = None
        self._failures = 0
        self._timer: IDelayedCall | None = None
        self._is_ready = False  # whether the mould has read a configuration
        self._config: tuple[Config, str] | None = None
        self._identity: Identity | None = None
        # the descriptor of a file for locks of all workers
        self.locks: int | None = None
        self._places: dict[int, Place] = {}
        self._leaving: set[Member] = set()
        # those of the program before, which serve until this one's do
        self._old: set[Member] = set()
        self._dismissed: set[int] = set()
        self._served = False
        self._fault: str | None = None
        self._ended: Deferred[None] | None = None

    @property
    def mould(self) -> int:
        """Its process; 0 if there is none."""
        return self._process.pid if self._process is not None else 0

    def take_over(self, workers: Iterable[OldWorker], mould: int) -> None:
        """Those of the program that was here before this one: they serve until all of this one's do, and leave then.
        Its ``mould`` has nobody to fork for, and ends.
        """
        if mould:
            self._reactor.callLater(1, reap, mould)
        for old in workers:
            channel = Channel(socket.socket(fileno=old.channel))
            member = Member(old.number, channel, self._reactor.seconds(), State.SERVING, old.pid)
            self._old.add(member)
            self._hub.came(member.pid, channel)
            channel.start(self._reactor, partial(self._member_says, member), partial(self._old_gone, member))

    def _old_gone(self, member: Member) -> None:
        self._hub.gone(member.pid)
        self._old.discard(member)
        self._leaving.discard(member)
        # Whoever has asked it something as it left waits no longer.
        self._heard(member.number, Message("ended", member.pid))
        # Its parent has ended. Where this process has the place of all parents, it is a child by now.
        self._reactor.callLater(1, reap, member.pid)
        self._look_for_the_end()

    def _relieve(self) -> None:
        """All places are taken by who serves: let the old ones go."""
        places = self._places.values()
        serving = all(place.member is not None and place.member.state is State.SERVING for place in places)
        if serving and self._old:
            _log.info("the workers of this program serve, and those of the one before it finish and leave")
            old, self._old = self._old, set()
            for member in old:
                self._dismiss(member)

    def _introduce(self, leaving: Member) -> None:
        """Let one that leaves hand over what it has to one of those that serve."""
        members = [place.member for place in self._places.values()]
        serving = [one for one in members if one is not None and one.state is State.SERVING]
        if serving and self._ended is None:
            # Not all to the same one.
            introduce(leaving.channel, serving[leaving.number % len(serving)].channel)

    def hand_over(self) -> list[OldWorker]:
        """The workers, for the program that takes this one's place. Those that have just been asked for are none: they
        are told to leave, as nobody would look after them, or bring them another configuration.
        """
        members = [member for member in self._members() if member.pid]
        for member in self._members():
            if not member.pid:
                member.channel.send("drain")
        for member in members:
            member.channel.settle(_LAST_WORDS)
        return [OldWorker(member.number, member.pid, member.channel.fileno()) for member in members]

    # -- the mould

    def configure(self, config: Config, identity: Identity | None = None) -> None:
        """Workers that are started from now on have this configuration. With an ``identity``, the mould reads it as
        who it is, and becomes another.
        """
        kind = type(self._reactor)
        self._config = config, kind.__module__
        if self._mould is None:
            self._start_mould()
        else:
            self._mould.send("configure", self._config)
        if identity is not None and self._mould is not None:
            self._identity = identity
            self._mould.send("become", identity)

    def _start_mould(self) -> None:
        self._timer = None
        self._mould, self._process = self._start()
        self._mould.start(self._reactor, self._mould_says, self._mould_gone)
        if self.locks is not None:
            self._mould.send("locks", None, [self.locks])
        self._mould.send("configure", self._config)

    def _mould_says(self, message: Message) -> None:
        if message.kind == "configured":
            self._is_ready = True
            self._failures = 0
            self._fill()
        elif message.kind == "wrong":
            self._fail(f"workers cannot be made: {message.content}")
        elif message.kind == "ended":
            self._told_of_end(*message.content)

    def _mould_gone(self) -> None:
        """It is started again: until then workers that end are missing."""
        self._mould, self._is_ready = None, False
        if self._process is not None:
            self._process.poll()
        if self._ended is not None:
            return
        self._fail("the process that starts workers has ended; it is started again")
        self._failures += 1
        self._timer = self._reactor.callLater(pause(self._failures), self._start_mould)

    # -- workers

    def resize(self, count: int) -> None:
        """Have so many workers, numbered from 1."""
        for number in range(1, count + 1):
            self._places.setdefault(number, Place())
        gone = [self._places.pop(number) for number in list(self._places) if number > count]
        for place in gone:
            if place.timer is not None:
                place.timer.cancel()
            if place.member is not None:
                self._dismiss(place.member)
        self._fill()

    @property
    def numbers(self) -> list[int]:
        """Those of the workers that there are now."""
        return [number for number, place in self._places.items() if place.member is not None]

    @property
    def members(self) -> list[Member]:
        """Those that serve, and those that finish what they have: all of this program."""
        return [member for member in self._members() if member.pid and member not in self._old]

    def _fill(self) -> None:
        for number, place in self._places.items():
            if self._is_ready and self._ended is None and place.member is None and place.timer is None:
                self._fork(number, place)

    def _fork(self, number: int, place: Place) -> None:
        place.timer = None
        if self._mould is None or not self._is_ready:
            return
        try:
            content, descriptors = self._greet(number)
        except OSError as fault:
            _log.error("worker {number} has nothing to listen on: {fault}", number=number, fault=fault)
            return
        channel, theirs = channel_pair()
        with theirs:
            self._mould.send("fork", number, [theirs.fileno()])
        place.member = member = Member(number, channel, self._reactor.seconds())
        channel.start(self._reactor, lambda message: self._member_says(member, message), lambda: self._gone(member))
        channel.send("sockets", content, descriptors)

    def _member_says(self, member: Member, message: Message) -> None:
        number = member.number
        if message.kind == "log":
            level, text = message.content
            _log.emit(LogLevel.lookupByName(level), "{text}", text=text, log_system=f"worker {number}")
        elif message.kind == "ready":
            member.pid = message.content
            if member.state is State.STARTING:
                member.state = State.SERVING
            if member.state is State.LEAVING:
                self._dismissed.add(member.pid)
            self._served = True
            self._hub.came(member.pid, member.channel)
            self._relieve()
        elif message.kind == "failed":
            self._fail(f"worker {number} could not start: {message.content}")
        elif message.kind == "leaving":
            self._part(member)
        elif message.kind == ANOTHER:
            self._introduce(member)
        elif message.kind == "shared":
            self._hub.heard(member.pid, *message.content)
        else:
            self._heard(number, message)

    def _part(self, member: Member) -> None:
        """It accepts no more: another takes its place while it finishes, and one that is there what it has."""
        known, member.state = member.state is State.LEAVING, State.LEAVING
        self._hub.leaves(member.pid)
        self._dismissed.add(member.pid)
        place = self._places.get(member.number)
        if place is not None and place.member is member:
            place.member = None
            self._leaving.add(member)
            self._fill()
        if not known:
            self._introduce(member)

    def _gone(self, member: Member) -> None:
        self._hub.gone(member.pid)
        self._heard(member.number, Message("ended", member.pid))
        if member in self._leaving:
            self._leaving.discard(member)
        else:
            place = self._places.get(member.number)
            if place is not None and place.member is member:
                place.member = None
                self._replace(member, place)
                self._heard(member.number, Message("gone"))
        self._look_for_the_end()

    def _replace(self, member: Member, place: Place) -> None:
        if self._ended is not None:
            return
        if self._mould is None:
            _log.error("worker {number} has ended", number=member.number)
        lived = self._reactor.seconds() - member.started
        place.failures = place.failures + 1 if lived < _LONG or member.state is State.STARTING else 0
        wait = pause(place.failures)
        if not wait:
            self._fork(member.number, place)
            return
        _log.error(
            "worker {number} has ended {count} times soon after its start; the next one is started in {pause:g} s",
            number=member.number,
            count=place.failures,
            pause=wait,
        )
        place.timer = self._reactor.callLater(wait, self._fork, member.number, place)

    def _told_of_end(self, number: int, pid: int, status: int) -> None:
        if pid in self._dismissed and not status:
            self._dismissed.discard(pid)
            return
        self._dismissed.discard(pid)
        how = f"with status {status}" if status >= 0 else f"by {signal.Signals(-status).name}"
        _log.error("worker {number} (process {pid}) has ended {how}", number=number, pid=pid, how=how)

    def _fail(self, text: str) -> None:
        for line in text.splitlines():
            _log.error("{line}", line=line)
        self._fault = text

    def wait_until_served(self) -> None:
        """Before the reactor runs: wait for the first worker that serves, or for a signal to end. ``ConfigError`` if
        there is none.
        """
        end = monotonic() + _PATIENCE
        while not self._served and not is_told_to_end():
            if self._fault is not None:
                raise ConfigError(self._fault)
            channels = {channel.fileno(): channel for channel in self._channels()}
            poller = select.poll()
            for descriptor, channel in channels.items():
                poller.register(descriptor, select.POLLIN | (select.POLLOUT if channel.waiting else 0))
            for descriptor, event in poller.poll(_LOOK_EVERY):
                if event & select.POLLOUT:
                    channels[descriptor].doWrite()
                if event & ~select.POLLOUT and not channels[descriptor].closed:
                    channels[descriptor].doRead()
            if monotonic() >= end:
                raise ConfigError(f"no worker has begun to serve within {_PATIENCE:g} s")

    def _channels(self) -> list[Channel]:
        found = [] if self._mould is None else [self._mould]
        return found + [member.channel for member in self._members()]

    def _members(self) -> list[Member]:
        mine = [place.member for place in self._places.values() if place.member is not None]
        return [*mine, *self._old, *self._leaving]

    # -- to tell them

    def tell(self, kind: str, content: Any = None, descriptors: Sequence[int] = ()) -> None:
        """All workers, those that leave too."""
        data = encoded(kind, content, len(descriptors))
        for member in self._members():
            member.channel.send_encoded(data, descriptors)

    def tell_one(self, number: int, kind: str, content: Any, descriptors: Sequence[int] = ()) -> None:
        """The worker of that number, which is there."""
        member = self._places[number].member
        assert member is not None, "it is one of the numbers"
        member.channel.send(kind, content, descriptors)

    def dismiss(self, number: int) -> None:
        """Let the worker of that number finish and leave; another takes its place."""
        place = self._places.get(number)
        if place is not None and place.member is not None:
            self._dismiss(place.member)

    def _dismiss(self, member: Member) -> None:
        self._leaving.add(member)
        self._part(member)
        member.channel.send("drain")

    def end(self) -> Deferred[None]:
        """Let all finish and leave; fires when the last one has."""
        ended: Deferred[None] = Deferred()
        self._ended = ended
        for timer in (self._timer, *(place.timer for place in self._places.values())):
            if timer is not None and timer.active():
                timer.cancel()
        for member in self._members():
            self._dismiss(member)
        self._look_for_the_end()
        return ended

    def _look_for_the_end(self) -> None:
        if self._ended is None or self._members() or self._ended.called:
            return
        if self._mould is not None:
            # It ends when it hears this.
            self._mould.close()
        self._ended.callback(None)

    def kill(self) -> None:
        """End those that have not left by now."""
        for member in self._members():
            if member.pid:
                with suppress(ProcessLookupError):
                    os.kill(member.pid, signal.SIGKILL)
            else:
                member.channel.close()
                self._gone(member)
