"""How many of a key are at work at once in several processes together, and never more than may be."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from typing import Any, Final, TypeVar

from txproxy.interfaces.processes.lending import SayLoan
from txproxy.limits.requests.slots import Slots

W = TypeVar("W")

# A hub that does not answer for so long has stopped, in seconds.
PATIENCE: Final = 0.5
# Where it has none, it is not asked again for so long, in seconds: those who are many too many cost nobody much.
_PAUSE: Final = 0.01
# Of so many keys it is known when that was.
_MOST_REFUSED: Final = 4096


class LentSlots(Slots[W]):
    """See :class:`txproxy.limits.requests.slots.Slots` and :class:`txproxy.interfaces.processes.lending.Borrower`.

    Of each key a process may have its own part, which asks nobody. Who wants more asks the hub (:meth:`ask`), and from
    then on all processes do for each of that key: it lends what there is, and whoever waits, wherever that is, has its
    turn. ``on_turn`` is called with who is at work now, and ``on_refusal`` with a key and who got none.

    Where there is no hub, a process has its own part, and one at least. ``seconds`` is a clock.
    """

    __slots__ = ("on_turn", "on_refusal", "_seconds", "_say", "_own", "_known", "_lent", "_asking", "_refused")

    def __init__(self, most: int, queue: int, seconds: Callable[[], float]) -> None:
        super().__init__(most, queue)
        self._seconds = seconds
        self.on_turn: Callable[[W], None] = lambda who: None
        self.on_refusal: Callable[[Hashable, W], None] = lambda key, who: None
        self._say: SayLoan | None = None
        # whether the hub has said which keys are asked for
        self._known = False
        # of those: how many it has lent
        self._lent: dict[Hashable, int] = {}
        # who has no answer yet
        self._asking: dict[Hashable, deque[W]] = {}
        # when it had none
        self._refused: dict[Hashable, float] = {}
        self._own = most

    def of_processes(self, count: int) -> None:
        """They are those of so many processes together."""
        self._own = self.most // count

    def enter(self, key: Hashable, over: bool = False) -> bool:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        if not over and (self._running.get(key, 0) >= self._may(key) or key in self._asking or key in self._waiting):
            return False
        self._begin(key)
        return True

    def _may(self, key: Hashable) -> int:
        lent = self._lent.get(key)
        if lent is not None:
            return lent
        if self._say is not None:
            return self._own if self._known else 0
        return max(1, self._own)

    def _begin(self, key: Hashable) -> None:
        self._running[key] = self._running.get(key, 0) + 1
        self.running += 1

    def ask(self, key: Hashable, who: W) -> bool:
        """``who`` may begin if the hub lends one; whether that is to be seen."""
        if self._say is None or key in self._waiting:
            return False
        if key in self._refused:
            if self._seconds() - self._refused[key] < _PAUSE:
                return False
            del self._refused[key]
        asking = self._asking.get(key)
        if asking is None:
            asking = self._asking[key] = deque()
        elif len(asking) + self._running.get(key, 0) >= self.most:
            # So many there cannot be.
            return False
        asking.append(who)
        if self._known:
            self._say(("ask", key, self.most, self._own, 1))
        return True

    def give_up(self, key: Hashable, who: W) -> None:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        asking = self._asking.get(key)
        if asking is not None and who in asking:
            # What is answered for it goes back.
            asking.remove(who)
            if not asking:
                del self._asking[key]
            return
        super().give_up(key, who)
        self._tell_waiting(key)

    def wait(self, key: Hashable, who: W) -> W | None:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        gone = super().wait(key, who)
        if gone is None:
            # Where another one has gone for it, as many wait as before.
            self._tell_waiting(key)
        return gone

    def _tell_waiting(self, key: Hashable) -> None:
        if self._say is not None:
            self._say(("waits", key, self.most, len(self._waiting.get(key, ()))))

    def leave(self, key: Hashable) -> W | None:
        """See :class:`txproxy.limits.requests.slots.Slots`."""
        running = self._running[key] - 1
        self.running -= 1
        if running:
            self._running[key] = running
        else:
            del self._running[key]
        lent = self._lent.get(key)
        if lent is None:
            return self._next(key)
        if lent > running:
            self._lent[key] = running
            self._give_back(key, lent - running)
        return None

    def _give_back(self, key: Hashable, count: int) -> None:
        if self._say is not None:
            self._say(("back", key, count, len(self._waiting.get(key, ()))))

    def _next(self, key: Hashable) -> W | None:
        """Who has waited and is at work now, if there is room for one."""
        waiting = self._waiting.get(key)
        if not waiting or self._running.get(key, 0) >= self._may(key):
            return None
        self._begin(key)
        return self._following(key, waiting)

    # -- what the hub says

    def borrow(self, say: SayLoan) -> None:
        """See :class:`txproxy.interfaces.processes.lending.Borrower`."""
        self._say = say
        if not self._known:
            say(("begin",))
        else:
            # It may be another hub, which knows of nobody who waits.
            for key, asking in self._asking.items():
                say(("ask", key, self.most, self._own, len(asking)))
            self._tell_of_all_who_wait()

    def _tell_of_all_who_wait(self) -> None:
        for key in self._waiting:
            self._tell_waiting(key)

    def told(self, content: tuple[Any, ...]) -> None:
        """See :class:`txproxy.interfaces.processes.lending.Borrower`."""
        verb, key, *counts = content
        if verb == "known":
            self._begin_to_ask(key)
        elif verb == "count":
            self._lent[key] = running = self._running.get(key, 0)
            if self._say is not None:
                self._say(("has", key, running))
                if key in self._waiting:
                    self._tell_waiting(key)
        elif verb == "answer":
            self._answered(key, *counts)
        elif verb == "turn":
            self._get(key, 1, first=self._waiting)
        elif verb == "free":
            self._set_free(key)

    def _begin_to_ask(self, keys: list[Hashable]) -> None:
        if self._known or self._say is None:
            return
        self._known = True
        for key in keys:
            if key in self._lent:
                # It was asked for that, and has said it.
                continue
            self._lent[key] = running = self._running.get(key, 0)
            if running:
                self._say(("has", key, running))
        # What was said before it knew this process it has not heard.
        self._tell_of_all_who_wait()
        for key in list(self._asking):
            self._try_again(key)

    def _answered(self, key: Hashable, lent: int, refused: int) -> None:
        self._get(key, lent, first=self._asking)
        if refused:
            if len(self._refused) >= _MOST_REFUSED:
                self._refused.clear()
            self._refused[key] = self._seconds()
        for _ in range(refused):
            asking = self._asking.get(key)
            if not asking:
                return
            self.on_refusal(key, self._taken(key, asking))

    def _taken(self, key: Hashable, asking: deque[W]) -> W:
        who = asking.popleft()
        if not asking:
            del self._asking[key]
        return who

    def _get(self, key: Hashable, count: int, first: dict[Hashable, deque[W]]) -> None:
        """So many more may begin."""
        if not count:
            return
        self._refused.pop(key, None)
        self._lent[key] = self._lent.get(key, 0) + count
        for _ in range(count):
            who = self._one(key, first)
            if who is None:
                break
            self.on_turn(who)
        # Who is over by now has given back what it had; nobody wants the rest.
        lent, running = self._lent.get(key, 0), self._running.get(key, 0)
        if lent > running:
            self._lent[key] = running
            self._give_back(key, lent - running)

    def _one(self, key: Hashable, first: dict[Hashable, deque[W]]) -> W | None:
        for queue in (first, self._waiting, self._asking):
            waiting = queue.get(key)
            if waiting:
                self._begin(key)
                return self._following(key, waiting) if queue is self._waiting else self._taken(key, waiting)
        return None

    def _set_free(self, key: Hashable) -> None:
        self._lent.pop(key, None)
        self._refused.pop(key, None)
        self._try_again(key)

    def _try_again(self, key: Hashable) -> None:
        """Those who ask for ``key`` begin by themselves, as far as they may; for the others the hub is asked."""
        asking = self._asking.pop(key, None)
        while asking:
            if self._running.get(key, 0) < self._may(key):
                self._begin(key)
                self.on_turn(asking.popleft())
            elif not self.ask(key, who := asking.popleft()):
                self.on_refusal(key, who)

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.lending.Borrower`."""
        say, self._say = self._say, None
        self._known = False
        if say is not None:
            say(("drop",))
        self._lent.clear()
        for key in list(self._asking):
            self._try_again(key)
        for key in list(self._waiting):
            while (following := self._next(key)) is not None:
                self.on_turn(following)
