"""What may be used, and how much of the work one of several may be given."""

import pytest

from txproxy import Pool
from txproxy.errors import ConfigError
from txproxy.forward.parents.parent import Parent
from txproxy.interfaces import Bounds
from txproxy.interfaces.allowances import MOST_WEIGHT


def test_nothing_is_bounded_where_nobody_says():
    bounds = Bounds()
    assert (bounds.shaper, bounds.meter, bounds.tunnel_age, bounds.tunnel_timeout) == (None, None, None, None)


@pytest.mark.parametrize(
    "make", [lambda weight: Pool([f"http://a;weight={weight}"]), lambda weight: Parent(f"http://a;weight={weight}")]
)
def test_the_greatest_weight_is_the_same_for_all(make):
    make(MOST_WEIGHT)
    with pytest.raises(ConfigError, match="weight"):
        make(MOST_WEIGHT + 1)
