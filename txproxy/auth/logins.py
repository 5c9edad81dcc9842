"""Logins that are being checked, with who waits for them, and those that were right a while ago."""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from itertools import islice
from os import urandom
from typing import Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from txproxy.auth.credentials import User
from txproxy.auth.schemes import Scheme
from txproxy.interfaces.answers import Refusal

_MOST_REMEMBERED: Final = 10_000
_KEY_SIZE: Final = 16


class Remembered:
    """Users by a keyed hash of their credentials, for a while. With the same ``secret`` several processes know what
    each of them has found right: ``on_put`` is told of all that is new here.
    """

    def __init__(self, clock: IReactorTime, seconds: float, secret: bytes = b"") -> None:
        self._clock = clock
        self.seconds = seconds
        self._secret = secret or urandom(32)
        self.on_put: Callable[[bytes, User], None] | None = None
        self._users: OrderedDict[bytes, tuple[User, float]] = OrderedDict()

    def key(self, value: bytes) -> bytes:
        """The hash of credentials."""
        return hashlib.blake2b(value, key=self._secret, digest_size=_KEY_SIZE).digest()

    def get(self, key: bytes) -> tuple[User, float] | None:
        """The user of credentials, and until when that is known."""
        entry = self._users.get(key)
        if entry is not None and entry[1] < self._clock.seconds():
            del self._users[key]
            return None
        return entry

    def put(self, key: bytes, user: User) -> None:
        """These credentials are right."""
        self._put(key, user, self.seconds)
        if self.on_put is not None:
            self.on_put(key, user)

    def _put(self, key: bytes, user: User, seconds: float) -> None:
        if len(self._users) >= _MOST_REMEMBERED:
            self._users.popitem(last=False)
        self._users[key] = user, self._clock.seconds() + seconds

    def heard(self, key: bytes, user: User, seconds: float) -> None:
        """Another process has found that these are, and knows that for so many seconds more."""
        if key not in self._users:
            self._put(key, user, min(seconds, self.seconds))

    def known(self, most: int) -> dict[bytes, tuple[User, float]]:
        """So many of them, the latest, with for how many seconds more each is known."""
        now, latest = self._clock.seconds(), islice(reversed(self._users.items()), most)
        return {key: (user, until - now) for key, (user, until) in latest if until > now}

    def clear(self) -> None:
        """Know nobody any more."""
        self._users.clear()


class Waiter:
    """A request that waits for its answer."""

    __slots__ = ("answer", "address", "_timer")

    def __init__(self, address: str, left: Callable[[Waiter], None] | None = None) -> None:
        self.address = address
        self._timer: IDelayedCall | None = None

        def cancel(_: object) -> None:
            if self._timer is not None:
                self._timer.cancel()
            elif left is not None:
                left(self)

        self.answer: Deferred[User | Refusal] = Deferred(cancel)

    def tell(self, answer: User | Refusal) -> None:
        """Answer now, if it still waits."""
        # What one request's answer sets off may have made the client of another leave.
        if not self.answer.called:
            self.answer.callback(answer)

    def refuse(self, clock: IReactorTime, delay: float, refusal: Callable[[], Refusal]) -> None:
        """Answer after ``delay`` seconds."""
        if not delay:
            self.tell(refusal())
        elif not self.answer.called:
            self._timer = clock.callLater(delay, self._refuse_now, refusal)

    def _refuse_now(self, refusal: Callable[[], Refusal]) -> None:
        self._timer = None
        self.answer.callback(refusal())


class PendingLogin:
    """Credentials that are being checked, and who waits for that; ``unwanted`` is called when nobody does any more."""

    __slots__ = ("scheme", "generation", "addresses", "waiters", "_unwanted")

    def __init__(self, scheme: Scheme, generation: int, unwanted: Callable[[PendingLogin], None]) -> None:
        self.scheme = scheme
        self.generation = generation
        self._unwanted = unwanted
        self.addresses: set[str] = set()
        self.waiters: list[Waiter] = []

    def wait(self, address: str) -> Deferred[User | Refusal]:
        """One more request waits, from ``address``."""
        waiter = Waiter(address, self._left)
        self.waiters.append(waiter)
        return waiter.answer

    def _left(self, waiter: Waiter) -> None:
        if waiter in self.waiters:
            self.waiters.remove(waiter)
            if not self.waiters:
                self._unwanted(self)
