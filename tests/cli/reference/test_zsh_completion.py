"""Completion, in zsh, which completes nothing without a terminal."""

import os
import pty
import re
import select
import signal
import subprocess
import time

import pytest

from tests.cli.reference.completed import CASES, lay_out
from tests.integration.conftest import DEADLINE, need
from txproxy.cli.reference.described_options import described_commands
from txproxy.cli.reference.zsh_completion import zsh

# At the tabulator key, all that would be offered is printed between two marks, and nothing is done with it.
SHELL = r"""
PROMPT=; unsetopt BEEP PROMPT_SP
fpath=($ZDOTDIR $fpath); autoload -Uz compinit; compinit -D -u
typeset -ga found
compadd() {
    # Those calls that only sort out what there is.
    if [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]]; then builtin compadd "$@"; return; fi
    local -a hits; builtin compadd -O hits "$@"; found+=($hits); builtin compadd "$@"
}
_said() { found=(); _main_complete; compstate[insert]= compstate[list]=; print -r -- "<<${(j: :)found}>>" }
zle -C said complete-word _said; bindkey '^I' said; bindkey '^U' kill-whole-line
print -r -- "<""<ready>>"
"""
SAID = re.compile(rb"<<([^<>]*)>>")


class Terminal:
    """A shell that is typed to."""

    def __init__(self, folder):
        self.process, self._terminal = pty.fork()
        if not self.process:
            os.chdir(folder)
            os.execve(need("zsh"), ["zsh", "-i"], {"ZDOTDIR": str(folder), "TERM": "dumb", "PATH": os.environ["PATH"]})
        self._read = b""

    def says(self):
        """What it says next between the marks."""
        end = time.monotonic() + DEADLINE
        while (found := SAID.search(self._read)) is None:
            assert time.monotonic() < end, self._read
            if select.select([self._terminal], [], [], 0.1)[0]:
                self._read += os.read(self._terminal, 65536)
        self._read = self._read[found.end() :]
        return found[1].decode()

    def types(self, text):
        """Type it."""
        os.write(self._terminal, text.encode())

    def close(self):
        """It is not needed any more."""
        os.kill(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self._terminal)


@pytest.fixture(scope="module")
def terminal(tmp_path_factory):
    """A shell that has the script."""
    need("zsh")
    folder = lay_out(tmp_path_factory.mktemp("zsh"))
    (folder / "_txproxy").write_text(zsh(described_commands()))
    (folder / ".zshrc").write_text(SHELL)
    made = Terminal(folder)
    assert made.says() == "ready"
    yield made
    made.close()


def test_it_is_zsh():
    script = zsh(described_commands())
    done = subprocess.run([need("zsh"), "-f", "-n"], input=script, capture_output=True, text=True, timeout=DEADLINE)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(("typed", "expected"), CASES, ids=[typed for typed, _ in CASES])
def test_what_is_typed_is_completed(terminal, typed, expected):
    terminal.types(f"{typed}\t")
    said = terminal.says()
    terminal.types("\x15")
    # The slash of a folder is the shell's to add.
    assert set(said.split()) == {word.rstrip("/") for word in expected}
