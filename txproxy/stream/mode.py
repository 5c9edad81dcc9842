"""The tcp mode: a raw stream is a request without a head, and ends in a tunnel to an upstream of a pool."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any, NoReturn, cast

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ExchangeError, UpstreamUnavailable
from txproxy.interfaces.allowances import Bounds
from txproxy.interfaces.attempt import Attempt
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.middleware import Handler, IMode, around
from txproxy.interfaces.plan import Decision, Plan
from txproxy.proxy.bounds_middleware import FindBounds, found_bounds
from txproxy.upstreams.choice import PoolAttempt, tunnel_attempt
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.message import RequestHead


@implementer(IMode)
class StreamMode:
    """Sends streams to ``pool``. ``bounds(client_ip, None, "")`` is what a client may use: where nothing is left, it
    takes nobody's turn. ``middleware`` (:class:`txproxy.interfaces.IStreamMiddleware`) stands around it.
    """

    def __init__(self, pool: Pool, bounds: FindBounds | None = None, middleware: Iterable[Any] = ()) -> None:
        self._pool = pool
        self._bounds = bounds
        # without any it is the way itself
        self.plan: Handler = around(self._plan, middleware, pool.name)

    def _plan(self, request: RequestHead, context: RequestContext) -> Decision:
        """See :class:`txproxy.interfaces.IMode`. Strategies are asked without a head, as there is none."""
        bounds = found_bounds(self._bounds, context) if self._bounds is not None else None
        first = self._attempt(context)
        if isinstance(first, Deferred):
            waiting: Any = first
            return cast("Decision", waiting.addCallback(self._planned, context, bounds))
        return self._planned(first, context, bounds)

    def _planned(self, first: PoolAttempt, context: RequestContext, bounds: Bounds | None) -> Plan:
        plan = Plan.of(first)
        plan.next_attempt = partial(self._next, context)
        if bounds is not None:
            plan.bounds = bounds
        return plan

    def _next(self, context: RequestContext, plan: Plan, fault: ExchangeError) -> Attempt | Deferred[Attempt]:
        failed = cast(PoolAttempt, plan.attempt)
        return cast("Attempt | Deferred[Attempt]", self._attempt(context, failed.with_this, fault))

    def _attempt(
        self, context: RequestContext, tried: tuple[Upstream, ...] = (), fault: ExchangeError | None = None
    ) -> PoolAttempt | Deferred[PoolAttempt]:
        """One at whose turn it is, after ``tried`` others, the last of which failed with ``fault``."""
        upstream = self._pool.take(None, context, tried)
        if upstream is not None:
            return tunnel_attempt(upstream, self._pool, context, tried)
        waiting: Any = self._pool.wait(None, context, tried)
        return cast(
            "Deferred[PoolAttempt]",
            waiting.addCallbacks(
                tunnel_attempt, _nobody, callbackArgs=(self._pool, context, tried), errbackArgs=(fault, context)
            ),
        )


def _nobody(failure: Failure, fault: ExchangeError | None, context: RequestContext) -> NoReturn:
    """No upstream had room, or none is left: what is said of the last one that was tried says more."""
    failure.trap(UpstreamUnavailable)
    if fault is not None:
        context.not_repeated = "no other upstream could be tried"
        raise UpstreamUnavailable(f"no upstream can be reached: {fault.detail}")
    raise UpstreamUnavailable(cast(UpstreamUnavailable, failure.value).detail)
