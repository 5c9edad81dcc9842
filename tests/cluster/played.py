"""Several processes that a test plays in one, on a clock: what they tell each other is pickled, and takes a while."""

import pickle

from twisted.internet.task import Clock

from txproxy.cluster.hub import Hub
from txproxy.cluster.membership import Membership


class Cluster:
    """Processes by their numbers, around a hub. ``delay`` is for how long a message is on its way, in seconds."""

    def __init__(self, delay=0.002):
        self.clock = Clock()
        self.delay = delay
        self.members = {}
        self.deaf = set()
        self.messages = []
        self.hub = Hub(self._send, self.clock.seconds)

    def _send(self, peers, kind, content):
        data = pickle.dumps((kind, content))
        self.messages.append((kind, len(data)))
        for peer in peers:
            if peer not in self.deaf:
                self.clock.callLater(self.delay, self._arrives, peer, data)
        return [peer for peer in peers if peer in self.deaf]

    def _arrives(self, peer, data):
        if peer in self.members:
            self.members[peer].heard(*pickle.loads(data))

    def _hears(self, peer, data):
        self.hub.heard(peer, *pickle.loads(data))

    def come(self, peer, shared, borrowers=None, busy=lambda: False):
        """One more process, which shares this, and has these who borrow."""

        def say(kind, content):
            self.clock.callLater(self.delay, self._hears, peer, pickle.dumps((kind, content)))

        self.members[peer] = member = Membership(self.clock, say, busy)
        member.follow(shared, borrowers or {})
        self.hub.join(peer)
        return member

    def die(self, peer):
        """It is gone, without a word."""
        self.members.pop(peer).end()
        self.hub.leave(peer)

    def go_on(self, seconds, step=0.001):
        """Let time pass."""
        for _ in range(round(seconds / step)):
            self.clock.advance(step)


class Told:
    """Shares a list of words, and remembers what it hears."""

    def __init__(self):
        self.words, self.got = [], []
        self.wake = None
        self.leads = None

    def say(self, word):
        """It has news."""
        self.words.append(word)
        if self.wake is not None:
            self.wake()

    def join(self, wake):
        self.wake = wake

    def part(self):
        self.wake = None

    def news(self):
        word = self.words.pop(0) if self.words else None
        return word, bool(self.words)

    def heard(self, peer, content, now):
        if content == "wrong":
            raise ValueError(content)
        self.got.append((peer, content))

    def whole(self, leads, now):
        return f"all of {'lead' if leads else 'another'}"

    def heard_whole(self, peer, content, now):
        self.got.append((peer, content))

    def gone(self, peer):
        self.got.append((peer, "gone"))

    def lead(self, leads):
        self.leads = leads
