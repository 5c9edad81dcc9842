"""``[[access_logs]]`` of a configuration file: further logs, of some requests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from txproxy.components.named_code import NamedCode
from txproxy.components.values import duration, hint, share, text, texts
from txproxy.config.findings import Findings
from txproxy.config.log_lines import DEFAULT_LINES, parse_log_lines, parse_log_place
from txproxy.config.model import AccessLogConfig, AnyListener
from txproxy.config.own_code.code_tables import read_code
from txproxy.config.toml.tables import Table
from txproxy.matching.statuses import parse_status
from txproxy.observe.log_conditions import LogConditions
from txproxy.observe.own_sink import find_sink


def read_log_place(table: Table, value: object) -> str:
    """Where access lines go."""
    return parse_log_place(text(value), table.written_name)


def read_access_log(table: Table) -> AccessLogConfig:
    """One of them."""
    sink, to = _sink(table), ""
    if sink is None and "sink" not in table:
        accepted = "a file, -, syslog:udp:HOST:PORT or journald:; or sink in its place"
        to = table.need("to", partial(read_log_place, table), "", accepted)
    elif table.read("to", lambda value: value, None) is not None:
        table.fault("the lines go to a sink", "to", accepted="accepted is one of them")
    if to == "none":
        table.fault("a log that goes nowhere has no lines", "to", accepted="accepted is a file, or no such table")
    config = AccessLogConfig(
        to=to,
        sink=sink,
        format=table.read("format", texts(parse_log_lines), DEFAULT_LINES),
        listeners=table.some("listeners", text) or (),
        conditions=LogConditions(
            statuses=table.some("status", parse_status) or (),
            min_duration=table.read("min_duration", duration, 0.0),
            routes=table.some("routes", text) or (),
            share=table.read("sample", share, 1.0),
        ),
    )
    table.close()
    return config


def _sink(table: Table) -> NamedCode | None:
    value = table.read("sink", lambda value: value, None)
    return None if value is None else read_code(table, ("sink",), value, "sink", "sink", find_sink)


def see_log_listeners(logs: Sequence[AccessLogConfig], listeners: Sequence[AnyListener], findings: Findings) -> None:
    """Say which names of listeners are none."""
    names = [listener.name for listener in listeners]
    for number, log in enumerate(logs):
        for name in log.listeners:
            if name not in names:
                said = f"there is no listener {name!r}{hint(name, names)}"
                findings.fault(("access_logs", number, "listeners"), said, f"accepted: {', '.join(names)}")
