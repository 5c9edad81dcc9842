"""What a stream asks for, in the form in which HTTP/1 has it: nothing behind this knows by which version it came."""

from __future__ import annotations

from typing import Any, Final

from txproxy.errors import RequestError
from txproxy.interfaces.connection import ClientConnection
from txproxy.net.transports.tls_transports import tls_connection
from txproxy.wire.extended_connect import WEBSOCKET, as_upgrade
from txproxy.wire.message import RequestHead
from txproxy.wire.target import DEFAULT_PORTS, split_authority

_SCHEMES: Final = {"http": b"http", "https": b"https"}


def asked_request(head: RequestHead, protocol: bytes, connection: ClientConnection, proxied: bool) -> RequestHead:
    """The request that ``head`` is, on a ``connection``; ``RequestError`` if it is none that is served. ``protocol`` is
    what an extended CONNECT asks for. Where targets are ``proxied``, clients name whom else they mean.
    """
    method = head.method
    if method == b"CONNECT":
        if head.body > 0:
            # RFC 9110 9.3.6: what follows is the tunnel's, and has no length.
            raise RequestError("a body where the method has none")
        if not protocol:
            head.scheme, head.body = None, 0
            return head
        if protocol.lower() != WEBSOCKET:
            # RFC 9220 3 asks for this status, which suits RFC 8441 as well.
            raise RequestError("no such protocol is spoken over CONNECT", status=501)
        head = as_upgrade(head)
    elif method == b"TRACE" and head.body:
        # RFC 9110 9.3.8
        raise RequestError("a body where the method has none")
    scheme = _SCHEMES[connection.peer_scheme]
    if head.scheme == scheme and not (proxied and _is_elsewhere(head.authority, scheme, connection.transport)):
        # RFC 9112 3.2.1: in origin form.
        head.scheme = None
    return head


def _is_elsewhere(authority: bytes, scheme: bytes, transport: Any) -> bool:
    """Whether ``authority`` is another than the one by which the client knows this proxy."""
    host, port = split_authority(authority)
    here = transport.getHost()
    if (port or DEFAULT_PORTS[scheme]) != getattr(here, "port", None):
        return True
    tls = tls_connection(transport)
    name = tls.get_servername() if tls is not None else None
    return host not in (name.decode("ascii", "replace").lower() if name else None, here.host)
