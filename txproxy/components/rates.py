"""Rates as they are written: so many in a second, a minute, an hour or a day."""

from __future__ import annotations

import re
from typing import Final

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen

_RATE: Final = re.compile(r"([0-9]{1,9})/([smhd])(?::burst=([0-9]{1,9}))?")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_LETTERS: Final = {seconds: letter for letter, seconds in _UNITS.items()}
RATE_ACCEPTED: Final = "accepted is a number for each s, m, h or d, such as 100/s, 10/s:burst=50, 5000/h"


@frozen
class Rate:
    """``amount`` in so many ``seconds``, of which ``burst`` may come at once; as many as ``amount`` if it is None."""

    amount: int
    seconds: int
    burst: int | None = None

    @property
    def interval(self) -> float:
        """How many seconds each of them is worth."""
        return self.seconds / self.amount

    @property
    def at_once(self) -> int:
        """How many may come at once where none has come for long."""
        return self.amount if self.burst is None else self.burst

    def __str__(self) -> str:
        burst = "" if self.burst is None else f":burst={self.burst}"
        return f"{self.amount}/{_LETTERS.get(self.seconds, f'{self.seconds}s')}{burst}"


def parse_rate(text: str) -> Rate:
    """A rate from ``100/s`` or ``10/s:burst=50``; ``ConfigError`` if it is none."""
    match = _RATE.fullmatch(text)
    if match is None or not int(match[1]) or (match[3] is not None and not int(match[3])):
        raise ConfigError(f"{text!r} is no rate", RATE_ACCEPTED)
    return Rate(int(match[1]), _UNITS[match[2]], int(match[3]) if match[3] is not None else None)
