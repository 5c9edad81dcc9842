"""How the tests are run in parallel."""

import os

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Two workers a core: tests that meet real programs mostly wait."""
    return 2 * len(os.sched_getaffinity(0))
