"""The command line as a user meets it."""

import importlib
import os
import re
import signal
import socket
import subprocess
import sys

import pytest
from twisted.logger import capturedLogs
from twisted.plugin import getCache

from tests.integration.conftest import DEADLINE, PATIENT, free_port, need, until
from txproxy.cli import command
from txproxy.observe.twistd_log import TwistdLog
from txproxy.tap import Options

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
TXPROXY = [sys.executable, "-m", "txproxy"]


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL, **options)


@pytest.mark.parametrize("program", [[*TWISTD, "txproxy"], TXPROXY])
@pytest.mark.parametrize("mode", ["forward", "reverse", "tcp", "run"])
def test_help_prints_every_option_with_its_default_and_an_example(run_program, program, mode, tmp_path):
    done = run_program(*program, mode, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed, _, examples = done.stdout.partition("Examples:\n")
    # An option begins a line; one that is spoken of does not.
    options = re.findall(r"^ +(?:-\w, )?--([a-z-]+)[= ](.*?)(?=^ +(?:-\w, )?--|\Z)", listed, re.M | re.S)
    assert len(options) > (2 if mode == "run" else 15)
    for name, about in options:
        about = re.sub(r"\s+", " ", about)
        assert "[default: " in about or "required" in about or name in ("help", "version"), name
    assert examples.split()[:2] == ["txproxy", mode]
    assert listed.startswith(f"Usage: txproxy {mode} [options]") and "twistd" not in done.stdout


@pytest.mark.parametrize(
    ("words", "status"), [((), 2), (("sideways",), 2), (("demo", "now"), 2), (("--help",), 0), (("--version",), 0)]
)
def test_exit_statuses_of_the_command(words, status, tmp_path):
    done = run(*TXPROXY, *words, cwd=tmp_path)
    assert done.returncode == status
    assert (done.stderr.count("\n") == 1) is (status == 2)


def test_an_address_that_is_taken_is_one_line(run_program, tmp_path, processes):
    port = free_port()
    processes(
        sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port), port=port, stderr=subprocess.DEVNULL
    )
    done = run_program(*TWISTD, "txproxy", "forward", "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and f"--listen tcp:{port}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_socket_in_a_folder_that_is_not_there_is_one_line(run_program, tmp_path):
    path = tmp_path / "none" / "s"
    done = run_program(
        *TWISTD, "txproxy", "reverse", "--upstream", "http://a", "--listen", f"unix:{path}", cwd=tmp_path
    )
    said = f"txproxy: --listen unix:{path}: cannot listen there: No such file or directory\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_second_one_at_a_unix_socket_is_one_line(run_program, tmp_path, processes):
    path = tmp_path / "s"
    words = ["txproxy", "reverse", "--upstream", "http://a", "--listen", f"unix:{path}"]
    with (tmp_path / "log").open("wb") as log:
        processes(*TWISTD, *words, cwd=tmp_path, stdout=log, stderr=log)
    until(path.exists, "the first one listens")
    done = run_program(*TWISTD, *words, cwd=tmp_path)
    said = f"--listen unix:{path}: cannot listen there: another program does already; accepted is a path of its own"
    assert (done.returncode, done.stderr) == (1, f"txproxy: {said}\n")


def test_a_daemon_whose_address_is_taken_says_so_and_ends(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        daemon = [word for word in TWISTD if word not in ("--nodaemon", "--pidfile=")]
        files = ["--pidfile", "twistd.pid", "--logfile", "twistd.log"]
        done = run(*daemon, *files, "txproxy", "forward", "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path)
    assert done.returncode == 1
    assert f"--listen tcp:{port}:interface=127.0.0.1: cannot listen there: Address already" in done.stderr
    until(lambda: "Address already in use" in (tmp_path / "twistd.log").read_text(), "the log says so")
    assert "Traceback" not in done.stdout + done.stderr + (tmp_path / "twistd.log").read_text()
    assert not (tmp_path / "twistd.pid").exists()


def test_who_cannot_start_leaves_no_pid_file(run_program, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run_program(
            *TWISTD[:-1], "txproxy", "forward", "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path
        )
    assert done.returncode == 1
    assert not (tmp_path / "twistd.pid").exists()


def test_a_wrong_option_is_one_line(run_program, tmp_path):
    done = run_program(*TWISTD, "txproxy", "reverse", "--cash", "1M", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "--cash" in done.stderr


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["reverse", "--upstrem", "http://a"], "did you mean --upstream?"),
        (["forward", "--allow-clients=x"], "did you mean --allow-client?"),
        (["run", "--cnofig", "x"], "did you mean --config?"),
        (["revers"], "is reverse meant?"),
    ],
)
def test_a_word_that_is_nearly_right_gets_a_hint(words, meant, capfd):
    with pytest.raises(SystemExit):
        Options().parseOptions(words)
    said = capfd.readouterr().err
    assert meant in said and said.count("\n") == 1


def test_a_start_that_is_broken_off_says_nothing(monkeypatch, capfd):
    def interrupted(arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "_run_mode", interrupted)
    with pytest.raises(SystemExit) as ended:
        command.main(["reverse"])
    assert ended.value.code == 130 and capfd.readouterr() == ("", "")


def test_the_command_is_loaded_before_all_that_takes_time(tmp_path):
    code = "import sys, txproxy.cli.command; print(*(name for name in sys.modules if name.startswith('twisted')))"
    assert run(sys.executable, "-c", code, cwd=tmp_path).stdout.split() == []


def test_the_log_says_what_is_served_and_for_whom_the_end_waits(run_proxy):
    proxy = run_proxy("reverse", "--upstream", "http://127.0.0.1:1", "--upstream", "http://127.0.0.2:1")
    proxy.says(f"http://127.0.0.1:{proxy.port} -> pool (2 upstreams)")
    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        # Who is answered is there, and who only looked whether the port is open is not any more.
        client.sendall(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert client.recv(1)
        client.sendall(b"GET / HTTP/1.1\r\n")
        proxy.process.send_signal(signal.SIGTERM)
        proxy.says("waiting for 1 connection, for 30 s at the most")


def test_an_installation_that_cannot_be_written_is_nothing_to_warn_of(tmp_path, monkeypatch):
    package = tmp_path / "some_plugins"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "one.py").touch()
    # Not even root makes a file of what is a folder.
    (package / "dropin.cache").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    with capturedLogs() as events:
        getCache(importlib.import_module("some_plugins"))
    log = TwistdLog("/dev/null", daemon=False)
    for event in events:
        log(event)
    assert len(events) == 1 and not log.file.waiting
    log({"log_format": "else", "log_time": 0.0})
    assert log.file.waiting
    log.settle()


def test_the_demonstration_works_and_ends_cleanly(tmp_path):
    need("curl")
    demo = subprocess.Popen(
        [*TXPROXY, "demo"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
    )
    try:
        lines = []
        for line in demo.stdout:
            lines.append(line)
            if "Ctrl-C" in line:
                break
        commands = [line.split() for line in lines if line.startswith("  curl ")]
        assert len(commands) == 3
        for command in commands:
            assert "Hello from upstream" in run(*command, "-sS", *PATIENT).stdout
        demo.send_signal(signal.SIGINT)
        assert demo.wait(DEADLINE) == 0
        assert not demo.stderr.read()
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
        demo.stderr.close()


@pytest.mark.parametrize("words", [["--help"], ["forward", "--help"], ["check", "proxy.toml"]], ids=" ".join)
def test_who_reads_no_further_is_told_nothing_more(words, tmp_path):
    (tmp_path / "proxy.toml").write_text('[[listeners]]\nmode = "forward"\nlisten = "8080"\n')
    reads, writes = os.pipe()
    os.close(reads)
    try:
        done = subprocess.run(
            [*TXPROXY, *words], stdout=writes, stderr=subprocess.PIPE, text=True, timeout=DEADLINE, cwd=tmp_path
        )
    finally:
        os.close(writes)
    assert (done.stderr, done.returncode) == ("", 128 + signal.SIGPIPE)
