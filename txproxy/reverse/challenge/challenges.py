"""The challenge of a configuration, alive: what it is signed by stays over reloads, as do the counts."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any, Final

from txproxy.interfaces.processes.shared_levels import SharedLevels
from txproxy.reverse.challenge.challenge_load import ChallengeLoad, Counted
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.challenge.challenger import ChallengeAnswers, ChallengeCounts, Challenger, ClientOf
from txproxy.reverse.challenge.proofs import Proofs

_SECRET_SIZE: Final = 32


class Challenges:
    """As ``settings`` say, with what there was ``before``. ``clock`` is the reactor, ``now`` the time of day."""

    def __init__(
        self,
        settings: ChallengeSettings,
        clock: Any,
        before: Challenges | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        # by the names of listeners
        self.counts: dict[str, ChallengeCounts] = {} if before is None else before.counts
        kept = before.own_secret if before is not None else os.urandom(_SECRET_SIZE)
        # of this process alone, where nobody has said another one
        self.own_secret: bytes = kept
        self._clock = clock
        self._proofs = Proofs(settings, settings.secret or kept, now)

    @property
    def basis(self) -> tuple[object, ...]:
        """All that it goes by."""
        return self.settings, self.own_secret

    def at(
        self, listener: str, place: ChallengePlace, rate: Counted | None, work: SharedLevels | None = None
    ) -> Challenger:
        """What stands around what is behind it; ``rate`` counts what comes, and ``work`` what is at work, for one that
        goes by that.
        """
        load = None if place.always else ChallengeLoad(rate, place.active, work)
        return Challenger(self._proofs, place, self._of(listener), load, self._clock.seconds)

    def answers(self, listener: str, client_of: ClientOf | None) -> ChallengeAnswers:
        """What stands around all of a listener, for who has an answer."""
        return ChallengeAnswers(self._proofs, self._of(listener), client_of)

    def _of(self, listener: str) -> ChallengeCounts:
        return self.counts.setdefault(listener, ChallengeCounts())
