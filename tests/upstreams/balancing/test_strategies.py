"""Whose turn it is, by each strategy."""

from collections import Counter
from itertools import pairwise
from random import Random

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from zope.interface.verify import verifyObject

from txproxy.errors import ConfigError
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.testing import context_of
from txproxy.upstreams.balancing.consistent_hashing import Hashed, by_path
from txproxy.upstreams.balancing.strategies import (
    NAMES,
    IStrategy,
    LeastConnections,
    LeastTime,
    RandomDraw,
    RoundRobin,
    TwoChoices,
    strategy_from,
)
from txproxy.wire.headers import Headers
from txproxy.wire.message import RequestHead

CLIENT = context_of("192.0.2.1")
ALL = [name.replace("NAME", "X-User") for name in NAMES]
HASHES = [name for name in ALL if "hash" in name]
ALL += [f"{name};bound=1.25" for name in HASHES]


@attrs.define(eq=False)
class Server:
    """What strategies see of an upstream."""

    name: str
    weight: int = 1
    effective: float = 0.0
    active: int = 0

    def __attrs_post_init__(self):
        self.effective = self.effective or self.weight

    def __repr__(self):
        return self.name


def servers(*weights):
    return [Server("abcdefghij"[number], weight) for number, weight in enumerate(weights)]


def told(strategy, upstreams):
    strategy.update(upstreams)
    return strategy


def begin(strategy, head=None, client=CLIENT, skip=None):
    """As a pool does: choose, count, tell."""
    upstream = strategy.choose(head, client, skip)
    upstream.active += 1
    if strategy.counts:
        strategy.changed(upstream)
    return upstream


def end(strategy, upstream):
    upstream.active -= 1
    if strategy.counts:
        strategy.changed(upstream)


def order(strategy, count, skip=None):
    return "".join(strategy.choose(None, CLIENT, skip).name for _ in range(count))


def request(path=b"/", *fields):
    return RequestHead(b"GET", path, Headers(fields))


def clients(count):
    return [context_of(f"198.51.{number // 250}.{number % 250}") for number in range(count)]


# -- all of them


@pytest.mark.parametrize("name", ALL)
def test_each_is_what_embedders_may_implement(name):
    strategy = strategy_from(name)
    assert verifyObject(IStrategy, strategy)
    assert (strategy.counts, strategy.times) == (
        name == "least-connections" or "bound" in name,
        name == "least-time",
    )


@pytest.mark.parametrize("name", ALL)
def test_of_nobody_nobody_is_chosen(name):
    strategy = strategy_from(name)
    assert strategy.choose(request(), CLIENT) is None
    for upstreams in (servers(1, 1), servers(3, 2), [Server("a", 1, 0.5), Server("b")], []):
        strategy.update(upstreams)
    assert strategy.choose(request(), CLIENT) is None
    assert strategy.choose(request(), CLIENT, lambda upstream: False) is None
    strategy.changed(Server("gone"))
    strategy.measured(Server("gone"), 1.0)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("weights", [[1], [1, 1, 1], [5, 1, 2], [1000, 1, 1], [0.3, 1, 2]])
def test_who_is_skipped_is_never_chosen(name, weights):
    upstreams = servers(*weights)
    strategy = told(strategy_from(name, random=Random(1)), upstreams)
    for left in [*upstreams, *upstreams]:
        for _ in range(5):
            upstream = begin(strategy, request(), skip=lambda other, left=left: other is not left)
            assert upstream is left
    assert strategy.choose(request(), CLIENT, lambda other: True) is None
    assert strategy.choose(request(), CLIENT) in upstreams


@pytest.mark.parametrize("name", ALL)
def test_who_is_gone_is_never_chosen_and_may_come_back(name):
    upstreams = servers(2, 1, 1)
    strategy = told(strategy_from(name, random=Random(1)), upstreams)
    for _ in range(5):
        begin(strategy, request())
    strategy.update(upstreams[1:2])
    assert {begin(strategy, request()) for _ in range(20)} == {upstreams[1]}
    for upstream in upstreams:
        while upstream.active:
            end(strategy, upstream)
    strategy.update(upstreams)
    assert strategy.choose(request(), CLIENT, lambda other: other is not upstreams[0]) is upstreams[0]


