"""How a pool treats its upstreams."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from txproxy.components.settings import setting
from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.upstreams.ejection import Ejection
from txproxy.upstreams.health.health_check import HealthCheck
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.wire.http1.tolerance import tolerated

# As the host to send, the upstream's own name.
UPSTREAM: Final = "upstream"


def checked_weight(weight: int) -> int:
    """``weight`` if it is one of an upstream; else ``ConfigError``."""
    if isinstance(weight, bool) or not isinstance(weight, int) or not 0 <= weight <= MOST_WEIGHT:
        raise ConfigError(f"{weight!r} is no weight", f"accepted is 0 to {MOST_WEIGHT}")
    return weight


@frozen(kw_only=True)
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

    retries: int = setting("retries", 1, "further upstreams to try where that is safe")
    ejection: Ejection | None = attrs.field(factory=Ejection)
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


class OwnPool(Protocol):
    """What an upstream needs of the pool that it is in."""

    # is told of each failure, with its cause, and of what ends a row of them, without one
    on_strike: Callable[[Any, str], None] | None

    @property
    def settings(self) -> PoolSettings:
        """How it treats its upstreams."""

    @property
    def listens(self) -> bool:
        """Whether it wants to be told of each request that ends."""

    def seconds(self) -> float:
        """The time, by the clock of the pool."""

    def released(self, upstream: Any) -> None:
        """A request of ``upstream`` has ended."""

    def eject(self, upstream: Any, cause: str) -> None:
        """It has failed often enough: let it have nothing for a while, unless too few would be left."""

    def changed(self, upstream: Any) -> None:
        """What checks or traffic tell of ``upstream`` has changed."""
