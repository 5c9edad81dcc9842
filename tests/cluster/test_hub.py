"""The hub: who is told what, and who leads."""

import pytest

from txproxy.cluster.hub import Hub


class Sent:
    """What a hub has sent, to whom; who is in ``deaf`` does not get it."""

    def __init__(self):
        self.all, self.deaf = [], set()
        self.hub = Hub(self.send)

    def send(self, peers, kind, content):
        self.all += [(peer, kind, content) for peer in peers if peer not in self.deaf]
        return [peer for peer in peers if peer in self.deaf]

    def since(self):
        """What was sent since this was asked last."""
        sent, self.all = self.all, []
        return sent


@pytest.fixture
def sent():
    made = Sent()
    for peer in (1, 2, 3):
        made.hub.join(peer)
    return made


def test_the_first_one_leads_and_the_others_hear_who_comes(sent):
    welcomed, told = [], []
    for peer, kind, content in sent.since():
        (welcomed if kind == "welcome" else told).append((peer, kind, content))
    assert welcomed == [(peer, "welcome", None) for peer in (1, 2, 3)]
    assert told == [(1, "lead", True), (1, "joined", 2), (1, "joined", 3), (2, "joined", 3)]
    assert sent.hub.lead == 1


def test_news_is_for_all_others_and_the_whole_for_one(sent):
    sent.since()
    sent.hub.heard(2, "news", "new")
    assert sent.since() == [(1, "news", (2, "new")), (3, "news", (2, "new"))]
    sent.hub.heard(1, "whole", (3, "all"))
    sent.hub.heard(1, "whole", (4, "all"))
    sent.hub.heard(3, "again", None)
    assert sent.all[1:] == [(1, "joined", 3), (2, "joined", 3)]
    del sent.all[1:]
    sent.hub.heard(4, "news", "of somebody who has gone")
    assert sent.since() == [(3, "whole", (1, "all"))]


def test_when_the_lead_ends_the_next_one_leads(sent):
    sent.since()
    sent.hub.leave(1)
    sent.hub.leave(1)
    assert sent.since() == [(2, "gone", 1), (3, "gone", 1), (2, "lead", True)]
    # Who has come again is not first.
    sent.hub.join(1)
    assert sent.hub.lead == 2


def test_who_finishes_and_goes_leads_no_more_but_still_hears(sent):
    sent.since()
    sent.hub.retire(1)
    assert sent.since() == [(1, "lead", False), (2, "lead", True)]
    sent.hub.heard(3, "news", "new")
    assert sent.since() == [(1, "news", (3, "new")), (2, "news", (3, "new"))]
    sent.hub.retire(2)
    sent.hub.retire(3)
    assert sent.hub.lead is None
    sent.hub.retire(7)
    sent.hub.join(7)
    assert sent.hub.lead == 7


def test_who_does_not_read_is_told_all_once_it_speaks_again(sent):
    sent.deaf.add(2)
    sent.hub.heard(1, "news", "one")
    sent.hub.heard(1, "news", "two")
    sent.deaf.clear()
    sent.since()
    # It has missed something, and the rest of it would make no sense.
    sent.hub.heard(1, "news", "three")
    assert sent.since() == [(3, "news", (1, "three"))]
    sent.hub.heard(2, "news", "new")
    assert sent.since() == [(1, "joined", 2), (3, "joined", 2), (1, "news", (2, "new")), (3, "news", (2, "new"))]
    sent.hub.heard(1, "news", "four")
    assert (2, "news", (1, "four")) in sent.since()


def test_who_reads_again_is_told_all_though_it_says_nothing(sent):
    sent.deaf.add(3)
    sent.hub.heard(1, "news", "one")
    sent.since()
    sent.hub.reads(2)
    assert not sent.since()
    sent.deaf.clear()
    sent.hub.reads(3)
    assert sent.since() == [(1, "joined", 3), (2, "joined", 3)]
    sent.hub.reads(3)
    assert not sent.since()
    sent.hub.heard(1, "news", "two")
    assert (3, "news", (1, "two")) in sent.since()


def test_who_reads_again_hears_who_has_gone_meanwhile(sent):
    sent.hub.join(4)
    sent.deaf.add(4)
    # The one is the first that it does not hear of, and the other comes after that.
    sent.hub.leave(2)
    sent.hub.leave(3)
    sent.since()
    sent.hub.reads(4)
    assert not sent.since()
    sent.deaf.clear()
    sent.hub.reads(4)
    assert sent.since() == [(4, "gone", 2), (4, "gone", 3), (1, "joined", 4)]


def test_who_reads_again_tells_all_to_those_that_have_come_meanwhile(sent):
    sent.deaf.add(2)
    sent.hub.heard(1, "news", "one")
    sent.hub.join(4)
    sent.hub.join(5)
    sent.hub.leave(5)
    sent.since()
    sent.deaf.clear()
    sent.hub.reads(2)
    assert sent.since() == [(2, "joined", 4), (2, "gone", 5), *((peer, "joined", 2) for peer in (1, 3, 4))]


def test_of_two_that_have_missed_something_each_is_told_all_by_the_other(sent):
    sent.deaf |= {2, 3}
    sent.hub.heard(1, "news", "one")
    sent.since()
    sent.deaf.clear()
    sent.hub.reads(2)
    assert sent.since() == [(1, "joined", 2)]
    sent.hub.reads(3)
    assert sent.since() == [(3, "joined", 2), (1, "joined", 3), (2, "joined", 3)]


def test_who_does_not_read_does_not_lead_meanwhile(sent):
    sent.since()
    sent.deaf.add(1)
    sent.hub.heard(2, "news", "one")
    assert sent.hub.lead == 2
    assert sent.since() == [(3, "news", (2, "one")), (2, "lead", True)]
    sent.deaf.clear()
    sent.hub.reads(1)
    # What the one who leads has to tell is asked for while that is another one, which does not think so for longer.
    assert sent.since() == [(2, "joined", 1), (3, "joined", 1), (2, "lead", False)]
    assert sent.hub.lead == 1


def test_who_does_not_read_that_it_leads_hears_of_it_later(sent):
    sent.since()
    sent.deaf |= {2, 3}
    sent.hub.leave(1)
    assert sent.hub.lead == 2 and not sent.since()
    sent.deaf.clear()
    sent.hub.reads(3)
    assert sent.hub.lead == 3
    assert sent.since() == [(3, "gone", 1), (3, "lead", True)]
    sent.hub.reads(2)
    assert sent.hub.lead == 2
    missed = [(2, "gone", 1), (2, "joined", 3)]
    assert sent.since() == [*missed, (3, "joined", 2), (3, "lead", False), (2, "lead", True)]


def test_what_is_lent_is_for_who_has_asked_alone(sent):
    sent.since()
    sent.hub.heard(2, "loan", ("at work", ("ask", "a", 4, 1, 1)))
    assert sent.since() == [(peer, "loan", ("at work", ("count", "a"))) for peer in (1, 2, 3)]
    for peer in (1, 2):
        sent.hub.heard(peer, "loan", ("at work", ("has", "a", 1)))
    sent.hub.leave(3)
    assert (2, "loan", ("at work", ("answer", "a", 1, 0))) in sent.since()
