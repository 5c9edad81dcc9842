"""Runs what a page says that is typed, and compares what comes of it.

A block of ``console`` on a page has lines that begin with ``$``, each with what it prints below it; ``...`` stands for
anything. What ends in ``&`` runs until the end of the page, and what follows waits until its ports answer. Each port of
a page, and of the files in the folder of its name, is another one here.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from tests.integration.conftest import DEADLINE, answers, free_port, need, until

_BLOCK = re.compile(r"^\.\. code-block:: console\n\n((?:    ?.*\n|\n)+)", re.MULTILINE)
# a configuration that is not the page's own
_ELSEWHERE = re.compile(r"^\.\. literalinclude:: (\.\./\S+\.toml)$", re.MULTILINE)
_PORT = re.compile(r"\b(?:[89]\d{3}|3128|5433|1080)\b")
_CURL = re.compile(r"\bcurl ")
_QUIET = f"curl -sS --noproxy '' --max-time {DEADLINE - 10} "
# What runs the tests of a page, as if nothing were around it.
_ALONE = "--noconftest -p no:cacheprovider -p no:randomly"
# What is listened on where nothing else is said.
_LISTENING = {"reverse": "8080", "forward": "3128"}


class Step(NamedTuple):
    """What is typed, and what it prints."""

    typed: str
    prints: str

    def is_right(self, said: str) -> bool:
        """Whether this is what it prints."""
        pattern = ""
        for line in self.prints.split("\n"):
            # A line of dots alone is any number of lines.
            one = re.escape(line.strip()).replace(r"\.\.\.", "[^\n]*")
            pattern += r"(?:[^\n]*\n)*?" if line.strip() == "..." else f"{one}\n"
        given = "".join(f"{line.strip()}\n" for line in said.strip().splitlines())
        return re.fullmatch(pattern, given) is not None


def steps(page: str) -> list[Step]:
    """All that is typed on a page, in its order."""
    found: list[Step] = []
    for block in _BLOCK.findall(page):
        for one in re.split(r"^\s*\$ ", block, flags=re.MULTILINE)[1:]:
            lines = one.rstrip().split("\n")
            typed = [lines.pop(0)]
            while typed[-1].endswith("\\"):
                typed.append(lines.pop(0))
            text = " ".join(line.rstrip("\\").strip() for line in typed)
            found.append(Step(text, "\n".join(line.strip() for line in lines)))
    return found


class Transcript:
    """A page, played in a ``folder`` that has its files."""

    def __init__(self, page: Path, folder: Path, processes: Any, run_program: Any) -> None:
        self._folder = folder
        self._processes = processes
        self._run_program = run_program
        self._ports: dict[str, str] = {}
        if (files := page.with_suffix("")).is_dir():
            for file in sorted(files.rglob("*")):
                place = folder / file.relative_to(files)
                if file.is_dir():
                    place.mkdir()
                elif file.suffix in (".pem", ".png"):
                    shutil.copy(file, place)
                else:
                    place.write_text(self._here(file.read_text()))
        for name in _ELSEWHERE.findall(page.read_text()):
            file = page.parent / name
            (folder / file.name).write_text(self._here(file.read_text()))
        self.steps = [Step(self._here(typed), self._here(prints)) for typed, prints in steps(page.read_text())]

    def _here(self, text: str) -> str:
        def port(match: re.Match[str]) -> str:
            return self._ports.setdefault(match[0], str(free_port()))

        return _PORT.sub(port, text)

    def play(self, step: Step) -> str:
        """What it prints."""
        typed = step.typed
        if typed.endswith("&"):
            self._begin(typed.removesuffix("&").strip())
            return ""
        if typed.startswith("txproxy ") and not re.search(r"[|<>;$`]", typed):
            done = self._run_program(sys.executable, "-m", "txproxy", *shlex.split(typed)[1:], cwd=self._folder)
            # As a terminal has it, where what is wrong comes before the verdict.
            said = done.stderr + done.stdout
        else:
            for program in ("curl", "openssl"):
                if re.search(rf"\b{program} ", typed):
                    need(program)
            path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin"
            done = subprocess.run(
                ["sh", "-c", _CURL.sub(lambda _: _QUIET, typed)],
                cwd=self._folder,
                env={**os.environ, "PATH": path, "PYTEST_ADDOPTS": _ALONE},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=DEADLINE,
            )
            said = done.stdout
        # Dots alone are said of what goes well.
        assert step.prints.strip(". \n") or done.returncode == 0, (typed, said)
        return said

    def comes_later(self, step: Step) -> bool:
        """Whether what it prints may come only a while after what was typed before: what is looked at is written by
        others.
        """
        before = self.steps[: self.steps.index(step)]
        asked = bool(before) and before[-1].typed.endswith("&") and "curl" in before[-1].typed
        return bool(step.prints) and (asked or step.typed.startswith("cat ") or "/metrics" in step.typed)

    def _begin(self, typed: str) -> None:
        words, around = shlex.split(typed), []
        while re.match(r"[A-Z_]+=", words[0]):
            around.append(words.pop(0))
        program = words[0]
        if program == "txproxy":
            default = _LISTENING.get(words[1])
            if default is not None and "--listen" not in words and "--tls-listen" not in words:
                words += ["--listen", f"127.0.0.1:{self._here(default)}"]
            words[:1] = [sys.executable, "-m", "txproxy"]
        elif program == "python3":
            words[0] = sys.executable
        else:
            # Such as a request that waits.
            path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
            words = [need("sh"), "-c", f"PATH={path}; exec {_CURL.sub(lambda _: _QUIET, typed)}"]
            self._processes(*words, cwd=self._folder)
            return
        said = " ".join(words)
        if "--config" in words:
            text = (self._folder / words[words.index("--config") + 1]).read_text()
            said = "\n".join(line for line in text.splitlines() if "listen" in line)
        ports = [port for port in self._ports.values() if re.search(rf"\b{port}\b", _without_upstreams(said))]
        with (self._folder / "output").open("ab") as out:
            if around:
                words = [need("env"), *around, *words]
            process = self._processes(*words, cwd=self._folder, stdout=out, stderr=subprocess.STDOUT)
        for port in ports:
            until(lambda port=port: process.poll() is not None or answers(int(port)), f"{typed} listens on {port}")
        assert process.poll() is None, f"{typed} ended: {(self._folder / 'output').read_text()}"


def _without_upstreams(text: str) -> str:
    return re.sub(r"--(?:upstream|parent) \S+", "", text)
