"""What several processes may have at once, together: no more than there is, and all of it where it is wanted."""

import random

import pytest

from txproxy.limits.claim import FIRST_PAUSE, PATIENCE, Claim, Heard


class Together:
    """So many processes, which hear of each other's claims so much later."""

    def __init__(self, most, processes, late):
        self.now, self.late = 0.0, late
        self.claims = [Claim(most, 0.0) for _ in range(processes)]
        self.heard = [Heard() for _ in range(processes)]
        self.used, self.wanted = [0] * processes, [0] * processes
        self.told = [1] * processes
        self.most_used = 0
        self._on_their_way = []
        for number in range(processes):
            self._hear(number, 1, self.heard[number].mark, 0, {})

    def _hear(self, number, claimed, mark, told, heard):
        for other, claim in enumerate(self.claims):
            if other != number:
                claim.heard(number, claimed)
                self.heard[other].hear(number, mark, told, heard)

    def go_on(self, seconds, step=0.005):
        """Each takes what it wants as soon as it can, and tells the others every 50 ms, at its own times."""
        for _ in range(round(seconds / step)):
            self.now += step
            for one in [one for one in self._on_their_way if one[0] <= self.now]:
                self._on_their_way.remove(one)
                self._hear(*one[1:])
            for number, claim in enumerate(self.claims):
                while self.used[number] < self.wanted[number]:
                    if self.used[number] >= claim.claimed and not claim.grow(self.now, self.heard[number]):
                        break
                    self.used[number] += 1
                self.used[number] = min(self.used[number], self.wanted[number])
                if round(self.now / step) % round(0.05 / step) == number % round(0.05 / step):
                    if self.used[number] == self.wanted[number]:
                        claim.shrink(self.used[number])
                    mine = self.heard[number]
                    heard = mine.news()
                    if claim.claimed != self.told[number] or heard:
                        self.told[number] = claim.claimed
                        due = self.now + self.late
                        self._on_their_way.append((due, number, claim.claimed, mine.mark, mine.number, heard))
            self.most_used = max(self.most_used, sum(self.used))


def test_one_alone_gets_nearly_all_and_what_is_not_used_is_given_back():
    together = Together(100, 4, 0.01)
    together.wanted[0] = 100
    together.go_on(3)
    assert together.used[0] == 97
    together.wanted[0] = 0
    together.wanted[2] = 100
    together.go_on(6)
    assert together.used == [0, 0, 97, 0]
    together.wanted[2] = 0
    together.go_on(6)
    assert [claim.claimed for claim in together.claims] == [1] * 4


@pytest.mark.parametrize("late", [0.01, 0.15, 0.7])
def test_all_of_them_at_once_have_no_more_than_there_is_whatever_comes_and_however_late(late):
    for seed in range(2):
        chance = random.Random(seed)
        together = Together(100, 4, late)
        for _ in range(40):
            together.wanted = [chance.choice((0, 5, 30, 200)) for _ in range(4)]
            together.go_on(chance.choice((0.02, 0.2, 1)))
        # Less than one for each of them more.
        assert (90 if late < 0.1 else 60) < together.most_used <= 103


def test_where_there_is_less_than_there_are_processes_each_has_one():
    together = Together(2, 4, 0.01)
    together.wanted = [5] * 4
    together.go_on(2)
    assert together.used == [1] * 4


def test_more_is_claimed_only_when_others_have_heard_what_is_claimed():
    claim, heard = Claim(10, 5.0), Heard()
    assert not claim.grow(5.0 + FIRST_PAUSE - 0.01, heard)
    claim.heard(7, 3)
    heard.hear(7, b"other", 1, {})
    assert claim.grow(6.0, heard) and claim.claimed == 4 and heard.number == 1
    assert not claim.grow(7.0, heard)
    heard.hear(7, b"other", 2, {b"some": 1})
    assert not claim.grow(7.0, heard)
    heard.hear(7, b"other", 3, {heard.mark: 1})
    assert claim.grow(7.0, heard) and claim.claimed == 6
    # One that has stopped is not waited for for ever, and one that has gone not at all.
    assert not claim.grow(7.0 + PATIENCE - 0.1, heard) and claim.grow(7.0 + PATIENCE, heard)
    claim.gone(7)
    heard.gone(7)
    assert claim.grow(13.0, heard) and claim.claimed == 10
    assert not claim.grow(19.0, heard)
    assert not claim.shrink(10) and claim.shrink(0) and claim.claimed == 9


def test_what_was_heard_is_told_once_and_all_of_it_to_who_has_just_come():
    heard = Heard()
    assert heard.hear(7, b"other", 1, {}) and not heard.hear(7, b"other", 1, {})
    assert heard.hear(8, b"third", 4, {})
    assert heard.news() == {b"other": 1, b"third": 4} == heard.whole() and heard.news() == {}
    # Another one under its number has heard of nothing yet.
    heard.hear(7, b"other", 2, {heard.mark: heard.next()})
    heard.hear(8, b"third", 4, {heard.mark: 1})
    assert heard.by_all == 1
    assert heard.hear(7, b"new", 1, {}) and heard.by_all == 0
    heard.gone(7)
    assert heard.by_all == 1


def test_what_has_begun_elsewhere_is_claimed_as_it_is_used():
    claim = Claim(10, 5.0)
    assert claim.cover(12) and claim.claimed == 12 and not claim.cover(12)
    claim.shrink(0)
    assert claim.claimed == 11
