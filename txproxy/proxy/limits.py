"""The limits in time and number of one proxy."""

from __future__ import annotations

import attrs

from txproxy.matching.clients import IPV6_PREFIX, prefix_length
from txproxy.wire.size_limits import WireLimits


@attrs.frozen
class Limits:
    """Times in seconds, sizes in bytes; defaults are those of the command line.

    ``idle_timeout`` also bounds the silence of a client that owes a request body (408) or does not read its response.
    ``tunnel_age`` and ``tunnel_timeout`` bound how long a tunnel (CONNECT, Upgrade, raw TCP) is open, and how long
    nothing passes through it; None: as long as both sides want.
    """

    header_timeout: float = 30.0
    idle_timeout: float = 75.0
    connect_timeout: float = 5.0
    response_timeout: float = 60.0
    drain_timeout: float = 30.0
    max_connections: int = 10000
    # of one client; None for as many as there are
    max_connections_per_client: int | None = None
    # an IPv6 network of this length is one client, in all limits and counts
    ipv6_prefix: int = attrs.field(default=IPV6_PREFIX, converter=prefix_length)
    max_header_size: int = 65536
    # of one request target; None for an eighth of a head
    max_target_size: int | None = None
    # field lines of one request
    max_fields: int = 100
    max_body_size: int | None = None
    # bytes a second that a body has to come with on average, after 30 s; 0 for any
    min_body_rate: int = 500
    # kept-alive connections to upstreams: at most so many to one address and in all, and for how long without use
    keep_per_address: int = 128
    keep_in_all: int = 1024
    keep_for: float = 60.0
    # how long a connection is read after its last response, so that the client gets to see it (RFC 9112 section 9.6)
    linger_timeout: float = 2.0
    tunnel_age: float | None = None
    tunnel_timeout: float | None = 3600.0

    def _max_target(self) -> int:
        if self.max_target_size is None:
            return self.max_header_size // 8
        return min(self.max_target_size, self.max_header_size)

    def wire(self) -> WireLimits:
        """The part of them that the codecs hold."""
        return WireLimits(
            max_head=self.max_header_size,
            max_target=self._max_target(),
            max_fields=self.max_fields,
            max_body=self.max_body_size,
        )
