"""How many processes serve."""

import pytest

from txproxy.config.model import BoundsConfig, ForwardListener, TcpListener
from txproxy.config.worker_count import check_workers, cores, parse_workers, workers
from txproxy.errors import ConfigError
from txproxy.limits.quotas import Quota

QUOTAS = BoundsConfig(quotas=(Quota(day=1),))


@pytest.mark.parametrize(("read", "value", "count"), [(parse_workers, "3", 3), (workers, 3, 3), (workers, 256, 256)])
def test_a_number(read, value, count):
    assert read(value) == count


@pytest.mark.parametrize("read", [parse_workers, workers])
def test_one_a_core(read):
    assert read("auto") == min(cores(), 256) >= 1


@pytest.mark.parametrize(
    ("read", "value"),
    [
        *((parse_workers, text) for text in ("", "0", "-1", "257", "1.5", "many", "²", "0x2", "9" * 30)),
        *((workers, value) for value in (0, -1, 257, 1.5, "2", True, None, [], "AUTO")),
    ],
)
def test_what_is_none(read, value):
    with pytest.raises(ConfigError, match="is no number of workers; accepted are 1 to 256, and auto for one a core"):
        read(value)


COUNTED = "2 workers count quotas in a file; accepted is usage_file = FILE with them"


@pytest.mark.parametrize(
    ("count", "bounds", "listeners", "said"),
    [
        (1, QUOTAS, (), ""),
        (2, BoundsConfig(), (ForwardListener(),), ""),
        (2, QUOTAS, (), COUNTED),
        (2, BoundsConfig(), (TcpListener(bounds=QUOTAS),), COUNTED),
        (2, BoundsConfig(usage_file="usage"), (TcpListener(bounds=QUOTAS),), ""),
    ],
)
def test_several_have_nothing_that_each_would_have_for_itself(count, bounds, listeners, said):
    try:
        check_workers(count, bounds, listeners)
    except ConfigError as fault:
        assert str(fault) == said
    else:
        assert not said
