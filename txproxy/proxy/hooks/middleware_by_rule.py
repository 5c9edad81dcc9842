"""Middleware within a forward proxy that stands around what one rule has let through alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from zope.interface import implementer

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IComposedMiddleware, around
from txproxy.interfaces.plan import Decision
from txproxy.wire.message import RequestHead


@implementer(IComposedMiddleware)
class MiddlewareByRule:
    """What stands around requests that rules of these names have let through. Of others it knows nothing."""

    def __init__(self, by_rule: Mapping[str, tuple[Any, ...]]) -> None:
        self._by_rule = by_rule

    def within(self, handler: Handler, scope: str, services: Any) -> Handler:
        """See :class:`txproxy.interfaces.IComposedMiddleware`."""
        handlers = {name: around(handler, middleware, scope, services) for name, middleware in self._by_rule.items()}
        return partial(_handle, handlers, handler)


def _handle(handlers: Mapping[str, Handler], other: Handler, request: RequestHead, context: RequestContext) -> Decision:
    return handlers.get(context.rule, other)(request, context)
