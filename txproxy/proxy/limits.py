"""The limits in time and number of one proxy."""

from __future__ import annotations

from typing import Final

from txproxy.components.rates import Rate
from txproxy.components.settings import setting
from txproxy.frozen_values import frozen
from txproxy.matching.clients import IPV6_PREFIX, prefix_length
from txproxy.proxy.exchanges.early_body import FIRST_PART
from txproxy.wire.http2.frames import LARGEST_WINDOW
from txproxy.wire.http2.own_settings import Http2Settings, growing_in, grown_in
from txproxy.wire.size_limits import WireLimits

# The window of a stream as long as it has not grown, and how it is told what it may become.
STREAM_WINDOW: Final = 1 << 20
_AS_IT_GOES: Final = "1M, and up to 14M as long as all is taken at once"
# An upstream's stream grows as it would in a window of this size.
_GROWN_IN: Final = 16 << 20


@frozen
class Limits:
    """Times in seconds, sizes in bytes. Each is a key of a file, and those that say what they are for are options.

    ``idle_timeout`` also bounds the silence of a client that owes a request body (408) or does not read its response.
    ``tunnel_age`` and ``tunnel_timeout`` bound how long a tunnel (CONNECT, Upgrade, raw TCP) is open, and how long
    nothing passes through it; None: as long as both sides want.
    """

    header_timeout: float = setting("duration", 30.0, "a request head must be complete by then, else 408")
    idle_timeout: float = setting("duration", 75.0, "kept-alive connections without a request are closed after this")
    connect_timeout: float = setting("duration", 5.0, "to an upstream or origin, else 504")
    response_timeout: float = setting("duration", 60.0, "no byte from the upstream for this long, else 504")
    drain_timeout: float = setting(
        "duration", 30.0, "at SIGTERM: stop accepting, finish what runs for so long, then leave"
    )
    max_connections: int = setting("count", 10000, "client connections at once; over it new ones wait in the backlog")
    # of one client; None for as many as there are
    max_connections_per_client: int | None = setting("count", None)
    # that one client may open in a time; None for as many as it likes
    connection_rate: Rate | None = setting("rate", None)
    # an IPv6 network of this length is one client, in all limits and counts
    ipv6_prefix: int = setting("prefix of IPv6", IPV6_PREFIX, converter=prefix_length)
    max_header_size: int = setting("size of a head", 65536, "of one head, else 431", written="64k")
    max_target_size: int | None = setting(
        "size of a target", None, "of one request target, else 414", written="an eighth of --max-header-size"
    )
    max_fields: int = setting("count", 100, "field lines of one request, else 431; responses may have as many as fit")
    max_body_size: int | None = setting("size", None, "of one request body, else 413")
    min_body_rate: int = setting(
        "size", 500, "bytes a second that a request body has to average after 30 s, else 408; 0 for any"
    )
    # bytes a second that a request head has to average after 20 s, else 408; 0 for any
    min_header_rate: int = setting("size", 500)
    # the same of what a client takes of its response; None: as min_body_rate
    min_response_rate: int | None = setting("size", None, written="that of ``min_body_rate``")
    # kept-alive connections to upstreams: at most so many to one address and in all, and for how long without use
    keep_per_address: int = setting("count or none", 128)
    keep_in_all: int = setting("count or none", 1024)
    keep_for: float = setting("duration", 60.0, written="60s")
    # how long a connection is read after its last response, so that the client gets to see it (RFC 9112 section 9.6)
    linger_timeout: float = setting("duration", 2.0, written="2s")
    # of each connection of HTTP/2: its streams at once, and how much of bodies may be on its way to us, of one stream
    # and of all. None: STREAM_WINDOW, and more for who has all of it taken at once
    max_concurrent_streams: int = setting("streams", 100)
    stream_window: int | None = setting("size of a window", None, written=_AS_IT_GOES)
    connection_window: int = setting("size of a window", 16 << 20, written="16M")
    # the same of connections to upstreams: at most so many streams, whatever the upstream would take
    upstream_concurrent_streams: int = setting("streams", 100)
    upstream_stream_window: int | None = setting("size of a window", None, written=_AS_IT_GOES)
    # how old a client's connection may become before it is told to open another; None: as old as it likes
    connection_age: float | None = setting("duration", None, formerly="http2_age")
    tunnel_age: float | None = setting("duration", None)
    tunnel_timeout: float | None = setting(
        "duration", 3600.0, "tunnels and WebSockets without a byte for this long are closed", written="1h"
    )

    def _max_target(self) -> int:
        if self.max_target_size is None:
            return self.max_header_size // 8
        return min(self.max_target_size, self.max_header_size)

    @property
    def response_rate(self) -> int:
        """How fast what waits for a client has to be taken."""
        return self.min_body_rate if self.min_response_rate is None else self.min_response_rate

    def http2(self) -> Http2Settings:
        """The part of them that clients of HTTP/2 are told."""
        streams, all_of_it = self.max_concurrent_streams, self.connection_window
        window, growth = _window(self.stream_window, all_of_it)
        # What waits for a place, on all streams, leaves room for who has one; but the first part of a body has to come.
        first = max(FIRST_PART, min(window, all_of_it // streams))
        return Http2Settings(streams, window, all_of_it, first, growth)

    def http2_upstream(self) -> Http2Settings:
        """What upstreams of HTTP/2 are told. All streams together, and what they may grow by, fit into the connection's
        window: clients that take nothing hold up nobody else's responses.
        """
        streams = self.upstream_concurrent_streams
        window, growth = _window(self.upstream_stream_window, _GROWN_IN)
        together = growing_in(streams * window + growth) if growth else streams * window
        return Http2Settings(streams, window, min(together, LARGEST_WINDOW), growth=growth)

    def wire(self) -> WireLimits:
        """The part of them that the codecs hold."""
        return WireLimits(
            max_head=self.max_header_size,
            max_target=self._max_target(),
            max_fields=self.max_fields,
            max_body=self.max_body_size,
        )


def _window(said: int | None, all_of_it: int) -> tuple[int, int]:
    """How large the window of a stream is, and by how much it may grow in a connection's: not where it was said."""
    if said is not None:
        return said, 0
    return STREAM_WINDOW, max(0, grown_in(all_of_it) - STREAM_WINDOW)
