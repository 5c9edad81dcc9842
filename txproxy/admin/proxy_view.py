"""What the admin API sees of a running proxy: who runs one hands it over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from twisted.internet.defer import Deferred

from txproxy.frozen_values import frozen

if TYPE_CHECKING:
    from txproxy.admin.caching.warming import Way
    from txproxy.admin.connections.failed_exchanges import FailedExchanges
    from txproxy.config.configuration_file import ConfigurationFile
    from txproxy.forward.egress.approvals import Approvals
    from txproxy.limits.allotments import Allotments
    from txproxy.limits.requests.limiter import LimitCounts
    from txproxy.limits.requests.limits_middleware import AnyLimiter
    from txproxy.observe.log_formats.connection_facts import Connections
    from txproxy.observe.log_level import LogThreshold
    from txproxy.observe.loop_lag import LoopLag
    from txproxy.observe.request_counts import RequestCounts
    from txproxy.proxy.caching.shared_cache import SharedCache
    from txproxy.proxy.downstream.admission import Admitted
    from txproxy.reverse.challenge.challenger import ChallengeCounts
    from txproxy.upstreams.overlay import Overlay
    from txproxy.upstreams.pool import Pool


class Stage(Enum):
    """How far a proxy is."""

    STARTING = "starting"
    SERVING = "serving"
    DRAINING = "draining"


@frozen
class ListenerView:
    """A listener: its ``name``, the names of the ``pools`` that it sends to, and whether it can serve ``without``
    them.
    """

    name: str
    pools: tuple[str, ...]
    without: bool


class ProxyView(Protocol):
    """A running proxy, as it is now: a reload may have changed it since that was asked last."""

    @property
    def stage(self) -> Stage:
        """How far it is."""

    @property
    def listeners(self) -> Sequence[ListenerView]:
        """Its listeners."""

    @property
    def pools(self) -> Mapping[str, Pool]:
        """Its pools, by their names."""

    @property
    def overlays(self) -> Mapping[str, Overlay]:
        """What was changed of its pools, by their names."""

    @property
    def cache(self) -> SharedCache | None:
        """Its cache, if there is one."""

    @property
    def counts(self) -> Mapping[str, RequestCounts]:
        """What was counted of its listeners, by their names."""

    @property
    def file(self) -> ConfigurationFile:
        """What says what runs."""

    def when_taken(self) -> Deferred[None]:
        """Fires when what was reloaded last runs, in all workers where there are several."""

    @property
    def clients(self) -> Sequence[tuple[str, Admitted]]:
        """Who is connected, each with the name of its listener; those as well who came to a configuration before."""

    @property
    def failed(self) -> FailedExchanges:
        """The last exchanges that have failed."""

    @property
    def numbers(self) -> Connections:
        """What numbers connections, for logs as well."""

    @property
    def connections(self) -> Mapping[str, int]:
        """How many clients are connected to its listeners, by their names."""

    @property
    def lag(self) -> LoopLag | None:
        """How late its reactor is, if that is looked at."""

    @property
    def revision(self) -> int | None:
        """The number of the configuration that runs here, where that is not counted elsewhere."""

    @property
    def threshold(self) -> LogThreshold:
        """How much it says of itself."""

    @property
    def limits(self) -> Sequence[LimitCounts]:
        """What came of its limits of requests."""

    @property
    def challenges(self) -> Mapping[str, ChallengeCounts]:
        """What came of its challenges, by the names of listeners."""

    @property
    def limiters(self) -> Sequence[AnyLimiter]:
        """Those of them that count by keys."""

    @property
    def allotments(self) -> Mapping[str, Allotments]:
        """What counts the bytes of its clients, by the names of listeners; forward listeners have one together."""

    @property
    def questions(self) -> Sequence[tuple[str, Approvals]]:
        """Those that rules ask, where a person is to answer them, each with the name of its listener."""

    @property
    def ways(self) -> Sequence[Way]:
        """Where requests go that come to its listeners, of those that read any."""
