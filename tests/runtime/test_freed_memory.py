"""What becomes of memory that is free again."""

import platform
import subprocess
import sys

import pytest

# How often a page had to be found while what a few bodies need came and went.
FAULTS = """
import resource
from txproxy.runtime.freed_memory import keep_freed_memory
if {kept}:
    keep_freed_memory()
for turn in range(60):
    if turn == 10:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bodies = [bytes([turn]) * 65536 for _ in range(30)]
    del bodies
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_what_comes_and_goes_stays_where_it_is():
    given_back, kept = (
        int(subprocess.run([sys.executable, "-c", FAULTS.format(kept=kept)], capture_output=True, check=True).stdout)
        for kept in (False, True)
    )
    assert kept * 10 < given_back


# How often the collector looked at everything, and at how many objects at most where it did not, while connections
# came that stay.
LOOKS = """
import gc
from txproxy.runtime.freed_memory import settle_collector
if {settled}:
    settle_collector()
else:
    gc.collect()
    gc.freeze()
everything, most = 0, 0
def look(phase, about):
    global everything, most
    if phase == "start" and about["generation"] == 2:
        everything += 1
    elif phase == "start" and about["generation"] == 1:
        most = max(most, len(gc.get_objects(0)) + len(gc.get_objects(1)))
gc.callbacks.append(look)
there = [[] for _ in range(300_000)]
print(everything, most, gc.get_freeze_count())
"""


def test_the_collector_looks_at_everything_less_often_and_at_less_of_the_rest():
    (often, much, _), (seldom, little, kept) = (
        map(
            int,
            subprocess.run(
                [sys.executable, "-c", LOOKS.format(settled=settled)], capture_output=True, check=True
            ).stdout.split(),
        )
        for settled in (False, True)
    )
    assert 0 < seldom < often and little < much and kept


# How often it looked while what some hundred requests consist of came, and went at once.
REQUESTS = """
import gc
from txproxy.runtime.freed_memory import settle_collector
settle_collector()
looks = []
gc.callbacks.append(lambda phase, about: looks.append(phase))
for turn in range(100):
    there = [[] for _ in range(1_500)]
    del there
print(len(looks))
"""


def test_the_collector_does_not_look_at_what_goes_soon():
    assert subprocess.run([sys.executable, "-c", REQUESTS], capture_output=True, check=True).stdout == b"0\n"
