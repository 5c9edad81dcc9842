"""``tunnel``: a route that answers CONNECT with a tunnel."""

from __future__ import annotations

from typing import ClassVar

import attrs

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.components.values import text
from txproxy.reverse.actions.treatments import TunnelTo
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS, PoolUse, RouteParts


@component(ROUTE_ACTIONS, "tunnel", rank=5)
@attrs.frozen(kw_only=True)
class TunnelAction:
    """Answer CONNECT with a tunnel to an upstream of a pool."""

    pool: str

    keys: ClassVar[tuple[str, ...]] = ("tunnel",)
    takes: ClassVar[frozenset[str]] = frozenset({"tunnel_timeout"})
    takes_connect: ClassVar[bool] = True

    @classmethod
    def read(cls, table: TableReader) -> TunnelAction | None:
        """See :class:`RouteAction`."""
        return table.read("tunnel", lambda value: cls(pool=text(value)), None)

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return (PoolUse("tunnel", self.pool, None),)

    def build(self, parts: RouteParts) -> TunnelTo:
        """See :class:`RouteAction`."""
        return TunnelTo(parts.pool(self.pool))
