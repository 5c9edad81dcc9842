"""A strategy of somebody's, whose faults are those of one request."""

import pytest

from txproxy import Pool, ReverseProxyFactory
from txproxy.interfaces.hooks.code_faults import CodeFailed
from txproxy.testing import ProxyInMemory, context_of
from txproxy.upstreams import Strategy
from txproxy.upstreams.balancing.guarded_strategy import GuardedStrategy

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


class Own(Strategy):
    """The first; what it does else, a test says."""

    counts = times = True
    passed_over = "it is not the first"

    def __init__(self):
        self.told = []
        self.fails = False

    def update(self, upstreams):
        self.upstreams = list(upstreams)
        self.told.append("update")
        assert not self.fails

    def choose(self, head, context, skip=None):
        assert not self.fails
        return self.upstreams[0]

    def changed(self, upstream):
        self.told.append("changed")
        assert not self.fails

    def measured(self, upstream, seconds):
        self.told.append("measured")
        assert not self.fails


def test_it_says_what_its_own_says_and_tells_it_all():
    own = Own()
    guarded = GuardedStrategy("m:Own", own)
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], guarded)
    assert guarded.counts and guarded.times and guarded.passed_over == own.passed_over and not guarded.reads_requests
    upstream = pool.take(None, context_of())
    assert upstream is pool.upstreams[0]
    guarded.measured(upstream, 1.0)
    assert own.told == ["update", "changed", "measured"]


def test_a_choice_that_fails_is_that_of_its_request_and_the_next_one_is_served():
    own = Own()
    pool = Pool(["http://10.0.0.1"], GuardedStrategy("m:Own", own))
    proxy = ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, reactor=reactor))
    client = proxy.connect()
    own.fails = True
    client.send(GET)
    assert client.take().startswith(b"HTTP/1.1 500")
    pool.refresh()
    own.fails = False
    client.send(GET)
    proxy.upstream.send(b"HTTP/1.1 204 No Content\r\n\r\n")
    assert client.take().startswith(b"HTTP/1.1 204") and pool.upstreams[0].active == 0
    proxy.close()


def test_one_that_is_not_there_is_no_choice():
    own = Own()
    guarded = GuardedStrategy("m:Own", own)
    pool = Pool(["http://10.0.0.1"], guarded)
    own.upstreams = ["another"]
    with pytest.raises(
        CodeFailed, match="it gives str; accepted is one of those that update was told of last, or None"
    ):
        pool.take(None, context_of())
    own.upstreams = [None]
    assert pool.take(None, context_of()) is None
