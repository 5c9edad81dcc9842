"""What several processes know together of who logs in: failures, credentials that were right, and nonces."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
from twisted.internet.interfaces import IReactorTime

from txproxy.auth.authenticator import Authenticator
from txproxy.auth.credentials import User
from txproxy.auth.digest import Counts
from txproxy.auth.login_throttle import Failed
from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.interfaces.processes.sharing import MOST_TOLD, News


@attrs.frozen
class Told:
    """What is told: failures by their addresses; by keyed hashes of their credentials who was found, and for how many
    seconds that is known, by files of this ``basis``; and what was used with nonces.
    """

    failed: dict[str, Failed]
    basis: tuple[bytes, ...]
    users: dict[bytes, tuple[User, float]]
    nonces: dict[str, Counts]


class SharedLogins:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of an ``authenticator``, by its ``clock``. A guesser is
    slowed by all processes together, and a password that one has hashed the others need not. What was right by a file
    that this process does not have, or not any more, is not believed.
    """

    def __init__(self, authenticator: Authenticator, clock: IReactorTime) -> None:
        self._authenticator = authenticator
        self._clock = clock
        # how many failures of an address, and when the delays of their answers end
        self._failed: News[str, tuple[int, tuple[float, ...]]] = News()
        # who was found by which files, and until when that is known
        self._users: News[bytes, tuple[User, tuple[bytes, ...], float]] = News()
        self._nonces: News[str, Counts] = News()

    @property
    def under_way(self) -> SharedLevels:
        """How many tries of each address are."""
        return self._authenticator.tries.under_way

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for news in (self._failed, self._users, self._nonces):
            news.join(wake)
        authenticator = self._authenticator
        authenticator.tries.on_failed = self._has_failed
        authenticator.memory.on_put = self._was_right
        if authenticator.nonces is not None:
            authenticator.nonces.on_used = self._nonces.put

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What is known is still known."""
        for news in (self._failed, self._users, self._nonces):
            news.part()
        authenticator = self._authenticator
        authenticator.tries.on_failed = authenticator.memory.on_put = None
        if authenticator.nonces is not None:
            authenticator.nonces.on_used = None

    def _has_failed(self, address: str, delay: float) -> None:
        count, ends = self._failed.get(address, (0, ()))
        if delay:
            ends = (*ends, self._clock.seconds() + delay)
        self._failed.put(address, (count + 1, ends))

    def _was_right(self, key: bytes, user: User) -> None:
        until = self._clock.seconds() + self._authenticator.memory.seconds
        self._users.put(key, (user, self._authenticator.basis, until))

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        (failed, some), (users, more), (nonces, others) = self._failed.take(), self._users.take(), self._nonces.take()
        if not (failed or users or nonces):
            return None, False
        now, basis = self._clock.seconds(), self._authenticator.basis
        told = Told(
            {
                address: Failed(count, 0.0, tuple(end - now for end in ends))
                for address, (count, ends) in (failed or {}).items()
            },
            basis,
            # A file may have changed since.
            {key: (user, until - now) for key, (user, by, until) in (users or {}).items() if by == basis},
            nonces or {},
        )
        return told, some or more or others

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for address, failed in content.failed.items():
            self._authenticator.tries.heard(address, failed)
        self._learn(content)

    def _learn(self, content: Told) -> None:
        authenticator = self._authenticator
        if content.basis == authenticator.basis:
            for key, (user, seconds) in content.users.items():
                authenticator.memory.heard(key, user, seconds)
        if authenticator.nonces is not None:
            for nonce, counts in content.nonces.items():
                authenticator.nonces.heard(nonce, counts)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if not leads:
            return None
        authenticator = self._authenticator
        nonces = authenticator.nonces.known(MOST_TOLD) if authenticator.nonces is not None else {}
        known = authenticator.memory.known(MOST_TOLD)
        return Told(authenticator.tries.known(MOST_TOLD), authenticator.basis, known, nonces)

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        for address, failed in content.failed.items():
            self._authenticator.tries.take_over(address, failed)
        self._learn(content)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. What it has found out is still so."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
