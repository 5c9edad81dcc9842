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
