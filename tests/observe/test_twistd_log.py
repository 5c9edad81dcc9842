"""twistd's own log: which of them is ours to write, and what becomes of its last lines."""

import atexit
import os
import threading

import pytest
from twisted.logger import ILogObserver, LogLevel

from txproxy.errors import ConfigError
from txproxy.observe.log_level import LogThreshold
from txproxy.observe.twistd_log import TwistdLog


def event(text, **more):
    return {"log_format": "{text}", "text": text, "log_level": LogLevel.info, "log_time": 0.0, **more}


@pytest.fixture
def keep(tmp_path, monkeypatch):
    """In an empty folder; the logs that are handed to it are closed in the end, and wait for no end of the program."""
    monkeypatch.chdir(tmp_path)
    logs = []

    def keep(log):
        logs.append(log)
        return log

    yield keep
    for log in logs:
        atexit.unregister(log.settle)
        log.file.begin()
        log.file.close()


@pytest.mark.parametrize("options", [{"logger": "some.where"}, {"syslog": True}, {"logfile": "-"}])
def test_a_log_that_somebody_else_writes_is_left_alone(options, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert TwistdLog.of(options) is None
    assert os.listdir() == []


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({}, "twistd.log"),
        ({"logfile": "other.log"}, "other.log"),
        ({"nodaemon": True, "logfile": "other.log"}, "other.log"),
        ({"nodaemon": True}, "-"),
        ({"debug": True}, "-"),
        ({"nodaemon": True, "logfile": "-"}, "-"),
    ],
)
def test_it_goes_where_twistd_would_write(options, path, keep, tmp_path):
    log = keep(TwistdLog.of(options))
    assert ILogObserver.providedBy(log)
    assert log.file.path == (path if path == "-" else str(tmp_path / path))


def test_a_file_that_cannot_be_is_an_error_that_names_the_option():
    with pytest.raises(ConfigError) as fault:
        TwistdLog.of({"nodaemon": True, "logfile": "/nowhere/at/all.log"})
    assert str(fault.value).startswith("--logfile /nowhere/at/all.log: ")


def test_nothing_is_written_before_it_begins_and_what_was_said_by_then_is(keep, tmp_path):
    log = keep(TwistdLog("twistd.log", False))
    threads = threading.active_count()
    log(event("first"))
    # Who forks has no thread: there is none that could write.
    assert threading.active_count() == threads
    assert (tmp_path / "twistd.log").read_bytes() == b""
    log.settle()
    line = (tmp_path / "twistd.log").read_text()
    assert line.endswith(" first\n") and line.count("\n") == 1


def test_lines_that_come_once_the_program_ends_are_waited_for(keep, tmp_path):
    log = keep(TwistdLog("twistd.log", False))
    log.settle()
    # There is nobody who would do it later.
    log(event("last w\xf6rd \udcff"))
    assert (tmp_path / "twistd.log").read_bytes().endswith(" last w\xf6rd \\udcff\n".encode())


def test_what_is_no_fault_and_what_is_no_text_is_not_written(keep, tmp_path):
    log = keep(TwistdLog("twistd.log", False))
    log.settle()
    log(event("", log_text="Unable to write to plugin cache /usr/lib: error number 13", log_format="{log_text}"))
    log({"log_level": LogLevel.info, "log_time": 0.0, "log_format": None})
    log(event("", log_text="Unable to do something else", log_format="{log_text}"))
    assert (tmp_path / "twistd.log").read_text().split("] ")[-1] == "Unable to do something else\n"
    assert (tmp_path / "twistd.log").read_text().count("\n") == 1


def test_only_what_is_wanted_is_written(keep, tmp_path):
    threshold = LogThreshold("warn")
    log = keep(TwistdLog.of({"nodaemon": True, "logfile": "own.log"}, threshold))
    assert threshold.used
    log.settle()
    log(event("not this"))
    threshold.set("info")
    log(event("this"))
    assert (tmp_path / "own.log").read_text().endswith(" this\n")
    assert (tmp_path / "own.log").read_text().count("\n") == 1