@pytest.mark.parametrize("name", [name for name in ALL if name != "first"])
def test_each_gets_something_and_the_heavier_gets_more(name):
    upstreams = servers(1, 3)
    strategy = told(strategy_from(name, Clock().seconds, Random(1)), upstreams)
    under_way = []
    counts = Counter()
    for number, client in enumerate(clients(2000)):
        head = request(b"/%d" % number, (b"X-User", b"%d" % number))
        under_way.append(begin(strategy, head, client))
        counts[under_way[-1].name] += 1
        if len(under_way) > 20:
            end(strategy, under_way.pop(0))
    assert counts["b"] / counts["a"] == pytest.approx(3, rel=0.3)


@pytest.mark.parametrize("name", [name for name in ALL if name != "first"])
def test_who_starts_slowly_gets_less(name):
    upstreams = [Server("a", 10, 1.0), Server("b", 10)]
    strategy = told(strategy_from(name, Clock().seconds, Random(1)), upstreams)
    counts = Counter()
    for number, client in enumerate(clients(400)):
        counts[begin(strategy, request(b"/%d" % number, (b"X-User", b"%d" % number)), client).name] += 1
    assert 0 < counts["a"] < 400 * 0.15


# -- round-robin


@pytest.mark.parametrize(
    ("weights", "turns"),
    [([1, 1, 1], "abcabca"), ([5, 1, 1], "aabacaaaabacaa"), ([1, 2], "babbab"), ([4, 3, 2, 1], "abcabdacba")],
)
def test_round_robin_is_in_the_order_of_nginx(weights, turns):
    assert order(told(RoundRobin(), servers(*weights)), len(turns)) == turns


def test_round_robin_goes_on_after_a_change():
    upstreams = servers(1, 1, 1, 1)
    strategy = told(RoundRobin(), upstreams)
    turns = ""
    for _ in range(8):
        turns += order(strategy, 1)
        strategy.update(upstreams)
    assert turns == "abcdabcd"


def test_round_robin_starves_nobody_where_the_set_changes_all_the_time():
    upstreams = servers(2, 1, 1)
    strategy = told(RoundRobin(), upstreams)
    counts = Counter()
    for turn in range(400):
        strategy.update(upstreams if turn % 2 else [*upstreams, Server("x", 1, 1 + turn % 3)])
        counts[order(strategy, 1)] += 1
    assert min(counts[name] for name in "abc") > 50


def test_round_robin_passes_over_who_cannot_and_goes_on_behind():
    strategy = told(RoundRobin(), servers(1, 1, 1))
    assert order(strategy, 4, lambda other: other.name == "a") == "bcbc"
    assert order(strategy, 3) == "abc"


def test_round_robin_shares_out_unequal_weights_of_many():
    upstreams = [Server(str(number), 1 + number % 10) for number in range(1000)]
    strategy = told(RoundRobin(), upstreams)
    counts = Counter(strategy.choose(None, CLIENT) for _ in range(2 * 5500))
    assert all(abs(counts[upstream] - 2 * upstream.weight) <= 1 for upstream in upstreams)


# -- by lot


def test_random_goes_by_weight_and_by_its_seed():
    def draw(seed):
        return order(told(RandomDraw(Random(seed)), servers(1, 4)), 5000)

    assert draw(1).count("b") == pytest.approx(4000, rel=0.05)
    assert draw(1) == draw(1) != draw(2)


def test_two_choices_takes_the_one_with_less_to_do():
    upstreams = servers(1, 1)
    upstreams[0].active = 3
    upstreams[1].active = 2
    strategy = told(TwoChoices(Random(1)), upstreams)
    assert order(strategy, 50) == "b" * 50
    upstreams[1].active = 4
    assert order(strategy, 50) == "a" * 50
    upstreams[1].effective = 2.0
    strategy.update(upstreams)
    assert order(strategy, 50) == "b" * 50


def test_two_choices_of_idle_ones_goes_by_weight():
    turns = order(told(TwoChoices(Random(1)), servers(1, 3)), 4000)
    assert turns.count("b") == pytest.approx(3000, rel=0.05)


