"""One direction of an exchange or a tunnel whose speed is bounded.

What may not pass yet is held here, at most what was read of the source in one go, and the source is not read meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from txproxy.interfaces.allowances import Allowance

Lane: TypeAlias = Callable[[Callable[[], None]], Allowance]


def _nothing(*_: bytes) -> None:
    pass


class Valve:
    """Hands bytes to ``deliver`` as fast as an allowance from ``lane`` has it. ``hold`` is called when the source is to
    be read no more, be it for that or because the sink is slow, and ``release`` when it is to be read on: never twice
    in a row.
    """

    __slots__ = ("_allowance", "_deliver", "_hold", "_release", "_held", "_slow", "_stopped", "_closed", "_after")

    def __init__(
        self,
        lane: Lane,
        deliver: Callable[[bytes], None],
        hold: Callable[[], None],
        release: Callable[[], None],
    ) -> None:
        self._allowance = lane(self._more)
        self._deliver = deliver
        self._hold = hold
        self._release = release
        self._held = b""
        # the sink takes no more just now
        self._slow = False
        # the source is not read
        self._stopped = False
        self._closed = False
        self._after: Callable[[], None] | None = None

    @property
    def holding(self) -> bool:
        """Whether there are bytes that have not passed."""
        return bool(self._held)

    @property
    def waiting(self) -> bool:
        """Whether there are, and the sink is not to blame."""
        return bool(self._held) and not self._slow

    def pass_on(self, data: bytes) -> None:
        """Bytes have come."""
        if self._closed:
            return
        if self._held or self._slow:
            # What a transport had decrypted already, say.
            self._held += data
            return
        allowed = self._allowance.take(len(data))
        if allowed == len(data):
            self._deliver(data)
            return
        self._held = data[allowed:]
        self._stop()
        if allowed:
            self._deliver(data[:allowed])

    def _stop(self) -> None:
        if not self._stopped:
            self._stopped = True
            self._hold()

    def _more(self) -> None:
        held = self._held
        if not held or self._slow:
            return
        allowed = self._allowance.take(len(held))
        if allowed:
            self._held = held[allowed:]
            self._deliver(held[:allowed])
            self._go_on()

    def _go_on(self) -> None:
        if self._held or self._closed:
            return
        after, self._after = self._after, None
        if after is not None:
            after()
        elif self._stopped and not self._slow:
            self._stopped = False
            self._release()

    def pause(self) -> None:
        """The sink is slow."""
        if not self._slow:
            self._slow = True
            if not self._closed:
                self._stop()

    def resume(self) -> None:
        """The sink takes more."""
        if self._slow:
            self._slow = False
            if self._held:
                self._more()
            else:
                self._go_on()

    def after(self, call: Callable[[], None]) -> None:
        """The source has ended: ``call`` once all that it sent has passed."""
        if self._held:
            self._after = call
        else:
            call()

    def take_held(self) -> bytes:
        """What has not passed yet, and is another's to pass."""
        held, self._held = self._held, b""
        return held

    def close(self) -> None:
        """Nothing more is to pass; what is held is thrown away."""
        self._closed = True
        self._held = b""
        self._after = None
        self._allowance.close()
        # What has ended leaves no circle, which would wait for the collector.
        self._deliver = self._hold = self._release = _nothing
