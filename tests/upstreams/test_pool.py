"""Upstreams and whose turn it is."""

import pytest

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.interfaces import Client

CLIENT = Client("192.0.2.1")


def names(pool, count):
    return "".join(pool.take(None, CLIENT).address.host for _ in range(count))


def test_round_robin_goes_round():
    assert names(Pool(["http://a", "http://b", "http://c"]), 7) == "abcabca"


def test_weights_are_spread_smoothly():
    # nginx's own example for 5, 1, 1
    assert names(Pool(["http://a;weight=5", "http://b", "http://c"]), 7) == "aabacaa"


def test_what_was_tried_is_left_out_until_nobody_is_left():
    pool = Pool(["http://a", "http://b"])
    first = pool.take(None, CLIENT)
    second = pool.take(None, CLIENT, (first,))
    assert {first.address.host, second.address.host} == {"a", "b"}
    assert pool.take(None, CLIENT, (first, second)) is None


def test_an_unknown_strategy_is_refused():
    with pytest.raises(ValueError, match="accepted: round-robin"):
        Pool(["http://a"], strategy="fastest")


def test_a_pool_is_not_empty():
    with pytest.raises(ConfigError):
        Pool([])
