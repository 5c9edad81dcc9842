"""What several processes share does all that a membership asks of it."""

import inspect

import pytest

from txproxy.interfaces.sharing import Shared
from txproxy.limits.requests.shared_gcra import SharedGcra
from txproxy.limits.shared_levels import SharedLevels
from txproxy.upstreams.several_processes.shared_room import SharedRoom
from txproxy.upstreams.several_processes.shared_standing import SharedStanding


@pytest.mark.parametrize("kind", [SharedGcra, SharedLevels, SharedStanding, SharedRoom])
def test_it_is_asked_in_the_same_way(kind):
    asked = {name: value for name, value in vars(Shared).items() if inspect.isfunction(value) and name[0] != "_"}
    assert {"join", "part", "news", "heard", "whole", "heard_whole", "gone", "lead"} == set(asked)
    for name, method in asked.items():
        own = getattr(kind, name)
        assert list(inspect.signature(own).parameters) == list(inspect.signature(method).parameters)
