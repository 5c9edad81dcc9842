"""``[tracing]`` of a configuration file."""

from __future__ import annotations

from txproxy.components.values import flag
from txproxy.config.model import TracingConfig
from txproxy.config.toml.tables import Table


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
