"""A proxy whose messages pass filters, and what it fails with."""

import pytest

from tests.proxy.exchanges.filtering import Filtered
from txproxy.proxy.factory import ProxyFactory
from txproxy.testing import ProxyInMemory


@pytest.fixture
def finished():
    return []


@pytest.fixture
def filtered(finished):
    made = ProxyInMemory(lambda reactor: ProxyFactory(Filtered(), observers=(finished.append,), reactor=reactor))
    made.mode = made.factory.mode
    yield made
    made.close()
