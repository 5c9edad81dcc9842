"""What the hub lends: never more than there is, to whoever has waited longest."""

import pytest

from txproxy.cluster import ledger
from txproxy.cluster.ledger import Ledger


class Lender:
    """A ledger for processes that only say what a test has them say."""

    def __init__(self, peers=3):
        self.now = 0.0
        self.sent, self.deaf = [], set()
        self.ledger = Ledger(self.post, lambda: self.now)
        for peer in range(peers):
            self.ledger.join(peer)

    def post(self, peer, topic, content):
        if peer in self.deaf:
            return False
        self.sent.append((peer, content))
        return True

    def hears(self, peer, *content):
        """What it answers to that, to each."""
        self.sent.clear()
        self.ledger.heard(peer, "t", content)
        return list(self.sent)


@pytest.fixture
def lender():
    return Lender()


@pytest.fixture
def counted(lender):
    """One of which 3 of 4 are at work, two of them at process 0."""
    lender.hears(0, "ask", "k", 4, 1, 0)
    for peer, has in enumerate((2, 1, 0)):
        lender.hears(peer, "has", "k", has)
    return lender


def test_nothing_is_lent_before_all_have_said_what_they_have(lender):
    assert lender.hears(2, "ask", "k", 4, 1, 1) == [(peer, ("count", "k")) for peer in range(3)]
    assert lender.hears(0, "has", "k", 1) == [] and lender.hears(1, "has", "k", 2) == []
    assert lender.hears(2, "has", "k", 0) == [(2, ("answer", "k", 1, 0))]


def test_what_there_is_not_is_refused_at_once(counted):
    assert counted.hears(1, "ask", "k", 4, 1, 3) == [(1, ("answer", "k", 1, 2))]
    assert counted.hears(2, "ask", "k", 4, 1, 1) == [(2, ("answer", "k", 0, 1))]
    assert counted.hears(0, "back", "k", 1, 0) == []
    assert counted.hears(2, "ask", "k", 4, 1, 1) == [(2, ("answer", "k", 1, 0))]


def test_who_waits_comes_before_who_has_just_come_and_in_turns(counted):
    counted.hears(2, "ask", "k", 4, 1, 1)
    counted.hears(1, "waits", "k", 4, 2)
    counted.hears(2, "waits", "k", 4, 1)
    assert counted.hears(0, "ask", "k", 4, 1, 1) == [(0, ("answer", "k", 0, 1))]
    assert counted.hears(0, "back", "k", 2, 0) == [(1, ("turn", "k")), (2, ("turn", "k"))]
    assert counted.hears(2, "back", "k", 1, 0) == [(1, ("turn", "k"))]


def test_what_a_process_had_that_is_gone_is_free(counted):
    counted.hears(1, "ask", "k", 4, 1, 1)
    counted.hears(2, "waits", "k", 4, 3)
    counted.sent.clear()
    counted.ledger.leave(1)
    assert counted.sent == [(2, ("turn", "k"))] * 2


def test_one_that_does_not_say_what_it_has_is_not_waited_for_for_ever(lender):
    lender.hears(0, "ask", "k", 4, 1, 1)
    lender.hears(0, "has", "k", 0)
    lender.now = 5.1
    # The first may have given up: what it does not want comes back.
    assert lender.hears(1, "ask", "k", 4, 1, 1) == [(0, ("answer", "k", 1, 0)), (1, ("answer", "k", 1, 0))]


def test_one_that_reads_nothing_has_been_lent_nothing(counted):
    counted.deaf.add(2)
    assert counted.hears(2, "ask", "k", 4, 1, 1) == []
    assert counted.hears(1, "ask", "k", 4, 1, 1) == [(1, ("answer", "k", 1, 0))]
    counted.hears(2, "waits", "k", 4, 1)
    counted.hears(0, "waits", "k", 4, 1)
    assert counted.hears(1, "back", "k", 1, 0) == [(0, ("turn", "k"))]


def test_after_a_rest_each_may_begin_its_own_again(counted):
    for peer, has in enumerate((2, 1)):
        counted.hears(peer, "back", "k", has, 0)
    counted.now = 1.0
    assert counted.hears(0, "ask", "k", 4, 1, 1) == [(0, ("answer", "k", 1, 0))]
    counted.hears(0, "back", "k", 1, 0)
    counted.now = 4.0
    assert counted.hears(0, "ask", "k", 4, 1, 1) == [(peer, ("free", "k")) for peer in range(3)]
    assert not len(counted.ledger)
    # Where nobody has any of its own, there is nothing to begin.
    counted.hears(0, "ask", "k", 1, 0, 0)
    for peer in range(3):
        counted.hears(peer, "has", "k", 0)
    counted.now = 8.0
    assert counted.hears(0, "ask", "k", 1, 0, 1) == [(0, ("answer", "k", 1, 0))]


def test_who_comes_later_hears_what_is_asked_for_and_holds_up_nobody(lender):
    lender.hears(0, "ask", "k", 4, 1, 1)
    lender.ledger.join(3)
    lender.ledger.heard(1, "other", ("ask", "x", 1, 0, 1))
    assert lender.hears(3, "begin") == [(3, ("known", ["k"]))]
    for peer in range(2):
        lender.hears(peer, "has", "k", 0)
    assert lender.hears(2, "has", "k", 0) == [(0, ("answer", "k", 1, 0))]


def test_who_has_no_use_for_it_any_more_has_none(counted):
    counted.hears(2, "waits", "k", 4, 9)
    assert counted.hears(0, "drop") == [(2, ("turn", "k"))] * 2


def test_keys_are_bounded_where_some_of_them_rest(lender, monkeypatch):
    monkeypatch.setattr(ledger, "_MOST", 3)
    for number in range(3):
        lender.hears(0, "ask", number, 4, 1, 1)
        for peer in range(3):
            lender.hears(peer, "has", number, 0)
    lender.hears(0, "back", 1, 1, 0)
    assert (2, ("free", 1)) in lender.hears(0, "ask", 3, 4, 1, 1)
    assert len(lender.ledger) == 3


def test_those_who_wait_are_known_where_nobody_has_asked_before(lender):
    """As with a hub that takes the place of another."""
    assert lender.hears(0, "waits", "k", 1, 0) == []
    assert lender.hears(0, "waits", "k", 1, 3) == [(peer, ("count", "k")) for peer in range(3)]
    for peer in range(2):
        lender.hears(peer, "has", "k", 0)
    assert lender.hears(2, "has", "k", 0) == [(0, ("turn", "k"))]


def test_one_that_says_twice_that_it_begins_has_begun_by_then(lender):
    assert lender.hears(0, "begin") == [(0, ("known", []))]
    lender.hears(1, "ask", "k", 4, 1, 1)
    assert lender.hears(0, "begin") == []
    for peer in (1, 2):
        lender.hears(peer, "has", "k", 0)
    assert lender.hears(0, "has", "k", 1) == [(1, ("answer", "k", 1, 0))]


def test_what_is_said_of_what_it_has_forgotten_is_nothing_to_it(lender):
    assert lender.hears(0, "has", "gone", 3) == [] and lender.hears(0, "back", "gone", 1, 0) == []
    assert len(lender.ledger) == 0
