"""Routes that send to a pool."""

import pytest

from txproxy.errors import ConfigError
from txproxy.reverse.route_actions.pool_action import PoolAction, sticky_kind


def test_host_and_sticky_are_read_with_it(read, parts):
    made, faults = read(PoolAction, pool="app", host="upstream", sticky="ip")
    assert made == PoolAction(pool="app", host="upstream", sticky="ip") and not faults
    assert made.build(parts).pools == (parts.pools["app"],)
    assert parts.asked == [("app", "upstream", "ip")]


def test_what_is_wrong_is_told_and_a_pool_is_meant_all_the_same(read):
    made, faults = read(PoolAction, pool=1, sticky="x")
    assert made == PoolAction(pool="")
    assert [fault.partition(": ")[0] for fault in faults] == ["routes[0].pool", "routes[0].sticky"]


def test_a_kind_of_affinity_is_known():
    assert sticky_kind("cookie:ID") == "cookie:ID"
    with pytest.raises(ConfigError, match="'x' is no kind of affinity"):
        sticky_kind("x")
