"""How a pool treats its upstreams."""

from __future__ import annotations

from typing import Final

import attrs

from txproxy.errors import ConfigError, ExchangeError, OutOfSockets
from txproxy.upstreams.health.checks import HealthCheck
from txproxy.upstreams.upstream import UpstreamTls
from txproxy.wire.http1.tolerance import tolerated

# What of upstreams counts for their ejection, and the statuses by which gateways say that they reach nobody.
EJECT_ON: Final = ("gateway", "5xx")
_OF_GATEWAYS: Final = frozenset({502, 503, 504})
# As the host to send, the upstream's own name.
UPSTREAM: Final = "upstream"


@attrs.frozen(kw_only=True)
class Ejection:
    """When traffic itself takes an upstream out (as Envoy's outlier detection): after so many ``failures`` in a row,
    for ``base`` seconds times how often that has happened, at most ``longest``; never more than ``share`` of a pool,
    and never the last one. After that time one request at a time is let through until one succeeds.

    ``eject_on`` says what a failure is. ``"gateway"``: no connection, a reset, no answer in time, and the statuses 502,
    503 and 504. ``"5xx"``: all other statuses from 500 on and malformed answers as well, which is only good where no
    client can make healthy upstreams answer so.
    """

    eject_on: str = "gateway"
    failures: int = 5
    base: float = 30.0
    longest: float = 300.0
    share: float = 0.5

    def __attrs_post_init__(self) -> None:
        if self.eject_on not in EJECT_ON:
            raise ConfigError(f"eject_on: {self.eject_on!r} is no failure; accepted: {', '.join(EJECT_ON)}")

    def is_failure(self, fault: ExchangeError | None, status: int) -> bool:
        """Whether an attempt that ended so counts against its upstream."""
        if isinstance(fault, OutOfSockets):
            return False
        if self.eject_on == "5xx":
            return fault is not None or status >= 500
        return fault.connection_failed if fault is not None else status in _OF_GATEWAYS


@attrs.frozen(kw_only=True)
class PoolSettings:
    """How a pool treats its upstreams.

    ``retries``: further attempts for a request that was sent and may be repeated; those that it takes because upstreams
    have died are not counted. ``ejection``: None for no passive health checks. ``slow_start``: seconds over which an
    upstream that comes back, or was added, reaches its weight. ``panic``: if less than this share of the upstreams is
    available, all serve but those that are drained or disabled (0: never). ``health``: what active checks ask; None for
    none. ``proxy_protocol``: 1 or 2 to begin each connection with a header of that version; connections are then one
    client's. ``queue``: how many requests may wait for upstreams that have their ``max``, and ``queue_timeout`` for how
    many seconds; then 503. ``tls``: how TLS upstreams given as URLs are verified. ``tolerate``: what upstreams may do
    wrong in their responses: ``bare-lf``, for lines that end with LF alone.
    """

    retries: int = 1
    ejection: Ejection | None = Ejection()
    slow_start: float = 0.0
    panic: float = 0.0
    health: HealthCheck | None = None
    proxy_protocol: int = 0
    queue: int = 1024
    queue_timeout: float = 5.0
    tls: UpstreamTls = attrs.field(factory=UpstreamTls)
    tolerate: frozenset[str] = attrs.field(default=frozenset(), converter=tolerated)

    def checked_as(self, host: str | None) -> PoolSettings:
        """The same, with checks that send the Host that requests are sent with, if they name none and it is known."""
        if self.health is None or self.health.host is not None or host is None or host == UPSTREAM:
            return self
        return attrs.evolve(self, health=attrs.evolve(self.health, host=host))
