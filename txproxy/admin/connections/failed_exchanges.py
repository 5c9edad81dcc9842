"""The last exchanges that have failed, each with its whole way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from time import time
from typing import Final

from txproxy.admin.connections.connection_listing import connection_id
from txproxy.admin.connections.exchange_listing import whole_way
from txproxy.interfaces.record import ExchangeRecord
from txproxy.observe.log_formats.connection_facts import Connections

# So many are remembered, and in each second so many are written down at the most: where all fails, that must not cost
# what is left.
MOST_KEPT: Final = 100
_MOST_A_SECOND: Final = 100


def has_failed(record: ExchangeRecord) -> bool:
    """Whether we or an upstream have failed it: a status of 500 or more, a response that was cut, a tunnel that was
    ended by the proxy. What its client has done wrong or has given up, and what a limit has refused, is no failure.
    """
    outcome, status, context = record.outcome, record.status, record.context
    if outcome == "tunnel":
        return bool(context.tunnel_ended_by)
    if outcome == "client-gone" or (context.limit is not None and context.limit.outcome == "refused"):
        return False
    if status >= 500:
        return True
    if outcome in ("ok", "answered"):
        return False
    # A refusal has a status of its own; else it is that of a response that was cut.
    return status < 400 or (bool(record.attempts) and record.attempts[-1].status == status)


class FailedExchanges:
    """Those of one process, the newest first. ``numbers`` are those of connections that logs have as well; ``skipped``
    is how many were not written down, as there were too many at once.
    """

    def __init__(self, clock: Callable[[], float] = time) -> None:
        self._clock = clock
        self.numbers = Connections()
        self.skipped = 0
        self._kept: deque[dict[str, object]] = deque(maxlen=MOST_KEPT)
        self._count = 0
        # the second that it is, and how many were written down in it
        self._second = 0
        self._in_second = 0

    def __iter__(self) -> Iterator[dict[str, object]]:
        return iter(self._kept)

    def of(self, listener: str) -> Callable[[ExchangeRecord, bool], None]:
        """Is to be told what may have failed at a ``listener``, and whether it was a raw stream."""

        def told(record: ExchangeRecord, is_stream: bool) -> None:
            if has_failed(record):
                self._add(listener, record, is_stream)

        return told

    def _add(self, listener: str, record: ExchangeRecord, is_stream: bool) -> None:
        now = self._clock()
        if int(now) != self._second:
            self._second, self._in_second = int(now), 0
        self._in_second += 1
        if self._in_second > _MOST_A_SECOND:
            self.skipped += 1
            return
        self._count += 1
        connection = record.context.connection
        said = {
            "id": f"{connection_id(self.numbers, connection)}.f{self._count:x}",
            "listener": listener,
            **whole_way(record, self.numbers.facts(connection), now),
        }
        if is_stream:
            # Its client has got none.
            said["status"] = None
        self._kept.appendleft(said)
