"""Configuration to running service: listen, drain, reload, stop."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.internet.interfaces import IDelayedCall, IListeningPort
from twisted.internet.task import deferLater
from twisted.logger import Logger

from txproxy.admin.proxy_view import Stage
from txproxy.config.configuration_file import ConfigurationFile
from txproxy.config.endpoints import Bound, endpoint_text
from txproxy.config.findings import told
from txproxy.config.model import Config, ForwardListener
from txproxy.config.preflight import preflight
from txproxy.config.start_lines import start_line
from txproxy.errors import ConfigError
from txproxy.limits.allotments import Allotments
from txproxy.matching.networks import UNIX
from txproxy.net.dns.resolver import Resolver
from txproxy.net.transports.adopted_ports import AdoptedEndpoint
from txproxy.observe.audit import AuditLog
from txproxy.observe.log_file import LogFile
from txproxy.observe.log_level import LogThreshold
from txproxy.observe.loop_lag import LoopLag
from txproxy.runtime.admin_entrance import AdminEntrance, RunningView
from txproxy.runtime.builder import Around, Assembly, Factory, assemble, forward_factories
from txproxy.runtime.entrance import Entrance
from txproxy.runtime.freed_memory import keep_freed_memory
from txproxy.runtime.leaving import Giving, Leaving, Nowhere
from txproxy.runtime.live.accounts import all_audits
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.runtime.live.live_logs import LiveLogs
from txproxy.runtime.running import Running, RunningService
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.tls.ticket_fronts import TicketFronts
from txproxy.tls.verification import ClientConnections

if TYPE_CHECKING:
    from txproxy.admin.api_paths import ApiPaths
    from txproxy.cluster.record_locks import RecordLocks
    from txproxy.runtime.workers.master_service import MasterService

_log = Logger()

# How often files that were read are looked at again, in seconds.
_CHECK_EVERY: Final = 10.0


def make_service(config: Config, reactor: Any = None, resolver: Resolver | None = None) -> ProxyService | MasterService:
    """The service that the command line runs. ``reactor`` is the running program's if None, and ``resolver`` one that
    goes by the system's files.

    A file or value that is wrong is a ``ConfigError`` here; an address that cannot be listened on is one when the
    service starts.
    """
    if reactor is None:
        from twisted.internet import reactor  # the embedding program's
    for number, listener in enumerate(config.listeners):
        # What a file has is looked at when it is read; this is for options, and for who makes a configuration.
        if not listener.endpoints:
            raise ConfigError("--listen or --tls-listen is needed")
        if listener.tls_listen and listener.tls is None:
            raise ConfigError(
                "--tls-listen needs a certificate", "accepted is --tls-cert FILE, or --tls-self-signed for trials"
            )
        if listener.proxy_protocol and not listener.trusted_proxies:
            raise ConfigError("--proxy-protocol needs --trusted-proxy CIDR: whose headers are to be believed")
        if isinstance(listener, ForwardListener) and UNIX not in listener.policy.allow_clients and not config.source:
            for text in listener.endpoints:
                if text.startswith(UNIX):
                    _log.warn(
                        "{text}: none of its clients is allowed; --allow-client {unix} allows", text=text, unix=UNIX
                    )
        for text, path in listener.entrance_paths:
            try:
                endpoint_text(text)
            except ConfigError as fault:
                raise told(fault.at("listeners", number, *path), config) from None
    if config.workers > 1:
        from txproxy.runtime.workers.master_service import MasterService

        return MasterService(config, reactor)
    return ProxyService(config, reactor, resolver)


class ProxyService(RunningService):
    """All listeners of a configuration, and what they share. Starts at once, stops after a drain; :meth:`reload` lets
    another configuration take its place.

    ``adopted`` is what another process has opened, and told of, for all that is listened on. ``tls`` is that of
    listeners which has been made already, and ``fronts`` is for more of it. ``locks`` are those of all processes.
    """

    def __init__(
        self,
        config: Config,
        reactor: Any,
        resolver: Resolver | None = None,
        *,
        adopted: Mapping[Bound, AdoptedEndpoint] | None = None,
        tls: Mapping[ListenerTls, ServerTls] | None = None,
        fronts: TicketFronts | None = None,
        locks: RecordLocks | None = None,
    ) -> None:
        self._reactor = reactor
        self._around = Around(reactor, resolver or Resolver(reactor), tls or {}, adopted is not None, fronts, locks)
        self._adopted = adopted
        self.stage = Stage.STARTING
        self.counts = LiveCounts()
        self.lag = LoopLag(reactor)
        self.threshold = LogThreshold(config.log_level)
        self._admin = AdminEntrance(RunningView(self), reactor, serves=adopted is None)
        self._admin.prepare(config)
        self._now = self._assemble(config, None)
        config.opened.clear()
        self.file = ConfigurationFile(config, self._take, self._read_what_has_changed)
        self._leaving = Leaving(lambda logs: logs.close_but(self._files_in_use()))
        self._timer: IDelayedCall | None = None
        # what counted for configurations before, as their clients may still do something
        self._counted: set[Allotments] = set()
        # who goes on with what is here, once nobody listens here any more
        self.giving: Giving = Nowhere()

    @property
    def named_factories(self) -> list[tuple[str, Factory]]:
        """Those of the listeners, and of configurations before, each with the name of its listener."""
        return [*((served.config.name, served.factory) for served in self.assembly.served), *self._leaving.named]

    @property
    def entrances(self) -> Mapping[Bound, Entrance]:
        """Where it listens."""
        return self._now.entrances

    @property
    def api_paths(self) -> ApiPaths:
        """What it may be asked, and told, by the admin API."""
        return self._admin.paths

    @property
    def factories(self) -> tuple[Factory, ...]:
        """Those of the listeners, in the order of the configuration."""
        return tuple(self._now.factories)

    @property
    def ports(self) -> list[IListeningPort]:
        """What is listened on, in the order of the configuration, and last where the admin API is."""
        ports = [entrance.port for entrance in self._now.entrances.values()]
        return ports if self._admin.port is None else [*ports, self._admin.port]

    def _assemble(self, config: Config, before: Running | None) -> Running:
        try:
            if self._adopted is None:
                preflight(config, before.assembly.config if before is not None else None)
            logs = LiveLogs(config, before.logs if before is not None else None)
        except ConfigError as fault:
            raise told(fault, config) from None
        observers = self.counts.observers(config, logs)
        try:
            known = before.assembly if before is not None else None
            running = Running(assemble(config, observers, self._around, known), logs)
            try:
                # An endpoint that is there twice is said before anything runs.
                running.places()
            except ConfigError:
                running.assembly.stop_new(known)
                raise
        except ConfigError as fault:
            logs.close_but(before.logs.files.values() if before is not None else ())
            raise told(fault, config) from None
        return running

    # -- begin

    def privilegedStartService(self) -> None:
        """Listen, while it is still allowed to on low ports."""
        super().privilegedStartService()
        self._begin()

    def startService(self) -> None:
        """Serve."""
        super().startService()
        keep_freed_memory()
        self._begin()
        self.stage = Stage.SERVING
        # As who it is from now on: nobody else has to write there.
        self._open_cache(self._now)

    def _open_cache(self, running: Running) -> None:
        cache = running.assembly.cache
        if cache is not None:
            try:
                cache.open(self._reactor)
            except ConfigError as fault:
                raise told(fault, running.assembly.config) from None

    def _begin(self) -> None:
        if self._timer is None:
            # Whoever sees that clients can come may ask how it is at once.
            self._admin.begin(self.config)
            try:
                self._now.entrances = self._open(self._now, {})
            except ConfigError:
                self._admin.close()
                raise
            self._look_again()
            self.lag.look(self.config.admin is not None)

    def _open(self, running: Running, there: Mapping[Bound, Entrance]) -> dict[Bound, Entrance]:
        """The entrances of a configuration: those that are ``there``, which are left as they are, and new ones."""
        entrances: dict[Bound, Entrance] = {}
        try:
            for place in running.places():
                entrance = there.get(place.bound)
                if entrance is None:
                    adopted = self._adopted[place.bound] if self._adopted is not None else None
                    entrance = Entrance(place.text, place.behind(), self._reactor, adopted)
                    try:
                        entrance.open()
                    except ConfigError as fault:
                        raise told(fault.at(*place.path), running.assembly.config) from None
                    if adopted is None:
                        config, host = running.assembly.config, entrance.port.getHost()
                        _log.info("{said}", said=start_line(config, place.served.config, place.tls, host))
                entrances[place.bound] = entrance
        except ConfigError:
            for bound, entrance in entrances.items():
                if bound not in there:
                    entrance.close()
            raise
        return entrances

    # -- files that change

    def _look_again(self) -> None:
        self._timer = self._reactor.callLater(_CHECK_EVERY, self._look_again)
        self.check_files()

    def check_files(self) -> None:
        """Read certificates, CAs and the admin token again, if they have changed."""
        self._admin.check_token()
        for served in self._now.assembly.served:
            if served.tls is not None:
                served.tls.check()
        for live in self._now.assembly.pools.values():
            for upstream in live.pool.upstreams:
                if isinstance(upstream.address.tls, ClientConnections):
                    upstream.address.tls.check()
        for factory in forward_factories(self._now.factories):
            for parent in factory.forward.parents or ():
                if isinstance(parent.address.tls, ClientConnections):
                    parent.address.tls.check()

    def logs(self) -> list[LogFile]:
        """What is written to, by who has yet to leave as well: access logs, and audit logs."""
        audits = (*_audits(self._now.assembly), *self._leaving.audits)
        files = [audit.file for audit in audits if audit.file is not None and not audit.file.closed]
        return list(dict.fromkeys([*self._files_in_use(), *files]))

    def reopen_logs(self) -> None:
        """After the log files were moved away (SIGHUP, SIGUSR1)."""
        for log in self.logs():
            log.reopen()

    # -- reload

    def read_again(self, by: str = "SIGHUP") -> bool:
        """Let what the file says now take the place of what runs (see :class:`ConfigurationFile`); whether it has."""
        done = self.file.read_again(by)
        return bool(done.file) and not done.faults

    def _take(self, config: Config, by: str) -> None:
        self.reload(config, by)
        _log.info("{file} was read again, and runs", file=self.file.path)

    def when_taken(self) -> Deferred[None]:
        """Fires when what was reloaded last runs: that is so."""
        return succeed(None)

    def reload(self, config: Config, by: str = "the program") -> None:
        """Let ``config`` take the place of what runs: endpoints that are in both stay open, requests that have begun
        end as they have begun, and the next ones on the same connections are under ``config``. ``ConfigError`` if it
        cannot; then nothing has changed. ``by`` says who wants it.
        """
        before = self._now
        now = self._assemble(config, before)
        try:
            self._open_cache(now)
            self._admin.prepare(config, listen=True)
            now.entrances = self._open(now, before.entrances)
        except ConfigError:
            self._admin.keep()
            now.assembly.stop_new(before.assembly)
            now.logs.close_but(before.logs.files.values())
            raise
        self._now = now
        self._admin.take()
        self.counts.keep(config)
        self.threshold.follow(config.log_level)
        self.lag.look(self._timer is not None and config.admin is not None)
        if now.assembly.cache is not None:
            now.assembly.cache.take_place(before.assembly.cache)
        elif before.assembly.cache is not None:
            before.assembly.cache.close()
        before.assembly.logins.close(now.assembly.logins)
        self._counted.update(before.assembly.allotments.values())
        self._counted.difference_update(now.assembly.allotments.values())
        leads = {place.bound: place.behind() for place in now.places()}
        for bound, entrance in before.entrances.items():
            behind = leads.get(bound)
            if behind is not None:
                entrance.lead_to(behind)
            else:
                entrance.close()
        old = [served for served in before.assembly.served if served.factory not in now.factories]
        self._leaving.retire(old, before.logs, _audits(before.assembly))
        before.logs.close_but(self._files_in_use())
        self._read_what_has_changed()
        # Until here, what was read to check it need not be read again.
        config.opened.clear()
        self.file.revisions.add(by, config.text, config.included)

    def _read_what_has_changed(self) -> None:
        """Of what is kept, at once: that is what somebody wants who asks for a reload."""
        self.check_files()
        self._now.assembly.logins.check_files()
        for factory in forward_factories(self._now.factories):
            factory.forward.parts.check_files()

    def _files_in_use(self) -> list[LogFile]:
        """Those of access logs that somebody may write to: as it is now, or who has yet to leave."""
        return [file for logs in (self._now.logs, *self._leaving.logs) for file in logs.files.values()]

    # -- the end

    def stopService(self) -> Deferred[None]:
        """Stop accepting, finish what runs, for ``drain_timeout`` at the most, then leave."""
        super().stopService()
        self.stage = Stage.DRAINING
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self.lag.look(False)
        entrances, self._now.entrances = self._now.entrances, {}
        waits = [closed for entrance in entrances.values() if (closed := entrance.close()) is not None]
        # Until then there are still some who connect.
        closed = DeferredList(waits, consumeErrors=True).addCallback(lambda _: self.giving.begin())
        return closed.addCallback(self._drain).addCallback(self._stopped)

    def _drain(self, _: object) -> Deferred[Any]:
        waits = [self._in_time(factory, factory.drain()) for factory in self._now.factories]
        waits += [self._in_time(factory, gone) for factory, gone in self._leaving.drain()]
        factories = (*self._now.factories, *self._leaving)
        left = sum(len(factory.admission.everyone()) for factory in factories)
        if left:
            longest = max(factory.limits.drain_timeout for factory in factories)
            what = "connection" if left == 1 else "connections"
            _log.info("waiting for {left} {what}, for {longest:g} s at the most", left=left, what=what, longest=longest)
        return DeferredList(waits, consumeErrors=True)

    def _in_time(self, factory: Factory, left: Deferred[None]) -> Deferred[None]:
        return left if left.called else left.addTimeout(factory.limits.drain_timeout, self._reactor)

    def hurry(self) -> None:
        """Wait for nobody any more: close all connections."""
        for factory in (*self._now.factories, *self._leaving):
            factory.stop()

    def _stopped(self, _: object) -> Deferred[Any]:
        self.giving.end()
        cut = any(factory.admission.everyone() for factory in (*self._now.factories, *self._leaving))
        self.hurry()
        # What is cut off is reset in the next turn. If the process was gone by then, the kernel would close it as if it
        # had come to its end.
        waits: list[Deferred[Any]] = [deferLater(self._reactor, 0)] if cut else []
        for file in self._files_in_use():
            file.close()
        self._now.assembly.logins.close()
        if self._now.assembly.cache is not None:
            self._now.assembly.cache.close()
        # What was used is written down.
        counted = {*self._now.assembly.allotments.values(), *self._counted}
        # Until here, whoever asks is told that it drains.
        spans = [one.close(self._reactor) for one in self._now.logs.exporting.values()]
        waits += [self._admin.close(), *spans, *(one.stop() for one in counted)]
        return DeferredList(waits, consumeErrors=True)


def _audits(assembly: Assembly) -> list[AuditLog]:
    return all_audits(assembly.audits, [served.config for served in assembly.served])
