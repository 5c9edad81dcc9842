"""``[tracing]`` of a configuration file, and what stands in the way of requests to tell of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import Any, Final
from urllib.parse import urlsplit

from txproxy.components.values import flag, share, text, texts
from txproxy.config.admin_endpoint import WatchedToken
from txproxy.config.model import Config, ForwardListener, ReverseListener, TracingConfig
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError
from txproxy.matching.networks import PeerNetworks
from txproxy.observe.request_explaining import RequestExplaining
from txproxy.observe.request_tracing import RequestTracing

# OTLP over HTTP, where a collector is named without a path
_TRACES: Final = "/v1/traces"


def _collector(given: str) -> str:
    """The URL to which spans are sent; ``ConfigError`` if it is none."""
    try:
        parts = urlsplit(given)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or parts.query or parts.fragment or not given.isascii():
        raise ConfigError("it is no URL of a collector", "accepted is http://HOST:4318, or https://HOST/PATH")
    return given.rstrip("/") + _TRACES if parts.path in ("", "/") else given


def telling_of(config: Config, listener: ForwardListener | ReverseListener) -> Iterator[Any]:
    """What is to stand in the way of a listener's requests before all else, so that people know of them."""
    token_file = _token_file(config)
    if token_file is not None:
        yield RequestExplaining(WatchedToken(token_file).is_it)
    tracing = config.tracing
    if tracing:
        # Whoever uses a forward proxy speaks to origins, and not to it.
        trusted = PeerNetworks(listener.trusted_proxies) if isinstance(listener, ReverseListener) else None
        yield RequestTracing(
            request_ids=tracing.request_id,
            trace_context=tracing.trace_context,
            trusted=trusted,
            sample=tracing.sample if tracing.endpoint is not None else None,
        )


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
        request_id=inner.read("request_id", flag, True),
        trace_context=inner.read("trace_context", flag, True),
        endpoint=inner.read("endpoint", texts(_collector), None),
        service_name=inner.read("service_name", text, "txproxy"),
        sample=inner.read("sample", share, 1.0),
    )
    if found.endpoint is not None and not found.trace_context:
        inner.fault("spans are parts of traces", "endpoint", accepted="accepted is it with trace_context = true")
    for key in ("service_name", "sample"):
        if key in inner and "endpoint" not in inner:
            inner.fault("it is of spans, which go nowhere", key, accepted="accepted is it with an endpoint")
    if not found:
        inner.fault("it does nothing", accepted="accepted is request_id or trace_context, or no such table")
    inner.close()
    return found
