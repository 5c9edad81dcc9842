"""The master of several workers: it listens for them, looks at each new configuration first, and carries no traffic."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from txproxy.admin.proxy_view import Stage
from txproxy.cluster.record_locks import open_lock_file
from txproxy.config.configuration_file import ConfigurationFile
from txproxy.config.endpoints import Bound
from txproxy.config.findings import told
from txproxy.config.model import Config
from txproxy.config.preflight import preflight
from txproxy.config.start_lines import start_line
from txproxy.config.worker_count import check_workers
from txproxy.errors import ConfigError
from txproxy.net.dns.resolver import Resolver
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_level import LogThreshold
from txproxy.runtime.admin_entrance import AdminEntrance, RunningView
from txproxy.runtime.builder import Around, Factory, Observers, assemble
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.runtime.live.live_logs import LiveLogs
from txproxy.runtime.running import Running, RunningService
from txproxy.runtime.workers.admin_relay import AdminRelay
from txproxy.runtime.workers.channel import Channel, Message
from txproxy.runtime.workers.common.shared_keys import with_shared_keys
from txproxy.runtime.workers.common.shares import with_shares
from txproxy.runtime.workers.common.ticket_slots import TicketSlots
from txproxy.runtime.workers.crew import Crew, Identity
from txproxy.runtime.workers.inheritance import Inheritance
from txproxy.runtime.workers.listening_sockets import Listening, open_listening
from txproxy.runtime.workers.mould_start import start_mould

_log = Logger()
_SECRET_SIZE: Final = 32
# How often the admin token is looked at again, in seconds.
_CHECK_EVERY: Final = 10.0
# Workers have their own bound for a drain. Who has not left so long after it is ended, in seconds.
_GRACE: Final = 5.0


class MasterService(RunningService):
    """All listeners of a configuration, served by ``workers`` processes. ``start`` starts the mould of these."""

    # That of a reactor that serves nobody tells nobody anything.
    lag: Final = None

    def __init__(self, config: Config, reactor: Any, start: Callable[[], tuple[Channel, Any]] = start_mould) -> None:
        self._reactor = reactor
        self._around = Around(reactor, Resolver(reactor))
        self._secret = os.urandom(_SECRET_SIZE)
        self._slots = TicketSlots()
        self._locks: int | None = None
        self.file = ConfigurationFile(config, self.reload, self._have_workers_look)
        # What is made here serves nobody: it is made to find what is wrong before anything changes.
        self.counts = LiveCounts()
        self.threshold = LogThreshold(config.log_level)
        self._relay = AdminRelay(reactor, lambda: self._crew.members)
        self.stage = Stage.STARTING
        self._admin = AdminEntrance(RunningView(self), reactor, self._relay.relayed)
        self._admin.prepare(config)
        self._now = self._checked(config, None)
        config.opened.clear()
        self._listening: dict[Bound, Listening] = {}
        self._identity: Identity | None = None
        self._crew = Crew(reactor, self._greeting, self._heard, start)
        self._begun = False
        self._revision = 0
        # the workers that have not said yet what has become of the last revision
        self._awaited: set[int] = set()
        self._waiting: list[Deferred[None]] = []
        self._timer: IDelayedCall | None = None
        self._looking: IDelayedCall | None = None

    @property
    def named_factories(self) -> list[tuple[str, Factory]]:
        """None that serves anybody."""
        return []

    @property
    def ports(self) -> list[Listening]:
        """What is listened on, in the order of the configuration."""
        return list(self._listening.values())

    def logs(self) -> list[LogFile]:
        """What workers write to. It is open here as well, so that what cannot be written is said, and is for whoever
        they will be.
        """
        audits = self._now.assembly.audits.values()
        return [*self._now.logs.files.values(), *(audit.file for audit in audits if audit.file is not None)]

    def _checked(self, config: Config, before: Running | None) -> Running:
        known = before.assembly if before is not None else None
        try:
            _plain(config)
            check_workers(config.workers, config.bounds, config.listeners)
            preflight(config, known.config if known is not None else None)
            logs = LiveLogs(config, before.logs if before is not None else None, sinks=False)
            try:
                running = Running(assemble(config, Observers(), self._around, known), logs)
                try:
                    running.places()
                except ConfigError:
                    running.assembly.stop_new(known)
                    raise
            except ConfigError:
                logs.close_but(before.logs.files.values() if before is not None else ())
                raise
        except ConfigError as fault:
            raise told(fault, config) from None
        return running

    # -- begin

    def inherit(self, inherited: Inheritance) -> None:
        """Take the place of another program in this process. Before it starts."""
        self._secret, self._locks = inherited.secret, inherited.locks
        self._listening = dict(inherited.listening)
        self._crew.take_over(inherited.workers, inherited.mould)
        self._admin.inherit(inherited.admin)

    def pause_admin(self) -> Deferred[None]:
        """Another program is about to listen there; fires when it can."""
        return self._admin.pause()

    def resume_admin(self) -> None:
        """It does not, after all."""
        self._admin.resume()

    def hand_over(self) -> Inheritance:
        """All that the program needs that takes this one's place."""
        workers, mould = self._crew.hand_over(), self._crew.mould
        return Inheritance(self._secret, self._listening, workers, mould, self._admin.left, self._locks)

    def run_as(self, identity: Identity) -> None:
        """Whom workers are to be, once they have read what they need. Before it starts."""
        self._identity = identity

    def privilegedStartService(self) -> None:
        """Listen, while it is still allowed to on low ports."""
        super().privilegedStartService()
        self._begin()

    def startService(self) -> None:
        """Have workers. They serve a moment later: who connects by then waits."""
        super().startService()
        self._begin()
        self.stage = Stage.SERVING
        self._crew.resize(self.config.workers)
        self._look_again()

    def wait_until_served(self) -> None:
        """Before the reactor runs: wait for the first worker that serves. ``ConfigError`` if there is none."""
        self._crew.wait_until_served()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._admin.begin(self.config)
            try:
                there, self._listening = self._listening, self._open(self._now)
            except ConfigError:
                self._admin.close()
                raise
            for bound, one in there.items():
                if bound not in self._listening:
                    one.close()
            self._crew.locks = self._locks = self._lock_file()
            self._crew.configure(self._shared(self.config), self._identity)

    def _lock_file(self) -> int:
        """The one of this program, and of those that take its place."""
        try:
            return open_lock_file() if self._locks is None else self._locks
        except OSError as fault:
            raise ConfigError(f"workers need a file without a name, for their locks: {fault.strerror}") from None

    def _shared(self, config: Config) -> Config:
        return self._slots.assign(with_shares(with_shared_keys(config, self._secret)))

    def _open(self, running: Running) -> dict[Bound, Listening]:
        """What a configuration listens on: what is there already, and what is new."""
        opened: dict[Bound, Listening] = {}
        config = running.assembly.config
        try:
            for place in running.places():
                listening = self._listening.get(place.bound)
                if listening is None:
                    try:
                        listening = open_listening(place.text, config.workers, self._reactor)
                    except ConfigError as fault:
                        raise told(fault.at(*place.path), config) from None
                    said = start_line(config, place.served.config, place.tls, listening.getHost())
                    _log.info("{said}", said=said)
                opened[place.bound] = listening
        except ConfigError:
            for bound, listening in opened.items():
                if bound not in self._listening:
                    listening.close()
            raise
        return opened

    def _greeting(self, number: int) -> tuple[Any, list[int]]:
        places, descriptors = self._sockets(self._listening, number)
        return (places,), descriptors

    @staticmethod
    def _sockets(listening: dict[Bound, Listening], number: int) -> tuple[list[Any], list[int]]:
        """What the worker of this number adopts: bound, family and whether it is shared, and the descriptor of each."""
        places = [(bound, one.family, one.shared) for bound, one in listening.items()]
        return places, [one.descriptor(number - 1) for one in listening.values()]

    # -- reload

    def check_files(self) -> None:
        """Let workers read certificates again, if they have changed, and read the admin token so."""
        self._admin.check_token()
        self._crew.tell("check files")

    def _have_workers_look(self) -> None:
        self._crew.tell("read again")

    def _look_again(self) -> None:
        """Workers look at their files themselves."""
        self._looking = self._reactor.callLater(_CHECK_EVERY, self._look_again)
        self._admin.check_token()

    def reopen_logs(self) -> None:
        """Let workers begin their log files anew. Where standard output leads may be another file as well."""
        for log in self.logs():
            log.reopen()
        self._crew.tell("reopen", None, [1, 2])

    def read_again(self, by: str = "SIGHUP") -> bool:
        """Let what the file says now take the place of what runs, in all workers (see :class:`ConfigurationFile`);
        whether it is sound. Where there is none, each of them reads what options name.
        """
        self._admin.check_token()
        done = self.file.read_again(by)
        return bool(done.file) and not done.faults

    def reload(self, config: Config, by: str = "the program") -> None:
        """Let ``config`` take the place of what runs, in all workers. ``ConfigError`` if it is wrong; then nothing has
        changed. ``by`` says who wants it.
        """
        now = self._checked(config, self._now)
        try:
            self._admin.prepare(config, listen=True)
            listening = self._open(now)
        except ConfigError:
            self._admin.keep()
            now.assembly.stop_new(self._now.assembly)
            now.logs.close_but(self._now.logs.files.values())
            raise
        before, self._now = self._now, now
        self._admin.take()
        config.opened.clear()
        before.logs.close_but(now.logs.files.values())
        for factory in before.factories:
            if factory not in now.factories:
                factory.stop()
        self._revision += 1
        self.threshold.follow(config.log_level)
        self.file.revisions.add(by, config.text, config.included)
        shared = self._shared(config)
        self._crew.configure(shared)
        there, self._listening = self._listening, listening
        self._awaited = set(self._crew.numbers)
        new = {bound: one for bound, one in listening.items() if bound not in there}
        for number in self._crew.numbers:
            places, descriptors = self._sockets(new, number)
            self._crew.tell_one(number, "reload", (self._revision, shared, places), descriptors)
        for bound, one in there.items():
            if bound not in listening:
                # Workers have it to themselves from now on, and accept who waits before they leave it.
                one.close()
        for one in listening.values():
            one.keep(config.workers)
        self._crew.resize(config.workers)
        self._look_whether_taken()

    def when_taken(self) -> Deferred[None]:
        """Fires when all workers have what was reloaded last, which may be by now."""
        taken: Deferred[None] = Deferred()
        if self._awaited:
            self._waiting.append(taken)
        else:
            taken.callback(None)
        return taken

    def _heard(self, number: int, message: Message) -> None:
        if message.kind == "answered":
            self._relay.heard(*message.content)
        elif message.kind == "ended":
            self._relay.gone(message.content)
        elif message.kind == "gone" or (message.kind == "taken" and message.content == self._revision):
            # Who takes the place of one that has ended has the revision from the start.
            if number not in self._awaited:
                return
            self._awaited.discard(number)
            self._look_whether_taken()
        elif message.kind == "refused":
            revision, why = message.content
            for line in why.splitlines():
                _log.error("worker {number}: {line}", number=number, line=line)
            if revision == self._revision:
                # All others have it: it makes room for one that has.
                self._awaited.discard(number)
                self._crew.dismiss(number)
                self._look_whether_taken()

    def _look_whether_taken(self) -> None:
        # One worker less has nothing to say.
        self._awaited.intersection_update(self._crew.numbers)
        if self._awaited:
            return
        if self.file.path:
            _log.info("{file} was read again, and runs", file=self.file.path)
        waiting, self._waiting = self._waiting, []
        for taken in waiting:
            taken.callback(None)

    # -- the end

    def stopService(self) -> Deferred[Any]:
        """Stop accepting, let all workers finish what runs, then leave."""
        super().stopService()
        self.stage = Stage.DRAINING
        if self._looking is not None:
            self._looking.cancel()
        listening, self._listening = self._listening, {}
        # Workers have what they accept from to themselves: whoever waits there is theirs to let in.
        waits = [closed for one in listening.values() if (closed := one.close()) is not None]
        longest = max(listener.limits.drain_timeout for listener in self.config.listeners)
        self._timer = self._reactor.callLater(longest + _GRACE, self._crew.kill)
        return DeferredList(waits, consumeErrors=True).addCallback(lambda _: self._crew.end()).addBoth(self._stopped)

    def hurry(self) -> None:
        """Wait for nobody any more."""
        self._crew.tell("hurry")

    def _stopped(self, _: object) -> Deferred[Any]:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        for factory in self._now.factories:
            factory.stop()
        self._now.logs.close_but(())
        if self._locks is not None:
            os.close(self._locks)
        allotments = set(self._now.assembly.allotments.values())
        # Until here, whoever asks is told that it drains.
        return DeferredList([self._admin.close(), *(one.stop() for one in allotments)], consumeErrors=True)


def _plain(config: Config) -> None:
    """Whether other processes can be told of it."""
    try:
        pickle.dumps(config)
    except Exception as fault:
        raise ConfigError(
            f"workers = {config.workers}: other processes cannot be told of this configuration: {fault}",
            "accepted with workers are plain values alone, and names of what is to be imported",
        ) from None
