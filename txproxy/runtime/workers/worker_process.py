"""A worker: a process that serves what the master listens on, and does what that says."""

from __future__ import annotations

import os
import signal
import socket
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from importlib import import_module
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.logger import ILogObserver, LogEvent, Logger, LogLevel, eventAsText, globalLogBeginner
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.cluster.membership import Membership
from txproxy.cluster.record_locks import RecordLocks
from txproxy.config.endpoints import Bound
from txproxy.config.model import Config
from txproxy.errors import ConfigError
from txproxy.net.transports.adopted_ports import AdoptedEndpoint
from txproxy.runtime.freed_memory import settle_collector
from txproxy.runtime.proxy_service import ProxyService
from txproxy.runtime.workers.admin_answers import AdminAnswers
from txproxy.runtime.workers.channel import Channel, Message
from txproxy.runtime.workers.common.shared_topics import borrowers_of, shared_of
from txproxy.runtime.workers.handover.arrivals import Arrivals
from txproxy.runtime.workers.handover.giver import Giver
from txproxy.runtime.workers.handover.introduction import ANOTHER, GIVE, TAKE
from txproxy.runtime.workers.handover.taker import Taker
from txproxy.runtime.workers.process_names import name_process
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.ticket_fronts import TicketFronts

_log = Logger()
# More than this of what is said does not wait for a master that does not read, in bytes.
_MOST_WAITING: Final = 1 << 20
# How long to wait for who does not take the last lines of a log, in seconds.
_LAST_LINES: Final = 0.5
# So many are asked one after the other to go on with what a worker that leaves has: where none can, it ends here.
_MOST_OTHERS: Final = 3


@attrs.frozen(eq=False)
class Worker:
    """What a worker begins with: its ``number``, the ``channel`` to the master, a configuration, TLS that is made, the
    module of the ``reactor`` to run, ``fronts`` of more TLS, which all workers have alike, and the descriptor of the
    ``locks`` that they have together.
    """

    number: int
    channel: Channel
    config: Config
    tls: dict[ListenerTls, ServerTls]
    reactor: str
    fronts: TicketFronts | None = None
    locks: int | None = None


class WorkerProcess:
    """Serves by a ``worker``'s configuration, on a ``reactor`` that is this process's own."""

    def __init__(self, worker: Worker, reactor: Any) -> None:
        self._channel = worker.channel
        self._reactor = reactor
        self._adopted: dict[Bound, AdoptedEndpoint] = {}
        locks = RecordLocks(worker.locks) if worker.locks is not None else None
        self._service = ProxyService(
            worker.config, reactor, adopted=self._adopted, tls=worker.tls, fronts=worker.fronts, locks=locks
        )
        self._membership = Membership(reactor, self._tell_others, lambda: self._channel.waiting > 0)
        self._answers = AdminAnswers(lambda: self._service.api_paths, self._answer)
        self._arrivals = Arrivals(self._service)
        # those who bring connections of the program before
        self._takers: set[Taker] = set()
        # so many have ended that were to go on with what is here
        self._others = 0
        self._stopping: Deferred[Any] | None = None
        self._orphaned = False

    def begin(self) -> None:
        """Listen on what the master sends first, and serve."""
        message = self._channel.receive()
        if message is None:
            raise ConfigError("the master has gone")
        self._adopt(message)
        self._service.privilegedStartService()
        self._service.startService()
        self._share()
        self._channel.start(self._reactor, self._received, self._master_gone)
        self._channel.send("ready", os.getpid())

    def _share(self) -> None:
        assembly = self._service.assembly
        self._membership.follow(shared_of(assembly), borrowers_of(assembly))

    def _adopt(self, message: Message) -> None:
        """Take the sockets that a message has."""
        *_, places = message.content
        for (bound, family, shared), descriptor in zip(places, message.descriptors, strict=True):
            self._adopted[bound] = AdoptedEndpoint(self._reactor, descriptor, family, shared)

    def _tell_others(self, kind: str, content: Any) -> None:
        self._channel.send("shared", (kind, content))

    def _answer(self, number: int, answer: Any) -> None:
        self._channel.send("answered", (number, answer))

    # -- what the master says

    def _received(self, message: Message) -> None:
        if message.kind == "shared":
            self._membership.heard(*message.content)
        elif message.kind == "asked":
            self._answers.asked(*message.content)
        elif message.kind == "dropped":
            self._answers.dropped(message.content)
        elif message.kind == "reload":
            self._reload(message)
        elif message.kind == "check files":
            self._service.check_files()
        elif message.kind == "read again":
            self._service.read_again()
        elif message.kind == "reopen":
            self._reopen(message.descriptors)
        elif message.kind == TAKE:
            self._takers.add(Taker(self._reactor, _channel(message), self._arrivals.prepare, self._takers.discard))
        elif message.kind == GIVE:
            self._give(_channel(message))
        elif message.kind == "drain":
            self.drain()
        elif message.kind == "hurry":
            self._service.hurry()

    def _reload(self, message: Message) -> None:
        revision, config, _ = message.content
        self._adopt(message)
        try:
            self._service.reload(config, "SIGHUP")
        except ConfigError as fault:
            self._channel.send("refused", (revision, str(fault)))
        except Exception:
            _log.failure("a configuration could not be taken")
            self._channel.send("refused", (revision, "it could not be taken"))
        else:
            self._share()
            self._channel.send("taken", revision)

    def _reopen(self, standard: Iterable[int]) -> None:
        for number, descriptor in enumerate(standard, 1):
            # Where a daemon's standard output leads is another file now.
            os.dup2(descriptor, number)
            os.close(descriptor)
        self._service.reopen_logs()

    def reopen_logs(self) -> None:
        """Somebody has sent the signal to this process alone."""
        self._service.reopen_logs()

    def _master_gone(self) -> None:
        self._orphaned = True
        self._membership.alone()
        _log.error("the master has gone; this worker serves on, until it is told to end by a signal")

    def _give(self, channel: Channel) -> None:
        """Hand over what is here, once nobody listens here any more; that may be so by now."""
        giver = Giver(self._reactor, channel, self._arrivals.places, self._arrivals.take_back, self._want_another)
        # The one before gives to one that leaves as well by now, or has ended.
        self._service.giving.settled().addCallback(self._give_by, giver)

    def _give_by(self, _: object, giver: Giver) -> None:
        before, self._service.giving = self._service.giving, giver
        before.end()
        if self._stopping is not None:
            giver.begin()

    def _want_another(self) -> None:
        """Who was to go on with what is here has ended, or cannot."""
        self._others += 1
        if self._others <= _MOST_OTHERS:
            self._channel.send(ANOTHER)

    # -- the end

    def drain(self) -> None:
        """Finish what runs, and end. Said again, it makes no difference, but where there is no master that could say
        that it is to be quick.
        """
        if self._stopping is not None:
            if self._orphaned:
                self._service.hurry()
            return
        self._channel.send("leaving")
        logs = self._service.logs()
        self._stopping = self._service.stopService()
        self._stopping.addErrback(self._failed)
        self._stopping.addBoth(self._stopped, logs)

    def _failed(self, failure: Failure) -> None:
        _log.failure("the end has failed", failure=failure)

    def _stopped(self, _: object, logs: list[Any]) -> None:
        for log in logs:
            log.flush(_LAST_LINES)
        self._membership.end()
        self._answers.end()
        self._reactor.stop()

    def interrupt(self) -> None:
        """A terminal says so to all processes, and the master tells workers, as long as there is one."""
        if self._orphaned:
            self.drain()


