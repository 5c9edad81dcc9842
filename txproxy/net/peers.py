"""Who is at the other end of a connection."""

from __future__ import annotations

from typing import Any

from twisted.internet.address import UNIXAddress


def ip_of(addr: Any) -> str:
    """The address of a peer as text; ``unix:`` for one on a UNIX socket."""
    if isinstance(addr, UNIXAddress):
        return "unix:"
    host: str = getattr(addr, "host", "unknown")
    # A dual-stack socket shows IPv4 clients in this form.
    return host[7:] if host.startswith("::ffff:") and ":" not in host[7:] else host
