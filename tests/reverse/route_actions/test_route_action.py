"""All actions that there are, by their names."""

import pickle

import pytest

from txproxy.components.registry import components, names_of
from txproxy.reverse.actions.redirects import Redirect
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS

VALUES = {
    "pool": {"pool": "app", "host": "a.example"},
    "redirect": {"redirect": Redirect("/new")},
    "respond": {"status": 404},
    "files": {"directory": "."},
    "tunnel": {"pool": "app"},
}


def test_they_are_these_in_this_order():
    assert names_of(ROUTE_ACTIONS) == tuple(VALUES)


@pytest.mark.parametrize("name", VALUES)
def test_each_is_a_value_that_tells_of_its_keys_and_is_read_by_its_name(name, read):
    kind = components(ROUTE_ACTIONS)[name].thing
    assert kind.keys[0] == name and not kind.takes & set(kind.keys)
    one, other = kind(**VALUES[name]), kind(**VALUES[name])
    assert one == other == pickle.loads(pickle.dumps(one)) and hash(one) == hash(other)
    assert read(kind) == (None, [])


@pytest.mark.parametrize("name", VALUES)
def test_what_it_is_built_to_has_the_pools_that_it_uses(name, parts):
    kind = components(ROUTE_ACTIONS)[name].thing
    action = kind(**VALUES[name])
    made = action.build(parts)
    assert [use.pool for use in action.uses] == [pool.name for pool in made.pools if pool.name in parts.pools]
    assert made.takes_connect is kind.takes_connect
