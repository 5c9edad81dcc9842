"""Programs under test: started on a core of their own, and never left behind."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import attrs

from benchmarks.measure import tree

START_LIMIT = 20.0
"""Seconds that a program may take until it accepts connections."""
STOP_LIMIT = 2.0
"""Seconds that programs may take to end when they are asked to."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class StartError(Exception):
    """A program did not start; the message holds the end of what it said."""


@attrs.frozen
class Cores:
    """Which core the proxy has, and which the origin and the load generator share."""

    proxy: int
    load: int

    @classmethod
    def choose(cls) -> Cores:
        """The last two of those that this process may use; with only one, that one twice."""
        allowed = sorted(os.sched_getaffinity(0))
        return cls(proxy=allowed[-1], load=allowed[-2] if len(allowed) > 1 else allowed[-1])

    @property
    def shared(self) -> bool:
        """Whether proxy and load have the same core, which makes requests/s meaningless."""
        return self.proxy == self.load


class Program:
    """A running program with all its children, and its output in a file."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], output: Path) -> None:
        self.name = name
        self._process = process
        self._output = output
        self._family: list[int] = []

    @property
    def pid(self) -> int:
        """Of the program itself; its children come and go."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def tail(self, lines: int = 8) -> str:
        """The last lines of its output."""
        text = self._output.read_text(errors="replace").strip()
        return "\n".join(text.splitlines()[-lines:]) or "(no output)"

    def wait_for(self, port: int) -> None:
        """Return when it accepts connections on ``port``, or raise StartError."""
        deadline = time.monotonic() + START_LIMIT
        while time.monotonic() < deadline:
            if not self.running:
                raise StartError(f"ended with status {self._process.returncode}:\n{self.tail()}")
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise StartError(f"accepts no connection after {START_LIMIT:.0f} s:\n{self.tail()}")

    def terminate(self) -> None:
        """Ask it and all its children to end."""
        self._family = tree(self.pid) if self.running else []
        self._signal(signal.SIGTERM)

    def reap(self, deadline: float) -> None:
        """Return when it has ended; by force where it has not at ``deadline`` (of time.monotonic)."""
        try:
            self._process.wait(timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            pass  # the next signal does not ask
        self._signal(signal.SIGKILL)
        self._process.wait()
        for pid in self._family:  # children that left the process group
            if _parent_is_gone(pid):
                os.kill(pid, signal.SIGKILL)

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # the whole group has ended


def _parent_is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] == "1"
    except OSError:
        return False


def _pinned(core: int) -> Callable[[], None]:
    def prepare() -> None:
        os.sched_setaffinity(0, {core})
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    return prepare


class Programs:
    """Starts programs, and stops all that it has started when the ``with`` block ends."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: list[Program] = []

    def __enter__(self) -> Programs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        for program in self._running:
            program.terminate()
        deadline = time.monotonic() + STOP_LIMIT
        for program in self._running:
            program.reap(deadline)

    def start(
        self, name: str, argv: Sequence[str], core: int, port: int, environment: Mapping[str, str] | None = None
    ) -> Program:
        """Run ``argv`` on ``core`` until it accepts connections on ``port``.

        Raises StartError when it cannot be run, ends, or takes too long.
        """
        output = self._directory / f"{name}.output"
        with output.open("wb") as sink:
            try:
                process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=sink,
                    stderr=subprocess.STDOUT,
                    cwd=self._directory,
                    env={**os.environ, **(environment or {})},
                    start_new_session=True,
                    preexec_fn=_pinned(core),
                )
            except OSError as fault:
                raise StartError(str(fault)) from fault
        program = Program(name, process, output)
        self._running.append(program)
        program.wait_for(port)
        return program
