"""The one who tells the machine where requests go."""

from __future__ import annotations

from zope.interface import Interface

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.plan import Decision
from txproxy.wire.message import RequestHead


class IMode(Interface):
    """Tells the machine where requests go. Forward and reverse are the two that txproxy has."""

    def plan(head: RequestHead, context: RequestContext) -> Decision:
        """What to do with a request. A Deferred makes only this request wait; it is cancelled when the client leaves.

        May raise an ``ExchangeError``, which is answered as it says.
        """
