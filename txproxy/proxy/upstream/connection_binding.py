"""Upstream connections that belong to one client connection alone.

NTLM and Negotiate authenticate a connection, and not the requests on it (RFC 4559 section 6): whoever is sent on such a
connection is taken for the one who has logged in. So from the first request or answer that speaks either, the upstream
connection is of use to the client connection that it served just then, and to nobody else; both end together.
"""

from __future__ import annotations

import re
from typing import Any, Final

from txproxy.interfaces.streams import ClientStream, UpstreamStream
from txproxy.proxy.upstream.connection_pool import Connections
from txproxy.wire.headers import Headers

# Credentials, or a challenge anywhere in a list of them. Nego2 is a younger name of Negotiate. To take a word within a
# quoted realm for one costs no more than a connection that is not shared.
_SCHEME: Final = re.compile(rb"(?:^|,)[ \t]*(?:ntlm|nego[a-z0-9]*)(?![^ \t,])", re.IGNORECASE)
_CHALLENGES: Final = (b"www-authenticate", b"proxy-authenticate")
# Answers that may begin a login of the connection itself.
LOGIN_WANTED: Final = (401, 407)
# How many upstream connections one client connection may have for itself; the one used longest ago makes room.
_MOST: Final = 16
# for who has no connection of its own to which others could belong
_NOWHERE: Final = 0


def authenticates_connection(value: bytes) -> bool:
    """Whether credentials or challenges are of a scheme that authenticates connections."""
    return _SCHEME.search(value) is not None


def own_connections() -> Connections[Any]:
    """Where the upstream connections of one client connection are kept while they are idle."""
    return Connections(per_address=_MOST, in_all=_MOST)


def close_all(connections: Connections[Any]) -> None:
    """The client connection that they belonged to is gone."""
    for upstream in connections.all():
        upstream.close()


def bind_by_request(upstream: UpstreamStream, downstream: ClientStream, headers: Headers) -> bool:
    """``downstream`` is about to send the credentials in ``headers`` by ``upstream``; False if these are not to be sent
    there, since others use the connection as well.
    """
    if authenticates_connection(headers.index[b"authorization"]):
        if upstream.shared:
            return False
        _bind(upstream, downstream)
    return True


def bind_by_answer(upstream: UpstreamStream, downstream: ClientStream, headers: Headers) -> None:
    """``upstream`` has answered 401 or 407 to ``downstream``."""
    if any(authenticates_connection(headers.index.get(name, b"")) for name in _CHALLENGES):
        _bind(upstream, downstream)


def _bind(upstream: UpstreamStream, downstream: ClientStream) -> None:
    held = downstream.hold_connections()
    upstream.belong_to(held if held is not None else Connections(_NOWHERE, _NOWHERE))
