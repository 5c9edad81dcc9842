"""A place at an upstream that is only lent: to a request whose body comes slowly."""

from __future__ import annotations

from txproxy.errors import ExchangeError, RequestError
from txproxy.interfaces.attempt import Tracker
from txproxy.interfaces.plan import Uploading


class Loan:
    """The place of ``exchange`` at an ``upstream``, one of those that are ``lent``."""

    def __init__(self, upstream: Tracker, exchange: Uploading, lent: dict[Loan, None]) -> None:
        self.upstream = upstream
        self.exchange = exchange
        self._lent = lent

    def ended(self, fault: ExchangeError | None, status: int) -> None:
        """See :class:`txproxy.interfaces.Tracker`."""
        self._lent.pop(self, None)
        self.upstream.ended(fault, status)

    def revoke(self) -> None:
        """Somebody else waits for the place."""
        late = "the body came too slowly, and others wait for its place"
        self.exchange.abandon(RequestError(late, status=408, outcome="slow-body"))


class Loans:
    """All that are lent of one pool, in the order in which they were."""

    def __init__(self) -> None:
        self._lent: dict[Loan, None] = {}

    def __len__(self) -> int:
        return len(self._lent)

    def lend(self, tracker: Tracker, exchange: Uploading) -> Loan:
        """The place of ``tracker``, to an ``exchange`` whose body comes slowly."""
        loan = Loan(tracker, exchange, self._lent)
        self._lent[loan] = None
        return loan

    def call_in(self, tried: tuple[Tracker, ...]) -> None:
        """Somebody waits who has been at those that were ``tried``: take back the first place that is of use."""
        for loan in list(self._lent):
            if not loan.exchange.body_late:
                # It has earned its place.
                del self._lent[loan]
            elif loan.upstream not in tried:
                loan.revoke()
                return
