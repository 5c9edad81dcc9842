"""Two processes, of which nothing is left."""

import pytest

from tests.proxy.handover.two_processes import Both


@pytest.fixture
def both(closing):
    """Makes them, of a kind."""
    return lambda kind="upgrade", **processes: closing(Both(kind, **processes))
