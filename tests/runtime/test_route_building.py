"""What reverse listeners and their routes do, from what is configured; how it serves is in test_builder.py."""

import pytest

from txproxy.config.model import ReverseListener, RouteConfig
from txproxy.proxy.limits import Limits
from txproxy.reverse.route_actions.pool_action import PoolAction
from txproxy.runtime.route_building import body_bounds, default_action


def route(max_body):
    return RouteConfig(name=f"of {max_body}", action=PoolAction(pool="app"), max_body=max_body)


@pytest.mark.parametrize(
    ("own", "routes", "let_in", "others"),
    [
        (None, [5000], None, None),
        (1000, [], 1000, None),
        (1000, [None, 100], 1000, None),
        (1000, [1000], 1000, None),
        (1000, [100, 5000, None], 5000, 1000),
    ],
)
def test_as_much_is_let_in_as_the_route_with_most_takes(own, routes, let_in, others):
    listener = ReverseListener(limits=Limits(max_body_size=own))
    limits, of_others = body_bounds(listener, [route(most) for most in routes])
    assert (limits.max_body_size, of_others) == (let_in, others)
    assert (limits is listener.limits) == (others is None)


def test_without_a_pool_nothing_is_done_where_no_route_matches():
    assert default_action(ReverseListener(), {}, None) is None
