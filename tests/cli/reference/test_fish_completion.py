"""Completion, in fish."""

import shlex
import subprocess

import pytest

from tests.cli.reference.completed import CASES, lay_out
from tests.integration.conftest import DEADLINE, need
from txproxy.cli.reference.described_options import described_commands
from txproxy.cli.reference.fish_completion import fish


@pytest.fixture(scope="module")
def completed(tmp_path_factory):
    """What fish makes of each case: all of them in one shell."""
    folder = lay_out(tmp_path_factory.mktemp("fish"))
    (folder / "script").write_text(fish(described_commands()))
    lines = ["source ./script", *(f"complete -C {shlex.quote(typed)}; echo ==" for typed, _ in CASES)]
    called = [need("fish"), "--no-config", "-c", "\n".join(lines)]
    home = {"HOME": str(folder), "PATH": "/usr/local/bin:/usr/bin:/bin"}
    done = subprocess.run(called, cwd=folder, env=home, capture_output=True, text=True, timeout=DEADLINE)
    assert done.stderr == ""
    *parts, rest = done.stdout.split("==\n")
    assert not rest
    return dict(zip((typed for typed, _ in CASES), parts, strict=True))


@pytest.mark.parametrize(("typed", "expected"), CASES, ids=[typed for typed, _ in CASES])
def test_what_is_typed_is_completed(completed, typed, expected):
    assert {line.partition("\t")[0] for line in completed[typed].splitlines()} == expected
