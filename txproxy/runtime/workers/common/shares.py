"""What several workers may have together, where each counts for itself: its share."""

from __future__ import annotations

import attrs

from txproxy.config.model import AnyListener, Config


def with_shares(config: Config) -> Config:
    """``config`` for one of its workers. Each admits its share of ``max_connections``, and has its share of the memory
    of a cache. Shares are rounded up: all workers together have no more than one process would have, but for less than
    one for each of them.
    """
    count = config.workers
    size = config.cache.size
    return attrs.evolve(
        config,
        listeners=tuple(_listener(listener, count) for listener in config.listeners),
        cache=attrs.evolve(config.cache, size=_share(size, count)) if size is not None else config.cache,
    )


def _share(bound: int, count: int) -> int:
    return -(-bound // count)


def _listener(listener: AnyListener, count: int) -> AnyListener:
    limits = listener.limits
    return attrs.evolve(listener, limits=attrs.evolve(limits, max_connections=_share(limits.max_connections, count)))
