"""What a program used: CPU time and memory, from the kernel's own count, children included."""

from __future__ import annotations

import os
import time
from pathlib import Path

_CLOCK_TICK = os.sysconf("SC_CLK_TCK")
_CPUCLOCK_SCHED = 2


def tree(pid: int) -> list[int]:
    """The process and all its descendants."""
    found = [pid]
    for parent in found:  # grows as children are found
        for listing in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found.extend(map(int, listing.read_text().split()))
            except OSError:
                continue  # the thread has just ended
    return found


def cpu_seconds(pid: int) -> float:
    """CPU seconds that the process and its descendants have used, threads that have ended included."""
    return sum(map(_own_cpu_seconds, tree(pid)))


def _own_cpu_seconds(pid: int) -> float:
    # Linux makes the number of a process's CPU clock from its pid, as clock_getcpuclockid(3) does. It counts in
    # nanoseconds, where utime and stime count in ticks, and unlike schedstat it keeps the threads that have ended.
    try:
        return time.clock_gettime_ns((~pid << 3) | _CPUCLOCK_SCHED) / 1e9
    except OSError:
        return _ticks(pid) / _CLOCK_TICK


def _ticks(pid: int) -> int:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])


def memory_bytes(pid: int) -> int:
    """Proportional set size of the process and its descendants; resident size where the kernel does not tell it."""
    return sum(map(_own_memory_bytes, tree(pid)))


def _own_memory_bytes(pid: int) -> int:
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass  # an older kernel, or another user's process
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except OSError:
        return 0
