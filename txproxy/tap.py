"""Command-line options to service: what twistd runs."""

from __future__ import annotations

import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Final

from twisted.application.service import IService, MultiService
from twisted.internet.address import UNIXAddress
from twisted.logger import ILogObserver, Logger
from twisted.python import usage

from txproxy.cli.starting.systemd_notify import SystemdNotify
from txproxy.components.values import brief, hint
from txproxy.errors import ConfigError, masked
from txproxy.observe.log_destinations import STANDARD_OUTPUT
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_level import DEFAULT_LEVEL
from txproxy.observe.twistd_log import TwistdLog
from txproxy.runtime.freed_memory import settle_collector
from txproxy.runtime.proxy_service import ProxyService
from txproxy.runtime.workers.inheritance import Inheritance
from txproxy.runtime.workers.process_names import name_process
from txproxy.runtime.workers.program import Program, hear_signals, hold_signals, is_tried

if TYPE_CHECKING:
    from txproxy.cli.options.shared import Mode
    from txproxy.config.model import Config
    from txproxy.runtime.workers.master_service import MasterService

_log = Logger()
# How long to wait for who does not take the last lines of a log, in seconds.
_LAST_LINES: Final = 0.5
# Where the options of each are: those of other modes are not waited for.
_OPTIONS: Final = {
    "forward": ("txproxy.cli.options.forward", "ForwardOptions"),
    "reverse": ("txproxy.cli.options.pools", "ReverseOptions"),
    "tcp": ("txproxy.cli.options.pools", "TcpOptions"),
    "run": ("txproxy.cli.options.run", "RunOptions"),
}
_MODES: Final = ", ".join(_OPTIONS)


def _options_of(mode: str) -> Mode:
    module, name = _OPTIONS[mode]
    made: Mode = getattr(import_module(module), name)()
    return made


class Options(usage.Options):
    """``twistd txproxy MODE [options]``"""

    longdesc = (
        "An HTTP proxy, forward or reverse. MODE --help prints the options of a mode. "
        "Example: twistd -n txproxy reverse --upstream http://127.0.0.1:8001, which is txproxy reverse --upstream ..."
    )
    subCommands: ClassVar[list[list[object]]] = [
        ["forward", None, partial(_options_of, "forward"), "on the clients' side: absolute-URI requests and CONNECT"],
        ["reverse", None, partial(_options_of, "reverse"), "on the servers' side: HTTP to a pool of upstreams"],
        ["tcp", None, partial(_options_of, "tcp"), "raw TCP streams to a pool of upstreams"],
        ["run", None, partial(_options_of, "run"), "all that a TOML file names, of any mode"],
    ]

    def __init__(self) -> None:
        super().__init__()
        self.folder = os.getcwd()

    def getSynopsis(self) -> str:
        """The first line of the help."""
        return "Usage: twistd [twistd's options] txproxy MODE [options]"

    def parseOptions(self, options: Any = None) -> None:
        """What is wrong is one line on standard error, and exit status 1."""
        try:
            super().parseOptions(options)
        except usage.UsageError as fault:
            mode = getattr(self, "subCommand", None)
            known = [name.rstrip("=") for name in _options_of(mode).longOpt] if mode in _OPTIONS else []
            _fail(str(fault), mode, known)

    def parseArgs(self, *args: str) -> None:
        """Only a mode."""
        if args:
            raise usage.UsageError(f"{args[0]!r} is no mode; accepted: {_MODES}")

    def postOptions(self) -> None:
        """A mode is needed."""
        if self.subCommand is None:
            raise usage.UsageError(f"a mode is needed; accepted: {_MODES}")
        if is_tried():
            mode: Any = self.subOptions
            if isinstance(mode.service, ProxyService):
                raise usage.UsageError("one process cannot take the place of several; accepted are 2 workers or more")
            raise SystemExit(0)


def _fail(text: str, mode: str | None = None, options: Sequence[str] = ()) -> None:
    name = f"txproxy {mode}" if mode else "txproxy"
    if text.startswith("option ") and text.endswith(("not recognized", "not a unique prefix")):
        meant = get_close_matches(text.split()[1].removeprefix("--"), options, 1)
        text += f" (did you mean --{meant[0]}?)" if meant else ""
        text += f"; {name} --help lists what is accepted"
    elif text.startswith("Unknown command: "):
        given = text.removeprefix("Unknown command: ")
        text = f"{given!r} is no mode{hint(given, list(_OPTIONS))}; accepted: {_MODES}"
    from txproxy.cli.options.shared import say

    for line in masked(text).splitlines():
        say(f"{name}: {brief(line)}")
    raise SystemExit(1)


