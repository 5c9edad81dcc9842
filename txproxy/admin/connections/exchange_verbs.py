"""``/api/exchanges``: what is at work, and what has failed last, each with its whole way."""

from __future__ import annotations

from collections.abc import Iterable
from time import time
from typing import Any, Final

from twisted.internet.task import deferLater

from txproxy.admin.api_call import ApiCall
from txproxy.admin.api_paths import Verb
from txproxy.admin.connections.connection_listing import connection_id, exchange_id, phase_of
from txproxy.admin.connections.exchange_listing import whole_way
from txproxy.admin.merging import LISTED, Answers, Asked, Merge
from txproxy.admin.proxy_view import ProxyView

_MOST_LISTED: Final = 10_000
# So many clients are looked at before others have a turn.
_BATCH: Final = 100
_QUERY: Final = ("listener", "client", "route", "pool", "limit")


class ExchangeVerbs:
    """What may be asked of the exchanges of what ``view`` shows."""

    def __init__(self, view: ProxyView, reactor: Any) -> None:
        self._view = view
        self._reactor = reactor

    def verbs(self) -> list[Verb]:
        """All of it."""
        return [
            Verb("GET", "/api/exchanges", self._running, query=_QUERY, merge=Merge(Asked.ALL, _oldest_first)),
            Verb("GET", "/api/exchanges/failed", self._failed, query=_QUERY, merge=Merge(Asked.ALL, _newest_first)),
        ]

    async def _running(self, call: ApiCall) -> dict[str, object]:
        limit, numbers = _limit(call), self._view.numbers
        found: list[dict[str, Any]] = []
        for count, (listener, client) in enumerate(list(self._view.clients), 1):
            if not count % _BATCH:
                await deferLater(self._reactor, 0)
            connection = client.connection
            if connection is None:
                continue
            for exchange in client.exchanges():
                record = exchange.so_far()
                if record is None:
                    # It began before there was anybody to tell.
                    continue
                name = exchange_id(connection_id(numbers, connection), exchange)
                way = whole_way(record, numbers.facts(connection), time(), phase_of(exchange))
                found.append({"id": name, "listener": listener, **way})
        return _wanted(call, sorted(found, key=_time), limit)

    def _failed(self, call: ApiCall) -> dict[str, object]:
        failed = self._view.failed
        return {**_wanted(call, failed, _limit(call)), "skipped": failed.skipped}


def _limit(call: ApiCall) -> int:
    return call.number("limit", 100, 1, _MOST_LISTED)


def _time(one: dict[str, Any]) -> str:
    return str(one["time"])


def _wanted(call: ApiCall, all_of_them: Iterable[dict[str, Any]], limit: int) -> dict[str, object]:
    """As many as are wanted of those that are."""
    query = {name: value for name, value in call.query.items() if name != "limit"}
    found = [one for one in all_of_them if all(one[name] == value for name, value in query.items())]
    return {"exchanges": found[:limit], "complete": len(found) <= limit}


def _merged(call: ApiCall, answers: Answers, newest: bool) -> dict[str, object]:
    limit, found = _limit(call), LISTED.merged(call, answers)
    exchanges = sorted(found["exchanges"], key=_time, reverse=newest)
    return {**found, "exchanges": exchanges[:limit], "complete": found["complete"] and len(exchanges) <= limit}


def _oldest_first(call: ApiCall, answers: Answers) -> dict[str, object]:
    return _merged(call, answers, newest=False)


def _newest_first(call: ApiCall, answers: Answers) -> dict[str, object]:
    return _merged(call, answers, newest=True)
