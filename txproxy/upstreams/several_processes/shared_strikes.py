"""The failures in a row of the upstreams of one pool, of several processes together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from txproxy.frozen_values import frozen
from txproxy.interfaces.processes.sharing import News
from txproxy.upstreams.ejection import Breaker
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream


@frozen
class Row:
    """So many failures in a row, of which this is the ``cause`` of the last one; ``anew``: one went well before."""

    count: int = 0
    cause: str = ""
    anew: bool = False


class SharedStrikes:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of a ``pool``. What fails at any of the processes
    counts, and what goes well at any of them ends the row: where several have a part of the requests each, an upstream
    that fails is found out by as many failures as where one has all.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._news: News[str, Row] = News()

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.join(wake)
        self._pool.on_strike = self._struck

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.part()
        self._pool.on_strike = None

    def _struck(self, upstream: Upstream, cause: str) -> None:
        row = self._news.get(upstream.name, Row())
        self._news.put(upstream.name, Row(row.count + 1, cause, row.anew) if cause else Row(anew=True))

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        return self._news.take()

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for upstream in list(self._pool.upstreams):
            row: Row | None = content.get(upstream.name)
            if row is not None:
                upstream.struck_elsewhere(row.count, row.cause, row.anew)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. A row that has begun is not much to know; who fails
        and stays is, with why, and for how long.
        """
        if not leads:
            return None
        found = {}
        for upstream in self._pool.upstreams:
            if (failing := upstream.failing) is not None:
                cause, since = failing
                found[upstream.name] = cause, self._pool.seconds() - since
        return found or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if self._pool.settings.ejection is None:
            return
        for upstream in self._pool.upstreams:
            if upstream.name in content and upstream.failing is None and upstream.breaker is Breaker.CLOSED:
                cause, seconds = content[upstream.name]
                upstream.fail(cause, self._pool.seconds() - seconds)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What has failed there has failed."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
