"""Configuration to running service, by its public name."""

from __future__ import annotations

from txproxy.config.toml.file import load
from txproxy.runtime.proxy_service import ProxyService, make_service

__all__ = ["ProxyService", "load", "make_service"]
