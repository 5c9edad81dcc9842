"""Configuration to running service, by its public name."""

from __future__ import annotations

from txproxy.runtime.proxy_service import ProxyService, make_service

__all__ = ["ProxyService", "make_service"]
