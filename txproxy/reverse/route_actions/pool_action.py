"""``pool``: a route that sends to a pool."""

from __future__ import annotations

from typing import ClassVar

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.components.values import text, texts
from txproxy.frozen_values import frozen
from txproxy.reverse.actions.to_pool import ToPool, host_to_send
from txproxy.reverse.route_actions.route_action import CHANGES, ROUTE_ACTIONS, WITH_ANSWERS, PoolUse, RouteParts
from txproxy.upstreams.affinity import affinity_from
from txproxy.upstreams.pool import Pool


def sticky_kind(kind: str) -> str:
    """``kind`` if it is a kind of affinity."""
    affinity_from(kind, Pool(["http://localhost"]))  # which is the one that knows
    return kind


@component(ROUTE_ACTIONS, "pool", rank=1)
@frozen(kw_only=True)
class PoolAction:
    """Send to a pool; ``host`` and ``sticky`` in place of the pool's own."""

    pool: str
    host: str | None = None
    sticky: str | None = None

    keys: ClassVar[tuple[str, ...]] = ("pool", "host", "sticky")
    takes: ClassVar[frozenset[str]] = CHANGES | WITH_ANSWERS | {"tunnel_timeout"}
    takes_connect: ClassVar[bool] = False

    @classmethod
    def read(cls, table: TableReader) -> PoolAction | None:
        """See :class:`RouteAction`."""
        pool = table.read("pool", text, "")
        host = table.read("host", texts(host_to_send), None)
        sticky = table.read("sticky", texts(sticky_kind), None)
        return cls(pool=pool, host=host, sticky=sticky) if "pool" in table else None

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return (PoolUse("pool", self.pool, False),)

    def build(self, parts: RouteParts) -> ToPool:
        """See :class:`RouteAction`."""
        return parts.to_pool(self.pool, self.host, self.sticky)
