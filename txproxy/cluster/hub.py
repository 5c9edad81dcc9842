"""Where several processes meet: what one tells goes to all others, and each learns who comes, who goes and who leads.

It knows nothing of what they tell, and keeps none of it, but for what it lends (:mod:`txproxy.cluster.ledger`): the
processes go on without it as well as they can.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable
from typing import Any, TypeAlias

from txproxy.cluster.ledger import Ledger

# Sends a kind and a content to each of several. Gives those who have not read what they were sent before: they have
# not got this.
Send: TypeAlias = "Callable[[Collection[int], str, Any], Collection[int]]"


class Hub:
    """For any number of peers, each of which has a number that no other has at the time. ``send`` leads to them."""

    def __init__(self, send: Send, seconds: Callable[[], float] = time.monotonic) -> None:
        self._send = send
        self.ledger = Ledger(self._post, seconds)
        # in the order in which they have come
        self._peers: dict[int, None] = {}
        # those that finish and go
        self._retired: set[int] = set()
        # those that have missed something, each with who has gone meanwhile, and who has come, or wants to be told all
        self._behind: dict[int, dict[tuple[str, int], None]] = {}
        self._lead: int | None = None
        # those that were told last that they lead
        self._leading: set[int] = set()

    @property
    def lead(self) -> int | None:
        """Who does what is to be done once."""
        return self._lead

    def join(self, peer: int) -> None:
        """One more. All others tell it what it has to know."""
        self._tell(self._others(peer), "joined", peer)
        self._peers[peer] = None
        self.ledger.join(peer)
        self._send([peer], "welcome", None)
        self._choose()

    def retire(self, peer: int) -> None:
        """It finishes what it has, and goes: another one leads."""
        if peer in self._peers:
            self._retired.add(peer)
            self._choose()

    def leave(self, peer: int) -> None:
        """It has gone."""
        if peer not in self._peers:
            return
        del self._peers[peer]
        self._retired.discard(peer)
        self._leading.discard(peer)
        self._behind.pop(peer, None)
        if self._lead == peer:
            self._lead = None
        for missed in self._behind.values():
            missed.pop(("joined", peer), None)
        self._tell(self._others(peer), "gone", peer)
        self.ledger.leave(peer)
        self._choose()

    def heard(self, peer: int, kind: str, content: Any) -> None:
        """What one of them says: ``news`` for all others, the ``whole`` for one, or that it is to be told all
        ``again``.
        """
        if peer not in self._peers:
            return
        if peer in self._behind:
            # It speaks, and so it reads.
            self.reads(peer)
        if kind == "news":
            self._tell(self._others(peer), "news", (peer, content))
        elif kind == "loan":
            self.ledger.heard(peer, *content)
        elif kind == "again":
            self._tell(self._others(peer), "joined", peer)
        elif kind == "whole":
            to, whole = content
            if to in self._peers:
                self._tell([to], "whole", (peer, whole))

    def reads(self, peer: int) -> None:
        """It has read what it was sent. What it has missed is who has gone, who is to hear all from it, and what it
        would be told if it had just come: it need not say anything to hear of it, as nobody else knows that it has
        missed something.
        """
        missed = self._behind.pop(peer, None)
        while missed:
            kind, other = next(iter(missed))
            if self._send([peer], kind, other):
                self._behind[peer] = missed
                return
            del missed[kind, other]
        if missed is not None:
            # Before it leads again: much of it is told by the one who leads now.
            self._tell(self._others(peer), "joined", peer)
            self._choose()

    def _others(self, peer: int) -> list[int]:
        return [other for other in self._peers if other != peer]

    def _tell(self, peers: Iterable[int], kind: str, content: Any) -> None:
        # Who has missed something need not hear the rest of it: it is told all at once later.
        told = [*peers]
        able = [peer for peer in told if peer not in self._behind]
        late = self._send(able, kind, content) if able else ()
        self._behind.update((peer, {}) for peer in late)
        if kind in ("joined", "gone"):
            for peer in told:
                if peer in self._behind:
                    self._behind[peer][kind, content] = None
        if late:
            self._choose()

    def _post(self, peer: int, topic: str, content: tuple[Any, ...]) -> bool:
        return not self._send([peer], "loan", (topic, content))

    def _choose(self) -> None:
        """The one that has been there longest, of those that stay and hear what is said; each is told whether it is
        that one, once it hears.
        """
        staying = [peer for peer in self._peers if peer not in self._retired]
        able = (peer for peer in staying if peer not in self._behind)
        self._lead = next(able, next(iter(staying), None))
        for peer in (*self._leading, self._lead):
            leads = peer == self._lead
            if peer is None or peer in self._behind or leads == (peer in self._leading):
                continue
            if self._send([peer], "lead", leads):
                self._behind[peer] = {}
                # Another one may have to lead in its place.
                self._choose()
                return
            (self._leading.add if leads else self._leading.discard)(peer)
