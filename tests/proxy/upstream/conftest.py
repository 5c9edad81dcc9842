"""A reverse proxy in memory before an upstream that speaks HTTP/2."""

import pytest

from txproxy import Limits


@pytest.fixture
def make2(make):
    """Makes them, with other limits and upstreams."""

    def make2(limits=None, upstreams=("h2c://10.0.0.1:80",)):
        return make(limits or Limits(), upstreams)

    return make2


@pytest.fixture
def proxy2(make2):
    return make2()
