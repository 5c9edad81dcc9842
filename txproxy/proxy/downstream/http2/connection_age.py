"""How old a connection of HTTP/2 may become: so that clients that never leave are spread anew."""

from __future__ import annotations

from typing import Any

from txproxy.net.deadlines import NEVER


class ConnectionAge:
    """Has a ``client`` (:class:`txproxy.proxy.downstream.http2.http2_connection.Http2Protocol`) take leave after so
    many ``seconds``: what is at work ends, and what is on its way is served.
    """

    __slots__ = ("deadline", "_client", "_deadlines")

    def __init__(self, client: Any, seconds: float) -> None:
        services = client.services
        self._client = client
        # Another factory may have the client by then.
        self._deadlines = services.deadlines
        self.deadline = services.seconds() + seconds
        self._deadlines.watch(self)

    def deadline_passed(self) -> None:
        """It is old enough."""
        self.deadline = NEVER
        self._client.drain()

    def forget(self) -> None:
        """The client is gone."""
        self._deadlines.forget(self)


def watched_age(client: Any) -> ConnectionAge | None:
    """That of ``client``, if it is bounded."""
    seconds = client.services.limits.http2_age
    return None if seconds is None else ConnectionAge(client, seconds)


def forget_age(age: ConnectionAge | None) -> None:
    """Its client is gone."""
    if age is not None:
        age.forget()
