"""``redirect``: a route that sends clients elsewhere."""

from __future__ import annotations

from typing import ClassVar

import attrs

from txproxy.components.registry import component
from txproxy.components.table_reader import TableReader
from txproxy.components.values import text, whole
from txproxy.errors import ConfigError
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.actions.treatments import SendElsewhere
from txproxy.reverse.route_actions.route_action import PATH_CHANGES, ROUTE_ACTIONS, WITH_ANSWERS, PoolUse, RouteParts


@component(ROUTE_ACTIONS, "redirect", rank=2)
@attrs.frozen
class RedirectAction:
    """Send the client elsewhere. What the route makes of the path is what ``$path`` is then."""

    redirect: Redirect

    keys: ClassVar[tuple[str, ...]] = ("redirect", "status")
    takes: ClassVar[frozenset[str]] = WITH_ANSWERS | PATH_CHANGES
    takes_connect: ClassVar[bool] = False

    @classmethod
    def read(cls, table: TableReader) -> RedirectAction | None:
        """See :class:`RouteAction`."""
        target = table.read("redirect", text, None)
        status = table.read("status", whole(300, 399), 308)
        if target is None:
            return None
        try:
            return cls(Redirect(target, status))
        except ConfigError as fault:
            table.faults_of(fault, called={"target": ("redirect",)})
            return None

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """See :class:`RouteAction`."""
        return ()

    def build(self, parts: RouteParts) -> SendElsewhere:
        """See :class:`RouteAction`."""
        return SendElsewhere(self.redirect)
