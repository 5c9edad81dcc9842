"""How much of which bounds is lent to which process: never more than there is."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Hashable
from typing import Any, Final, TypeAlias

import attrs

# Sends something about a topic to a process; whether it has got it.
Post: TypeAlias = "Callable[[int, str, tuple[Any, ...]], bool]"

# Who does not say what it has is not waited for longer, in seconds: it has stopped, or knows nothing of this.
_PATIENCE: Final = 5.0
# Where nobody has asked for so long, each may begin its own again, in seconds.
_REST: Final = 2.0
# There are no more than so many keys, where some of them are at rest.
_MOST: Final = 8192


@attrs.define
class _Account:
    """Of one key: what each process ``has``, from whom that is still to be heard, since ``when``; who has asked for how
    many, and how many wait there for their turn.
    """

    most: int
    counting: set[int]
    when: float
    has: dict[int, int] = attrs.field(factory=dict)
    asks: deque[tuple[int, int]] = attrs.field(factory=deque)
    waits: dict[int, int] = attrs.field(factory=dict)

    @property
    def at_rest(self) -> bool:
        """Whether nobody has any of it, or wants some."""
        return not self.has and not self.asks and not self.waits and not self.counting


class Ledger:
    """Of the hub (see :mod:`txproxy.interfaces.processes.lending`); ``post`` leads to the processes.

    As long as no process needs more of a key than its own part, it hears nothing of it. The first that does has all
    tell what they have, and from then on each of them asks: so there are never more than may be.
    """

    def __init__(self, post: Post, seconds: Callable[[], float]) -> None:
        self._post = post
        self._seconds = seconds
        self._peers: set[int] = set()
        # who has heard what is asked for, and may have begun its own since, by topics
        self._begun: set[tuple[int, str]] = set()
        # by topic and key, the one that was used last at the end
        self._accounts: dict[tuple[str, Hashable], _Account] = {}

    def __len__(self) -> int:
        """For how many keys it is asked."""
        return len(self._accounts)

    def join(self, peer: int) -> None:
        """One more process; what it uses it says itself."""
        self._peers.add(peer)

    def leave(self, peer: int) -> None:
        """It has gone, and what it had is free."""
        self._peers.discard(peer)
        self._begun = {one for one in self._begun if one[0] != peer}
        for place in list(self._accounts):
            self._forget(peer, *place)

    def heard(self, peer: int, topic: str, content: tuple[Any, ...]) -> None:
        """What a process says."""
        verb, *words = content
        if verb == "begin":
            self._begin(peer, topic)
        elif verb == "drop":
            self._begun.discard((peer, topic))
            for place in [place for place in self._accounts if place[0] == topic]:
                self._forget(peer, *place)
        elif verb == "ask":
            self._ask(peer, topic, *words)
        elif verb == "waits":
            self._wait(peer, topic, *words)
        else:
            key, *counts = words
            account = self._accounts.get((topic, key))
            if account is None:
                return
            if verb == "has":
                account.counting.discard(peer)
                # What was lent to it since it was asked is not in that.
                _set(account.has, peer, account.has.get(peer, 0) + counts[0])
            elif verb == "back":
                _set(account.has, peer, account.has.get(peer, 0) - counts[0])
                _set(account.waits, peer, counts[1])
            self._serve(topic, key, account)

    def _begin(self, peer: int, topic: str) -> None:
        if (peer, topic) in self._begun:
            return
        keys = []
        for (name, key), account in self._accounts.items():
            if name == topic:
                # Until it hears this, it has begun none.
                account.counting.discard(peer)
                keys.append(key)
        if self._post(peer, topic, ("known", keys)):
            self._begun.add((peer, topic))

    def _ask(self, peer: int, topic: str, key: Hashable, most: int, own: int, count: int) -> None:
        now, place = self._seconds(), (topic, key)
        account = self._accounts.pop(place, None)
        if account is not None and own and account.at_rest and now - account.when >= _REST:
            # Who asks begins by itself now, or asks anew.
            self._all(self._peers, topic, ("free", key))
            return
        if account is None:
            account = self._new(topic, key, most)
        elif account.counting and now - account.when >= _PATIENCE:
            account.counting.clear()
        self._accounts[place] = account
        account.most = most
        account.asks.append((peer, count))
        self._serve(topic, key, account)

    def _wait(self, peer: int, topic: str, key: Hashable, most: int, waiting: int) -> None:
        account = self._accounts.get((topic, key))
        if account is None:
            if not waiting:
                return
            account = self._new(topic, key, most)
        account.most = most
        _set(account.waits, peer, waiting)
        self._serve(topic, key, account)

    def _new(self, topic: str, key: Hashable, most: int) -> _Account:
        """One of which all have to say what they have."""
        self._make_room()
        account = self._accounts[topic, key] = _Account(most, set(self._peers), self._seconds())
        self._all(self._peers, topic, ("count", key))
        return account

    def _serve(self, topic: str, key: Hashable, account: _Account) -> None:
        """Lend what there is: those who wait come before those who have just come."""
        if account.counting:
            return
        free = account.most - sum(account.has.values())
        while free > 0 and account.waits:
            # Each process has its turn.
            peer = next(iter(account.waits))
            left = account.waits.pop(peer)
            if self._post(peer, topic, ("turn", key)):
                account.has[peer] = account.has.get(peer, 0) + 1
                _set(account.waits, peer, left - 1)
                free -= 1
        asks, account.asks = account.asks, deque()
        for peer, count in asks:
            lent = max(0, min(count, free)) if not account.waits else 0
            if self._post(peer, topic, ("answer", key, lent, count - lent)) and lent:
                account.has[peer] = account.has.get(peer, 0) + lent
                free -= lent
        account.when = self._seconds()

    def _forget(self, peer: int, topic: str, key: Hashable) -> None:
        account = self._accounts.get((topic, key))
        if account is None:
            return
        account.counting.discard(peer)
        account.has.pop(peer, None)
        account.waits.pop(peer, None)
        account.asks = deque(ask for ask in account.asks if ask[0] != peer)
        self._serve(topic, key, account)

    def _make_room(self) -> None:
        if len(self._accounts) >= _MOST:
            place = next((place for place, account in self._accounts.items() if account.at_rest), None)
            if place is not None:
                del self._accounts[place]
                self._all(self._peers, place[0], ("free", place[1]))

    def _all(self, peers: Collection[int], topic: str, content: tuple[Any, ...]) -> None:
        for peer in list(peers):
            self._post(peer, topic, content)


def _set(counts: dict[int, int], peer: int, count: int) -> None:
    if count > 0:
        counts[peer] = count
    else:
        counts.pop(peer, None)