def test_two_choices_never_takes_the_one_with_most_to_do():
    upstreams = servers(1, 1, 1, 1)
    upstreams[2].active = 1
    turns = order(told(TwoChoices(Random(1)), upstreams), 2000)
    assert Counter(turns).keys() == {"a", "b", "d"}


def test_two_choices_levels_far_better_than_one():
    def most(strategy):
        upstreams = [Server(str(number)) for number in range(100)]
        strategy.update(upstreams)
        for _ in range(1000):
            begin(strategy)
        return max(upstream.active for upstream in upstreams)

    assert most(TwoChoices(Random(1))) <= 12 < most(RandomDraw(Random(1)))


# -- least-connections


def test_least_connections_goes_round_while_all_are_idle():
    strategy = told(LeastConnections(), servers(1, 1, 1))
    turns = ""
    for _ in range(7):
        upstream = begin(strategy)
        turns += upstream.name
        end(strategy, upstream)
    assert turns == "abcabca"


def test_least_connections_goes_round_where_all_have_the_same_to_do():
    strategy = told(LeastConnections(), servers(1, 1, 1))
    assert "".join(begin(strategy).name for _ in range(9)) == "abcabcabc"


def test_least_connections_leaves_no_idle_one_without_work():
    upstreams = servers(9, 1, 1)
    strategy = told(LeastConnections(), upstreams)
    turns = ""
    for _ in range(9):
        upstream = begin(strategy)
        turns += upstream.name
        end(strategy, upstream)
    assert turns == "abcabcabc"


def test_least_connections_fills_by_weight():
    upstreams = servers(5, 1, 2)
    strategy = told(LeastConnections(), upstreams)
    for _ in range(80):
        begin(strategy)
    assert [upstream.active for upstream in upstreams] == [50, 10, 20]


def test_least_connections_sends_to_who_has_finished():
    upstreams = servers(1, 1, 1)
    strategy = told(LeastConnections(), upstreams)
    for _ in range(9):
        begin(strategy)
    end(strategy, upstreams[1])
    assert begin(strategy) is upstreams[1]


def test_least_connections_knows_what_is_active_when_it_is_told_of_upstreams():
    upstreams = servers(1, 1)
    upstreams[0].active = 2
    strategy = told(LeastConnections(), upstreams)
    assert "".join(begin(strategy).name for _ in range(3)) == "bba"
    upstreams[0].active = 9
    strategy.update(upstreams)
    assert begin(strategy) is upstreams[1]


def test_least_connections_goes_round_though_it_is_told_of_upstreams_each_time():
    upstreams = servers(1, 1, 1)
    strategy = told(LeastConnections(), upstreams)
    turns = ""
    for _ in range(6):
        upstream = begin(strategy)
        turns += upstream.name
        end(strategy, upstream)
        strategy.update(upstreams)
    assert turns == "abcabc"


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), st.sets(st.integers(0, 5))),
        st.tuples(st.just("end"), st.integers(0, 100)),
        st.tuples(st.just("update"), st.lists(st.sampled_from([0.5, 1, 2, 7]), min_size=6, max_size=6)),
    ),
    max_size=60,
)


@given(_steps)
def test_least_connections_always_takes_the_least_load(steps):
    upstreams = servers(1, 1, 2, 3, 5, 7)
    strategy = told(LeastConnections(), upstreams)
    under_way = []

    def load(upstream):
        return (upstream.active + 1) / upstream.effective if upstream.active else 0

    for step, value in steps:
        if step == "begin":
            skipped = [upstreams[number] for number in value]
            least = min((load(upstream) for upstream in upstreams if upstream not in skipped), default=None)
            chosen = strategy.choose(None, CLIENT, skipped.__contains__ if skipped else None)
            assert (load(chosen) if chosen is not None else None) == least
            if chosen is not None:
                chosen.active += 1
                strategy.changed(chosen)
                under_way.append(chosen)
        elif step == "end" and under_way:
            end(strategy, under_way.pop(value % len(under_way)))
        elif step == "update":
            for upstream, effective in zip(upstreams, value, strict=True):
                upstream.effective = effective
            strategy.update(upstreams)


