"""What the master knows of workers: when the next one is tried, and that none of them stays a zombie."""

import os

import pytest

from tests.integration.conftest import until
from txproxy.runtime.workers.crew_members import pause, reap


@pytest.mark.parametrize(
    ("failures", "seconds"), [(0, 0), (2, 0), (3, 0.5), (4, 1), (5, 2), (8, 16), (9, 30), (500, 30)]
)
def test_the_pause_grows_up_to_a_bound(failures, seconds):
    assert pause(failures) == seconds


def test_a_child_that_has_ended_is_forgotten_and_one_of_others_is_left_alone():
    pid = os.fork()
    if not pid:
        os._exit(0)

    def is_there():
        reap(pid)
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        return True

    until(lambda: not is_there(), "it is gone")
    # It is nobody's child here, and that is no fault.
    reap(os.getppid())
