"""Why an upstream was chosen, and another was not."""

import pytest
from twisted.internet.task import Clock

from txproxy.interfaces import Trace
from txproxy.testing import context_of
from txproxy.upstreams import Pool
from txproxy.upstreams.balancing.strategies import NAMES
from txproxy.upstreams.choice import PoolAttempt, tell_choice


def told(pool, chosen):
    trace = Trace()
    tell_choice(trace, chosen)
    return str(trace).splitlines()


def test_each_upstream_says_why_or_why_not():
    pool = Pool(
        [
            "http://10.0.0.1;weight=2",
            "http://10.0.0.2",
            "http://10.0.0.3;backup",
            "http://10.0.0.4",
            "http://10.0.0.5;max=1",
        ],
        name="app",
        clock=Clock(),
    )
    pool.disable("http://10.0.0.4")
    pool.take_this(pool.find("http://10.0.0.5"))
    assert told(pool, pool.find("http://10.0.0.1")) == [
        "pool app (round-robin); no upstream was asked whether it is well",
        "    http://10.0.0.1 (weight 2): chosen",
        "    http://10.0.0.2: it is another's turn",
        "    http://10.0.0.3: a backup, for when no other is available",
        "    http://10.0.0.4 (disabled): disabled by the administrator",
        "    http://10.0.0.5: it has all the requests that it may have, which are 1",
    ]


@pytest.mark.parametrize(
    "strategy", [name for name in NAMES if not name.startswith("header-hash")] + ["header-hash:X-A"]
)
def test_each_strategy_has_its_own_words(strategy):
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], strategy, clock=Clock())
    assert "another was chosen" not in "".join(told(pool, pool.upstreams[0]))


def test_a_strategy_of_ones_own_is_named():
    class Last:
        counts = times = False

        def update(self, upstreams):
            self.upstreams = upstreams

        def choose(self, head, context, skip=None):
            return self.upstreams[-1]

    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], Last(), clock=Clock())
    lines = told(pool, pool.take(None, context_of()))
    assert lines[0].startswith("pool pool (Last); ")
    assert lines[1:] == ["    http://10.0.0.1: another was chosen", "    http://10.0.0.2: chosen"]


def test_an_attempt_tells_of_the_choice_and_knows_where_to_go_no_more():
    pool = Pool(["http://10.0.0.1", "http://10.0.0.2"], clock=Clock())
    first, second = pool.upstreams
    attempt = PoolAttempt(second, second.address, None, second, second.answered, tried=(first,))
    assert attempt.with_this == (first, second)
    trace = Trace()
    attempt.tell(trace)
    *choice, sent = str(trace).splitlines()
    assert choice == told(pool, second)
    assert sent == "sent: nothing; a tunnel to 10.0.0.2:80"