@pytest.mark.parametrize("skip", [None, lambda upstream: False])
def test_least_connections_keeps_nothing_of_loads_that_were(skip):
    upstreams = servers(*range(1, 11))
    strategy = told(LeastConnections(), upstreams)
    for _ in range(3):
        under_way = [begin(strategy, skip=skip) for _ in range(2000)]
        for upstream in under_way:
            end(strategy, upstream)
    assert len(strategy._queues) == len(strategy._heap) < 50


# -- least-time


def timed(*weights):
    clock = Clock()
    upstreams = servers(*weights)
    return clock, told(LeastTime(clock.seconds, Random(1)), upstreams), upstreams


def test_least_time_takes_the_one_that_answers_sooner():
    _, strategy, (slow, fast) = timed(1, 1)
    strategy.measured(slow, 0.2)
    strategy.measured(fast, 0.1)
    assert order(strategy, 50) == "b" * 50


def test_least_time_counts_what_is_to_be_done_before():
    _, strategy, (slow, fast) = timed(1, 1)
    strategy.measured(slow, 0.26)
    strategy.measured(fast, 0.1)
    assert "".join(begin(strategy).name for _ in range(7)) == "bbabbba"


def test_least_time_goes_by_weight():
    _, strategy, (light, heavy) = timed(1, 3)
    strategy.measured(light, 0.1)
    strategy.measured(heavy, 0.2)
    assert order(strategy, 50) == "b" * 50


def test_least_time_sends_one_request_to_who_is_not_known_and_waits_for_the_answer():
    _, strategy, (known, unknown) = timed(1, 1)
    strategy.measured(known, 0.1)
    assert begin(strategy) is unknown
    assert {begin(strategy) for _ in range(50)} == {known}
    strategy.measured(unknown, 0.001)
    assert begin(strategy) is unknown


def test_least_time_goes_by_what_is_active_where_nobody_is_known():
    _, strategy, upstreams = timed(1, 2, 1)
    for _ in range(400):
        begin(strategy)
    assert [upstream.active for upstream in upstreams] == [pytest.approx(100 * n, abs=10) for n in (1, 2, 1)]


def test_least_time_believes_a_peak_at_once_and_recovers_with_time():
    clock, strategy, (peaked, steady) = timed(1, 1)
    strategy.measured(peaked, 0.01)
    strategy.measured(steady, 0.1)
    assert order(strategy, 20) == "a" * 20
    strategy.measured(peaked, 1.0)
    assert order(strategy, 20) == "b" * 20
    # Short times right after it change little; over the time of decay they make it the better one again.
    strategy.measured(peaked, 0.01)
    assert order(strategy, 20) == "b" * 20
    for _ in range(40):
        clock.advance(1.0)
        strategy.measured(peaked, 0.01)
        strategy.measured(steady, 0.1)
    assert order(strategy, 20) == "a" * 20


def test_least_time_starves_nobody():
    clock, strategy, (slow, fast) = timed(1, 1)
    strategy.measured(slow, 1.0)
    strategy.measured(fast, 0.01)
    tried = []
    for second in range(200):
        clock.advance(1.0)
        upstream = strategy.choose(None, CLIENT)
        if upstream is slow:
            tried.append(second)
        strategy.measured(upstream, 1.0 if upstream is slow else 0.01)
    # 10 s * ln(1.0 / 0.01) is 46 s, and the faster one has decayed for a second when they are compared.
    assert len(tried) == 4
    assert all(47 <= later - sooner <= 48 for sooner, later in pairwise(tried))


def test_least_time_bears_a_clock_that_goes_back_or_far_ahead():
    clock, strategy, (one, other) = timed(1, 1)
    clock.advance(1e9)
    strategy.measured(one, 0.1)
    strategy.measured(other, 0.2)
    clock.rightNow = 0.0
    assert order(strategy, 20) == "a" * 20
    strategy.measured(one, 0.05)
    clock.advance(2e9)
    assert {begin(strategy) for _ in range(4)} == {one, other}
    strategy.measured(one, 0.1)
    assert order(strategy, 20) == "b" * 20


def test_least_time_takes_no_time_for_a_very_short_one():
    _, strategy, (instant, fast) = timed(1, 1)
    strategy.measured(instant, 0.0)
    strategy.measured(fast, 0.000002)
    assert {begin(strategy) for _ in range(10)} == {instant, fast}


