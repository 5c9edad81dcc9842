"""``/api/connections``: who is connected, what each has at work, and an end of either."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from twisted.internet.task import deferLater
from twisted.logger import Logger

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.connections.connection_listing import connection_id, exchange_id, told
from txproxy.admin.merging import LISTED, OF_ANY, Answers, Asked, Merge
from txproxy.admin.proxy_view import ProxyView
from txproxy.components.values import shown
from txproxy.errors import RequestDenied
from txproxy.proxy.downstream.admission import Admitted

_log = Logger()

_MOST_LISTED: Final = 10_000
# So many are looked at before others have a turn.
_BATCH: Final = 200
_ENDED: Final = "ended by the administrator"


class ConnectionVerbs:
    """What may be done with the clients of what ``view`` shows."""

    def __init__(self, view: ProxyView, reactor: Any) -> None:
        self._view = view
        self._reactor = reactor

    def verbs(self) -> list[Verb]:
        """All of it."""
        return [
            Verb(
                "GET",
                "/api/connections",
                self._list,
                query=("listener", "client", "pool", "busy", "limit"),
                merge=Merge(Asked.ALL, _of_all),
            ),
            Verb("DELETE", "/api/connections/{connection}", self._end_connection, merge=OF_ANY),
            Verb("DELETE", "/api/exchanges/{exchange}", self._end_exchange, merge=OF_ANY),
        ]

    def _clients(self) -> Iterator[tuple[str, Admitted]]:
        """Those of whom anything is known."""
        return ((name, client) for name, client in self._view.clients if client.connection is not None)

    async def _list(self, call: ApiCall) -> dict[str, object]:
        limit = _limit(call)
        query, busy = call.query, call.number("busy", 0, 0, 1)
        found: list[dict[str, object]] = []
        connections = self._view.numbers
        for number, (listener, client) in enumerate(list(self._clients()), 1):
            if not number % _BATCH:
                await deferLater(self._reactor, 0)
            if query.get("listener", listener) != listener or (busy and not client.exchanges()):
                continue
            one = told(listener, client, connections)
            if one["state"] == "closed" or not _is_wanted(one, query.get("client"), query.get("pool")):
                continue
            if len(found) == limit:
                return {"connections": found, "complete": False}
            found.append(one)
        return {"connections": found, "complete": True}

    def _client(self, name: str) -> Admitted | None:
        """The client whose connection is called so."""
        connections = self._view.numbers
        for _, client in self._clients():
            connection = client.connection
            # One that has no number yet was told to nobody.
            numbered = connection is not None and connection.facts is not None
            if numbered and connection_id(connections, connection) == name:
                return client
        return None

    def _end_connection(self, call: ApiCall) -> dict[str, object]:
        (name,) = call.names
        client = self._client(name)
        if client is None:
            raise ApiFault(404, f"there is no connection {shown(name)}, or not any more")
        client.abort()
        _log.info("{said}", said=f"admin API: connection {name} was ended")
        return {"ended": name}

    def _end_exchange(self, call: ApiCall) -> dict[str, object]:
        (name,) = call.names
        connection = name.rpartition(".")[0]
        client = self._client(connection)
        exchanges = client.exchanges() if client is not None else []
        found = next((one for one in exchanges if exchange_id(connection, one) == name), None)
        if found is None:
            raise ApiFault(404, f"there is no exchange {shown(name)}, or not any more")
        found.abandon(RequestDenied(_ENDED))
        _log.info("{said}", said=f"admin API: exchange {name} was ended")
        return {"ended": name}


def _of_all(call: ApiCall, answers: Answers) -> dict[str, object]:
    """Those of all workers, as many as are wanted of one."""
    limit = _limit(call)
    found = LISTED.merged(call, answers)
    connections = found["connections"]
    return {"connections": connections[:limit], "complete": found["complete"] and len(connections) <= limit}


def _limit(call: ApiCall) -> int:
    return call.number("limit", 100, 1, _MOST_LISTED)


def _is_wanted(one: dict[str, Any], client: str | None, pool: str | None) -> bool:
    exchanges = one["exchanges"]
    if client is not None and client not in (one["client"], *(exchange["client"] for exchange in exchanges)):
        return False
    return pool is None or any(exchange["pool"] == pool for exchange in exchanges)
