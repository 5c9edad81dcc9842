"""How old a client's connection may become: so that clients that never leave are spread anew."""

from __future__ import annotations

from typing import Protocol

from txproxy.net.deadlines import NEVER
from txproxy.proxy.services import Services


class Aging(Protocol):
    """A client connection that is told when it is old."""

    services: Services

    def grow_old(self) -> None:
        """Take leave: what is at work ends, what is on its way is served, and the client is told of it."""


class ConnectionAge:
    """Tells ``client`` after so many ``seconds`` that it is old."""

    __slots__ = ("deadline", "over", "_client", "_deadlines")

    def __init__(self, client: Aging, seconds: float) -> None:
        services = client.services
        self._client = client
        # Another factory may have the client by then.
        self._deadlines = services.deadlines
        self.over = False
        self.deadline = services.seconds() + seconds
        self._deadlines.watch(self)

    def deadline_passed(self) -> None:
        """It is old enough."""
        self.deadline = NEVER
        self.over = True
        self._client.grow_old()

    def forget(self) -> None:
        """The client is gone."""
        self._deadlines.forget(self)


def watched_age(client: Aging) -> ConnectionAge | None:
    """That of ``client``, if it is bounded."""
    seconds = client.services.limits.connection_age
    return None if seconds is None else ConnectionAge(client, seconds)


def forget_age(age: ConnectionAge | None) -> None:
    """Its client is gone."""
    if age is not None:
        age.forget()
