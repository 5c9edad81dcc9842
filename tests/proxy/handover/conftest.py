"""Two processes, of which nothing is left."""

import pytest

from tests.proxy.handover.two_processes import Both


@pytest.fixture
def both():
    """Makes them, of a kind."""
    made = []

    def make(kind="upgrade", **processes):
        made.append(Both(kind, **processes))
        return made[-1]

    yield make
    for one in made:
        one.close()
