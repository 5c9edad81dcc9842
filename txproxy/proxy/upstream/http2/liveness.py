"""Whether an upstream is still there that has not said anything for a while, though responses are due."""

from __future__ import annotations

from typing import Final

from txproxy.net.deadlines import Deadlines

# Of the time that a response may take: after so much silence the upstream is asked whether it is there, and has so long
# to say anything.
_SILENCE: Final = 0.25
_ANSWER: Final = 0.5
# It is not asked more often than this, in seconds: servers of gRPC take it for an attack (their default is 5 minutes).
_BETWEEN: Final = 300.0


class Liveness:
    """Of one connection whose upstream may take so many ``seconds`` for a response; by the clock of ``deadlines``."""

    __slots__ = ("silence", "_answer", "_asked", "_heard")

    def __init__(self, deadlines: Deadlines, seconds: float) -> None:
        # how long an upstream may be silent
        self.silence = deadlines.limit(seconds * _SILENCE)
        self._answer = deadlines.limit(seconds * _ANSWER)
        # when it was asked last, and whether anything has come since
        self._asked = -_BETWEEN
        self._heard = True

    def heard(self) -> float:
        """Something has come; gives until when more should."""
        self._heard = True
        return self.silence.ahead

    @property
    def gone(self) -> bool:
        """Whether an upstream that was silent for too long must be taken for gone, and not be asked."""
        return not self._heard

    def ask(self, now: float) -> tuple[bool, float]:
        """It was silent for too long: whether to ask it ``now``, and until when to wait then."""
        if now < self._asked + _BETWEEN:
            return False, self._asked + _BETWEEN
        self._asked = now
        self._heard = False
        return True, self._answer.ahead
