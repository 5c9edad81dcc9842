"""Bandwidths of several processes together: what they let pass of one client."""

import random

import pytest

from tests.cluster.played import Cluster
from txproxy.interfaces.processes.sharing import MOST_TOLD
from txproxy.limits.shaping import Bandwidth, Shaping

BANDWIDTH = "bandwidth"
MB = 1_000_000


class Download:
    """Takes all that it is let, from when it begins; or as much as it wants."""

    def __init__(self, shaping, client, wants=1 << 50):
        self.got, self.left = 0, wants
        self.lane = shaping.shaper(client, None, "").down(self.go_on)
        self.go_on()

    def go_on(self):
        while self.left:
            taken = self.lane.take(min(65536, self.left))
            if not taken:
                return
            self.got += taken
            self.left -= taken


class Together:
    """So many processes with a bandwidth of each client."""

    def __init__(self, count=4, delay=0.002, **words):
        self.cluster, self.shapings, self.words = Cluster(delay), [], {"down": MB, **words}
        self.downloads = []
        for _ in range(count):
            self.come()
        self.cluster.go_on(0.01)

    def come(self):
        shaping = Shaping([Bandwidth(**self.words)], self.cluster.clock, shared=True)
        self.cluster.come(len(self.shapings), {BANDWIDTH: shaping.shared})
        self.shapings.append(shaping)
        return shaping

    def begin(self, process, client="192.0.2.1", **words):
        self.downloads.append(Download(self.shapings[process], client, **words))
        return self.downloads[-1]

    def run(self, seconds):
        """How much all have got meanwhile."""
        before = sum(one.got for one in self.downloads)
        self.cluster.go_on(seconds, 0.005)
        return sum(one.got for one in self.downloads) - before


@pytest.fixture
def together():
    made = []

    def make(**words):
        made.append(Together(**words))
        return made[-1]

    yield make
    for one in made:
        for download in one.downloads:
            download.lane.close()
        for member in one.cluster.members.values():
            member.end()
        one.cluster.go_on(1)
        assert not one.cluster.clock.getDelayedCalls()


@pytest.mark.parametrize("rate", [20_000, MB, 50 * MB])
@pytest.mark.parametrize("counts", [(1, 1, 1, 1), (9, 1, 0, 3), (1, 1)])
def test_a_client_has_one_bandwidth_at_all_of_them(together, counts, rate):
    all_of_it = together(count=len(counts), down=rate)
    for process, count in enumerate(counts):
        for _ in range(count):
            all_of_it.begin(process)
    # What may be saved each gives at once, and all make up for it. Of a small rate, what is worth a write is much.
    pieces = 2 * len(counts) * 2500 if rate == 20_000 else 0
    all_of_it.run(5)
    assert all_of_it.run(10) == pytest.approx(10 * rate, rel=0.02, abs=pieces)
    assert sum(one.got for one in all_of_it.downloads) == pytest.approx(15.25 * rate, rel=0.02, abs=pieces)


def test_so_it_has_where_they_hear_of_each_other_late(together):
    all_of_it = together(delay=0.2)
    for process in (0, 0, 0, 1, 2, 3):
        all_of_it.begin(process)
    all_of_it.run(60)
    assert sum(one.got for one in all_of_it.downloads) == pytest.approx(60.25 * MB, rel=0.03)


def test_all_get_about_the_same_at_each(together):
    all_of_it = together()
    got = [all_of_it.begin(process) for process in range(4)]
    all_of_it.run(10)
    assert all(one.got == pytest.approx(10 * MB / 4, rel=0.15) for one in got)


def test_clients_that_come_and_go_with_what_they_want_have_no_more(together):
    all_of_it, chance = together(down=200_000, burst=400_000), random.Random(3)
    for _ in range(200):
        all_of_it.begin(chance.randrange(4), wants=chance.randrange(1, 40_000))
        all_of_it.run(0.05)
    wanted = sum(one.got + one.left for one in all_of_it.downloads)
    got = sum(one.got for one in all_of_it.downloads)
    assert wanted > 1.5 * got and got <= 1.02 * (10 * 200_000 + 400_000)


def test_what_is_within_it_never_waits(together):
    all_of_it, chance = together(down=MB), random.Random(3)
    for _ in range(100):
        assert not all_of_it.begin(chance.randrange(4), wants=chance.randrange(1, 80_000)).left
        all_of_it.run(0.05)


def test_other_clients_have_their_own(together):
    all_of_it = together(count=2)
    one, other = all_of_it.begin(0), all_of_it.begin(1, "192.0.2.2")
    all_of_it.run(10)
    assert one.got == pytest.approx(10 * MB, rel=0.05) and other.got == pytest.approx(10 * MB, rel=0.05)


def test_one_that_was_not_there_knows_what_has_passed_before(together):
    all_of_it = together(count=2, down=MB, burst=3 * MB)
    all_of_it.begin(0, wants=3 * MB)
    all_of_it.run(0.1)
    # It had no bucket of this client, and the next one was not even there.
    assert all_of_it.begin(1).got < 150_000
    all_of_it.downloads.pop().lane.close()
    late = all_of_it.come()
    all_of_it.run(0.05)
    assert all_of_it.begin(2).got < 150_000
    assert late.shared._owed((0, "192.0.2.1", "down"), all_of_it.cluster.clock.seconds()) > 2.5 * MB


def test_what_one_has_let_pass_counts_when_it_is_gone_and_then_the_others_have_all(together):
    all_of_it = together(count=3)
    for process in range(3):
        all_of_it.begin(process)
    all_of_it.run(3)
    all_of_it.cluster.die(1)
    all_of_it.downloads.pop(1).lane.close()
    assert all_of_it.run(10) == pytest.approx(10 * MB, rel=0.02)


def test_a_message_is_bounded_and_what_is_more_follows(together):
    all_of_it = together(count=2)
    for number in range(MOST_TOLD + 10):
        all_of_it.begin(0, f"10.0.{number >> 8}.{number & 255}", wants=100)
    before = len(all_of_it.cluster.messages)
    all_of_it.run(0.2)
    assert len(all_of_it.cluster.messages) - before == 2
    assert len(all_of_it.shapings[1].shared._due) == MOST_TOLD + 10


def test_what_is_known_of_others_is_bounded(together):
    shared = together(count=1).shapings[0].shared
    for number in range(70_000):
        shared.heard(7, {(0, str(number), "down"): 1000 + number}, 0.0)
    assert 32768 <= len(shared._due) <= 65536 and (0, "69999", "down") in shared._due


def test_nobody_is_told_where_there_is_nobody(together):
    all_of_it = together(count=1)
    all_of_it.cluster.members[0].alone()
    download = all_of_it.begin(0)
    assert all_of_it.run(10) + 250_000 == pytest.approx(10 * MB, rel=0.05)
    assert download.got and {kind for kind, _ in all_of_it.cluster.messages} <= {"welcome", "lead"}


def test_what_is_not_shared_has_buckets_that_tell_nobody(together):
    clock = together(count=1).cluster.clock
    assert Shaping([Bandwidth(down=MB)], clock).shared is None
