"""The upstreams of a pool that have places which several processes take."""

from random import Random

import pytest
from twisted.internet.task import Clock

from tests.upstreams.several_processes.played_locks import Kernel
from txproxy.cluster.record_locks import SPAN, first_place
from txproxy.interfaces.connection import ClientConnection
from txproxy.interfaces.context import RequestContext
from txproxy.upstreams.balancing.strategies import NAMES
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.several_processes.shared_room import SharedRoom
from txproxy.upstreams.upstream_urls import parse_upstream

A, B, C = "http://10.0.0.1:80", "http://10.0.0.2:80", "http://10.0.0.3:80"


class Process:
    """One whose clients send the next request when the last is answered, which takes so many seconds."""

    def __init__(self, world, number, *texts, processes=4, **more):
        self.world, self.clock, self.number = world, world.clock, number
        settings = PoolSettings(queue=1000, queue_timeout=1)
        self.pool = Pool(
            [parse_upstream(text) for text in texts], name="app", settings=settings, clock=world.clock, **more
        )
        self.locks = world.kernel.process(number)
        self.room = SharedRoom(self.pool, self.locks)
        self.room._locked._lot = world.random.random
        self.room.of_processes(processes)
        self.wakes = []
        self.room.join(lambda: self.wakes.append(world.clock.seconds()))
        self.running, self.done, self.failed = [], 0, []

    def context(self):
        return RequestContext(ClientConnection("192.0.2.1"))

    def take(self, tried=()):
        return self.pool.take(None, self.context(), tried)

    def ask(self, seconds=None, again=False):
        """One request, which waits where there is no room; it takes so long, for ever or again and again."""

        def begin(upstream):
            self.running.append(upstream)
            self.world.look()
            if seconds is not None:
                self.clock.callLater(seconds, end, upstream)

        def end(upstream):
            self.running.remove(upstream)
            self.done += 1
            upstream.ended(None, 200)
            if again:
                self.clock.callLater(0.0002, self.ask, seconds, self.world.goes_on)

        context = self.context()
        upstream = self.pool.take(None, context)
        if upstream is not None:
            begin(upstream)
        else:
            self.pool.wait(None, context).addCallbacks(begin, self.failed.append)

    def end(self):
        self.running.pop(0).ended(None, 200)


class World:
    def __init__(self):
        self.clock, self.kernel, self.random = Clock(), Kernel(), Random(7)
        self.processes, self.most, self.goes_on = [], 0, True

    def come(self, *texts, **more):
        self.processes.append(Process(self, len(self.processes), *texts, **more))
        return self.processes[-1]

    def look(self):
        self.most = max(self.most, sum(len(one.running) for one in self.processes))

    def pass_time(self, seconds, step=0.0001):
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    @property
    def held(self):
        return sum(bool(by) for by in self.kernel.held.values())


@pytest.fixture
def world():
    world = World()
    yield world
    world.goes_on = False
    for one in world.processes:
        while one.running:
            one.end() if one.running[0].active else one.running.pop()
    world.pass_time(1.2, 0.001)
    # Nobody looks again where nobody waits, and nothing is taken.
    assert world.clock.getDelayedCalls() == [] and world.held == 0
    assert not any(world.kernel.standing.values()) and not any(one.wakes for one in world.processes)


@pytest.mark.parametrize("most", [1, 3])
@pytest.mark.parametrize("clients", [1, 4])
def test_all_processes_have_their_turns_and_never_more_than_there_may_be(world, clients, most):
    for _ in range(4):
        world.come(f"{A};max={most}")
    for one in world.processes:
        for _ in range(clients):
            one.ask(0.004, again=True)
    world.pass_time(4)
    done = [one.done for one in world.processes]
    assert world.most == most and not any(one.failed for one in world.processes)
    # As much as it can take is 250 a second for each place.
    assert sum(done) > 0.8 * 4 * 250 * most
    assert min(done) > 0.6 * sum(done) / 4
    world.goes_on = False
    world.pass_time(0.5)


def test_one_process_has_all_places_where_the_others_want_none(world):
    one, *_ = [world.come(f"{A};max=2") for _ in range(4)]
    for _ in range(5):
        one.ask(0.004, again=True)
    world.pass_time(1)
    assert world.most == 2 and one.done >= 0.93 * 2 * 250
    world.goes_on = False
    world.pass_time(0.5)


def test_who_waits_has_a_place_a_moment_after_it_is_free(world):
    one, other = world.come(f"{A};max=1"), world.come(f"{A};max=1")
    one.ask()
    other.ask()
    world.pass_time(0.5)
    assert (len(one.running), len(other.running), other.pool.waiting) == (1, 0, 1)
    one.end()
    world.pass_time(0.0045)
    assert (len(other.running), world.held) == (1, 1)


def test_what_a_process_has_that_is_killed_others_get(world):
    one, other = world.come(f"{A};max=1"), world.come(f"{A};max=1")
    one.ask()
    other.ask()
    world.pass_time(0.1)
    assert not other.running
    for by in world.kernel.held.values():
        by.discard(one.number)
    one.running.clear()
    world.pass_time(0.0045)
    assert other.running


def test_who_has_no_free_place_is_passed_over_until_it_is_looked_at_again(world):
    one, other = world.come(f"{A};max=1", B, strategy="first"), world.come(f"{A};max=1", B, strategy="first")
    assert one.take().name == A
    assert [other.take().name for _ in range(3)] == [B, B, B]
    # It was tried once, and is not again before a few milliseconds have passed.
    assert len(world.kernel.held) == 1 and world.kernel.asked == 2
    one.pool.find(A).ended(None, 200)
    assert other.take().name == B
    world.pass_time(0.0045)
    assert other.take().name == A and other.pool.find(A).active == 1
    for upstream in other.pool.upstreams:
        for _ in range(upstream.active):
            upstream.ended(None, 200)


