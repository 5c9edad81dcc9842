"""Which protocol talks to an upstream."""

from __future__ import annotations

from typing import TypeAlias

from txproxy.interfaces.address import Address
from txproxy.proxy.services import Services
from txproxy.proxy.upstream.http1 import UpstreamProtocol
from txproxy.proxy.upstream.http2_upstream import Http2Upstream

Talking: TypeAlias = UpstreamProtocol | Http2Upstream


def build_upstream(services: Services, address: Address) -> Talking:
    """A protocol for a new connection to ``address``."""
    if not address.protocols:
        return UpstreamProtocol(services, address)
    return Http2Upstream(services, address)
