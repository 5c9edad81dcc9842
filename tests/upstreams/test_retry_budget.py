"""How many retries may be under way, and for how long each of them counts."""

import pytest

from txproxy import Pool
from txproxy.errors import ConnectionRefused
from txproxy.testing import context_of
from txproxy.upstreams.retry_budget import Retry, RetryCount

CLIENT = context_of("192.0.2.1")


@pytest.mark.parametrize(
    ("retrying", "active", "may"),
    [
        # a few, however little there is to do
        (0, 0, True),
        (2, 3, True),
        (3, 3, False),
        (2, 15, True),
        # a fifth of what there is
        (3, 15, False),
        (3, 16, True),
        (19, 100, True),
        (20, 100, False),
    ],
)
def test_a_fifth_of_all_requests_may_be_retries_and_three_always(retrying, active, may):
    retries = RetryCount()
    if retrying:
        retries.change(retrying)
    assert retries.may_have_one_more(active) is may


@pytest.fixture
def pool():
    return Pool(["http://a", "http://b"])


def test_a_pool_counts_the_requests_of_all_its_upstreams(pool):
    for _ in range(20):
        pool.take(None, CLIENT)
    retries = [Retry(pool.retries, pool.upstreams[0], None) for _ in range(3)]
    assert pool.may_retry(), "three of twenty, and ten of each upstream"
    retries.append(Retry(pool.retries, pool.upstreams[0], None))
    assert not pool.may_retry()
    retries[0].answered(200)
    assert pool.may_retry()


@pytest.mark.parametrize("fault", [None, ConnectionRefused("nobody listens")])
def test_a_retry_counts_once_and_until_it_is_answered_or_over(pool, fault):
    upstream = pool.take(None, CLIENT)
    told = []
    retry = pool.retry(upstream, told.append)
    assert len(pool.retries) == 1
    if fault is None:
        retry.answered(200)
        assert (len(pool.retries), told) == (0, [200])
    assert upstream.active == 1, "what was answered goes on"
    retry.ended(fault, 200 if fault is None else 0)
    assert (len(pool.retries), upstream.active) == (0, 0)


def test_the_upstream_learns_how_a_retry_has_ended(pool):
    for _ in range(5):
        upstream = pool.take(None, CLIENT, (pool.upstreams[0],))
        pool.retry(upstream, None).ended(ConnectionRefused("nobody listens"), 0)
    assert pool.upstreams[1].state.value == "ejected"
