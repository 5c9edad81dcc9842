"""The command line as a user meets it."""

import re
import signal
import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until

TWISTD = [sys.executable, "-c", "from twisted.scripts.twistd import run; run()", "--nodaemon", "--pidfile="]
TXPROXY = [sys.executable, "-m", "txproxy"]


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, timeout=DEADLINE, stdin=subprocess.DEVNULL, **options)


@pytest.mark.parametrize("program", [[*TWISTD, "txproxy"], TXPROXY])
@pytest.mark.parametrize("mode", ["forward", "reverse", "tcp", "run"])
def test_help_prints_every_option_with_its_default_and_an_example(program, mode, tmp_path):
    done = run(*program, mode, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    listed, _, example = done.stdout.partition("Example: ")
    # An option begins a line; one that is spoken of does not.
    options = re.findall(r"^ +(?:-\w, )?--([a-z-]+)[= ](.*?)(?=^ +(?:-\w, )?--|\Z)", listed, re.M | re.S)
    assert len(options) > (2 if mode == "run" else 15)
    for name, about in options:
        about = re.sub(r"\s+", " ", about)
        assert "[default: " in about or "required" in about or name in ("help", "version"), name
    assert re.sub(r"\s+", " ", example).startswith(f"twistd -n txproxy {mode} ")


@pytest.mark.parametrize(
    ("words", "status"), [((), 2), (("sideways",), 2), (("demo", "now"), 2), (("--help",), 0), (("--version",), 0)]
)
def test_exit_statuses_of_the_command(words, status, tmp_path):
    done = run(*TXPROXY, *words, cwd=tmp_path)
    assert done.returncode == status
    assert (done.stderr.count("\n") == 1) is (status == 2)


def test_an_address_that_is_taken_is_one_line(tmp_path, processes):
    port = free_port()
    processes(
        sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port), port=port, stderr=subprocess.DEVNULL
    )
    done = run(*TWISTD, "txproxy", "forward", "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1 and f"--listen tcp:{port}" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


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


def test_who_cannot_start_leaves_no_pid_file(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run(*TWISTD[:-1], "txproxy", "forward", "--listen", f"tcp:{port}:interface=127.0.0.1", cwd=tmp_path)
    assert done.returncode == 1
    assert not (tmp_path / "twistd.pid").exists()


def test_a_wrong_option_is_one_line(tmp_path):
    done = run(*TWISTD, "txproxy", "reverse", "--cache", "1M", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "--cache" in done.stderr


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
            assert "Hello from upstream" in run(*command, "-sS", "--max-time", "10").stdout
        demo.send_signal(signal.SIGINT)
        assert demo.wait(DEADLINE) == 0
        assert not demo.stderr.read()
    finally:
        demo.kill()
        demo.wait()
        demo.stdout.close()
        demo.stderr.close()
