"""What is said loudly."""

import pytest
from twisted.logger import globalLogPublisher


@pytest.fixture
def caught():
    """Gives the kinds of failures that were logged."""
    seen = []

    def observe(event):
        if "log_failure" in event:
            seen.append(event["log_failure"].type)

    globalLogPublisher.addObserver(observe)
    yield lambda: seen
    globalLogPublisher.removeObserver(observe)
