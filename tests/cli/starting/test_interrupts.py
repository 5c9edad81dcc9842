"""Ctrl-C while a command is not at work yet."""

import signal
import subprocess
import sys

import pytest

from txproxy.cli.command import _COMMANDS
from txproxy.cli.starting.interrupts import InterruptedAtOnce

# Ctrl-C comes when a module is asked for, which nobody is told of in the terms of Python.
LOADING = """
import os, signal, sys

class Ctrl:
    def find_spec(self, name, path, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Ctrl())
sys.argv = {words!r}
from txproxy.__main__ import main
main()
"""


@pytest.fixture
def handler():
    """Puts in place what is to be told of Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    yield lambda handler: signal.signal(signal.SIGINT, handler)
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_is_pythons_again_when_the_command_is_at_work(handler):
    handler(signal.default_int_handler)
    with InterruptedAtOnce():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_who_ignores_it_goes_on_to(handler):
    # as nohup has it, and what a shell starts in the background
    handler(signal.SIG_IGN)
    with InterruptedAtOnce():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_who_takes_it_meanwhile_keeps_it(handler):
    handler(signal.default_int_handler)
    with InterruptedAtOnce():
        handler(signal.SIG_IGN)
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def interrupted(module, *words):
    code = LOADING.format(module=module, words=["txproxy", *words])
    return subprocess.run([sys.executable, "-c", code], stdin=subprocess.DEVNULL, capture_output=True, text=True)


@pytest.mark.parametrize("module", ["txproxy.cli.command", "txproxy.cli.arguments", "argparse", "attr"])
def test_ctrl_c_ends_a_command_that_is_being_loaded(module):
    done = interrupted(module, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("command", _COMMANDS)
def test_ctrl_c_ends_each_before_it_is_at_work(command):
    done = interrupted(_COMMANDS[command], command)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


@pytest.mark.parametrize("mode", ["forward", "run"])
def test_ctrl_c_ends_a_mode_that_is_being_loaded(mode):
    done = interrupted("twisted", mode)
    assert (done.returncode, done.stdout, done.stderr) == (-signal.SIGINT, "", "")


def test_next_to_nothing_is_loaded_before():
    code = "import sys; before = set(sys.modules); import txproxy.__main__; print(*sorted({*sys.modules} - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert not loaded & {"enum", "importlib", "signal", "typing", "argparse", "attr", "twisted"}
    assert {name for name in loaded if name.startswith("txproxy")} == {
        "txproxy",
        "txproxy.__main__",
        "txproxy.cli",
        "txproxy.cli.starting",
        "txproxy.cli.starting.interrupts",
        "txproxy.lazy_imports",
    }
