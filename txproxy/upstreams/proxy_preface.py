"""The PROXY protocol to upstreams: what a connection begins with that is one client's, and tells so."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.interfaces import IAddress

from txproxy.interfaces.address import Address
from txproxy.interfaces.context import RequestContext
from txproxy.net.peers import ip_of
from txproxy.wire.proxy_protocol import End, header


def preface(version: int, transport: Any, client_ip: str | None = None) -> bytes:
    """What an upstream that expects the PROXY protocol gets first, on behalf of the client at the other end of
    ``transport``: its address and the one that it connected to, as a header of ``version`` 1 or 2.

    ``client_ip`` is the believed client, if that is another one than the peer; its port is then not known, and 0.
    Without a transport, or for a client on a UNIX socket, the header tells of nobody.
    """
    if transport is None:
        return header(version, None, None)
    source, destination = _end_of(transport.getPeer()), _end_of(transport.getHost())
    if source is not None and client_ip is not None and client_ip != ip_of(transport.getPeer()):
        source = (client_ip, 0)
    try:
        return header(version, source, destination)
    except ValueError:
        # an embedder's transport, with addresses of its own kind
        return header(version, None, None)


def prefaced(address: Address, version: int, context: RequestContext) -> Address:
    """``address`` as one client's: its connections begin with a header of ``version`` that tells of ``client``."""
    return attrs.evolve(address, preface=preface(version, context.connection.transport, context.client_ip))


def _end_of(address: IAddress) -> End | None:
    if isinstance(address, IPv4Address | IPv6Address):
        return address.host, address.port
    return None
