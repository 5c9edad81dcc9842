"""How many connections one client may have at once, and open in a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final

from zope.interface import implementer

from txproxy.components.rates import Rate
from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.connection import ClientConnection, IConnectionFilter
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.proxy.downstream.admission import Admission
from txproxy.proxy.limits import Limits

_UNIX: Final = "unix:"
# Who has so many times the connections that it may have gets no answer to more of them.
_PATIENCE: Final = 2
_TOO_MANY: Final = Refusal(429, "http_request_denied", "the client has too many connections")


@implementer(IConnectionFilter)
class ClientLimit:
    """Each client may have ``most`` connections: each IPv4 address, and each network of IPv6 with ``ipv6_prefix``. The
    first request of one that is over that is answered by 429, after which it closes; raw streams, and what comes in
    spite of these answers, close at once. Those at other processes count as well. Who may open a UNIX socket, and how
    often, is the system's to say.
    """

    def __init__(self, most: int, ipv6_prefix: int = IPV6_PREFIX) -> None:
        self._most = most
        self._prefix = ipv6_prefix
        self.levels = SharedLevels()

    def __len__(self) -> int:
        """How many clients have connections in this process."""
        return len(self.levels)

    def admit(self, connection: ClientConnection) -> bool:
        """See :class:`txproxy.interfaces.IConnectionFilter`."""
        if connection.peer_ip != _UNIX:
            count = self.levels.of(client_key(connection.peer_ip, self._prefix))
            if count >= self._most * _PATIENCE:
                return False
            if count >= self._most:
                connection.refusal = _TOO_MANY
        return self.take_over(connection)

    def take_over(self, connection: ClientConnection) -> bool:
        """Count one that was admitted elsewhere: it is not one too many now."""
        if connection.peer_ip != _UNIX:
            self.levels.change(client_key(connection.peer_ip, self._prefix), 1)
        return True

    def closed(self, connection: ClientConnection) -> None:
        """See :class:`txproxy.interfaces.IConnectionFilter`."""
        if connection.peer_ip != _UNIX:
            self.levels.change(client_key(connection.peer_ip, self._prefix), -1)


@implementer(IConnectionFilter)
class ConnectionRate:
    """Each client may open connections at ``rate``: each IPv4 address, and each network of IPv6 with ``ipv6_prefix``.
    One too many is closed before a byte of it is read, and nobody hears of it: that costs least, and fills no log.
    Who may open a UNIX socket, and how often, is the system's to say. ``seconds`` is the clock.
    """

    def __init__(self, rate: Rate, seconds: Callable[[], float], ipv6_prefix: int = IPV6_PREFIX) -> None:
        self.rate = SharedGcra(rate.interval, rate.at_once)
        self._seconds = seconds
        self._prefix = ipv6_prefix

    def admit(self, connection: ClientConnection) -> bool:
        """See :class:`txproxy.interfaces.IConnectionFilter`."""
        if connection.peer_ip == _UNIX:
            return True
        return self.rate.take(client_key(connection.peer_ip, self._prefix), self._seconds()) == 0.0

    def take_over(self, connection: ClientConnection) -> bool:
        """One that was admitted elsewhere is not new."""
        return True

    def closed(self, connection: ClientConnection) -> None:
        """See :class:`txproxy.interfaces.IConnectionFilter`."""


def make_admission(limits: Limits, filters: Iterable[Any], clock: Any) -> Admission[Any]:
    """As ``limits`` say, behind ``filters``, which say first who may be there at all. ``clock`` is a reactor, or like
    one.
    """
    counting: list[Any] = []
    if limits.connection_rate is not None:
        # What is closed for it counts for nothing else.
        counting.append(ConnectionRate(limits.connection_rate, clock.seconds, limits.ipv6_prefix))
    most = limits.max_connections_per_client
    if most is not None:
        counting.append(ClientLimit(most, limits.ipv6_prefix))
    return Admission(limits.max_connections, (*filters, *counting))
