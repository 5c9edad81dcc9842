"""Who makes connections."""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProtocol
from zope.interface import Interface

from txproxy.interfaces.address import Address


class IDialer(Interface):
    """Makes connections."""

    def dial(address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """Connect a protocol from ``build`` to ``address``, TLS handshake included. Fails with a ``DialError``, or with
        ``RequestDenied`` where the address may not be reached.
        """


class IClientDialer(IDialer):
    """Makes connections to where clients want to go, and gives none of them more than a share of what that takes."""

    def dial_for(client_ip: str, address: Address, build: Callable[[], IProtocol]) -> Deferred[IProtocol]:
        """The same on behalf of a client."""
