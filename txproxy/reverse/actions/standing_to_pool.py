"""What an action that sends to a pool does with each request of a connection that is like the one before."""

from __future__ import annotations

from typing import Any, Protocol

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Plan
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead, SharedRequest


class Sending(Protocol):
    """The action: :class:`txproxy.reverse.actions.to_pool.ToPool`."""

    pool: Pool

    def plan_at(self, upstream: Upstream, asked: RequestHead, head: RequestHead, context: RequestContext) -> Plan:
        """The plan to send what is ``asked`` for ``head``."""


class Certificates(Protocol):
    """Those of a TLS listener."""

    # another object whenever they are others
    certificates: object


class StandingToPool:
    """See :class:`txproxy.interfaces.plan.StandingPlan`. It is for requests that have the fields ``of``, of
    which upstreams are told by ``asked``, as long as ``served`` has the same certificates (None: it matters to
    nobody); of any path, if they all are on the way of the ``rule``.
    """

    __slots__ = (
        "of", "authority", "rule", "lines", "known", "tolls", "_action", "_pool", "_asked", "_any_path", "_served",
        "_certificates",
    )  # fmt: skip

    def __init__(
        self,
        action: Sending,
        request: RequestHead,
        asked: RequestHead,
        rule: str,
        any_path: bool,
        served: Certificates | None,
        tolls: Any = None,
    ) -> None:
        self.of: Headers = request.headers
        self.authority = request.authority
        self.rule = rule
        self.lines: dict[Any, Any] = {}
        self.known: Any = None
        self.tolls = tolls
        self._action = action
        self._pool = action.pool
        # A head of another kind knows what a route has set in it.
        self._asked = SharedRequest.of(asked) if type(asked) is RequestHead and asked.keep_alive else asked
        self._any_path = any_path
        self._served = served
        self._certificates = served.certificates if served is not None else None

    def head_for(self, request: RequestHead) -> RequestHead | None:
        """See :class:`txproxy.interfaces.plan.StandingPlan`."""
        asked = self._asked
        if request.method != asked.method:
            return None
        if request.path == asked.path:
            return asked
        if not self._any_path:
            return None
        self._asked = asked = SharedRequest(asked.method, request.path, asked.headers, asked.authority)
        return asked

    def take(self) -> Any:
        """See :class:`txproxy.interfaces.plan.StandingPlan`."""
        pool, served = self._pool, self._served
        if served is not None and served.certificates is not self._certificates:
            return None
        return pool.take_unasked()

    def take_all(self, count: int) -> Any:
        """See :class:`txproxy.interfaces.plan.StandingPlan`."""
        pool, served = self._pool, self._served
        if served is not None and served.certificates is not self._certificates:
            return None
        return pool.take_all_unasked(count)

    def holds_for(self, request: RequestHead) -> bool:
        """Whether nobody has to make another one for this ``request``."""
        served = self._served
        return (
            request.headers is self.of
            and request.authority == self.authority
            and (served is None or served.certificates is self._certificates)
            and self.head_for(request) is not None
        )

    def plan(self, upstream: Upstream, request: RequestHead, context: RequestContext) -> Plan:
        """See :class:`txproxy.interfaces.plan.StandingPlan`."""
        context.rule = self.rule
        asked = self.head_for(request)
        assert asked is not None, "it was sent"
        return self._action.plan_at(upstream, asked, request, context)
