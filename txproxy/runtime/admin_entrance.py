"""The admin API of what runs: what it shows, and where it is reached, over reloads."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.logger import Logger

from txproxy.admin.connections.failed_exchanges import FailedExchanges
from txproxy.admin.proxy_view import ListenerView, Stage
from txproxy.config.admin_endpoint import check_place
from txproxy.config.configuration_file import ConfigurationFile
from txproxy.config.endpoints import Bound
from txproxy.config.findings import told
from txproxy.config.model import AnyListener, Config, ForwardListener, TcpListener
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.limits.allotments import Allotments
from txproxy.limits.requests.limiter import LimitCounts
from txproxy.limits.requests.limits_middleware import AnyLimiter
from txproxy.net.transports.adopted_ports import LeftSocket
from txproxy.observe.log_formats.connection_facts import Connections
from txproxy.observe.log_level import LogThreshold
from txproxy.observe.loop_lag import LoopLag
from txproxy.observe.request_counts import RequestCounts
from txproxy.proxy.downstream.admission import Admitted
from txproxy.proxy.factory import ProxyFactory
from txproxy.reverse.challenge.challenger import ChallengeCounts
from txproxy.runtime.builder import Assembly, Factory, forward_factories
from txproxy.runtime.live.live_counts import LiveCounts
from txproxy.upstreams.overlay import Overlay
from txproxy.upstreams.pool import Pool

# Who is asked by nobody does without the web server.
if TYPE_CHECKING:
    from txproxy.admin.access_checks import Access
    from txproxy.admin.admin_server import AdminServer
    from txproxy.admin.api_paths import ApiPaths, Verb
    from txproxy.admin.caching.warming import Way
    from txproxy.forward.egress.approvals import Approvals
    from txproxy.proxy.caching.shared_cache import SharedCache

_log = Logger()


class RunningProxy(Protocol):
    """What runs, as it is now."""

    @property
    def assembly(self) -> Assembly:
        """What its configuration means."""

    @property
    def stage(self) -> Stage:
        """How far it is."""

    @property
    def counts(self) -> LiveCounts:
        """What it tells in numbers."""

    @property
    def connections(self) -> Connections:
        """What numbers connections."""

    @property
    def named_factories(self) -> list[tuple[str, Factory]]:
        """Those of the listeners, and of configurations before, each with the name of its listener."""

    @property
    def lag(self) -> LoopLag | None:
        """How late the reactor is, where clients are served."""

    @property
    def threshold(self) -> LogThreshold:
        """How much it says of itself."""

    @property
    def file(self) -> ConfigurationFile:
        """What says what runs."""

    def when_taken(self) -> Deferred[None]:
        """Fires when what was reloaded last runs in all workers."""


@frozen
class RunningView:
    """Shows what runs now (see :class:`txproxy.admin.proxy_view.ProxyView`)."""

    _running: RunningProxy

    @property
    def _assembly(self) -> Assembly:
        return self._running.assembly

    @property
    def stage(self) -> Stage:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.stage

    @property
    def listeners(self) -> Sequence[ListenerView]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        config = self._assembly.config
        return [_seen(listener, config) for listener in config.listeners]

    @property
    def pools(self) -> Mapping[str, Pool]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return {name: live.pool for name, live in self._assembly.pools.items()}

    @property
    def overlays(self) -> Mapping[str, Overlay]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return {name: live.overlay for name, live in self._assembly.pools.items()}

    @property
    def cache(self) -> SharedCache | None:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        live = self._assembly.cache
        return live.shared if live is not None else None

    @property
    def counts(self) -> Mapping[str, RequestCounts]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.counts.of(self._assembly.config)

    @property
    def file(self) -> ConfigurationFile:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.file

    def when_taken(self) -> Deferred[None]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.when_taken()

    @property
    def clients(self) -> Sequence[tuple[str, Admitted]]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        named = self._running.named_factories
        return [(name, client) for name, factory in named for client in factory.admission.everyone()]

    @property
    def failed(self) -> FailedExchanges:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.counts.failed

    @property
    def numbers(self) -> Connections:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.connections

    @property
    def connections(self) -> Mapping[str, int]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return {one.config.name: len(one.factory.admission.everyone()) for one in self._assembly.served}

    @property
    def lag(self) -> LoopLag | None:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.lag

    @property
    def revision(self) -> int | None:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        # Workers begin at other times: it is the master that counts.
        return self._running.file.revisions.current if self._assembly.config.workers == 1 else None

    @property
    def threshold(self) -> LogThreshold:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._running.threshold

    @property
    def limits(self) -> Sequence[LimitCounts]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._assembly.limits.counts

    @property
    def challenges(self) -> Mapping[str, ChallengeCounts]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._assembly.limits.challenges.counts

    @property
    def limiters(self) -> Sequence[AnyLimiter]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._assembly.limits.limiters

    @property
    def allotments(self) -> Mapping[str, Allotments]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return self._assembly.allotments

    @property
    def questions(self) -> Sequence[tuple[str, Approvals]]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        return [
            (name, factory.forward.approvals)
            for name, factory in self._running.named_factories
            for factory in forward_factories((factory,))
        ]

    @property
    def ways(self) -> Sequence[Way]:
        """See :class:`txproxy.admin.proxy_view.ProxyView`."""
        from txproxy.admin.caching.warming import Way

        return [
            Way(one.config.name, isinstance(one.config, ForwardListener), one.factory.services, one.factory.handle)
            for one in self._assembly.served
            if isinstance(one.factory, ProxyFactory)
        ]


def _seen(listener: AnyListener, config: Config) -> ListenerView:
    if isinstance(listener, ForwardListener):
        return ListenerView(listener.name, (), without=True)
    if isinstance(listener, TcpListener):
        return ListenerView(listener.name, tuple(dict.fromkeys(listener.pools)), without=False)
    routes = config.routes_of(listener)
    names = [*([] if listener.pool is None else [listener.pool]), *(name for route in routes for name in route.pools)]
    alone = any(not route.action.uses for route in routes)
    return ListenerView(listener.name, tuple(dict.fromkeys(names)), without=alone)


class AdminEntrance:
    """Where the admin API is reached, if a configuration says where; it is about what ``view`` shows. Where others do
    what is to be done, ``relayed`` makes of each verb one that asks them. One that ``serves`` not is itself one of
    those who are asked.
    """

    def __init__(
        self,
        view: RunningView,
        reactor: Any,
        relayed: Callable[[Verb], Verb] | None = None,
        serves: bool = True,
    ) -> None:
        self._view = view
        self._reactor = reactor
        self._relayed = relayed
        self._serves = serves
        self._server: AdminServer | None = None
        # for the configuration that is about to run: who serves, and how
        self._next: AdminServer | None = None
        self._access: Access | None = None
        # where the program before has listened
        self._inherited: tuple[Bound, LeftSocket] | None = None

    @cached_property
    def paths(self) -> ApiPaths:
        """What there is to be asked."""
        from txproxy.admin.admin_server import verbs_of
        from txproxy.admin.api_paths import ApiPaths

        return ApiPaths(verbs_of(self._view, self._reactor))

    @property
    def port(self) -> Any:
        """What is listened on, or None."""
        return self._server.port if self._server is not None else None

    def prepare(self, config: Config, listen: bool = False) -> None:
        """Have ready what a configuration needs that is about to run, and ``listen`` there if somebody serves already.
        ``ConfigError`` if that cannot be: nothing has changed then.
        """
        self._next = self._access = None
        admin = config.admin
        if admin is None or not self._serves:
            return
        from txproxy.admin.access_checks import Access
        from txproxy.admin.admin_server import AdminServer

        try:
            check_place(admin, (text for listener in config.listeners for text in listener.endpoints))
            self._access = access = Access.of(admin)
            if self._server is not None and self._server.config.bound == admin.bound:
                self._next = self._server
                return
            made = AdminServer(access, self._view, self._reactor, self._relayed)
            if listen:
                made.open()
            self._next = made
        except ConfigError as fault:
            raise told(fault.at("admin"), config) from None

    def begin(self, config: Config) -> None:
        """Listen for the first time, by ``config``; ``ConfigError`` if that cannot be."""
        inherited, self._inherited = self._inherited, None
        left = None
        if inherited is not None:
            bound, left = inherited
            if self._next is None or self._next.config.bound != bound:
                left.close()
                left = None
        if self._next is not None:
            try:
                self._next.open(left)
            except ConfigError as fault:
                raise told(fault.at("admin"), config) from None
        self.take()

    def take(self) -> None:
        """What was prepared takes the place of what is there."""
        before, self._server = self._server, self._next
        self._next = None
        if self._server is not None and self._access is not None:
            self._server.lead_to(self._access)
        if before is not None and before is not self._server:
            before.close()
        if self._server is not None and before is not self._server:
            _log.info("{said}", said=f"admin API at {self._server.config.listen}")

    def keep(self) -> None:
        """What was prepared is not taken."""
        made, self._next = self._next, None
        if made is not None and made is not self._server:
            made.close()

    def check_token(self) -> None:
        """Read the token again, if its file has changed."""
        if self._server is not None:
            self._server.check_token()

    # -- from one program to the next in the same process

    def pause(self) -> Deferred[None]:
        """Let who comes wait for the next program; fires when who is there has been answered."""
        return self._server.pause() if self._server is not None else succeed(None)

    def resume(self) -> None:
        """There is no other program."""
        if self._server is not None:
            self._server.resume()

    @property
    def left(self) -> tuple[Bound, LeftSocket] | None:
        """What that goes on with."""
        return (self._server.config.bound, self._server.left) if self._server is not None else None

    def inherit(self, left: tuple[Bound, LeftSocket] | None) -> None:
        """What the program before has left. Before it begins."""
        self._inherited = left

    def close(self) -> Deferred[Any]:
        """Listen no more; fires when that is so."""
        server, self._server = self._server, None
        return maybeDeferred(server.close) if server is not None else succeed(None)
