"""``respond``: a route that answers with the same each time."""

from __future__ import annotations

from typing import ClassVar

import attrs

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.components.values import any_text, secret_text, whole
from txproxy.errors import ConfigError
from txproxy.reverse.actions.treatments import Respond
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS, WITH_ANSWERS, PoolUse, RouteParts


@component(ROUTE_ACTIONS, "respond", rank=3)
@attrs.frozen(kw_only=True)
class RespondAction:
    """Answer with the same each time."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: str = ""

    keys: ClassVar[tuple[str, ...]] = ("respond",)
    takes: ClassVar[frozenset[str]] = WITH_ANSWERS
    takes_connect: ClassVar[bool] = False

    @classmethod
    def read(cls, table: TableReader) -> RespondAction | None:
        """See :class:`RouteAction`."""
        value = table.given("respond")
        if isinstance(value, int) and not isinstance(value, bool):
            return cls(status=table.read("respond", whole(200, 599), 200))
        inner = table.table("respond", "a status such as 403")
        if inner is None:
            return None
        action = cls(
            status=inner.need("status", whole(200, 599), 200, "a status from 200 to 599"),
            headers=inner.pairs("headers", secret_text, "{ NAME = 'VALUE' }"),
            body=inner.read("body", any_text, ""),
        )
        inner.close()
        try:
            Respond(action.status, action.headers, action.body)
        except ConfigError as fault:
            inner.faults_of(fault)
        return action

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return ()

    def build(self, parts: RouteParts) -> Respond:
        """See :class:`RouteAction`."""
        return Respond(self.status, self.headers, self.body)
