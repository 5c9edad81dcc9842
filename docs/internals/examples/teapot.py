"""``teapot``: a route that is one (RFC 2324)."""

from __future__ import annotations

from typing import ClassVar

import attrs

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.components.values import text
from txproxy.reverse.actions.treatments import Respond
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS, WITH_ANSWERS, PoolUse, RouteParts


@component(ROUTE_ACTIONS, "teapot")
@attrs.frozen
class TeapotAction:
    """Say of what kind it is, and no more."""

    kind: str

    keys: ClassVar[tuple[str, ...]] = ("teapot",)
    takes: ClassVar[frozenset[str]] = WITH_ANSWERS
    takes_connect: ClassVar[bool] = False

    @classmethod
    def read(cls, table: TableReader) -> TeapotAction | None:
        """See :class:`RouteAction`."""
        return table.read("teapot", lambda value: cls(text(value)), None)

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return ()

    def build(self, parts: RouteParts) -> Respond:
        """See :class:`RouteAction`."""
        return Respond(418, body=f"I am a {self.kind} teapot.\n")
