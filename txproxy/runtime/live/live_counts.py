"""What is counted for the metrics, over reloads: where there is no admin endpoint to ask for them, nothing is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from txproxy.admin.connections.failed_exchanges import FailedExchanges
from txproxy.config.model import Config
from txproxy.observe.access_log import AccessLog
from txproxy.observe.request_counts import RequestCounts
from txproxy.runtime.builder import Observers
from txproxy.runtime.live.live_logs import LiveLogs


class LiveCounts:
    """The counts of listeners, by their names, and what has ``failed`` at any of them. One that is there again after a
    reload goes on with those it has.
    """

    def __init__(self) -> None:
        self.failed = FailedExchanges()
        self._by_name: dict[str, RequestCounts] = {}

    def of(self, config: Config) -> Mapping[str, RequestCounts]:
        """Those of a configuration."""
        if config.admin is None:
            return {}
        names = dict.fromkeys(listener.name for listener in config.listeners)
        return {name: self._by_name.get(name) or self._made(name) for name in names}

    def _made(self, name: str) -> RequestCounts:
        self._by_name[name] = made = RequestCounts(self.failed.of(name))
        return made

    def observers(self, config: Config, logs: LiveLogs) -> Observers:
        """Who is told at which listener: its access log, and what counts there."""
        counts = self.of(config)
        # A connection is called by one number wherever it is told of.
        self.failed.numbers = logs.connections
        own = {}
        for number, listener in enumerate(config.listeners):
            told: list[Any] = list(logs.of_listeners.get(number, ()))
            counting = counts.get(listener.name)
            if counting is not None:
                told.append(counting)
            exchanges = _counted(told, counting)
            if told:
                streams = tuple(one.stream for one in told)
                own[number] = Observers(exchanges=tuple(exchanges), streams=streams)
        return Observers(own=own)

    def keep(self, config: Config) -> None:
        """Forget all but those of a configuration, which runs now."""
        self._by_name = dict(self.of(config))


def _counted(told: Sequence[Any], counts: RequestCounts | None) -> list[Any]:
    """Who are told of exchanges, of all that are ``told``: the ``counts``, the last of them if there are some, by way
    of a log if one can do that.
    """
    others = told if counts is None else told[:-1]
    for place, one in enumerate(others):
        both = one.counted(counts) if isinstance(one, AccessLog) else None
        if both is not None:
            return [both.exchange if at == place else other.exchange for at, other in enumerate(others)]
    return [one.exchange for one in told]
