"""Completion, in bash."""

import shlex
import subprocess

import pytest

from tests.cli.reference.completed import CASES, lay_out
from tests.integration.conftest import DEADLINE, need
from txproxy.cli.reference.bash_completion import bash
from txproxy.cli.reference.described_options import described_commands


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """What bash makes of each case: all of them in one shell."""
    folder = lay_out(tmp_path_factory.mktemp("bash"))
    (folder / "script").write_text(bash(described_commands()))
    lines = [". ./script"]
    for typed, _ in CASES:
        words = typed.split()
        lines.append(f"COMP_WORDS=({shlex.join(words)}); COMP_CWORD={len(words) - 1}; _txproxy")
        lines.append('echo "${COMPREPLY[@]}"')
    called = [need("bash"), "--norc", "--noprofile", "-uc", "\n".join(lines)]
    done = subprocess.run(called, cwd=folder, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stderr == ""
    return dict(zip((typed for typed, _ in CASES), done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize(("typed", "expected"), CASES, ids=[typed for typed, _ in CASES])
def test_what_is_typed_is_completed(completed, typed, expected):
    # The slash of a folder is the shell's to add, as with other commands (-o filenames).
    assert set(completed[typed].split()) == {word.rstrip("/") for word in expected}
