"""What several workers may have together, where each counts for itself: its share."""

from __future__ import annotations

import attrs

from txproxy.config.model import Config


def with_shares(config: Config) -> Config:
    """``config`` for one of its workers, which has its share of the memory of a cache, rounded up: all workers together
    have no more than one process would have, but for less than a byte for each of them.
    """
    size = config.cache.size
    if size is None:
        return config
    return attrs.evolve(config, cache=attrs.evolve(config.cache, size=-(-size // config.workers)))
