"""What a log says of requests that were refused, where these are many."""

import pytest
from twisted.logger import capturedLogs, formatEvent

from tests.observe.test_request_counts import record
from txproxy.interfaces.allowances import LimitHit
from txproxy.observe.access_log import AccessLog
from txproxy.observe.refused_lines import RefusedLines

NOW = 1_800_000_000.0
LINE = 100


def limited(outcome="refused"):
    over = record(outcome="http_request_denied", status=429)
    over.context.limit = LimitHit("each", outcome)
    return over


def offered(refused, over, seconds, rate=100):
    """How many of so many a second have a line."""
    lines = 0
    for number in range(seconds * rate):
        if not refused.leaves_out(over, NOW + number / rate):
            refused.wrote(LINE)
            lines += 1
    return lines


@pytest.mark.parametrize(
    "over", [limited(), *(record(outcome=one) for one in ("slow-head", "slow-body", "challenged", "challenge-failed"))]
)
def test_so_many_bytes_a_second_are_said_of_them(over):
    with capturedLogs() as events:
        refused = RefusedLines("access.log", 300)
        # ten seconds' worth at first
        lines = offered(refused, over, 100)
        refused.close()
    assert 100 * 3 <= lines <= 110 * 3 + 1
    said = [formatEvent(event) for event in events]
    assert 10 <= len(said) <= 12
    assert sum(int(text.partition(" ")[0]) for text in said) == 100 * 100 - lines
    assert said[0].endswith("requests that were refused have no line in access.log")


@pytest.mark.parametrize(
    "over", [limited("passed"), limited("delayed"), record(outcome="answered"), record(outcome="connection_refused"),
             record(outcome="client-gone"), record(outcome="http_request_denied")]
)  # fmt: skip
def test_others_are_all_said(over):
    assert offered(RefusedLines("log", 300), over, 1, rate=1000) == 1000


def test_all_are_said_where_that_is_wanted():
    refused = RefusedLines("log")
    assert offered(refused, limited(), 10) == 1000
    with capturedLogs() as events:
        refused.close()
    assert not events


def test_a_clock_that_goes_back_does_no_harm():
    refused = RefusedLines("log", 300)
    assert not refused.leaves_out(limited(), NOW)
    refused.wrote(10_000)
    assert refused.leaves_out(limited(), NOW - 1000) and refused.leaves_out(limited(), NOW - 990)
    assert not refused.leaves_out(limited(), NOW - 960)


def test_a_log_has_no_more_lines_of_them(tmp_path):
    log = AccessLog(str(tmp_path / "log"), "$status $outcome")
    log.refused.most = 30
    for _ in range(500):
        log.exchange(limited())
        log.exchange(record(status=200))
    assert log.file.flush(30.0)
    with capturedLogs() as events:
        log.close()
    lines = (tmp_path / "log").read_text().splitlines()
    assert lines.count("200 ok") == 500 and 5 <= lines.count("429 http_request_denied") < 30
    assert not events or "have no line in" in formatEvent(events[-1])