def test_least_time_keeps_what_it_knows_when_it_is_told_of_upstreams():
    _, strategy, (slow, fast) = timed(1, 1)
    strategy.measured(slow, 0.2)
    strategy.measured(fast, 0.1)
    strategy.update([slow, fast])
    assert order(strategy, 20) == "b" * 20


# -- hashes


@pytest.mark.parametrize(
    ("name", "alike", "other"),
    [
        (
            "ip-hash",
            [
                (request(b"/1"), context_of("192.0.2.1")),
                (request(b"/2"), context_of("192.0.2.1")),
                (None, context_of("192.0.2.1")),
            ],
            lambda number: (request(b"/1"), context_of(f"192.0.2.{number}")),
        ),
        (
            "uri-hash",
            [(request(b"/1?q"), context_of("192.0.2.1")), (request(b"/1?q"), context_of("192.0.2.2"))],
            lambda number: (request(b"/1?q%d" % number), context_of("192.0.2.1")),
        ),
        (
            "header-hash:X-User",
            [
                (request(b"/1", (b"X-User", b"ann")), context_of("192.0.2.1")),
                (request(b"/2", (b"x-user", b"ann"), (b"Other", b"1")), context_of("192.0.2.2")),
            ],
            lambda number: (request(b"/1", (b"X-User", b"%d" % number)), context_of("192.0.2.1")),
        ),
    ],
)
def test_what_is_alike_goes_to_the_same_upstream(name, alike, other):
    strategy = told(strategy_from(name), servers(1, 1, 1, 1, 1))
    assert len({strategy.choose(*like) for like in alike}) == 1
    assert len({strategy.choose(*other(number)) for number in range(100)}) == 5


def test_the_believed_address_counts_not_that_of_the_socket():
    strategy = told(strategy_from("ip-hash"), servers(1, 1, 1, 1, 1))
    chosen = set()
    for number in range(50):
        client = context_of(f"10.0.0.{number}")
        client.client_ip = "192.0.2.1"
        chosen.add(strategy.choose(None, client))
    assert len(chosen) == 1


@pytest.mark.parametrize(
    ("name", "head"),
    [
        ("uri-hash", None),
        ("header-hash:X-User", None),
        ("header-hash:X-User", request()),
        ("header-hash:X-User", request(b"/", (b"X-User", b""))),
    ],
)
def test_what_has_nothing_to_go_by_goes_by_client_address(name, head):
    by_address = told(strategy_from("ip-hash"), upstreams := servers(1, 1, 1, 1, 1))
    strategy = told(strategy_from(name), upstreams)
    for client in clients(50):
        assert strategy.choose(head, client) is by_address.choose(head, client)


@pytest.mark.parametrize("name", HASHES)
def test_only_what_belonged_to_an_upstream_moves_when_it_goes_and_comes_back(name):
    upstreams = servers(1, 2, 1, 1)
    strategy = told(strategy_from(name), upstreams)
    requests = [
        (request(b"/%d" % number, (b"X-User", b"%d" % number)), client) for number, client in enumerate(clients(500))
    ]
    before = [strategy.choose(*each) for each in requests]
    strategy.update([upstreams[0], *upstreams[2:]])
    without = [strategy.choose(*each) for each in requests]
    assert all(new is old for old, new in zip(before, without, strict=True) if old is not upstreams[1])
    # What it had is spread over the others, not all for one of them.
    assert {new for old, new in zip(before, without, strict=True) if old is upstreams[1]} == set(upstreams) - {
        upstreams[1]
    }
    strategy.update(upstreams)
    assert [strategy.choose(*each) for each in requests] == before


@pytest.mark.parametrize("name", [name for name in ALL if "hash" in name])
def test_who_starts_slowly_gets_its_keys_back_one_by_one(name):
    upstreams = servers(10, 10, 10)
    strategy = told(strategy_from(name), upstreams)
    requests = [
        (request(b"/%d" % number, (b"X-User", b"%d" % number)), client) for number, client in enumerate(clients(500))
    ]
    full = [strategy.choose(*each) for each in requests]
    had: set[int] = set()
    for share in (0.1, 0.3, 0.6, 1.0):
        upstreams[0].effective = 10 * share
        strategy.update(upstreams)
        now = [strategy.choose(*each) for each in requests]
        has = {number for number, upstream in enumerate(now) if upstream is upstreams[0]}
        assert had < has, "what has come back stays"
        assert len(has) == pytest.approx(share * full.count(upstreams[0]), abs=25)
        assert all(new is old for old, new in zip(full, now, strict=True) if old is not upstreams[0])
        had = has
    assert now == full