def _channel(message: Message) -> Channel:
    """The one that a message brings."""
    return Channel(socket.socket(fileno=message.descriptors[0]))


@implementer(ILogObserver)
class MasterLog:
    """Sends what is logged to the master, which writes it down. Where that has gone, what matters goes to standard
    error.
    """

    def __init__(self, channel: Channel) -> None:
        self._channel = channel

    def __call__(self, event: LogEvent) -> None:
        """For Twisted."""
        text = eventAsText(event, includeTimestamp=False, includeSystem=False)
        if not text:
            return
        level = event.get("log_level") or LogLevel.info
        if self._channel.closed:
            if level > LogLevel.info:
                with suppress(OSError, ValueError):
                    sys.stderr.write(f"{text}\n")
        elif self._channel.waiting < _MOST_WAITING:
            self._channel.send("log", (level.name, text))


def run(worker: Worker) -> None:
    """Be a worker until it has ended."""
    name_process(f"txproxy work {worker.number}")
    channel = worker.channel
    try:
        globalLogBeginner.beginLoggingTo([MasterLog(channel)], redirectStandardIO=False, discardBuffer=True)
        import_module(worker.reactor).install()
        from twisted.internet import reactor

        process = WorkerProcess(worker, reactor)
        process.begin()
    except ConfigError as fault:
        channel.send("failed", str(fault))
        os._exit(1)
    except BaseException:
        channel.send("failed", traceback.format_exc())
        os._exit(1)
    settle_collector()
    loop: Any = reactor
    loop.callWhenRunning(_hear_signals, process, loop)
    loop.run()
    channel.finish(_LAST_LINES)


def _hear_signals(process: WorkerProcess, reactor: Any) -> None:
    """Those that are for one worker. What is sent to all processes is for the master, as long as there is one."""

    def soon(call: Any) -> Any:
        return lambda *_: reactor.callFromThread(call)

    signal.signal(signal.SIGTERM, soon(process.drain))
    signal.signal(signal.SIGINT, soon(process.interrupt))
    signal.signal(signal.SIGUSR1, soon(process.reopen_logs))
    for number in (signal.SIGHUP, signal.SIGUSR2):
        signal.signal(number, signal.SIG_IGN)
