"""Proxies that speak HTTP and SOCKS5 at one port."""

import pytest

from tests.proxy.downstream.socks_world import World


@pytest.fixture
def make_world(closing):
    return lambda *args, **more: closing(World(*args, **more))


@pytest.fixture
def world(make_world):
    return make_world()
