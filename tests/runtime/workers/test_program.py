"""The program that is installed, in place of the one that runs."""

import subprocess
import sys

from txproxy.runtime.workers.program import Program

BEGIN = """
import os, signal, sys
from txproxy.runtime.workers.program import Program
os.environ["PYTHONPATH"] = ""
program = Program(["--version"], {"pidfile": "pid", "nodaemon": NODAEMON}, FOLDER)
program.begin()
"""
HELD = """
import os, signal
from txproxy.runtime.workers.program import hear_signals, hold_signals, is_told_to_end
signal.signal(signal.SIGUSR2, lambda *_: print("heard"))
signal.signal(signal.SIGTERM, lambda *_: None)
hold_signals()
os.kill(os.getpid(), signal.SIGUSR2)
print("held", is_told_to_end())
os.kill(os.getpid(), signal.SIGTERM)
print(is_told_to_end())
hear_signals()
"""


def test_it_is_the_same_process_in_the_same_folder_and_its_pid_file_is_its_own_to_write(tmp_path):
    (tmp_path / "pid").write_text("1")
    (tmp_path / "elsewhere").mkdir()
    code = BEGIN.replace("NODAEMON", "True").replace("FOLDER", repr(str(tmp_path)))
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "Twisted" in done.stdout and not (tmp_path / "pid").exists()


def test_a_daemon_stays_one_by_not_being_made_one_again():
    words = Program(["--uid=1", "txproxy", "run"], {}, "/")._words
    assert words[-6:] == ["--nodaemon", "--umask=077", "--logfile=twistd.log", "--uid=1", "txproxy", "run"]
    assert Program(["txproxy"], {"nodaemon": 1}, "/")._words[-2] == words[3]


def test_signals_that_were_held_are_heard_later(tmp_path):
    # Of several threads another one would have it at once.
    done = subprocess.run([sys.executable, "-c", HELD], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr) == ("held False\nTrue\nheard\n", "")


def test_one_that_cannot_be_tried_is_said(monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    said = []
    program = Program(["txproxy"], {"nodaemon": 1}, "/")
    program.tried(Refusing()).addCallback(said.append)
    assert said == ["no such program"]


class Refusing:
    """A reactor that starts no program."""

    def spawnProcess(self, *words):
        raise OSError("no such program")
