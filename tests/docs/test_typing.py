"""What type checkers say to embedders: mypy without a plugin, of a program of theirs, and of the examples."""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
# Those that end with reactor.run() cannot be among them: what a reactor has is known by a plugin alone.
TYPED = (
    "site_hooks.py",
    "own_parts.py",
    "own_sink.py",
    "blue_team.py",
    "test_blue_team.py",
    "as_service.py",
    "beside_asyncio.py",
)
ERROR = re.compile(r"  # E: (.+)$")


def test_right_calls_are_right_and_wrong_ones_are_not(tmp_path):
    text = (ROOT / "tests" / "docs" / "embedder.txt").read_text()
    (tmp_path / "embedder.py").write_text(text)
    files = [str(tmp_path / "embedder.py"), *(str(EXAMPLES / name) for name in TYPED)]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--strict", "--allow-untyped-calls"),
            *(
                "--no-error-summary",
                "--hide-error-context",
                "--follow-imports=silent",
                "--cache-dir",
                str(tmp_path / "cache"),
                *files,
            ),
        ],
        capture_output=True,
        text=True,
        cwd=EXAMPLES,
        env={"PATH": "/usr/bin:/bin", "MYPYPATH": f"{ROOT}:{EXAMPLES}", "HOME": str(tmp_path)},
        timeout=500,
    )
    said = {}
    for line in done.stdout.splitlines():
        if ": note: " in line:
            continue
        found = re.fullmatch(r"(?:.*/)?(\w+)\.py:(\d+): error: (.*)", line)
        assert found is not None and found[1] == "embedder", (line, done.stderr)
        said[int(found[2])] = found[3]
    lines = dict(enumerate(text.splitlines(), 1))
    wanted = {number: found[1] for number, line in lines.items() if (found := ERROR.search(line)) is not None}
    assert said.keys() == wanted.keys(), (said, done.stderr)
    for number, words in wanted.items():
        assert words in said[number]
    assert len(wanted) > 5
