"""What came out: rows with medians, tables of them, and how they stand against the targets."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

import attrs

from benchmarks.scenarios import Sample, Scenario

OURS = ("txproxy", "txproxy-reactor")


@attrs.define
class Row:
    """A peer in a scenario."""

    peer: str
    samples: list[Sample] = attrs.field(factory=list)
    fault: str | None = None
    """Why there is nothing to show."""

    @property
    def errors(self) -> dict[str, int]:
        """Of all rounds, by kind."""
        total: dict[str, int] = {}
        for sample in self.samples:
            for kind, count in sample.errors.items():
                total[kind] = total.get(kind, 0) + count
        return total

    @property
    def valid(self) -> bool:
        """Measured, and without any error."""
        return bool(self.samples) and self.fault is None and not self.errors

    @property
    def cost(self) -> float:
        """The median over the rounds."""
        return statistics.median(sample.cost for sample in self.samples)

    @property
    def rate(self) -> float | None:
        """The median over the rounds."""
        rates = [sample.rate for sample in self.samples if sample.rate is not None]
        return statistics.median(rates) if rates else None


Results = Mapping[str, Mapping[str, Row]]
"""By the scenario's name, then by the peer's."""


@attrs.frozen
class Goal:
    """A bound on one of ours against a peer, or against a number where ``peer`` is None."""

    scenario: str
    ours: str
    peer: str | None
    bound: float
    rate: bool = False
    """Compare requests/s, of which more is better, in place of the cost."""


GOALS: tuple[Goal, ...] = (
    *(Goal(scenario, "txproxy", "squid", 0.65) for scenario in ("reverse-small", "forward-small")),
    *(Goal(scenario, "txproxy-reactor", "squid", 0.5) for scenario in ("reverse-small", "forward-small")),
    *(
        Goal(scenario, name, "twisted.web.proxy", 8, rate=True)
        for scenario in ("reverse-small", "forward-small")
        for name in OURS
    ),
    *(Goal("reverse-100k", name, "nginx", 1.3) for name in OURS),
    *(Goal(scenario, name, "haproxy", 0.6) for scenario in ("connect-bulk", "tcp-bulk") for name in OURS),
    *(Goal("tls-small", name, "nginx", 3.2) for name in OURS),
    *(Goal("tls-handshake", name, "nginx", 1.4) for name in OURS),
    *(Goal("idle-memory", name, None, 6) for name in OURS),
    Goal("h2-small", "txproxy-reactor", "nginx", 1.15),
    Goal("h2-to-h2", "txproxy-reactor", "nginx", 0.7),
    Goal("h2-100k", "txproxy-reactor", "nginx", 1.1),
    Goal("h2-1m", "txproxy-reactor", "nginx", 1.2),
    Goal("h2-upstream", "txproxy-reactor", "txproxy-reactor-to-http1", 0.75),
    Goal("reverse-watched", "txproxy-metrics", "txproxy-reactor", 1.02),
    Goal("reverse-watched", "txproxy-all-on", "txproxy-reactor", 1.12),
    Goal("reverse-watched", "txproxy-2-workers", "txproxy-reactor", 1.05),
    Goal("cache-hit-small", "txproxy-reactor", "nginx", 1.15),
    Goal("cache-hit-100k", "txproxy-reactor", "nginx", 0.75),
    Goal("cache-hit-1m", "txproxy-reactor", "nginx", 0.9),
    Goal("cache-disk-100k", "txproxy-reactor", "nginx", 0.7),
    Goal("cache-disk-1m", "txproxy-reactor", "nginx", 0.85),
    *(Goal("cache-uncacheable", name, f"{name}-no-cache", 1.1) for name in OURS),
)


def number(value: float, digits: int) -> str:
    """With thousands apart, and ``digits`` behind the point."""
    return f"{value:,.{digits}f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Columns below each other: the first to the left, the others to the right, the last as it is."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    last = len(widths) - 1
    return "\n".join(
        "  ".join(
            cell if place == last else cell.ljust(width) if place == 0 else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def table(scenario: Scenario, rows: Mapping[str, Row]) -> str:
    """The rows of a scenario, the cheapest first, with their cost against that of txproxy."""
    base = next((rows[name] for name in OURS if name in rows and rows[name].valid), None)
    lines = [["", scenario.unit, "spread", scenario.rate_unit or "", f"x {base.peer}" if base else "", ""]]
    measured = sorted((row for row in rows.values() if row.samples), key=lambda row: row.cost)
    for row in measured:
        costs = [sample.cost for sample in row.samples]
        spread = (max(costs) - min(costs)) / 2 / row.cost if row.cost else 0.0
        rate_digits = 2 if scenario.rate_unit == "GB/s" else 0
        lines.append(
            [
                row.peer,
                number(row.cost, scenario.digits),
                f"+-{spread:.0%}" if len(costs) > 1 else "",
                "" if row.rate is None else number(row.rate, rate_digits),
                number(row.cost / base.cost, 2) if base and base.cost else "",
                "" if row.valid else "INVALID: " + _faults(row),
            ]
        )
    lines += [[row.peer, "-", "", "", "", row.fault or "no measurement"] for row in rows.values() if not row.samples]
    # What a failed program said may be several lines: they are shown below the table, not in it.
    notes = [f"{line[0]}: {line[-1]}" for line in lines if "\n" in line[-1]]
    shown = [[*line[:-1], line[-1].partition("\n")[0]] for line in lines]
    return "\n".join([scenario.title, aligned(shown), *notes, ""])


def _faults(row: Row) -> str:
    errors = ", ".join(f"{count} {kind}" for kind, count in row.errors.items())
    return "; ".join(filter(None, [errors and f"errors: {errors}", row.fault]))


def reached(goal: Goal, results: Results) -> float | None:
    """What ``goal`` is compared with, or None where one of the two was not measured, or not validly."""
    rows = results.get(goal.scenario, {})
    ours = rows.get(goal.ours)
    if ours is None or not ours.valid:
        return None
    if goal.peer is None:
        return ours.cost
    peer = rows.get(goal.peer)
    if peer is None or not peer.valid:
        return None
    if goal.rate:
        return ours.rate / peer.rate if ours.rate is not None and peer.rate else None
    return ours.cost / peer.cost if peer.cost else None


def met(goal: Goal, value: float) -> bool:
    """Whether ``value`` is within the goal's bound."""
    return value >= goal.bound if goal.rate else value <= goal.bound


