"""``heaviest``: always the upstream with the greatest weight that can take it."""

from __future__ import annotations

from collections.abc import Sequence

from zope.interface import implementer

from txproxy.components.registry import component
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.balancing.strategy import BALANCING, IStrategy, Skip, Strategy, Weighted
from txproxy.wire.message import RequestHead


@component(BALANCING, "heaviest")
@implementer(IStrategy)
class Heaviest(Strategy):
    """The one with the greatest weight."""

    passed_over = "another is heavier"

    def __init__(self) -> None:
        self._upstreams: list[Weighted] = []

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._upstreams = sorted(upstreams, key=lambda one: -one.effective)

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        return next((one for one in self._upstreams if skip is None or not skip(one)), None)