@pytest.mark.parametrize("name", ["uri-hash", "header-hash:X-User", "ip-hash"])
def test_without_a_bound_a_key_stays_where_it_is_whatever_there_is_to_do(name):
    upstreams = servers(1, 1, 1, 1)
    strategy = told(strategy_from(name), upstreams)
    assert not strategy.counts
    head = request(b"/hot", (b"X-User", b"hot"))
    assert len({begin(strategy, head) for _ in range(100)}) == 1
    upstreams[0].active = 1000
    strategy.update(upstreams)
    assert len({begin(strategy, request(b"/%d" % key, (b"X-User", b"%d" % key))) for key in range(100)}) in (1, 4)


@pytest.mark.parametrize("bound", [1.5, 3.0])
def test_the_bound_is_what_is_said(bound):
    upstreams = servers(1, 1, 1, 1)
    strategy = told(strategy_from(f"uri-hash;bound={bound}"), upstreams)
    most = 0
    for _ in range(80):
        begin(strategy, request(b"/hot"))
        most = max(upstream.active for upstream in upstreams)
    assert most == 80 * bound / 4


@pytest.mark.parametrize("weights", [[1, 1, 1, 1], [1, 2, 3, 4], [0.5, 2.5, 3, 4]])
def test_nobody_has_more_than_its_bound_of_one_hot_key(weights):
    upstreams = servers(*weights)
    strategy = told(strategy_from("uri-hash;bound=1.25"), upstreams)
    for total in range(1, 101):
        begin(strategy, request(b"/hot"))
        for upstream in upstreams:
            # rounded up
            assert upstream.active < 1.25 * total * upstream.effective / sum(weights) + 1
    assert sum(upstream.active for upstream in upstreams) == 100


def test_a_hot_key_comes_back_once_there_is_room():
    upstreams = servers(1, 1, 1, 1)
    strategy = told(strategy_from("uri-hash;bound=1.25"), upstreams)
    owner = begin(strategy, request(b"/hot"))
    others = {begin(strategy, request(b"/hot")) for _ in range(2)}
    assert owner not in others
    end(strategy, owner)
    assert begin(strategy, request(b"/hot")) is owner


def test_the_one_that_is_passed_over_is_always_followed_by_the_same():
    def second(key):
        strategy = told(strategy_from("uri-hash;bound=1.25"), servers(1, 1, 1, 1, 1))
        head = request(b"/%d" % key)
        return begin(strategy, head).name, begin(strategy, head).name

    for key in range(20):
        assert second(key) == second(key)
    assert len({second(key) for key in range(100)}) > 10


def test_bounds_give_way_where_nobody_else_can():
    upstreams = servers(1, 1, 1)
    strategy = told(strategy_from("uri-hash;bound=1.25"), upstreams)
    for _ in range(10):
        assert begin(strategy, request(b"/hot"), skip=lambda other: other is not upstreams[2]) is upstreams[2]


def test_the_bound_counts_what_was_active_before_and_forgets_who_has_gone():
    upstreams = servers(1, 1)
    upstreams[0].active = 1000
    strategy = told(strategy_from("uri-hash;bound=1.25"), upstreams)
    assert {strategy.choose(request(b"/%d" % key), CLIENT) for key in range(20)} == {upstreams[1]}
    newcomer = Server("c")
    strategy.update([upstreams[1], newcomer])
    end(strategy, upstreams[0])  # it is none of the strategy's any more
    assert {strategy.choose(request(b"/%d" % key), CLIENT) for key in range(20)} == {upstreams[1], newcomer}
    for _ in range(10):
        begin(strategy, request(b"/hot"))
    assert abs(upstreams[1].active - newcomer.active) <= 4


# -- first


