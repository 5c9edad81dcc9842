"""``/api/status``: how all of a proxy is just now, in one answer."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterable, Mapping, Sequence
from inspect import isawaitable
from itertools import islice
from typing import Any, Final

from txproxy.admin.api_call import ApiCall, ApiFault
from txproxy.admin.api_paths import Verb
from txproxy.admin.merging import LISTED, SUMMED, Answers, Asked, Merge, WorkerName, sound
from txproxy.admin.proxy_view import ProxyView
from txproxy.observe.request_counts import BOUNDS, RequestCounts

# Who is slower than this is left out, in seconds: the others' numbers are not to wait for it.
_PATIENCE: Final = 2.0
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
# So many of those that have failed last are named.
_MOST_FAILED: Final = 10
_FAILED_KEYS: Final = ("id", "time", "listener", "client", "method", "url", "status", "outcome", "detail")
_NO_CALL: Final = ApiCall()
# What other verbs tell of all that there is, by the key that it has here.
_PARTS: Final = {"pools": "/api/pools", "limits": "/api/limits", "questions": "/api/questions"}
_UPSTREAMS: Final = "/api/pools/{pool}/upstreams"
_NAMES: Final = (*map(str, BOUNDS), "+Inf")


def status_verb(view: ProxyView, reactor: Any, verbs: Iterable[Verb]) -> Verb:
    """Made of what some of the ``verbs`` tell, and of numbers of its own."""
    status = _Status(view, reactor, {verb.path: verb for verb in verbs if verb.method == "GET"})
    merge = Merge(Asked.ALL, status.merged, patience=_PATIENCE)
    return Verb("GET", "/api/status", status.told, merge=merge, show=status.shown)


async def look(verb: Verb) -> dict[str, Any]:
    """What is answered at a ``verb`` of :func:`status_verb` now."""
    given: Any = verb.handle(_NO_CALL)
    if isawaitable(given):
        given = await given
    assert verb.show is not None
    shown = verb.show(_NO_CALL, given)
    assert isinstance(shown, dict)
    return shown


class _Status:
    def __init__(self, view: ProxyView, reactor: Any, verbs: Mapping[str, Verb]) -> None:
        self._view = view
        self._reactor = reactor
        self._parts = {key: verbs[path] for key, path in _PARTS.items()}
        self._upstreams = verbs[_UPSTREAMS]

    def told(self, call: ApiCall) -> dict[str, Any]:
        """What one process has to say."""
        view = self._view
        found: dict[str, Any] = {key: verb.handle(_NO_CALL) for key, verb in self._parts.items()}
        found["upstreams"] = {name: self._upstreams.handle(ApiCall((name,))) for name in view.overlays}
        counts = view.counts
        found["listeners"] = {
            "listeners": [_listener(name, number, counts.get(name)) for name, number in view.connections.items()]
        }
        failed = [{key: one[key] for key in _FAILED_KEYS} for one in islice(view.failed, _MOST_FAILED)]
        found["failed"] = {"failed": failed}
        found["times"] = {"times": _times(counts.values())}
        found["workers"] = {"workers": [_process(view)]}
        return found

    def merged(self, call: ApiCall, answers: Answers) -> dict[str, Any]:
        """What several say, each part as its own verb has it. Who has not answered is left out, if others have."""
        well = {name: answer for name, answer in answers.items() if not isinstance(answer, ApiFault)}
        told = well or sound(answers)
        merges = {key: verb.merge for key, verb in self._parts.items()}
        merges |= {"listeners": SUMMED, "times": SUMMED, "failed": LISTED, "workers": LISTED}
        found = {key: merge.merged(_NO_CALL, _part(told, key)) for key, merge in merges.items()}
        pools = dict.fromkeys(pool for answer in told.values() for pool in answer["upstreams"])
        found["upstreams"] = {
            pool: self._upstreams.merge.merged(_NO_CALL, _part(_part(told, "upstreams"), pool)) for pool in pools
        }
        return found

    def shown(self, call: ApiCall, told: Mapping[str, Any]) -> dict[str, Any]:
        """With what is known where the endpoint is."""
        view = self._view
        return {
            # Of two answers the difference counts: it is by a clock that may begin anywhere.
            "seconds": round(self._reactor.seconds(), 3),
            "stage": view.stage.value,
            "revision": view.file.revisions.current,
            **{key: told[key][key] for key in ("listeners", *self._parts, "times", "workers")},
            "failed": sorted(told["failed"]["failed"], key=lambda one: one["time"], reverse=True)[:_MOST_FAILED],
            "upstreams": {name: pool["upstreams"] for name, pool in told["upstreams"].items()},
        }


def _part(told: Mapping[WorkerName, Mapping[str, Any]], key: str) -> dict[WorkerName, Any]:
    return {name: answer[key] for name, answer in told.items() if key in answer}


def _listener(name: str, connections: int, counts: RequestCounts | None) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "connections": connections}
    requests: dict[str, int] = {}
    cache: dict[str, int] = {}
    if counts is None:
        counts = RequestCounts()
    for (_, status, *_), row in counts.rows.items():
        code = f"{status // 100}xx" if status else "none"
        requests[code] = requests.get(code, 0) + row.count
    for (served, _), number in counts.cache.items():
        word = served.value.lower()
        cache[word] = cache.get(word, 0) + number
    routes = counts.routes.values()
    told["requests"] = requests
    told["failures"] = dict(counts.failures)
    told["durations"] = _histogram([route.durations.counts for route in routes])
    told["first_bytes"] = _histogram([route.first_bytes.counts for route in routes])
    told["retries"] = sum(route.retries for route in routes)
    told["sent"] = sum(route.sent for route in routes) + counts.stream_bytes[0]
    told["received"] = sum(route.received for route in routes) + counts.stream_bytes[1]
    told["streams"] = dict(counts.streams)
    told["cache"] = cache
    return told


def _times(counts: Iterable[RequestCounts]) -> dict[str, dict[str, dict[str, dict[str, int]]]]:
    """How long it took to connect, and how long requests did, by pool and upstream."""
    found: dict[tuple[str, str], dict[str, list[Sequence[int]]]] = {}
    for one in counts:
        for key, timed in one.upstreams.items():
            there = found.setdefault(key, {})
            there.setdefault("durations", []).append(timed.durations.counts)
            there.setdefault("first_bytes", []).append(timed.first_bytes.counts)
        for key, histogram in one.connects.items():
            found.setdefault(key, {}).setdefault("connects", []).append(histogram.counts)
    told: dict[str, dict[str, dict[str, dict[str, int]]]] = {}
    for (pool, upstream), kinds in found.items():
        told.setdefault(pool, {})[upstream] = {kind: _histogram(counts) for kind, counts in kinds.items()}
    return told


def _histogram(found: Sequence[Sequence[int]]) -> dict[str, int]:
    """How many took up to each bound, and not up to the one before; those without any are left out."""
    sums = (sum(column) for column in zip(*found, strict=True))
    return {name: number for name, number in zip(_NAMES, sums, strict=False) if number}


def _process(view: ProxyView) -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    lag = view.lag
    return {
        "pid": os.getpid(),
        "cpu": round(used.ru_utime + used.ru_stime, 3),
        "memory": _resident(),
        "lag": round(lag.last, 6) if lag is not None else None,
        "connections": sum(view.connections.values()),
    }


def _resident() -> int | None:
    """How much memory it takes, in bytes; None where there is no /proc."""
    try:
        with open("/proc/self/statm", encoding="ascii") as statm:
            return int(statm.read().split()[1]) * _PAGE
    except OSError:
        return None
