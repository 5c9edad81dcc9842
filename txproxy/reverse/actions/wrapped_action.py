"""An action of a route with middleware around it alone."""

from __future__ import annotations

from typing import Any

from txproxy.interfaces.middleware import Handler, around
from txproxy.proxy.services import Services
from txproxy.reverse.actions.treatments import Action
from txproxy.upstreams.pool import Pool


class WrappedAction:
    """Does what ``middleware`` (:class:`txproxy.interfaces.IMiddleware`) makes of what ``action`` does, whatever that
    is: the answer of a cache passes it, and so does a redirect. Its scope is the name of the pool, if there is one.
    """

    def __init__(self, action: Action, middleware: Any) -> None:
        self.takes_connect = action.takes_connect
        self.pools: tuple[Pool, ...] = action.pools
        self.action = action
        self._middleware = (middleware,)
        self._scope = action.pools[0].name if action.pools else ""
        self.plan: Handler = around(action.plan, self._middleware, self._scope)

    def attach(self, services: Services) -> None:
        """See :class:`Action`."""
        self.action.attach(services)
        # What an action does may be another thing from now on: one that a cache stands before.
        self.plan = around(self.action.plan, self._middleware, self._scope, services)
