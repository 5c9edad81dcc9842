"""Which requests a log has lines of."""

import pytest

from tests.observe.log_formats.records import Stream, record
from txproxy.observe.access_log import AccessLog
from txproxy.observe.log_conditions import ConditionalLog, LogConditions

SOON = 30.0  # for hangs alone


@pytest.fixture
def written(tmp_path):
    """How many of these a log has lines of that has these conditions."""
    made = []

    def written(things, chances=(), **conditions):
        log = AccessLog(str(tmp_path / f"{len(made)}.log"), "$status")
        made.append(log)
        numbers = iter(chances)
        conditional = ConditionalLog(log, LogConditions(**conditions), lambda: next(numbers))
        for thing in things:
            (conditional.stream if isinstance(thing, Stream) else conditional.exchange)(thing)
        assert log.file.flush(SOON)
        return [int(line) for line in (tmp_path / f"{len(made) - 1}.log").read_text().split()]

    yield written
    for log in made:
        log.close()


STATUSES = [200, 301, 404, 499, 500, 503, 599]


@pytest.mark.parametrize(
    ("statuses", "those"),
    [((), STATUSES), (("5xx",), [500, 503, 599]), (("404", "503"), [404, 503]), (("2xx", "499"), [200, 499])],
)
def test_by_status(written, statuses, those):
    assert written([record(status=status) for status in STATUSES], statuses=statuses) == those


def test_who_has_left_is_a_499(written):
    assert written([record(status=0, outcome="client-gone"), record()], statuses=("4xx",)) == [499]


def test_by_duration(written):
    things = [record(status=200 + number, seconds=seconds) for number, seconds in enumerate((0.0, 0.99, 1.0, 5.0))]
    assert written(things, min_duration=1.0) == [202, 203]


def test_by_route(written):
    things = [record(status=201, rule="api"), record(status=202), record(status=203, rule="b")]
    assert written(things, routes=("api", "b")) == [201, 203]


def test_all_has_to_be_so(written):
    things = [record(status=500, rule="a", seconds=2), record(status=500, rule="a"), record(status=200, rule="a")]
    assert written(things, statuses=("5xx",), routes=("a",), min_duration=1.0) == [500]


def test_some_by_chance(written):
    things = [record(status=status) for status in (201, 202, 203, 204)]
    assert written(things, chances=(0.0, 0.5, 0.49, 0.99), share=0.5) == [201, 203]
    assert written(things, share=1.0) == [201, 202, 203, 204]
    assert written(things, chances=(0.0,) * 4, share=0.0) == []
    # Of what is not wanted nobody asks.
    assert written([*things, record(status=500)], chances=(0.1,), share=0.5, statuses=("5xx",)) == [500]


def test_streams_are_200_or_503(written):
    assert written([Stream(), Stream("destination_unavailable", None)], statuses=("503",)) == [503]


def test_no_conditions_are_none():
    assert not LogConditions() and LogConditions(share=0.9) and LogConditions(min_duration=0.1)
