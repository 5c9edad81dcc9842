"""``[tracing]`` of a configuration file, and what stands in the way of requests to tell of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any

from txproxy.components.values import flag
from txproxy.config.admin_endpoint import WatchedToken
from txproxy.config.model import Config, ForwardListener, ReverseListener, TracingConfig
from txproxy.config.toml.tables import Table
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.request_explaining import RequestExplaining
from txproxy.observe.request_tracing import RequestTracing


def telling_of(config: Config, listener: ForwardListener | ReverseListener) -> Iterator[Any]:
    """What is to stand in the way of a listener's requests before all else, so that people know of them."""
    token_file = _token_file(config)
    if token_file is not None:
        yield RequestExplaining(WatchedToken(token_file).is_it)
    tracing = config.tracing
    if tracing:
        # Whoever uses a forward proxy speaks to origins, and not to it.
        trusted = PeerNetworks(listener.trusted_proxies) if isinstance(listener, ReverseListener) else None
        yield RequestTracing(request_ids=tracing.request_id, trace_context=tracing.trace_context, trusted=trusted)


def telling_basis(config: Config) -> Hashable:
    """What that is made from, beside the listener."""
    return config.tracing, _token_file(config)


def _token_file(config: Config) -> str | None:
    return config.admin.token_file if config.admin is not None else None


def read_tracing(table: Table) -> TracingConfig:
    """What requests are to be told by, if a file says so. The file closes the ``table``."""
    inner = table.table("tracing")
    if inner is None:
        return TracingConfig()
    found = TracingConfig(
        request_id=inner.read("request_id", flag, True), trace_context=inner.read("trace_context", flag, True)
    )
    if not found:
        inner.fault("it does nothing", accepted="accepted is request_id or trace_context, or no such table")
    inner.close()
    return found
