"""Request head to an upstream of a pool."""

from __future__ import annotations

from typing import Any, Final

from zope.interface import implementer

from txproxy.errors import LoopDetected
from txproxy.interfaces import Client, Decision, IMode, Refusal
from txproxy.proxy.factory import Observer, ProxyFactory
from txproxy.proxy.limits import Limits
from txproxy.reverse.pool import Pool
from txproxy.reverse.to_pool import ToPool
from txproxy.wire.forwarding import Via, new_mark
from txproxy.wire.message import RequestHead

_ALLOW: Final = (b"Allow: GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH",)


@implementer(IMode)
class ReverseMode:
    """Sends requests to a pool.

    ``host`` is what goes upstream as Host: None for the client's own, ``"upstream"`` for the upstream's name, else the
    host itself. ``via`` is the pseudonym in Via, or None.
    """

    def __init__(self, pool: Pool, *, host: str | None = None, via: str | None = "txproxy") -> None:
        self.pool = pool
        self._via = Via(via.encode("ascii"), new_mark()) if via is not None else None
        self._action = ToPool(pool, host=host, via=self._via)

    def plan(self, head: RequestHead, client: Client) -> Decision:
        """See :class:`txproxy.interfaces.IMode`."""
        method = head.method
        if method == b"CONNECT" or method == b"TRACE":
            return Refusal(405, "http_request_denied", f"{method.decode('ascii')} is not done here", _ALLOW)
        via = self._via
        if via is not None and b"via" in head.headers.index and via.is_in(head.headers):
            raise LoopDetected("the request has been through this proxy before")
        return self._action.plan(head, client)


class ReverseProxyFactory(ProxyFactory):
    """Protocols of a reverse proxy: ``endpoint.listen(ReverseProxyFactory(Pool([...])))``."""

    def __init__(
        self,
        pool: Pool,
        *,
        host: str | None = None,
        via: str | None = "txproxy",
        limits: Limits | None = None,
        observers: tuple[Observer, ...] = (),
        reactor: Any = None,
    ) -> None:
        if reactor is None:
            from twisted.internet import reactor  # the embedding program's
        pool.use_clock(reactor)
        super().__init__(
            ReverseMode(pool, host=host, via=via),
            limits=limits,
            observers=observers,
            name=via or "txproxy",
            reactor=reactor,
        )
