"""One route: what requests it is for, and what is done with them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from txproxy.frozen_values import frozen
from txproxy.interfaces.context import RequestContext
from txproxy.reverse.routing.matches import Match
from txproxy.wire.message import RequestHead

A = TypeVar("A")
Sticky: TypeAlias = "Callable[[RequestHead, RequestContext], bytes]"


@frozen(eq=False)
class Route(Generic[A]):
    """``name`` is unique among its like, and stands in logs; ``action`` is whatever is to be done."""

    name: str
    match: Match
    action: A


def by_client_ip(head: RequestHead, context: RequestContext) -> bytes:
    """A ``sticky`` key: a client always gets the same one of the routes that share by weight."""
    return context.client_ip.encode("utf-8")
