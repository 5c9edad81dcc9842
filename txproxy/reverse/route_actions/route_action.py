"""What an action of a route is, as it is configured."""

from __future__ import annotations

from typing import Any, ClassVar, Final, NamedTuple, Protocol

from txproxy.components.table_reader import TableReader
from txproxy.reverse.actions.to_pool import ToPool
from txproxy.reverse.actions.treatments import Action
from txproxy.upstreams.pool import Pool
from txproxy.wire.forwarding import Via

# The kind of component that an action is, which is this folder. Its name is its key in a route.
ROUTE_ACTIONS: Final = "reverse/route_actions"
# What changes the path of a request.
PATH_CHANGES: Final = frozenset({"strip_prefix", "add_prefix", "rewrite"})
# What changes a request or its response: for those that send it somewhere.
CHANGES: Final = PATH_CHANGES | {
    "request_headers",
    "map_location",
    "cookie_domains",
    "cookie_paths",
    "cookie_flags",
    "response_timeout",
    "max_body",
    "mirror",
}
# What is asked before anything is answered, and what browsers are told with whatever they get.
WITH_ANSWERS: Final = frozenset({"auth", "response_headers", "hsts"})


class PoolUse(NamedTuple):
    """An action needs a ``pool``, as its ``key`` says; one of raw streams if ``tcp``, of URLs if not, and None for
    either.
    """

    key: str
    pool: str
    tcp: bool | None


class RouteParts(Protocol):
    """What there is to build an action from."""

    @property
    def via(self) -> Via | None:
        """The entry in Via."""

    def pool(self, name: str) -> Pool:
        """The pool of that name."""

    def to_pool(self, name: str, host: str | None = None, sticky: str | None = None) -> ToPool:
        """What sends to it; ``host`` and ``sticky`` in place of the pool's own."""


class RouteAction(Protocol):
    """An action of a route: a frozen value, equal when it is read twice.

    ``keys`` of a route are its own, the first of which is its name. ``takes`` are those of others that have an effect
    with it; a key that some action takes is a fault with one that does not. ``takes_connect``: CONNECT may come here.
    """

    keys: ClassVar[tuple[str, ...]]
    takes: ClassVar[frozenset[str]]
    takes_connect: ClassVar[bool]

    @classmethod
    def read(cls, table: TableReader) -> Any:
        """From the table of a route, of which all own keys are asked for; None if it is not what is to be done."""

    @property
    def uses(self) -> tuple[PoolUse, ...]:
        """The pools that it needs."""

    def build(self, parts: RouteParts) -> Action:
        """What does it, for one listener."""
