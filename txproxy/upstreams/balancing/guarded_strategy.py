"""A strategy of somebody's, whose faults are those of one request and of no other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from zope.interface import implementer

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.hooks.code_faults import CodeFaults
from txproxy.upstreams.balancing.strategy import IStrategy, Skip, Strategy, Weighted
from txproxy.wire.message import RequestHead


@implementer(IStrategy)
class GuardedStrategy:
    """What ``own`` says, which a configuration calls ``name``. A choice that fails is that of its request; what it
    fails to be told of is said once.
    """

    def __init__(self, name: str, own: Any) -> None:
        self.name = name
        self.counts: bool = bool(own.counts)
        self.times: bool = bool(own.times)
        self.reads_requests: bool = getattr(own, "reads_requests", False)
        self.passed_over: str = getattr(own, "passed_over", Strategy.passed_over)
        self._own = own
        self._among: frozenset[Weighted] = frozenset()
        self._faults = CodeFaults("strategy", name)

    def update(self, upstreams: Sequence[Weighted]) -> None:
        """See :class:`IStrategy`."""
        self._among = frozenset(upstreams)
        self._tell(self._own.update, upstreams)

    def choose(self, head: RequestHead | None, context: RequestContext, skip: Skip | None = None) -> Weighted | None:
        """See :class:`IStrategy`."""
        try:
            chosen: Weighted | None = self._own.choose(head, context, skip)
            known = chosen is None or chosen in self._among
        except Exception:
            raise self._faults.failed() from None
        if not known:
            raise self._faults.wrong(chosen, "one of those that update was told of last, or None")
        return chosen

    def changed(self, upstream: Weighted) -> None:
        """See :class:`IStrategy`."""
        self._tell(self._own.changed, upstream)

    def measured(self, upstream: Weighted, seconds: float) -> None:
        """See :class:`IStrategy`."""
        self._tell(self._own.measured, upstream, seconds)

    def _tell(self, call: Callable[..., object], *given: object) -> None:
        try:
            call(*given)
        except Exception:
            self._faults.failed()
