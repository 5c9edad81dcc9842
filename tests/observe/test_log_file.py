"""Lines go out by a thread of the log's own, and nobody waits for it."""

import os
import re
import socket
import stat
import threading

import pytest
from twisted.logger import capturedLogs, formatEvent

from txproxy.errors import ConfigError
from txproxy.observe.log_destinations import destination_of
from txproxy.observe.log_file import LARGEST, LogFile

SOON = 30.0  # for hangs alone
LINE = b"x" * 1023 + b"\n"


@pytest.fixture
def begin(tmp_path):
    logs = []

    def begin(path=str(tmp_path / "log"), **more):
        logs.append(LogFile(path, **more))
        return logs[-1]

    yield begin
    for log in logs:
        log.close()


@pytest.fixture
def pipe(tmp_path):
    """A named pipe, and the descriptor at which it is read."""
    path = str(tmp_path / "pipe")
    os.mkfifo(path)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path, reading
    os.close(reading)


def drained(reading, until):
    """All that comes out of a pipe, up to a text."""
    os.set_blocking(reading, True)
    received = b""
    while until not in received:
        received += os.read(reading, 1 << 16)
    return received


def said(events):
    return [formatEvent(event) for event in events]


def test_lines_are_written_in_order(begin, tmp_path):
    log = begin()
    for number in range(1000):
        log.write(b"%d\n" % number)
    assert log.flush(SOON)
    assert (tmp_path / "log").read_text().split() == [str(number) for number in range(1000)]


def test_what_is_there_at_the_end_is_written(begin, tmp_path):
    log = begin()
    log.write(b"last\n")
    log.close()
    assert log.flush(SOON) and log.closed
    log.write(b"too late\n")
    assert (tmp_path / "log").read_text() == "last\n"


def test_a_pipe_that_nobody_reads_makes_nobody_wait_and_what_it_lost_is_said(begin, pipe):
    path, reading = pipe
    log = begin(path)
    count = 3 * LARGEST // len(LINE)
    with capturedLogs() as events:
        for _ in range(count):
            log.write(LINE)
        assert not log.flush(0.01)
        os.set_blocking(reading, True)
        received = b""
        while len(received) < LARGEST - 65536:
            received += os.read(reading, 1 << 16)
        log.write(b"again\n")
        received += drained(reading, b"again\n")
        assert log.flush(SOON)
        log.close()
        log.flush(SOON)
    kept = received.count(LINE)
    assert kept * len(LINE) + len(b"again\n") == len(received)
    assert LARGEST <= kept * len(LINE) <= LARGEST + 65536
    # A thread that comes late may find room in the pipe after some were lost: it says those, and later the others.
    sentence = re.compile(rf"([0-9]+) lines dropped: the log {re.escape(str(path))} could not be written")
    lost = [sentence.fullmatch(text) for text in said(events)]
    assert all(lost) and sum(int(one[1]) for one in lost) == count - kept


