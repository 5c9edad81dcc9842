"""What processes are called."""

from __future__ import annotations

from contextlib import suppress


def name_process(name: str) -> None:
    """What the system's list of processes calls this one, where it can be told: fifteen characters of it."""
    with suppress(OSError), open("/proc/self/comm", "w") as comm:
        comm.write(name[:15])
