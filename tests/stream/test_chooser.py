"""A pool is what raw streams ask."""

import inspect

import pytest

from txproxy import Pool
from txproxy.stream.chooser import Choice, Chooser
from txproxy.testing import context_of


def methods(protocol):
    return [name for name, one in vars(protocol).items() if inspect.isfunction(one) and not name.startswith("_")]


@pytest.mark.parametrize("name", methods(Chooser))
def test_a_pool_takes_what_streams_give_it(name):
    pool = Pool(["http://10.0.0.1:5432"])
    asked = inspect.signature(getattr(Chooser, name))
    taken = inspect.signature(getattr(pool, name))
    words = list(asked.parameters.values())[1:]
    taken.bind(*[None for one in words if one.default is one.empty])
    taken.bind(*[None for _ in words])


def test_what_it_gives_learns_how_the_stream_went():
    choice = Pool(["http://10.0.0.1:5432"]).take(None, context_of())
    assert str(choice.address) == "10.0.0.1:5432"
    assert methods(Choice) == ["answered", "ended"]
    choice.answered(200)
    choice.ended(None, 200)
