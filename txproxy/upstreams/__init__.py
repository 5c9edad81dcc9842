"""Pools of upstreams: who is there, who is well, and whose turn it is. All modes may have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from txproxy.lazy_imports import lazily

if TYPE_CHECKING:
    from txproxy.upstreams.affinity import Affinity, affinity_from
    from txproxy.upstreams.balancing.strategies import strategy_from
    from txproxy.upstreams.balancing.strategy import BalancingStrategy, IStrategy, Skip, Strategy, Weighted
    from txproxy.upstreams.ejection import Ejection
    from txproxy.upstreams.health.health_check import HealthCheck
    from txproxy.upstreams.pool import Pool
    from txproxy.upstreams.pool_settings import PoolSettings
    from txproxy.upstreams.upstream import State, Upstream
    from txproxy.upstreams.upstream_tls import UpstreamTls
    from txproxy.upstreams.upstream_urls import local_upstream, parse_tcp_upstream, parse_upstream
else:
    __getattr__, __dir__ = lazily(
        __name__,
        {
            "txproxy.upstreams.affinity": ["Affinity", "affinity_from"],
            "txproxy.upstreams.balancing.strategies": ["strategy_from"],
            "txproxy.upstreams.balancing.strategy": ["BalancingStrategy", "IStrategy", "Skip", "Strategy", "Weighted"],
            "txproxy.upstreams.ejection": ["Ejection"],
            "txproxy.upstreams.health.health_check": ["HealthCheck"],
            "txproxy.upstreams.pool": ["Pool"],
            "txproxy.upstreams.pool_settings": ["PoolSettings"],
            "txproxy.upstreams.upstream": ["State", "Upstream"],
            "txproxy.upstreams.upstream_tls": ["UpstreamTls"],
            "txproxy.upstreams.upstream_urls": ["local_upstream", "parse_tcp_upstream", "parse_upstream"],
        },
    )

__all__ = [
    "Pool",
    "PoolSettings",
    "Ejection",
    "HealthCheck",
    "UpstreamTls",
    "Upstream",
    "State",
    "parse_upstream",
    "parse_tcp_upstream",
    "local_upstream",
    "IStrategy",
    "BalancingStrategy",
    "Strategy",
    "Weighted",
    "Skip",
    "strategy_from",
    "Affinity",
    "affinity_from",
]
