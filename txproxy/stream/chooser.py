"""A pool, as far as raw streams are concerned."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol

from txproxy.errors import ExchangeError
from txproxy.interfaces.address import Address
from txproxy.interfaces.context import RequestContext
from txproxy.net.dns.resolver import Resolver


class Choice(Protocol):
    """What a pool has chosen; it learns how the stream went."""

    @property
    def address(self) -> Address:
        """Where to connect to."""

    def answered(self, status: int) -> None:
        """It was connected to: 200."""

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """See :class:`txproxy.interfaces.Tracker`; the status is 200 for a stream that was connected."""


class Chooser(Protocol):
    """A pool, as far as streams are concerned."""

    def use_clock(self, clock: Any) -> None:
        """Tell the time by ``clock``."""

    def start(
        self,
        clock: Any,
        dial: Callable[[Address, Callable[[], IProtocol]], Deferred[Any]],
        resolver: Resolver | None = None,
    ) -> None:
        """Streams may come: look after what can be chosen."""

    def stop(self) -> None:
        """No more will."""

    def take(self, head: None, context: RequestContext, tried: tuple[Any, ...] = ()) -> Choice | None:
        """Whose turn it is, leaving out what was ``tried``; None if nobody has room."""

    def address_for(self, upstream: Any, context: RequestContext) -> Address:
        """Where a stream of ``client`` connects to, header of the PROXY protocol included."""

    def wait(self, head: None, context: RequestContext, tried: tuple[Any, ...] = ()) -> Deferred[Any]:
        """The same, once somebody has room; fails if nobody is left."""
