"""What processes are called."""

from pathlib import Path

from txproxy.runtime.workers.process_names import name_process


def test_a_process_has_the_name_that_it_was_given():
    comm = Path("/proc/self/comm")
    before = comm.read_text().rstrip()
    try:
        name_process("txproxy work 12345")
        assert comm.read_text() == "txproxy work 12\n"
    finally:
        name_process(before)
