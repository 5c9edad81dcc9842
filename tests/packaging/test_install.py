"""Each way to install the project gives both commands, and leaves Twisted where it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = pytest.mark.packaging

ROOT = Path(__file__).resolve().parents[2]
MODES = ("forward", "reverse", "tcp")
# A wheel brings the documentation, which takes a minute to make where much else is going on.
_LIMIT = 500
BROUGHT = (
    "share/man/man1/txproxy.1",
    "share/man/man5/txproxy.toml.5",
    "share/bash-completion/completions/txproxy",
    "share/zsh/site-functions/_txproxy",
    "share/fish/vendor_completions.d/txproxy.fish",
)


def _run(*command: str | Path, cwd: Path) -> str:
    """What the command prints; an exit status other than 0 fails the test, with all that was said."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE", "COV_"))
    }
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        # All of Twisted, twice, for a few modules of it.
        env={**environment, "PIP_COMPILE": "0"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_LIMIT,
    )
    assert done.returncode == 0, f"{command} gave {done.returncode}:\n{done.stdout}"
    return done.stdout


def _copy_tree(to: Path) -> Path:
    """The project as a clone of it would be: what git knows, or, in an unpacked sdist, all that is there."""
    if (ROOT / ".git").exists():
        listed = _run("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z", cwd=ROOT)
        for name in filter(None, listed.split("\0")):
            if (ROOT / name).is_file():
                (to / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / name, to / name)
    else:
        ignored = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT, to, ignore=ignored, dirs_exist_ok=True)
    return to


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """An empty folder to run commands from."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    return folder


@pytest.fixture
def installed(tmp_path: Path, elsewhere: Path) -> Callable[..., Path]:
    """Installs what pip is told to in an environment of its own; gives the folder of commands there."""

    def install(*what: str | Path) -> Path:
        _run(sys.executable, "-m", "venv", "--without-pip", tmp_path / "venv", cwd=elsewhere)
        binaries = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")
        _pip(binaries, "install", *what, cwd=elsewhere)
        return binaries

    return install


def _pip(binaries: Path, *words: str | Path, cwd: Path) -> None:
    """A pip of another environment's: to install one takes as long as all that it installs."""
    _run(sys.executable, "-m", "pip", "--python", binaries / "python", *words, cwd=cwd)


def _names_the_modes(binaries: Path, elsewhere: Path) -> None:
    for command in ([binaries / "twistd", "txproxy", "--help"], [binaries / "txproxy", "--help"]):
        said = _run(*command, cwd=elsewhere)
        assert [mode for mode in MODES if mode in said] == list(MODES)
    said = _run(binaries / "txproxy", "--version", cwd=elsewhere)
    assert re.fullmatch(r"txproxy \d+\.\d+\.\d+\S*\n", said)


def _goes_alone(binaries: Path, elsewhere: Path) -> None:
    _pip(binaries, "uninstall", "--yes", "txproxy", cwd=elsewhere)
    gone = "import importlib.util; assert importlib.util.find_spec('txproxy') is None"
    _run(binaries / "python", "-c", gone, cwd=elsewhere)
    # Twisted, and the plugins of its own that share a folder with ours, are still there.
    said = _run(binaries / "twistd", "--help", cwd=elsewhere)
    assert "portforward" in said
    assert "txproxy" not in said


def _holds_the_package_and_the_plugin_only(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    (data,) = {name.partition("/")[0] for name in names if ".data/" in name}
    ours = {name for name in names if not name.startswith(("txproxy/", "txproxy-")) or name.startswith(f"{data}/")}
    assert ours == {"twisted/plugins/txproxy_plugin.py", *(f"{data}/data/{name}" for name in BROUGHT)}
    # What is no module as well.
    pages = ("index.html", "main.js", "console.css", "icon.svg", "uPlot.iife.min.js", "uPlot.LICENSE")
    wanted = {
        "py.typed",
        "admin/openapi.json",
        "documentation/index.html",
        "documentation/api/forward.html",
        *(f"admin/console/static/{name}" for name in pages),
    }
    assert {f"txproxy/{name}" for name in wanted} <= set(names)


@pytest.mark.timeout(3 * _LIMIT)
def test_a_wheel_of_an_sdist(tmp_path: Path, elsewhere: Path, installed: Callable[..., Path]) -> None:
    """One of a clone is built in the same way, from what is in an sdist and more: to have the pages made takes most of
    the time, and is done once.
    """
    _run(sys.executable, "-m", "build", "--outdir", tmp_path / "dist", _copy_tree(tmp_path / "copy"), cwd=elsewhere)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    _holds_the_package_and_the_plugin_only(wheel)

    binaries = installed(wheel)
    _names_the_modes(binaries, elsewhere)
    # Where no Sphinx is.
    page = Path(_run(binaries / "txproxy", "docs", "keys", "--print", cwd=elsewhere).strip())
    assert tmp_path / "venv" in page.parents and "max_connections_per_client" in page.read_text()
    brought = [(tmp_path / "venv" / name).read_text() for name in BROUGHT]
    assert all("drain" in text for text in brought)
    _goes_alone(binaries, elsewhere)


@pytest.mark.timeout(3 * _LIMIT)
def test_an_editable_clone(tmp_path: Path, elsewhere: Path, installed: Callable[..., Path]) -> None:
    clone = _copy_tree(tmp_path / "copy")
    binaries = installed("--editable", clone)
    # Nobody has imported it yet.
    assert [*(clone / "txproxy" / "cli" / "__pycache__").glob("command.*.pyc")]
    _names_the_modes(binaries, elsewhere)
    _goes_alone(binaries, elsewhere)
