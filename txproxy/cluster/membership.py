"""One of several processes: tells the others what is new of what they share, and hears of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias

from twisted.logger import Logger

from txproxy.interfaces.processes.lending import Borrower
from txproxy.interfaces.processes.sharing import Shared

_log = Logger()
# News is told so many seconds after the first of it: so much is what others may not know yet.
EVERY: Final = 0.05
# Says something to the hub: a kind, and a content.
Say: TypeAlias = "Callable[[str, Any], None]"
_NO_BORROWERS: Final[Mapping[str, Borrower]] = {}


class Membership:
    """Of this process; ``say`` leads to the hub, which is ``busy`` while it has not read what it was told before.
    ``clock`` is the reactor, or like one. Where nothing is shared, or nothing is new, nothing is done.
    """

    def __init__(self, clock: Any, say: Say, busy: Callable[[], bool]) -> None:
        self._clock = clock
        self._say = say
        self._busy = busy
        self._shared: dict[str, Shared] = {}
        # the topics of which there is news
        self._awake: dict[str, None] = {}
        self._timer: Any = None
        self._borrowers: dict[str, Borrower] = {}
        self._peers: set[int] = set()
        self._leads = False
        self._alone = False

    def follow(self, shared: Mapping[str, Shared], borrowers: Mapping[str, Borrower] = _NO_BORROWERS) -> None:
        """What is shared from now on, each by a topic that all processes have for it, and who borrows from the hub.
        What was shared before, by the same topic, goes on.
        """
        self._lend(borrowers)
        before, self._shared = self._shared, dict(shared)
        for topic, one in before.items():
            if self._shared.get(topic) is not one:
                one.part()
                self._awake.pop(topic, None)
        new = {topic: one for topic, one in self._shared.items() if before.get(topic) is not one}
        for topic, one in new.items():
            if not self._alone:
                one.join(partial(self._wake, topic))
            one.lead(self._leads)
        if new and self._peers:
            # They have told their parts to what was there before.
            self._say("again", None)

    def _lend(self, borrowers: Mapping[str, Borrower]) -> None:
        before, self._borrowers = self._borrowers, dict(borrowers)
        for topic, one in before.items():
            if self._borrowers.get(topic) is not one:
                one.part()
        for topic, one in self._borrowers.items():
            if before.get(topic) is not one and not self._alone:
                one.borrow(partial(self._say_of, topic))

    def _say_of(self, topic: str, content: tuple[Any, ...]) -> None:
        self._say("loan", (topic, content))

    def _wake(self, topic: str) -> None:
        self._awake[topic] = None
        if self._timer is None:
            self._timer = self._clock.callLater(EVERY, self._tell)

    def _tell(self) -> None:
        self._timer = None
        if self._busy():
            # What is new is kept until it can be told.
            self._timer = self._clock.callLater(EVERY, self._tell)
            return
        awake, self._awake = self._awake, {}
        news = {}
        for topic in awake:
            content, more = self._shared[topic].news()
            if content is not None:
                news[topic] = content
            if more:
                self._wake(topic)
        if news:
            self._say("news", news)

    def heard(self, kind: str, content: Any) -> None:
        """What the hub says."""
        if kind == "joined":
            self._peers.add(content)
            now = self._clock.seconds()
            found = ((topic, one.whole(self._leads, now)) for topic, one in self._shared.items())
            whole = {topic: told for topic, told in found if told is not None}
            if whole:
                self._say("whole", (content, whole))
        elif kind == "gone":
            self._peers.discard(content)
            for one in self._shared.values():
                one.gone(content)
        elif kind == "welcome":
            for topic, borrower in self._borrowers.items():
                borrower.borrow(partial(self._say_of, topic))
        elif kind == "loan":
            self._told_of_loan(*content)
        elif kind == "lead":
            self._lead(content)
        elif kind in ("news", "whole"):
            peer, told = content
            self._peers.add(peer)
            self._take(peer, told, whole=kind == "whole")

    def _told_of_loan(self, topic: str, content: tuple[Any, ...]) -> None:
        one = self._borrowers.get(topic)
        if one is not None:
            one.told(content)
        elif content[0] == "count":
            # Of what is not configured here, nobody has any.
            self._say_of(topic, ("has", content[1], 0))

    def _take(self, peer: int, told: Mapping[str, Any], whole: bool) -> None:
        now = self._clock.seconds()
        for topic, content in told.items():
            one = self._shared.get(topic)
            if one is None:
                # The other has a newer configuration, or an older one.
                continue
            try:
                (one.heard_whole if whole else one.heard)(peer, content, now)
            except Exception:
                # The other may be another version of the program. What this one serves by itself goes on.
                _log.failure("what another process has told of {topic} is not understood", topic=topic)

    def _lead(self, leads: bool) -> None:
        self._leads = leads
        for one in self._shared.values():
            one.lead(leads)

    def alone(self) -> None:
        """There is no hub any more: this process does all for itself."""
        self._alone = True
        peers, self._peers = self._peers, set()
        for one in self._shared.values():
            for peer in peers:
                one.gone(peer)
            one.part()
        for borrower in self._borrowers.values():
            borrower.part()
        self._lead(True)
        self._rest()

    def end(self) -> None:
        """Tell nobody any more."""
        self.follow({})
        self._rest()

    def _rest(self) -> None:
        self._awake.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
