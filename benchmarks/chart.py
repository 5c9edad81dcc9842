"""The chart of a run: horizontal bars, as SVG written by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from benchmarks.report import OURS, Results, Row, number
from benchmarks.scenarios import Scenario

WIDTH = 760
_NAMES = 170
_VALUES = 90
_BAR, _STEP, _HEAD, _MARGIN = 14, 20, 44, 20

# The background is drawn, so that the text is readable whatever is behind the picture.
_STYLE = """
  .back { fill: #ffffff; } .title { fill: #1f2328; font-weight: 600; font-size: 14px; }
  .text { fill: #1f2328; font-size: 12px; } .soft { fill: #59636e; font-size: 12px; }
  .ours { fill: #0969da; } .peer { fill: #afb8c1; }
  text { font-family: system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117; } .title, .text { fill: #e6edf3; } .soft { fill: #9198a1; }
    .ours { fill: #4493f8; } .peer { fill: #545d68; }
  }
"""


def chart(results: Results, scenarios: Sequence[Scenario], subtitle: str) -> str:
    """One panel a scenario, the cheapest peer on top; rows without a valid measurement are left out."""
    parts: list[str] = []
    top = _MARGIN + 20
    parts.append(f'<text class="soft" x="{_MARGIN}" y="{_MARGIN + 6}">{escape(subtitle)}</text>')
    for scenario in scenarios:
        rows = sorted((row for row in results.get(scenario.name, {}).values() if row.valid), key=lambda row: row.cost)
        if rows:
            parts.extend(_panel(scenario, rows, top))
            top += _HEAD + _STEP * len(rows)
    height = top + _MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
            ' role="img" aria-label="What each proxy costs, by scenario; shorter is better">',
            f"<style>{_STYLE}</style>",
            f'<rect class="back" width="{WIDTH}" height="{height}" rx="8"/>',
            *parts,
            "</svg>\n",
        ]
    )


def _panel(scenario: Scenario, rows: Sequence[Row], top: int) -> Iterator[str]:
    yield f'<text class="title" x="{_MARGIN}" y="{top + 28}">{escape(scenario.title)}'
    yield f'<tspan class="soft" font-weight="400" dx="8">{escape(scenario.unit)}, less is better</tspan></text>'
    room = WIDTH - 2 * _MARGIN - _NAMES - _VALUES
    longest = max(row.cost for row in rows)
    for place, row in enumerate(rows):
        y = top + _HEAD + place * _STEP - 4
        length = max(1.0, row.cost / longest * room) if longest > 0 else 1.0
        kind = "ours" if row.peer in OURS else "peer"
        x = _MARGIN + _NAMES
        yield f'<text class="text" x="{x - 8}" y="{y + 11}" text-anchor="end">{escape(row.peer)}</text>'
        yield f'<rect class="{kind}" x="{x}" y="{y}" width="{length:.1f}" height="{_BAR}" rx="2"/>'
        value = number(row.cost, scenario.digits)
        yield f'<text class="text" x="{x + length + 6:.1f}" y="{y + 11}">{value}</text>'
