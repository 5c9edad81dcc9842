"""One run: start the peers of a scenario, measure them in turn, stop them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import attrs

from benchmarks.load import LoadError
from benchmarks.origin import Site
from benchmarks.peers import PROJECT, Peer
from benchmarks.ports import free_port
from benchmarks.process import Cores, Program, Programs, StartError
from benchmarks.report import Row
from benchmarks.scenarios import Effort, Scenario, Target

_SHARED_MEMORY = Path("/dev/shm")


@attrs.frozen
class Plan:
    """How a run is made."""

    site: Site
    cores: Cores
    effort: Effort
    rounds: int
    say: Callable[[str], None]
    """Told what happens now."""


def run_scenario(plan: Plan, scenario: Scenario, peers: Sequence[Peer]) -> dict[str, Row]:
    """Measure those of ``peers`` that have the scenario's role; a peer that fails is a row that says so.

    Rounds go through all peers before the next one begins, so that a machine that drifts does so for all alike.
    """
    rows = {peer.name: Row(peer.name) for peer in peers if scenario.role in peer.roles}
    with Programs(plan.site.directory) as programs:
        running: dict[str, tuple[Program, Target]] = {}
        for peer in peers:
            if peer.name in rows:
                try:
                    running[peer.name] = _start(plan, scenario, peer, programs)
                except StartError as fault:
                    rows[peer.name].fault = f"does not start: {fault}"
        for turn in range(1 if scenario.once else plan.rounds):
            for name, (program, target) in running.items():
                row = rows[name]
                if row.fault is not None:
                    continue
                plan.say(f"{scenario.name}: {name}, round {turn + 1}")
                try:
                    row.samples.append(scenario.measure(target, plan.effort))
                except (LoadError, OSError) as fault:
                    ended = "" if program.running else "; it has ended"
                    row.fault = f"{type(fault).__name__}: {fault}{ended}\n{program.tail()}"
    return rows


def _start(plan: Plan, scenario: Scenario, peer: Peer, programs: Programs) -> tuple[Program, Target]:
    port = free_port()
    name = f"{peer.name}-{scenario.name}".replace(" ", "-")
    argv = peer.roles[scenario.role](plan.site, name, port)
    environment = {"PYTHONPATH": python_path()}
    program = programs.start(name, argv, plan.cores.proxy, port, environment)
    return program, Target(program.pid, port, plan.site, scenario.role in peer.plain_tcp, peer.closes)


def python_path() -> str:
    """Where python finds us, for the environment of a program."""
    # Programs run in the temporary directory, where python would not find us.
    return os.pathsep.join(filter(None, [str(PROJECT), os.environ.get("PYTHONPATH")]))


@contextmanager
def open_directory(in_memory: bool = False) -> Iterator[Path]:
    """A temporary directory, ``in_memory`` where the machine has a place for that, which a proxy that changes its user
    reaches and may write to.
    """
    place = str(_SHARED_MEMORY) if in_memory and os.access(_SHARED_MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="txproxy-bench-", dir=place) as temporary:
        path = Path(temporary)
        path.chmod(0o777 if os.geteuid() == 0 else 0o700)
        yield path
