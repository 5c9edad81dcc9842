"""What ``txproxy top`` shows: one look at a running proxy, and what has changed since the one before."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

import attrs

from txproxy.cli.ctl.traffic_commands import CONNECTION_COLUMNS, connection_rows
from txproxy.cli.printing import printable, seconds, size, table_lines

_SAMPLE: Final = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")
_LABEL: Final = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
_MOST_EXCHANGES: Final = 10


@attrs.frozen
class Look:
    """What there was ``at`` a time: numbers, by the names of their rows and the listeners that they are about;
    upstreams by pool; and connections that have something at work.
    """

    at: float
    numbers: dict[tuple[str, str], float]
    upstreams: dict[str, list[dict[str, Any]]]
    connections: list[dict[str, Any]]


def read_numbers(text: str) -> dict[tuple[str, str], float]:
    """Of Prometheus' text, what is there in all for each listener; of requests those as well whose code is 5xx."""
    found: dict[tuple[str, str], float] = {}
    for line in text.splitlines():
        match = _SAMPLE.fullmatch(line)
        if match is None or match[1].endswith("_bucket"):
            continue
        labels = dict(_LABEL.findall(match[2] or ""))
        name = match[1]
        if "direction" in labels:
            name = f"{name}_{labels['direction']}"
        names = [name, f"{name}_5xx"] if labels.get("code") == "5xx" else [name]
        for one in names:
            key = (one, labels.get("listener", ""))
            found[key] = found.get(key, 0.0) + float(match[3])
    return found


def frame(look: Look, before: Look | None, place: str) -> list[str]:
    """The lines of one look. Where there is none ``before`` it, nothing is known of a second."""
    lines = [f"{place}: {_state(look)}, {_process(look, before)}", ""]
    lines += _listeners(look, before)
    lines += ["", *_upstreams(look, before)]
    exchanges = sorted(
        (one for one in look.connections if one["exchanges"]),
        key=lambda one: -max(exchange["age"] or 0.0 for exchange in one["exchanges"]),
    )
    if exchanges:
        rows = [row for one in exchanges for row in connection_rows(one)]
        lines += ["", *table_lines(CONNECTION_COLUMNS, rows[:_MOST_EXCHANGES])]
    return lines


def fitting(lines: Iterable[str], width: int, height: int) -> list[str]:
    """As much of these as there is room for."""
    return [line[:width] for line in lines][:height]


def _state(look: Look) -> str:
    return "serving" if look.numbers.get(("txproxy_serving", "")) else "not serving"


def _process(look: Look, before: Look | None) -> str:
    numbers = look.numbers
    cpu = _rate(look, before, ("process_cpu_seconds_total", ""))
    used = (
        f"CPU {100 * cpu:.0f} %" if cpu is not None else f"CPU {numbers.get(('process_cpu_seconds_total', ''), 0):.1f}s"
    )
    memory = size(int(numbers.get(("process_resident_memory_bytes", ""), 0)))
    return f"{used}, memory {memory}"


def _rate(look: Look, before: Look | None, key: tuple[str, str]) -> float | None:
    """How much more it was in a second; None where that is not known."""
    if before is None or look.at <= before.at:
        return None
    # One that was begun anew has fewer.
    return max(0.0, look.numbers.get(key, 0.0) - before.numbers.get(key, 0.0)) / (look.at - before.at)


def _listeners(look: Look, before: Look | None) -> list[str]:
    names = dict.fromkeys(listener for name, listener in look.numbers if name == "txproxy_connections")
    rows: list[Sequence[object]] = []
    for name in names:
        requests = _rate(look, before, ("txproxy_requests_total", name))
        faults = _rate(look, before, ("txproxy_requests_total_5xx", name))
        time = _rate(look, before, ("txproxy_request_duration_seconds_sum", name))
        sent = _rate(look, before, ("txproxy_body_bytes_total_sent", name))
        rows.append((
            name, int(look.numbers["txproxy_connections", name]), _whole(requests), _whole(faults),
            f"{1000 * time / requests:.1f}ms" if time is not None and requests else None,
            size(int(sent)) if sent is not None else None, int(look.numbers.get(("txproxy_requests_total", name), 0)),
        ))  # fmt: skip
    return table_lines(("LISTENER", "CLIENTS", "REQ/S", "5XX/S", "MEAN", "OUT/S", "REQUESTS"), rows)


def _whole(rate: float | None) -> str | None:
    return f"{rate:.1f}" if rate is not None else None


def _upstreams(look: Look, before: Look | None) -> list[str]:
    was = {(pool, one["name"]): one for pool, ones in before.upstreams.items() for one in ones} if before else {}
    rows: list[Sequence[object]] = []
    for pool, upstreams in look.upstreams.items():
        for one in upstreams:
            old = was.get((pool, one["name"]))
            rate = None
            if old is not None and before is not None and look.at > before.at:
                rate = max(0, one["requests"] - old["requests"]) / (look.at - before.at)
            rows.append((
                pool, one["name"], one["state"], seconds(one["age"]), one["active"], _whole(rate), one["failures"],
                one["ejections"], printable(one["cause"]),
            ))  # fmt: skip
    head = ("POOL", "UPSTREAM", "STATE", "FOR", "ACTIVE", "REQ/S", "FAILURES", "EJECTIONS", "WHY")
    return table_lines(head, rows) if rows else ["no pools"]