class CommandLineService(MultiService):
    """What twistd runs: the proxy, and what only a process of its own may do (signals, descriptors, its log, the
    collector). ``folder`` is where it was started: daemons go elsewhere.
    """

    def __init__(
        self, service: ProxyService | MasterService, twistd: Mapping[str, Any], folder: str | None = None
    ) -> None:
        super().__init__()
        self._folder = folder or os.getcwd()
        self._service = service
        self._twistd = twistd
        self._log: TwistdLog | None = None
        self._manager = SystemdNotify(os.environ)
        # the one that is tried, to take this one's place
        self._program: Program | None = None
        service.setServiceParent(self)

    def setServiceParent(self, parent: Any) -> None:
        """Part of an application: its log is ours to write."""
        try:
            self._log = TwistdLog.of(self._twistd, self._service.threshold)
        except ConfigError as fault:
            _fail(str(fault))
        if self._log is not None:
            parent.setComponent(ILogObserver, self._log)
        elif not self._twistd.get("nodaemon") and any(log.path == STANDARD_OUTPUT for log in self._service.logs()):
            _fail(
                "a log is to go to standard output, which a daemon has not; accepted are a file (--access-log FILE), "
                "none, and twistd's --logfile, where it would be written too"
            )
        if self._log is None and self._service.threshold.configured != DEFAULT_LEVEL:
            _fail("log.level is not for twistd's --logger and --syslog, which write all; accepted is either")
        super().setServiceParent(parent)

    def privilegedStartService(self) -> None:
        """Listen; an address that is taken ends the process with one line."""
        if not isinstance(self._service, ProxyService):
            # One that ends the master before its reactor hears it would leave workers that serve on. Before any thread.
            hold_signals()
        if self._log is not None:
            # Daemons have been made: there may be threads from now on.
            self._log.file.begin()
        if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
            # The reactor takes it only from Python's own.
            signal.signal(signal.SIGINT, signal.default_int_handler)
        # Who knows that it listens may send them, and what they do by themselves is to end it.
        signal.signal(signal.SIGHUP, self._hang_up)
        signal.signal(signal.SIGUSR1, self._begin_logs_anew)
        signal.signal(signal.SIGUSR2, self._replace_program)
        if not isinstance(self._service, ProxyService):
            inherited = Inheritance.find(os.environ)
            if inherited is not None:
                name_process("txproxy")
                self._service.inherit(inherited)
        use_descriptors(self._service.config)
        uid, gid = self._twistd.get("uid"), self._twistd.get("gid")
        changes = uid is not None or gid is not None
        if changes and not isinstance(self._service, ProxyService):
            self._service.run_as((uid, gid, bool(self._twistd.get("euid"))))
        try:
            super().privilegedStartService()
        except ConfigError as fault:
            self._give_up(str(fault))
        if changes:
            self._give_files(-1 if uid is None else uid, -1 if gid is None else gid)

    def _give_files(self, uid: int, gid: int) -> None:
        """What is written is to be opened again by who has no more rights than these."""
        for log in self._logs():
            log.give_to(uid, gid)
        hosts: list[Any] = [port.getHost() for port in self._service.ports]
        names: list[Any] = [host.name for host in hosts if isinstance(host, UNIXAddress)]
        usage_file = self._service.config.bounds.usage_file
        if usage_file:
            # SQLite has files of its own beside it.
            names += [usage_file, f"{usage_file}-wal", f"{usage_file}-shm"]
        for name in names:
            with suppress(OSError, TypeError, ValueError):
                os.chown(name, uid, gid)

    def _logs(self) -> list[LogFile]:
        own = [self._log.file] if self._log is not None else []
        return own + self._service.logs()

    def _give_up(self, text: str) -> None:
        # twistd does this for errors, which it shows as tracebacks; but it knows nothing of an exit.
        pid_file = self._twistd.get("pidfile")
        if pid_file:
            with suppress(OSError):
                os.unlink(pid_file)
        waiting = self._twistd.get("statusPipe")
        if waiting is not None:
            # A daemon has no standard error any more, and who has started it waits for a word: of a hundred bytes, two
            # of which say that it is about an error.
            _log.error("{text}", text=text)
            os.write(waiting, b"1 " + text.encode()[:98])
            os.close(waiting)
        _fail(text)

    def startService(self) -> None:
        """Serve; a cache's directory that cannot be used ends the process with one line."""
        try:
            super().startService()
            if not isinstance(self._service, ProxyService):
                self._service.wait_until_served()
        except ConfigError as fault:
            self._give_up(str(fault))
        _soon(hear_signals)
        _soon(self._say_ready)
        settle_collector()

    def stopService(self) -> Any:
        """Drain; who asks a second time does not want to wait for that."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._hurry)
        self._manager.stopping()
        self._manager.stop()
        logs = self._logs()
        return super().stopService().addBoth(lambda _: self._settle(logs))

    def _settle(self, logs: list[LogFile]) -> None:
        """What is to be read is written, if somebody takes it. twistd itself has a last word after this."""
        for log in logs:
            log.flush(_LAST_LINES)
        if self._log is not None:
            self._log.settle()

    def _reopen(self) -> None:
        if self._log is not None:
            self._log.file.reopen()
            if not isinstance(self._service, ProxyService):
                # Workers write where this leads from now on.
                self._log.file.flush(_LAST_LINES)
        self._service.reopen_logs()

    def _begin_logs_anew(self, *_: object) -> None:
        # Not at once: a signal can come in the middle of a line that is written.
        _soon(self._reopen)

    def _hang_up(self, *_: object) -> None:
        _soon(self._reopen)
        _soon(self._service.check_files)
        _soon(self._read_again)

    def _say_ready(self) -> None:
        from twisted.internet import reactor

        if self.running:
            self._manager.ready()
            self._manager.watch(reactor)

    def _read_again(self) -> None:
        self._manager.reloading()
        self._service.read_again()
        if not isinstance(self._service, ProxyService):
            self._service.when_taken().addCallback(lambda _: self._manager.ready())
        else:
            self._manager.ready()

    def _replace_program(self, *_: object) -> None:
        _soon(self._try_program)

    def _try_program(self) -> None:
        from twisted.internet import reactor

        if isinstance(self._service, ProxyService):
            _log.error("the program is not replaced: that needs 2 workers or more, so that one of them is always there")
        elif self._program is None:
            self._program = Program(sys.argv[1:], self._twistd, self._folder)
            self._program.tried(reactor).addCallback(self._begin_program, self._service)

    def _begin_program(self, fault: str, service: MasterService) -> None:
        program, self._program = self._program, None
        for line in fault.splitlines():
            _log.error("{line}", line=line)
        if fault or program is None or not self.running:
            _log.error("the program is not replaced: the one that is installed does not begin")
            return
        _log.info("the program that is installed takes this one's place")
        self._manager.reloading()
        service.pause_admin().addCallback(lambda _: self._become(program, service))

    def _become(self, program: Program, service: MasterService) -> None:
        if not self.running:
            return
        service.hand_over().leave(os.environ)
        self._settle(self._logs())
        try:
            program.begin()
        except OSError as why:
            _log.error("the program is not replaced: {why}", why=why)
            service.resume_admin()

    def _hurry(self, *_: object) -> None:
        _soon(self._service.hurry)


def _soon(call: Callable[[], object]) -> None:
    """From a signal handler, into the reactor."""
    from twisted.internet import reactor

    reactor.callFromThread(call)  # type: ignore[attr-defined]


def use_descriptors(config: Config) -> None:
    """A proxied connection takes two descriptors: use all that the system grants, and say so where these are too few
    for the connections that there may be.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    most = max((listener.limits.max_connections for listener in config.listeners), default=0)
    if hard != resource.RLIM_INFINITY and hard < most * 2:
        _log.warn(
            "there may be {hard} descriptors (ulimit -n, LimitNOFILE=): enough for {room} proxied connections,"
            " and not for max_connections = {most}: who comes beyond that waits until others have left",
            hard=hard,
            room=hard // 2,
            most=most,
        )


def makeService(options: Options) -> IService:
    """For twistd."""
    mode: Any = options.subOptions
    twistd: Any = options.parent
    return CommandLineService(mode.service, twistd if twistd is not None else {}, options.folder)
