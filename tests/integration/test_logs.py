"""Logs never hold up the proxy: not a pipe that nobody reads, not a full disk; and all of them are begun anew."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.integration.conftest import DEADLINE, answers, free_port, until

TWISTD = (sys.executable, "-c", "from twisted.scripts.twistd import run; run()")
MODES = {
    "access": ("reverse", "--upstream", "http://127.0.0.1:1"),
    "audit": ("run", "--config", "proxy.toml"),
}
LONG = b"x" * 1000


def ask(port, count):
    """Send requests one after the other; how many were answered."""
    answered = 0
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        for number in range(count):
            client.sendall(b"GET http://a.example:1/%d%b HTTP/1.1\r\nHost: a.example:1\r\n\r\n" % (number, LONG))
            if not client.recv(65536):
                break
            answered += 1
    return answered


def audit_file(folder, port, **logs):
    access, audit = logs.get("access", "none"), logs["audit"]
    (folder / "proxy.toml").write_text(
        f'[log]\naccess = "{access}"\n[[listeners]]\nmode = "forward"\nlisten = "tcp:{port}:interface=127.0.0.1"\n'
        f'audit = "{audit}"\ndeny_hosts = ["a.example"]\n'
    )


@contextlib.contextmanager
def pipe():
    reading, writing = os.pipe()
    try:
        with open(writing, "wb", buffering=0) as file:
            yield reading, file
    finally:
        os.close(reading)


@pytest.mark.parametrize("kind", ["access", "audit"])
def test_a_pipe_that_nobody_reads_stops_nobody(processes, tmp_path, kind):
    port = free_port()
    audit_file(tmp_path, port, audit="-")
    words = MODES[kind]
    if kind == "access":
        words += ("--listen", f"tcp:{port}:interface=127.0.0.1")
    with pipe() as (reading, writing):
        process = processes(
            *TWISTD, "--nodaemon", "--pidfile=", "txproxy", *words,
            port=port, stdout=writing, stderr=writing, cwd=tmp_path,
        )  # fmt: skip
        writing.close()
        assert ask(port, 2000) == 2000
        os.set_blocking(reading, False)
        received = b""

        def read():
            nonlocal received
            with contextlib.suppress(BlockingIOError):
                received += os.read(reading, 1 << 20)
            return received

        # The log's own lines and what is said of it come by themselves, in any order.
        line = b'"dropped":' if kind == "audit" else b'"GET http://a.example:1/0x'
        until(lambda: b" lines dropped" in read() and line in received, "the count of what was dropped, and the lines")
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def test_the_end_waits_for_no_reader(processes, tmp_path):
    port = free_port()
    with pipe() as (_, writing):
        process = processes(
            *TWISTD, "--nodaemon", "--pidfile=", "txproxy", *MODES["access"],
            "--listen", f"tcp:{port}:interface=127.0.0.1",
            port=port, stdout=writing, stderr=writing, cwd=tmp_path,
        )  # fmt: skip
        assert ask(port, 300) == 300
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)


def test_a_full_disk_stops_nobody_and_is_said_once(run_proxy, tmp_path):
    proxy = run_proxy(*MODES["access"], "--access-log", "/dev/full")
    assert ask(proxy.port, 300) == 300
    proxy.says("cannot be written")
    proxy.process.send_signal(signal.SIGTERM)
    proxy.process.wait(DEADLINE)
    assert proxy.log.count("the log /dev/full cannot be written: No space left on device") == 1
    assert "Server Shut Down." in proxy.log.splitlines()[-1]


def start_daemon(processes, tmp_path, *words, more=()):
    port = free_port()
    started = processes(*TWISTD, *more, "txproxy", *words, "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path)
    # The one that was started leaves when the other serves.
    assert started.wait(DEADLINE) == 0
    until(lambda: answers(port), "the daemon listens")
    return port, int(until(lambda: (tmp_path / "twistd.pid").read_text(), "a process id"))


def end_daemon(pid, tmp_path):
    os.kill(pid, signal.SIGTERM)
    until(lambda: not (tmp_path / "twistd.pid").exists(), "the end of the daemon")


def test_the_log_of_a_daemon_has_its_requests_and_is_begun_anew(processes, tmp_path):
    port, pid = start_daemon(processes, tmp_path, *MODES["access"])
    log, old = tmp_path / "twistd.log", tmp_path / "old.log"
    try:
        assert ask(port, 1) == 1
        until(lambda: '"GET http://a.example:1/0x' in log.read_text(), "the line of the request")
        assert "twistd" in log.read_text().splitlines()[0]
        mode = log.stat().st_mode
        for number in (signal.SIGUSR1, signal.SIGHUP):
            log.rename(old)
            os.kill(pid, number)
            until(log.exists, "a new log")
            assert ask(port, 2) == 2
            until(lambda: '"GET http://a.example:1/1x' in log.read_text(), "a line in the new file")
            assert log.stat().st_mode == mode
    finally:
        end_daemon(pid, tmp_path)
    until(lambda: "Server Shut Down." in log.read_text(), "the last line")


def test_a_daemon_without_a_file_of_its_own_refuses_standard_output(run_program, tmp_path):
    done = run_program(*TWISTD, "--syslog", "txproxy", *MODES["access"], cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and "--access-log FILE" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_logs_are_begun_anew_by_who_is_root_no_more(processes, tmp_path):
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o777)
        log = folder / "access.log"
        words = (*MODES["access"], "--access-log", str(log))
        port, pid = start_daemon(
            processes, tmp_path, *words, more=("--uid", "65534", "--gid", "65534", "--logfile", str(folder / "t.log"))
        )
        # Signals are ours from here on.
        until(lambda: "set uid/gid" in (folder / "t.log").read_text(), "the end of the start")
        try:
            for _ in range(2):
                until(lambda: log.stat().st_uid == 65534, "the file is given to the user")
                assert log.stat().st_mode & 0o777 == 0o640
                os.kill(pid, signal.SIGUSR1)
                assert ask(port, 1) == 1
                until(lambda: "GET http" in log.read_text(), "the line of the request")
                log.rename(folder / "old.log")
                os.kill(pid, signal.SIGUSR1)
                until(log.exists, "a new log")
            assert "cannot" not in (folder / "t.log").read_text() and "denied" not in (folder / "t.log").read_text()
        finally:
            os.kill(pid, signal.SIGTERM)
            until(lambda: "Server Shut Down." in (folder / "t.log").read_text(), "the end of the daemon")
    finally:
        shutil.rmtree(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody else")
def test_files_and_sockets_are_those_of_the_user_that_it_becomes(processes, tmp_path):
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    try:
        folder.chmod(0o777)
        port = free_port()
        (folder / "proxy.toml").write_text(
            f'usage_file = "usage.db"\n[log]\naccess = "none"\n[[quotas]]\nday = "1G"\n'
            f'[[listeners]]\nmode = "forward"\nlisten = ["127.0.0.1:{port}", "unix:{folder}/x"]\n'
            f'allow_clients = "unix:"\n'
        )
        process = processes(
            *TWISTD, "--nodaemon", "--pidfile=", "--uid=65534", "--gid=65534", "txproxy", "run",
            "--config", str(folder / "proxy.toml"), port=port, cwd=tmp_path, stdout=subprocess.DEVNULL,
        )  # fmt: skip
        for name, mode in (("usage.db", 0o600), ("x", 0o660)):
            until(lambda name=name: (folder / name).stat().st_uid == 65534, f"{name} is given to the user")
            assert (folder / name).stat().st_gid == 65534 and (folder / name).stat().st_mode & 0o777 == mode
        process.send_signal(signal.SIGTERM)
        process.wait(DEADLINE)
    finally:
        shutil.rmtree(folder)


def test_lines_go_to_a_syslog_server_and_none_is_lost_at_the_end(run_proxy, run_nginx, curl):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(DEADLINE)
        where = f"syslog:udp:127.0.0.1:{server.getsockname()[1]}"
        words = ["--upstream", run_nginx().url, "--access-log", where, "--access-log-format", "json"]
        proxy = run_proxy("reverse", *words)
        for number in range(5):
            curl(f"{proxy.url}/name?{number}")
        proxy.process.send_signal(signal.SIGTERM)
        proxy.process.wait(DEADLINE)
        for number in range(5):
            message = server.recv(65536).decode()
            header, _, line = message.partition(" access - ")
            assert header.startswith("<190>1 20") and " txproxy " in header
            said = json.loads(line)
            assert (said["target"], said["status"], said["listener"]) == (f"/name?{number}", 200, "reverse")


def test_a_syslog_server_that_is_not_there_is_said_at_the_start(run_program, tmp_path):
    words = [*TWISTD, "-n", "--pidfile=", "txproxy", "forward", "--access-log", f"syslog:unix:{tmp_path}/none"]
    done = run_program(*words, cwd=tmp_path)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert f"--access-log syslog:unix:{tmp_path}/none: No such file or directory; accepted are" in done.stderr
