"""How late the reactor is: how long what is due has to wait for its turn."""

from __future__ import annotations

from typing import Any, Final

from txproxy.observe.request_counts import Histogram

# How often it is looked at, in seconds.
_EVERY: Final = 1.0


class LoopLag:
    """Looks each second how much later than it was due it is called: ``last`` is what that was last, in seconds, and
    ``lags`` has how often it was how much.
    """

    def __init__(self, reactor: Any) -> None:
        self.lags = Histogram()
        self.last = 0.0
        self._reactor = reactor
        self._timer: Any = None
        self._due = 0.0

    def look(self, wanted: bool) -> None:
        """Look from now on, or look no more and leave no timer behind."""
        if wanted and self._timer is None:
            self._look_later()
        elif not wanted and self._timer is not None:
            timer, self._timer = self._timer, None
            timer.cancel()

    def _look_later(self) -> None:
        self._due = self._reactor.seconds() + _EVERY
        self._timer = self._reactor.callLater(_EVERY, self._look)

    def _look(self) -> None:
        self.last = max(0.0, self._reactor.seconds() - self._due)
        self.lags.add(self.last)
        self._look_later()