def test_what_was_lost_can_have_a_line_of_its_own(begin, pipe):
    path, reading = pipe
    log = begin(path, counted=lambda count: b"lost %d\n" % count)
    for _ in range(2 * LARGEST // len(LINE)):
        log.write(LINE)
    received = drained(reading, b"lost ")
    assert re.search(rb"\nlost [0-9]+\n", received)


def test_a_full_disk_is_said_once_and_ends_nothing(begin):
    log = begin("/dev/full")
    with capturedLogs() as events:
        for _ in range(50):
            log.write(LINE)
            log.flush(0.001)
        log.close()
        log.flush(SOON)
    assert said(events) == ["the log /dev/full cannot be written: No space left on device"]


def test_what_did_not_fit_on_a_full_disk_is_written_when_it_does(begin, tmp_path):
    (tmp_path / "log").symlink_to("/dev/full")
    log = begin(tmp_path / "log")
    log.write(b"kept\n")
    assert not log.flush(0.01)
    (tmp_path / "log").unlink()
    log.reopen()
    assert log.flush(SOON)
    assert (tmp_path / "log").read_text() == "kept\n"


def test_a_thread_that_hangs_does_not_hold_up_the_end(begin, pipe):
    path, _ = pipe
    log = begin(path)
    for _ in range(100):
        log.write(LINE)
    log.close()
    assert not log.flush(0.01)
    (thread,) = [thread for thread in threading.enumerate() if thread.name == f"log {path}"]
    assert thread.daemon


def test_a_new_file_has_the_mode_of_the_one_before(begin, tmp_path):
    log = begin()
    (tmp_path / "log").chmod(0o664)
    (tmp_path / "log").rename(tmp_path / "old")
    before = os.umask(0o077)
    try:
        log.reopen()
        assert log.flush(SOON)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o664


def test_a_new_file_that_somebody_else_has_made_is_left_as_it_is(begin, tmp_path):
    log = begin()
    (tmp_path / "log").rename(tmp_path / "old")
    (tmp_path / "log").touch(0o600)
    log.reopen()
    assert log.flush(SOON)
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o600


def test_a_relative_name_is_one_of_the_folder_at_the_start(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = begin("log")
    (tmp_path / "log").rename(tmp_path / "old")
    monkeypatch.chdir("/")
    log.reopen()
    assert log.flush(SOON)
    assert (tmp_path / "log").exists()


def test_nothing_is_written_before_a_fork_is_over(begin, tmp_path):
    log = begin(held=True)
    log.write(b"early\n")
    assert not log.flush(0.01)
    assert (tmp_path / "log").read_text() == ""
    assert not [thread for thread in threading.enumerate() if thread.name == f"log {tmp_path / 'log'}"]
    log.begin()
    assert log.flush(SOON)
    assert (tmp_path / "log").read_text() == "early\n"


def test_a_copy_leads_to_the_file_that_is_written(begin, tmp_path):
    copy = os.open("/dev/null", os.O_WRONLY)
    log = begin(held=True, copy=copy)
    log.begin()
    os.write(copy, b"old\n")
    (tmp_path / "log").rename(tmp_path / "old")
    log.reopen()
    assert log.flush(SOON)
    os.write(copy, b"new\n")
    os.close(copy)
    assert (tmp_path / "old").read_text() == "old\n"
    assert (tmp_path / "log").read_text() == "new\n"


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no/log: No such file or directory; accepted is a file"):
        LogFile(str(tmp_path / "no" / "log"))


def test_a_signal_in_the_middle_of_a_line_stops_nobody(begin, tmp_path):
    log = begin()

    def interrupted():
        with log._lock:
            log.write(b"terminated\n")
            log.reopen()

    thread = threading.Thread(target=interrupted, daemon=True)
    thread.start()
    thread.join(5)
    assert not thread.is_alive()
    assert log.flush(SOON)
    assert (tmp_path / "log").read_bytes() == b"terminated\n"


def numbered(first, size):
    """Lines of 64 bytes one after the other."""
    return b"".join(b"%063d\n" % number for number in range(first, first + size))


def test_lines_that_come_together_go_into_a_pipe_whole_whoever_else_writes_there(begin, pipe, monkeypatch):
    path, reading = pipe
    pieces = []
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: pieces.append(bytes(data)) or write(fd, data))
    log = begin(path, held=True)
    for first in range(0, 1000, 100):
        log.write_together(numbered(first, 100))
    log.begin()
    assert drained(reading, b"%063d\n" % 999) == numbered(0, 1000) and log.flush(SOON)
    pieces = [piece for piece in pieces if len(piece) > 8]
    assert b"".join(pieces) == numbered(0, 1000)
    # PIPE_BUF
    assert len(pieces) > 1 and all(piece.endswith(b"\n") and len(piece) <= 4096 for piece in pieces)


def test_of_lines_that_come_together_as_many_are_taken_as_there_is_room_for(begin, tmp_path):
    log = begin(held=True)
    most = LARGEST // 64
    with capturedLogs() as events:
        log.write_together(numbered(0, most - 5))
        log.write_together(numbered(most - 5, 8))
        log.begin()
        assert log.flush(SOON)
        log.close()
        assert log.flush(SOON)
    assert (tmp_path / "log").read_bytes() == numbered(0, most)
    assert any(line.startswith("3 lines dropped") for line in said(events))


def test_lines_that_come_together_are_messages_of_their_own(begin, tmp_path):
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.bind(str(tmp_path / "syslog"))
    server.settimeout(SOON)
    log = begin("-", destination=destination_of(f"syslog:unix:{tmp_path / 'syslog'}"))
    log.write_together(b"one\ntwo\n")
    assert [server.recv(1000).rpartition(b" ")[2] for _ in range(2)] == [b"one", b"two"]
    server.close()


@pytest.mark.parametrize("much", [0, 1, 70, None])
def test_what_does_not_go_out_at_once_goes_out_after_it(begin, tmp_path, monkeypatch, much):
    writev, asked = os.writev, []

    def write_some(fd, pieces):
        asked.append(len(pieces))
        if much is None:
            raise BlockingIOError
        return os.write(fd, b"".join(pieces)[:much])

    monkeypatch.setattr(os, "writev", write_some)
    log = begin(held=True)
    for number in range(10):
        log.write(b"%d\n" % number)
    log.write_together(numbered(10, 90))
    log.begin()
    assert log.flush(SOON) and asked == [11]
    monkeypatch.setattr(os, "writev", writev)
    assert [int(line) for line in (tmp_path / "log").read_text().split()] == list(range(100))
    assert log.waiting == 0


def test_a_line_that_goes_out_in_parts_counts_once(begin, tmp_path, monkeypatch):
    write = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: write(fd, data[:60]))
    log = begin()
    for _ in range(3):
        log.write(LINE)
        assert log.flush(SOON) and log.waiting == 0
    assert (tmp_path / "log").read_bytes() == LINE * 3
