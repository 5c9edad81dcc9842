"""How many connections one client may have at once."""

from __future__ import annotations

from typing import Any, Final

from txproxy.interfaces.answers import Refusal
from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.proxy.downstream.admission import Admission, Guest
from txproxy.proxy.limits import Limits
from txproxy.wire.message import RequestHead

_UNIX: Final = "unix:"
# Who has so many times the connections that it may have gets no answer to more of them.
_PATIENCE: Final = 2
_TOO_MANY: Final = Refusal(429, "http_request_denied", "the client has too many connections")


def _refuse(head: RequestHead, context: RequestContext) -> Decision:
    """What becomes of the requests of connections that are too many."""
    return _TOO_MANY


class _Refusing:
    """In place of a connection's own ``factory`` (see
    :class:`txproxy.proxy.downstream.serving.ServingFactory`): its first request is refused, and is its last.
    """

    def __init__(self, factory: Any) -> None:
        self.handle = _refuse
        self.draining = True
        self.services = factory.services
        self.admission = factory.admission
        self.first_limit, self.rest_limit = factory.first_limit, factory.rest_limit
        self.protocols, self.tls_context, self.login = factory.protocols, factory.tls_context, factory.login


class AdmissionPerClient(Admission[Guest]):
    """Client connections, of which each client may have ``most``: each IPv4 address, and each network of IPv6 with
    ``ipv6_prefix``. The first request of one that is over that is
    answered by 429, after which it closes; raw streams, and what comes in spite of these answers, close at once. Who
    may open a UNIX socket, and how often, is the system's to say.
    """

    def __init__(self, limit: int, most: int, ipv6_prefix: int = IPV6_PREFIX) -> None:
        super().__init__(limit)
        self._most = most
        self._prefix = ipv6_prefix
        self._counts: dict[str, int] = {}
        self._counted: dict[Any, str] = {}

    def admit(self, guest: Any) -> bool:
        """Count a new connection. A factory with a mode lets it refuse; one without has it closed."""
        if guest in self._counted:
            # It has the place of one that was counted.
            return super().admit(guest)
        ip = guest.connection.peer_ip
        if ip == _UNIX:
            return super().admit(guest)
        key = client_key(ip, self._prefix)
        count = self._counts.get(key, 0)
        factory = guest.factory
        if count >= self._most:
            if count >= self._most * _PATIENCE or not hasattr(factory, "handle"):
                guest.abort()
                return False
            guest.factory = _Refusing(factory)
        self._counts[key] = count + 1
        self._counted[guest] = key
        return super().admit(guest)

    def give_place(self, guest: Any, other: Any) -> None:
        """``other`` goes on with the connection of ``guest``, and is counted in its place."""
        key = self._counted.pop(guest, None)
        if key is not None:
            self._counted[other] = key
        super().give_place(guest, other)

    def take_over(self, guest: Any) -> None:
        """Count a connection that was admitted elsewhere: it is not one too many now."""
        ip = guest.connection.peer_ip
        if ip != _UNIX:
            key = client_key(ip, self._prefix)
            self._counts[key] = self._counts.get(key, 0) + 1
            self._counted[guest] = key
        super().take_over(guest)

    def left(self, guest: Any) -> None:
        """A connection is gone."""
        key = self._counted.pop(guest, None)
        if key is not None:
            count = self._counts[key] - 1
            if count:
                self._counts[key] = count
            else:
                del self._counts[key]
        super().left(guest)


def make_admission(limits: Limits) -> Admission[Any]:
    """As ``limits`` say."""
    most = limits.max_connections_per_client
    if most is None:
        return Admission(limits.max_connections)
    return AdmissionPerClient(limits.max_connections, most, limits.ipv6_prefix)