def test_first_is_the_first_that_can():
    upstreams = servers(1, 5, 1)
    strategy = told(strategy_from("first"), upstreams)
    assert order(strategy, 5) == "aaaaa"
    assert "".join(begin(strategy, skip=lambda other: other.active >= 2).name for _ in range(6)) == "aabbcc"
    assert strategy.choose(None, CLIENT, lambda other: other.active >= 2) is None


# -- by name


def test_the_names_are_those_of_the_documentation():
    assert NAMES == (
        "round-robin",
        "random",
        "two-choices",
        "least-connections",
        "least-time",
        "ip-hash",
        "uri-hash",
        "header-hash:NAME",
        "first",
    )


@pytest.mark.parametrize("text", ["fastest", "", "Round-Robin", "round-robin:", "header", "ip-hash:X"])
def test_an_unknown_name_is_refused_with_all_that_are_known(text):
    with pytest.raises(ConfigError) as fault:
        strategy_from(text)
    (found,) = fault.value.findings
    assert found.said.partition(" (")[0] == f"{text!r} is no strategy"
    assert found.accepted == f"accepted: {', '.join(NAMES)}"


@pytest.mark.parametrize("text", ["header-hash", "header-hash:", "header-hash:a b", "header-hash:a:b", "header-hash:é"])
def test_a_hash_of_no_header_is_refused(text):
    with pytest.raises(ConfigError) as fault:
        strategy_from(text)
    assert (
        str(fault.value) == f"{text!r} names no header; accepted is header-hash:NAME with a field name such as X-User"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("uri-hash;bound=1", "'1' bounds no load; accepted is a number above 1 and up to 1000, such as 1.25"),
        ("uri-hash;bound=0.5", "'0.5' bounds no load;"),
        ("uri-hash;bound=-2", "'-2' bounds no load;"),
        ("uri-hash;bound=1001", "'1001' bounds no load;"),
        ("uri-hash;bound=nan", "'nan' bounds no load;"),
        ("uri-hash;bound=inf", "'inf' bounds no load;"),
        ("uri-hash;bound=1e2", "'1e2' bounds no load;"),
        ("uri-hash;bound=", "'' bounds no load;"),
        ("header-hash:X-User;bound=125%", "'125%' bounds no load;"),
        ("uri-hash;bound", "'uri-hash;bound': 'bound' is no parameter of a strategy; accepted is ;bound=1.25"),
        ("uri-hash;", "'uri-hash;' is no strategy (is uri-hash meant?); accepted: round-robin"),
        ("ip-hash;load=2", "'ip-hash;load=2': 'load=2' is no parameter of a strategy"),
        ("uri-hash;bound=2;bound=3", "'2;bound=3' bounds no load"),
        ("header-hash:a b;bound=2", "'header-hash:a b' names no header"),
        ("round-robin;bound=2", "'round-robin;bound=2': round-robin takes no parameter; accepted is ;bound=1.25 after"),
        ("fast;bound=2", "'fast;bound=2' is no strategy"),
    ],
)
def test_a_wrong_bound_is_refused(text, said):
    with pytest.raises(ConfigError) as fault:
        strategy_from(text)
    assert str(fault.value).startswith(said) and "accepted" in str(fault.value) and "\n" not in str(fault.value)


@pytest.mark.parametrize("bound", [1, 0.5, -1.0, 1001, float("nan"), float("inf")])
def test_a_wrong_bound_is_refused_in_python_too(bound):
    with pytest.raises(ConfigError, match="bounds no load; accepted is a number above 1"):
        Hashed(by_path, bound)


@pytest.mark.parametrize("name", [name for name in ALL if name != "first"])
def test_each_bears_the_greatest_weight_beside_the_least(name):
    upstreams = servers(MOST_WEIGHT, MOST_WEIGHT - 1, 1)
    strategy = told(strategy_from(name, Clock().seconds, Random(1)), upstreams)
    counts = Counter(
        begin(strategy, request(b"/%d" % number, (b"X-User", b"%d" % number)), client).name
        for number, client in enumerate(clients(1000))
    )
    assert counts["a"] == pytest.approx(500, abs=80) and counts["b"] == pytest.approx(500, abs=80)


def test_each_has_lots_of_its_own():
    one, other = strategy_from("random"), strategy_from("random")
    for strategy in (one, other):
        strategy.update(servers(*[1] * 10))
    assert order(one, 50) != order(other, 50)
