"""Proxies that speak HTTP and SOCKS5 at one port."""

import pytest

from tests.proxy.downstream.socks_world import World


@pytest.fixture
def make_world():
    made = []

    def make_world(*args, **more):
        made.append(World(*args, **more))
        return made[-1]

    yield make_world
    for world in made:
        world.close()


@pytest.fixture
def world(make_world):
    return make_world()
