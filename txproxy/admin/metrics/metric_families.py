"""What is told of a running proxy in numbers. Labels are names of its configuration, and words of its own."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from txproxy.admin.api_call import ApiCall, Text
from txproxy.admin.api_paths import Verb
from txproxy.admin.caching.cache_verbs import statistics
from txproxy.admin.connections.connection_listing import STATES, state_of, streams_of
from txproxy.admin.merging import Asked, Merge
from txproxy.admin.metrics.exposition import (
    OPENMETRICS,
    PROMETHEUS,
    Family,
    Sample,
    Together,
    counter,
    gauge,
    histogram,
    wants_openmetrics,
    written,
)
from txproxy.admin.metrics.summed_families import SummedFamilies, revision_family
from txproxy.admin.proxy_view import ProxyView, Stage
from txproxy.limits.requests.limiter import LimitCounts
from txproxy.observe.request_counts import BOUNDS, RequestCounts
from txproxy.upstreams.upstream import State

_STARTED: Final = time.time()
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_MOST: Final = Together.MOST
_NONE: Final[Mapping[str, str]] = {}


def metrics_verb(view: ProxyView) -> Verb:
    """``/metrics``."""

    merge = Merge(Asked.ALL, SummedFamilies(lambda: view.file.revisions.current))
    return Verb("GET", "/metrics", lambda call: list(families(view)), merge=merge, show=_shown)


def _shown(call: ApiCall, found: Iterable[Family]) -> Text:
    openmetrics = wants_openmetrics(call.accept)
    return Text(OPENMETRICS if openmetrics else PROMETHEUS, written(found, openmetrics))


def families(view: ProxyView) -> Iterator[Family]:
    """All of them."""
    yield gauge(
        "txproxy_serving", "Whether it serves, and does not drain", [(int(view.stage is Stage.SERVING), _NONE)], _MOST
    )
    counts = view.counts
    yield from _requests(counts)
    yield from _routes(counts)
    yield from _streams(counts)
    yield from _of_cache(view, counts)
    yield gauge(
        "txproxy_connections",
        "Clients that are connected",
        [(number, {"listener": name}) for name, number in view.connections.items()],
    )
    yield gauge("txproxy_client_connections", "Clients that are connected, by what they do", _by_state(view))
    yield from _http2(view)
    yield from _upstreams(view)
    yield from _times(counts)
    yield histogram(
        "txproxy_upstream_connect_seconds",
        "How long it took to connect to an upstream",
        BOUNDS,
        [
            (one.counts, one.seconds, {"listener": listener, "pool": pool, "upstream": upstream})
            for listener, found in counts.items()
            for (pool, upstream), one in found.connects.items()
        ],
    )
    yield from _limits(view.limits)
    yield counter(
        "txproxy_challenges",
        "Requests that were asked for a proof, and answers to that, by what came of them",
        [
            (getattr(counts, result), {"listener": name, "result": result})
            for name, counts in view.challenges.items()
            for result in ("given", "refused", "passed", "failed")
        ],
    )
    if view.revision is not None:
        yield revision_family(view.revision)
    lag = view.lag
    if lag is not None:
        counted = [(lag.lags.counts, lag.lags.seconds, _NONE)]
        yield histogram("txproxy_loop_lag_seconds", "How much later than it was due something is done", BOUNDS, counted)
        about = "The same, as it was looked at last"
        yield gauge("txproxy_loop_lag_last_seconds", about, [(lag.last, _NONE)], Together.EACH)
    yield from _process()


def _by_state(view: ProxyView) -> list[tuple[float, Mapping[str, str]]]:
    counts = {(listener, state): 0 for listener in view.connections for state in STATES}
    for listener, client in view.clients:
        key = (listener, state_of(client))
        counts[key] = counts.get(key, 0) + 1
    return [(count, {"listener": listener, "state": state}) for (listener, state), count in counts.items()]


def _http2(view: ProxyView) -> Iterator[Family]:
    found = {listener: [0, 0] for listener in view.connections}
    for listener, client in view.clients:
        streams = streams_of(client)
        if streams is not None:
            counts = found.setdefault(listener, [0, 0])
            counts[0] += 1
            counts[1] += streams
    for place, (name, about) in enumerate((
        ("connections", "Clients that are connected and speak HTTP/2"),
        ("streams", "Streams that these have, of which there may be so many"),
    )):  # fmt: skip
        yield gauge(
            f"txproxy_http2_{name}",
            about,
            [(counts[place], {"listener": listener}) for listener, counts in found.items()],
        )


def _limits(found: Iterable[LimitCounts]) -> Iterator[Family]:
    by_result: dict[tuple[str, str], int] = {}
    by_name: dict[str, list[int]] = {}
    # Several may have one name.
    for one in found:
        for result, count in (("allowed", one.allowed), ("delayed", one.delayed), ("refused", one.refused)):
            by_result[one.name, result] = by_result.get((one.name, result), 0) + count
        sums = by_name.setdefault(one.name, [0, 0, 0])
        by_name[one.name] = [was + more for was, more in zip(sums, (one.keys, one.running, one.waiting), strict=True)]
    yield counter(
        "txproxy_limit_requests",
        "Requests by what limits have done with them, or would have if they were enforced",
        [(count, {"limit": name, "result": result}) for (name, result), count in by_result.items()],
    )
    for place, (name, about) in enumerate((
        ("keys", "Keys that limits know of"),
        ("running", "Requests at work that limits count"),
        ("waiting", "Requests that wait because of limits"),
    )):  # fmt: skip
        # What is known of a key is known to all workers.
        together = Together.MOST if name == "keys" else Together.SUM
        found_of_it = [(sums[place], {"limit": limit}) for limit, sums in by_name.items()]
        yield gauge(f"txproxy_limit_{name}", about, found_of_it, together)


def _requests(counts: Mapping[str, RequestCounts]) -> Iterator[Family]:
    by_row: dict[tuple[str, str, str, str], int] = {}
    for listener, one in counts.items():
        for (route, status, method, _, _), row in one.rows.items():
            code = f"{status // 100}xx" if status else "none"
            key = (listener, route, code, method.decode("ascii"))
            by_row[key] = by_row.get(key, 0) + row.count
    yield counter(
        "txproxy_requests",
        "Requests that are over, by the class of their status",
        [
            (count, dict(zip(("listener", "route", "code", "method"), key, strict=True)))
            for key, count in by_row.items()
        ],
    )
    yield counter(
        "txproxy_failures",
        "Requests that have failed, were refused or given up, by how",
        [
            (count, {"listener": listener, "outcome": outcome})
            for listener, one in counts.items()
            for outcome, count in one.failures.items()
        ],
    )


def _routes(counts: Mapping[str, RequestCounts]) -> Iterator[Family]:
    routes = [
        ({"listener": listener, "route": name}, route)
        for listener, one in counts.items()
        for name, route in one.routes.items()
    ]
    yield histogram(
        "txproxy_request_duration_seconds",
        "How long requests took, from their head to the end of the response",
        BOUNDS,
        [(route.durations.counts, route.durations.seconds, labels) for labels, route in routes],
    )
    yield histogram(
        "txproxy_time_to_first_byte_seconds",
        "How long it took until the response began, of those that an upstream has answered",
        BOUNDS,
        [(route.first_bytes.counts, route.first_bytes.seconds, labels) for labels, route in routes],
    )
    yield counter(
        "txproxy_retries", "Further attempts at an upstream", [(one.retries, labels) for labels, one in routes]
    )
    sent = [(one.sent, {**labels, "direction": "sent"}) for labels, one in routes]
    received = [(one.received, {**labels, "direction": "received"}) for labels, one in routes]
    yield counter("txproxy_body_bytes", "Bytes of bodies and tunnels, to clients and from them", [*sent, *received])


def _streams(counts: Mapping[str, RequestCounts]) -> Iterator[Family]:
    yield counter(
        "txproxy_streams",
        "Raw streams that have ended, by how",
        [
            (count, {"listener": listener, "outcome": outcome})
            for listener, one in counts.items()
            for outcome, count in one.streams.items()
        ],
    )
    yield counter(
        "txproxy_stream_bytes",
        "Bytes of raw streams that have ended, to clients and from them",
        [
            (count, {"listener": listener, "direction": direction})
            for listener, one in counts.items()
            if one.streams
            for direction, count in zip(("sent", "received"), one.stream_bytes, strict=True)
        ],
    )


def _of_cache(view: ProxyView, counts: Mapping[str, RequestCounts]) -> Iterator[Family]:
    cache = view.cache
    if cache is None:
        return
    yield counter(
        "txproxy_cache_requests",
        "Requests by what the cache has done with them, and why they were sent on",
        [
            (
                count,
                {
                    "listener": listener,
                    "result": served.value.lower(),
                    "forwarded": forwarded.value.decode("ascii") if forwarded is not None else "",
                },
            )
            for listener, one in counts.items()
            for (served, forwarded), count in one.cache.items()
        ],
    )
    yield counter(
        "txproxy_cache_stored",
        "Responses that were stored for a client's request",
        [(one.cache_stored, {"listener": listener}) for listener, one in counts.items()],
    )
    found = statistics(cache)
    tiers = [(name, dict(tier)) for name in ("memory", "disk") if isinstance(tier := found.get(name), Mapping)]
    for key, about in (
        ("bytes", "What is stored takes"),
        ("most_bytes", "What may be stored may take"),
        ("objects", "Responses that are stored"),
    ):
        what = f"{about}, in bytes" if "bytes" in key else about
        yield Family(
            f"txproxy_cache_{key}",
            "gauge",
            what,
            tuple(_of_tier(name, tier[key]) for name, tier in tiers if key in tier),
        )
    yield counter(
        "txproxy_cache_evictions",
        "Responses that had to go for others",
        [(tier["evictions"], {"tier": name}) for name, tier in tiers if "evictions" in tier],
    )


def _of_tier(name: str, value: float) -> Sample:
    # Each worker has a memory of its own, and all of them one disk.
    return Sample(value, {"tier": name}, together=Together.MOST if name == "disk" else Together.SUM)


def _upstreams(view: ProxyView) -> Iterator[Family]:
    found = [
        ({"pool": name, "upstream": upstream.name}, upstream)
        for name, pool in view.pools.items()
        for upstream in pool.upstreams
    ]
    yield gauge("txproxy_upstream_active", "Requests that it has now", [(one.active, labels) for labels, one in found])
    yield counter(
        "txproxy_upstream_requests", "Attempts that it was given", [(one.served, labels) for labels, one in found]
    )
    yield counter(
        "txproxy_upstream_failures",
        "Attempts that have failed as counts for its ejection",
        [(one.failures, labels) for labels, one in found],
    )
    yield counter(
        "txproxy_upstream_ejections", "How often it was ejected", [(one.ejections, labels) for labels, one in found]
    )
    yield gauge(
        "txproxy_upstream_state",
        "Which of its states an upstream is in",
        [(int(one.state is state), {**labels, "state": state.value}) for labels, one in found for state in State],
        # Of the largest of each state, an upstream of which not all have heard would be in two.
        Together.FIRST,
    )
    yield gauge(
        "txproxy_pool_waiting",
        "Requests that wait for an upstream with room",
        [(pool.waiting, {"pool": name}) for name, pool in view.pools.items()],
    )


def _times(counts: Mapping[str, RequestCounts]) -> Iterator[Family]:
    found = [
        ({"listener": listener, "pool": pool, "upstream": upstream}, timed)
        for listener, one in counts.items()
        for (pool, upstream), timed in one.upstreams.items()
    ]
    yield histogram(
        "txproxy_upstream_duration_seconds",
        "How long requests took that an upstream was asked last for, from their head to the end of the response",
        BOUNDS,
        [(timed.durations.counts, timed.durations.seconds, labels) for labels, timed in found],
    )
    yield histogram(
        "txproxy_upstream_first_byte_seconds",
        "How long it took until the response of an upstream began, from the head of the request",
        BOUNDS,
        [(timed.first_bytes.counts, timed.first_bytes.seconds, labels) for labels, timed in found],
    )


def _process() -> Iterator[Family]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    yield counter("process_cpu_seconds", "CPU time of the process", [(used.ru_utime + used.ru_stime, _NONE)])
    yield gauge(
        "process_start_time_seconds",
        "When it has begun, in seconds since the epoch",
        [(_STARTED, _NONE)],
        Together.LEAST,
    )
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield gauge("process_max_fds", "Descriptors that it may have", [(most, _NONE)])
    try:
        opened = len(os.listdir("/proc/self/fd")) - 1
        with open("/proc/self/statm", encoding="ascii") as statm:
            resident = int(statm.read().split()[1]) * _PAGE
    except OSError:
        # Where there is no /proc.
        return
    yield gauge("process_open_fds", "Descriptors that it has", [(opened, _NONE)])
    yield gauge("process_resident_memory_bytes", "Memory that it takes", [(resident, _NONE)])