@pytest.mark.parametrize("strategy", [*(name for name in NAMES if "-hash" not in name), "ip-hash", "ip-hash;bound=2"])
def test_every_strategy_finds_the_one_that_has_a_free_place(world, strategy):
    texts = [f"{name};max=1" for name in (A, B, C)]
    one, other = world.come(*texts, strategy=strategy), world.come(*texts, strategy=strategy)
    found = [one.take(), other.take(), one.take()]
    assert sorted(upstream.name for upstream in found) == [A, B, C]
    assert one.take() is None and other.take() is None
    assert all(upstream.full for upstream in other.pool.upstreams)
    # Nor is one that was tried, or a backup for which there is no need.
    found[0].ended(None, 200)
    assert one.take((found[0],)) is None
    again = one.take()
    assert again is found[0]
    for upstream in found:
        upstream.ended(None, 200)


def test_a_backup_has_places_as_well(world):
    texts = [A, f"{B};max=1;backup", f"{C};max=1;backup"]
    one, other = world.come(*texts), world.come(*texts)
    first, second = one.pool.find(A), other.pool.find(A)
    assert one.take((first,)).name == B
    assert other.take((second,)).name == C
    assert one.take((first,)) is None and other.take((second,)) is None
    one.pool.find(B).ended(None, 200)
    other.pool.find(C).ended(None, 200)


def test_a_strategy_of_ones_own_that_asks_nobody_whether_there_is_room_does_no_harm(world):
    class Stubborn:
        counts = times = False

        def update(self, upstreams):
            self.one = upstreams[0]

        def choose(self, head, context, skip=None):
            return self.one

    one, other = (world.come(f"{A};max=1", B, strategy=Stubborn()) for _ in range(2))
    assert one.take().name == A and other.take() is None
    one.pool.find(A).ended(None, 200)


def test_one_that_is_pinned_has_to_have_a_place(world):
    one, other = world.come(f"{A};max=1"), world.come(f"{A};max=1")
    assert one.pool.take_pinned(one.pool.find(A))
    there = other.pool.find(A)
    assert there.pinnable and not other.pool.take_pinned(there) and not there.pinnable and there.active == 0
    one.pool.find(A).ended(None, 200)


def test_an_upstream_that_was_removed_frees_its_places_in_the_end(world):
    one, other = world.come(f"{A};max=1", B), world.come(f"{A};max=1", B)
    gone = one.take()
    assert gone.name == A
    one.pool.remove(A)
    assert other.take().name == B and world.held == 1
    gone.ended(None, 200)
    assert world.held == 0
    other.pool.find(B).ended(None, 200)
    world.pass_time(0.005)
    # One of that name that comes again has the same places.
    added = one.pool.add(f"{A};max=1")
    other.pool.disable(B)
    assert other.take().name == A and one.pool.take_pinned(added) is False
    other.pool.find(A).ended(None, 200)


def test_pools_of_the_same_address_count_for_themselves(world):
    assert first_place("app", A) != first_place("api", A)


def test_what_is_in_the_pool_before_counts_after_a_reload(world):
    before = world.come(f"{A};max=1")
    before.ask()
    after = Process(world, 0, f"{A};max=2")
    after.locks = before.locks
    after.room.follow(before.room)
    assert after.take().name == A and after.take() is None
    after.pool.find(A).ended(None, 200)
    before.end()
    world.pass_time(0.01)
    found = [after.take(), after.take()]
    assert all(found) and after.take() is None
    for upstream in found:
        upstream.ended(None, 200)


def test_a_bound_that_is_large_is_shared_out_and_changes_with_the_number_of_processes(world):
    one = world.come(f"{A};max=10", processes=1)
    upstream = one.pool.find(A)
    assert upstream.places is None and upstream.allowed == 1
    one.wakes.clear()
    for _ in range(2):
        one.pool.take_this(upstream)
    one.room.of_processes(2)
    assert world.held == 2 and upstream.allowed == 10 and one.room.whole(False, 0) is None
    assert one.take() is upstream and world.held == 3
    one.room.of_processes(1)
    # Those that have places keep them.
    assert world.held == 3 and one.room.whole(False, 0)[2] == {A: 1}
    for _ in range(3):
        upstream.ended(None, 200)
    one.wakes.clear()
    one.room.part()


def test_without_a_hub_it_holds_as_before(world):
    one, other = world.come(f"{A};max=1"), world.come(f"{A};max=1")
    for process in (one, other):
        process.room.part()
    assert one.take() is not None and other.take() is None and other.pool.find(A).allowed == 1
    one.pool.find(A).ended(None, 200)


def test_before_anybody_serves_there_is_no_timer():
    kernel = Kernel()
    pool = Pool([parse_upstream(f"{A};max=1")], name="app")
    room = SharedRoom(pool, kernel.process(1))
    room.of_processes(4)
    room.join(lambda: None)
    assert kernel.process(2).take(first_place("app", A))
    assert pool.take(None, RequestContext(ClientConnection("192.0.2.1"))) is None


@pytest.mark.parametrize(
    ("most", "processes", "suits"),
    [(0, 4, False), (1, 1, True), (32, 4, True), (33, 4, False), (SPAN - 1, 600, True), (SPAN, 600, False)],
)
def test_how_large_a_bound_may_be(world, most, processes, suits):
    assert world.come(A).room._locked.suits(most, processes) is suits
