"""Contexts of requests, for tests of modes, strategies and what else is asked about a request."""

from __future__ import annotations

from typing import Any

from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext


def context_of(peer_ip: str = "127.0.0.1", scheme: str = "http", **known: Any) -> RequestContext:
    """The context of a request of a client at ``peer_ip`` that speaks ``scheme``; ``known`` are its attributes
    (``user="alice"``), and those of its connection (``transport=...``).
    """
    context = RequestContext(ClientConnection(peer_ip, scheme))
    for name, value in known.items():
        setattr(context.connection if name in ClientConnection.__slots__ else context, name, value)
    return context