def targets(results: Results) -> str:
    """All goals of the scenarios that ran: asked, reached, and whether that is enough."""
    lines = [["Targets", "", "", "asked", "reached", ""]]
    for goal in GOALS:
        if goal.scenario not in results:
            continue
        value = reached(goal, results)
        sign, unit = (">=", "x requests/s of") if goal.rate else ("<=", "x cost of")
        against = f"{unit} {goal.peer}" if goal.peer else "kB"
        verdict = "not measured" if value is None else "yes" if met(goal, value) else "NO"
        shown = "-" if value is None else number(value, 3)
        lines.append([goal.scenario, goal.ours, against, f"{sign} {goal.bound:g}", shown, verdict])
    return aligned(lines) if len(lines) > 1 else "Targets: none for these scenarios"


def as_json(results: Results, scenarios: Sequence[Scenario]) -> dict[str, object]:
    """All that was measured, for a file."""
    return {
        "scenarios": {
            scenario.name: {
                "title": scenario.title,
                "unit": scenario.unit,
                "rate_unit": scenario.rate_unit,
                "rows": [
                    {
                        "peer": row.peer,
                        "cost": row.cost if row.samples else None,
                        "rate": row.rate if row.samples else None,
                        "valid": row.valid,
                        "fault": row.fault,
                        "errors": row.errors,
                        "samples": [attrs.asdict(sample) for sample in row.samples],
                    }
                    for row in results[scenario.name].values()
                ],
            }
            for scenario in scenarios
            if scenario.name in results
        },
        "targets": [
            {**attrs.asdict(goal), "reached": value, "met": None if value is None else met(goal, value)}
            for goal in GOALS
            if goal.scenario in results
            for value in [reached(goal, results)]
        ],
    }
