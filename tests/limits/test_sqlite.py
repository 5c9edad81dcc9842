"""What was used, in real files."""

import datetime
import os
from sqlite3 import ProgrammingError

import pytest
from twisted.internet.defer import execute
from twisted.internet.task import Clock

from txproxy.errors import ConfigError
from txproxy.limits.sqlite import SqliteStore
from txproxy.limits.usage import DAY, MONTH, Usage

TODAY = datetime.date(2026, 3, 30)


@pytest.fixture
def open_store(tmp_path):
    opened = []

    def run(today=TODAY, path="usage.db"):
        opened.append(SqliteStore(str(tmp_path / path), today))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


def test_a_file_is_for_its_owner_alone(open_store, tmp_path):
    before = os.umask(0)
    try:
        open_store().add([("2026-03", "user alice", 10)])
    finally:
        os.umask(before)
    assert {file.stat().st_mode & 0o777 for file in tmp_path.glob("usage.db*")} == {0o600}


def test_sums_are_kept_by_period_and_key(open_store):
    store = open_store()
    store.add([("2026-03-30", "user alice", 10), ("2026-03", "user alice", 10), ("2026-03-30", "client ::1", 1)])
    assert store.add([("2026-03-30", "user alice", 5)]) == {("2026-03-30", "user alice"): 15}
    assert store.load("2026-03-30") == {"user alice": 15, "client ::1": 1}
    assert store.load("2026-03") == {"user alice": 10}
    assert store.load("2026-04") == {}


def test_a_file_outlives_who_wrote_it(open_store):
    first = open_store()
    first.add([("2026-03", "user Zoë; DROP TABLE used", 1 << 50)])
    first.close()
    assert open_store().load("2026-03") == {"user Zoë; DROP TABLE used": 1 << 50}


def test_two_processes_may_use_one_file(open_store):
    here, there = open_store(), open_store()
    here.add([("2026-03", "user alice", 10)])
    assert there.add([("2026-03", "user alice", 1)]) == {("2026-03", "user alice"): 11}


def test_a_write_that_fails_leaves_nothing(open_store):
    store = open_store()
    with pytest.raises(Exception, match="NOT NULL"):
        store.add([("2026-03", "user alice", 1), ("2026-03", None, 1)])
    assert store.load("2026-03") == {}
    store.add([("2026-03", "user alice", 1)])
    assert store.load("2026-03") == {"user alice": 1}


def test_what_is_old_is_forgotten(open_store):
    store = open_store()
    periods = ["2026-03-30", "2026-02-01", "2026-01-20", "2026-03", "2025-04", "2025-01"]
    store.add([(period, "user alice", 1) for period in periods])
    store.close()
    again = open_store()
    assert [period for period in periods if again.load(period)] == ["2026-03-30", "2026-02-01", "2026-03", "2025-04"]


def test_usage_in_a_file_survives_a_restart(open_store):
    def restarted():
        return Usage(Clock(), open_store(), now=lambda: datetime.datetime(2026, 3, 30, 12), in_thread=execute)

    first = restarted()
    first.add("user alice", 10)
    first.stop()
    second = restarted()
    assert (second.used("user alice", DAY), second.used("user alice", MONTH)) == (10, 10)


@pytest.mark.parametrize("what", ["a folder", "no database", "nowhere"])
def test_what_cannot_be_opened_says_why(tmp_path, what):
    path = tmp_path / "usage.db"
    if what == "a folder":
        path.mkdir()
    elif what == "no database":
        path.write_bytes(b"this is no database, and was never meant to be one " * 10)
    else:
        path = tmp_path / "none" / "usage.db"
    with pytest.raises(ConfigError) as caught:
        SqliteStore(str(path))
    text = str(caught.value)
    assert text.startswith(f"{path}: ") and text.endswith("; accepted is a file of SQLite that can be written")
    assert "\n" not in text


def test_what_is_forgotten_is_not_there_after_a_restart(open_store):
    store = open_store()
    store.add([("2026-03-30", "user alice", 10), ("2026-03-30", "user bob", 1), ("2026-03", "user alice", 10)])
    store.forget([("2026-03-30", "user alice"), ("2026-03-30", "nobody")])
    store.close()
    again = open_store()
    assert again.load("2026-03-30") == {"user bob": 1} and again.load("2026-03") == {"user alice": 10}


def test_what_cannot_be_forgotten_holds_up_nothing_that_comes_after_it(open_store):
    store = open_store()
    store.add([("2026-03", "user alice", 10), ("2026-03", "user bob", 5)])
    with pytest.raises(ProgrammingError):
        store.forget([("2026-03", "user alice"), ("2026-03",)])
    assert store.load("2026-03") == {"user alice": 10, "user bob": 5}
    store.forget([("2026-03", "user alice")])
    assert store.load("2026-03").get("user bob") == 5 and not store.load("2026-03").get("user alice")
