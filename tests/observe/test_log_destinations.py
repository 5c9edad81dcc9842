"""Where logs go beside files: syslog servers and the journal, which may be away for a while."""

import os
import re
import socket
import threading

import pytest
from twisted.logger import capturedLogs, formatEvent

from txproxy.errors import ConfigError
from txproxy.observe.access_log import open_log
from txproxy.observe.log_destinations import FileDestination, destination_of, is_file

SOON = 30.0  # for hangs alone
MESSAGE = re.compile(rb"<190>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) txproxy (\d+) access - (.*)", re.DOTALL)
JOURNAL = b"PRIORITY=6\nSYSLOG_FACILITY=23\nSYSLOG_IDENTIFIER=txproxy\nMESSAGE="


@pytest.fixture
def listen():
    """A socket at which messages are to come: by UDP, or at a path."""
    made = []

    def listen(path=None):
        one = socket.socket(socket.AF_INET if path is None else socket.AF_UNIX, socket.SOCK_DGRAM)
        made.append(one)
        one.bind(("127.0.0.1", 0) if path is None else str(path))
        one.settimeout(SOON)
        return one

    yield listen
    for one in made:
        one.close()


@pytest.fixture
def begin():
    made = []

    def begin(place):
        made.append(open_log(place))
        return made[-1]

    yield begin
    for log in made:
        log.close()


@pytest.mark.parametrize("kind", ["udp", "unix"])
def test_each_line_is_a_message_of_syslog(listen, begin, tmp_path, kind):
    server = listen(None if kind == "udp" else tmp_path / "log")
    where = f"udp:127.0.0.1:{server.getsockname()[1]}" if kind == "udp" else f"unix:{tmp_path}/log"
    log = begin(f"syslog:{where}")
    log.write(b'"GET / HTTP/1.1" 200\n')
    log.write(b"another\n")
    for said in (b'"GET / HTTP/1.1" 200', b"another"):
        match = MESSAGE.fullmatch(server.recv(65536))
        assert match[3] == said
        assert match[1] == (socket.gethostname().encode() or b"-") and int(match[2]) == os.getpid()


def test_each_line_is_an_entry_of_the_journal(listen, begin, tmp_path):
    journal = listen(tmp_path / "journal")
    log = begin(f"journald:{tmp_path}/journal")
    log.write(b"a line=1\n")
    assert journal.recv(65536) == JOURNAL + b"a line=1\n"


def test_a_server_that_comes_again_has_what_was_written_meanwhile(listen, begin, tmp_path):
    path = tmp_path / "log"
    server = listen(path)
    log = begin(f"syslog:unix:{path}")
    log.write(b"first\n")
    assert server.recv(65536).endswith(b"first")
    with capturedLogs() as events:
        server.close()
        path.unlink()
        log.write(b"second\n")
        assert not log.flush(0.05)
        assert not log.flush(0.05)
        server = listen(path)
        log.write(b"third\n")
        assert log.flush(SOON)
    assert [server.recv(65536)[-6:] for _ in range(2)] == [b"second", b" third"]
    assert [formatEvent(event) for event in events] == [
        f"the log syslog:unix:{path} cannot be written: Connection refused"
    ]


def test_a_server_that_takes_nothing_holds_up_nobody(listen, begin, tmp_path):
    server = listen(tmp_path / "log")
    log = begin(f"syslog:unix:{tmp_path}/log")
    line = b"x" * 1000 + b"\n"
    for _ in range(3000):
        log.write(line)
    assert log.waiting <= 1 << 20
    taken = []

    def take():
        while not taken or not taken[-1].endswith(b" end"):
            taken.append(server.recv(65536))

    reader = threading.Thread(target=take)
    with capturedLogs() as events:
        reader.start()
        assert log.flush(SOON)
        log.write(b"end\n")
        assert log.flush(SOON)
        reader.join(SOON)
    assert 1 < len(taken) < 3000
    (said,) = (formatEvent(event) for event in events)
    assert re.fullmatch(rf"\d+ lines dropped: the log syslog:unix:{tmp_path}/log could not be written", said)


def test_what_is_more_than_a_message_may_be_is_dropped_and_counted(listen, begin):
    server = listen()
    log = begin(f"syslog:udp:127.0.0.1:{server.getsockname()[1]}")
    with capturedLogs() as events:
        log.write(b"x" * 70000 + b"\n")
        log.write(b"short\n")
        assert log.flush(SOON)
    assert server.recv(65536).endswith(b" short")
    assert formatEvent(events[0]).startswith("1 lines dropped: ")


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("syslog:", "syslog:: this is no syslog server; accepted are syslog:udp:HOST:PORT, syslog:unix:/dev/log"),
        ("syslog:tcp:a:514", "this is no syslog server"),
        ("syslog:udp:a:0", "this is no syslog server"),
        ("syslog:udp:a:99999", "this is no syslog server"),
        ("syslog:udp:", "this is no syslog server"),
        ("syslog:unix:/nowhere/log", "syslog:unix:/nowhere/log: No such file or directory; accepted are"),
        ("journald:/nowhere/socket", "journald:/nowhere/socket: No such file or directory; accepted are"),
    ],
)
def test_what_is_no_place_is_said(place, said):
    with pytest.raises(ConfigError) as fault:
        open_log(place)
    assert said in str(fault.value) and str(fault.value).endswith(", or none")


def test_other_names_are_those_of_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.log", "syslog.log", "journald"):
        assert is_file(name)
        found = destination_of(name)
        assert isinstance(found, FileDestination) and found.path == str(tmp_path / name)
    assert not is_file("-") and not is_file("journald:") and not is_file("syslog:udp:a")
    assert destination_of("-").path == "-"
