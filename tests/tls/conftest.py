"""A CA, made once, and what is logged."""

import pytest
from twisted.logger import globalLogPublisher

from tests.tls.authority import new_ca


@pytest.fixture(scope="session")
def ca():
    return new_ca()


@pytest.fixture
def said():
    """The events that are logged."""
    events = []
    globalLogPublisher.addObserver(events.append)
    yield events
    globalLogPublisher.removeObserver(events.append)
