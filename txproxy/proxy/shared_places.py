"""How many client connections a listener may have, of several processes together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from txproxy.limits.claim import Claim, Heard
from txproxy.proxy.downstream.admission import Admission

# Of its share each process keeps one part in so many, whatever the others need: new connections come to all of them.
_KEPT: Final = 4


class SharedPlaces:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; the places of an ``admission``, by the clock
    ``seconds``. Each of so many ``processes`` claims a part of them. Where none of them hears of the others, each has
    its share.
    """

    def __init__(self, admission: Admission[Any], seconds: Callable[[], float]) -> None:
        self._admission = admission
        self._most = admission.limit
        self._seconds = seconds
        self._share = self._most
        self._claim: Claim | None = None
        self._heard = Heard()
        self._wake: Callable[[], None] | None = None
        self._told = 0

    def of_processes(self, count: int) -> None:
        """They are the places of so many processes together."""
        self._share = -(-self._most // count)
        if self._claim is None:
            self._admission.limit = self._share

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake
        self._told = 0
        self._heard = Heard()
        claim = self._claim = Claim(self._most, self._seconds(), -(-self._share // _KEPT))
        self._admission.limit = claim.claimed
        self._admission.on_full = self._full
        wake()

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = self._claim = self._admission.on_full = None
        self._admission.limit = self._share
        self._admission.fill()

    def _full(self) -> bool:
        """Somebody finds no room: whether there is some now."""
        if self._grow():
            return True
        if self._wake is not None:
            # Others may have given something back by then.
            self._wake()
        return False

    def _grow(self) -> bool:
        claim = self._claim
        if claim is None or self._wake is None:
            return False
        grown = len(self._admission) < claim.claimed or claim.grow(self._seconds(), self._heard)
        if grown:
            self._admission.limit = claim.claimed
            self._wake()
        return grown

    def _fill(self) -> None:
        if self._admission.waiting and self._grow():
            self._admission.fill()

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        claim, admission = self._claim, self._admission
        if claim is None:
            return None, False
        self._fill()
        if claim.cover(len(admission)) or (not admission.waiting and claim.shrink(len(admission))):
            admission.limit = claim.claimed
        told, self._told = self._told, claim.claimed
        # As long as it has more than is its own, it looks whether it still needs that.
        more = bool(admission.waiting) or claim.claimed > claim.least
        heard = self._heard.news()
        new = claim.claimed != told or heard
        return (self._heard.mark, self._heard.number, claim.claimed, heard) if new else None, more

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if self._claim is not None:
            mark, number, claimed, heard = content
            self._claim.heard(peer, claimed)
            if self._heard.hear(peer, mark, number, heard) and self._wake is not None:
                self._wake()
            self._fill()

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if self._claim is None:
            return None
        return self._heard.mark, self._heard.number, self._claim.claimed, self._heard.whole()

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self.heard(peer, content, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if self._claim is not None:
            self._heard.gone(peer)
            self._claim.gone(peer)
            self._fill()

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
