"""What is said of loans: both sides speak the words that are written down, and no others."""

import random
import re

import pytest

from txproxy.cluster.ledger import Ledger
from txproxy.interfaces.processes import lending
from txproxy.limits.requests.lent_slots import LentSlots

MOST = 5
_WORD = re.compile(r'``\("(\w+)",?((?: ?\w+,?)*)\)``')


def words(text):
    """Those of which ``text`` tells, each with the names of what follows."""
    return {verb: tuple(re.findall(r"\w+", rest)) for verb, rest in _WORD.findall(text)}


class World:
    """A hub and its processes, of which each hears what was said to it in order, when it is let."""

    def __init__(self, processes):
        self.now = 0.0
        self.said = {"hub": {}, "process": {}}
        self.waiting = []
        self.ledger = Ledger(self.post, lambda: self.now)
        self.slots, self.work = [], []
        for number in range(processes):
            slots = LentSlots(MOST, 3, lambda: self.now)
            slots.of_processes(processes)
            slots.on_turn = self.work.append
            slots.on_refusal = slots.wait
            self.slots.append(slots)
            self.ledger.join(number)
            self.borrow(number)

    def borrow(self, number):
        self.slots[number].borrow(lambda content: self.send("process", number, content))

    def post(self, peer, topic, content):
        self.send("hub", peer, content)
        return True

    def send(self, who, number, content):
        self.said[who].setdefault(content[0], set()).add(len(content) - 1)
        self.waiting.append((who, number, content))

    def deliver(self):
        while self.waiting:
            who, number, content = self.waiting.pop(0)
            if who == "process":
                self.ledger.heard(number, "t", content)
            else:
                self.slots[number].told(content)

    def ask(self, number):
        """A request comes: at once, by a loan, or it waits."""
        slots, who = self.slots[number], (number, object())
        if slots.enter("k"):
            self.work.append(who)
        elif not slots.ask("k", who):
            slots.wait("k", who)

    def end(self, who):
        self.work.remove(who)
        following = self.slots[who[0]].leave("k")
        if following is not None:
            self.work.append(following)

    def rest(self):
        """All that is at work ends, and what follows it."""
        self.deliver()
        while self.work:
            self.end(self.work[0])
            self.deliver()


@pytest.fixture(scope="module")
def world():
    """Three processes that want more than there is, for a while; one leaves them, and comes again."""
    chance, world = random.Random(7), World(3)
    world.deliver()
    for turn in range(600):
        world.now += 0.02
        if turn == 300:
            world.rest()
            world.slots[2].part()
            world.deliver()
            world.borrow(2)
        if chance.random() < 0.6:
            world.ask(chance.randrange(3))
        elif world.work:
            world.end(chance.choice(world.work))
        if chance.random() < 0.7:
            world.deliver()
        assert len(world.work) <= MOST
    world.rest()
    # Nobody has asked for long: who does so now begins his own again.
    world.now += 10
    for number in (0, 0, 0):
        world.ask(number)
        world.deliver()
    return world


def test_both_sides_say_what_is_written_down_and_nothing_else(world):
    told = words(lending.__doc__)
    said = {verb: counts for side in world.said.values() for verb, counts in side.items()}
    assert said == {verb: {len(rest)} for verb, rest in told.items()}


def test_each_word_is_one_sides(world):
    assert not world.said["hub"].keys() & world.said["process"].keys()
    assert world.said["hub"].keys() == {"known", "count", "answer", "turn", "free"}


def test_who_borrows_can_do_what_a_borrower_has_to(world):
    for name in ("borrow", "told", "part"):
        assert callable(getattr(lending.Borrower, name)) and callable(getattr(world.slots[0], name))
