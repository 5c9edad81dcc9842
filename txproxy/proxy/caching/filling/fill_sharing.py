"""Has what is not stored fetched, or waits for what is being fetched for another."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred

from txproxy.cache.answering.cache_status import ForwardedFor
from txproxy.cache.answering.conditional import without_conditions
from txproxy.cache.reuse import wants_the_origin
from txproxy.cache.stored import Entry
from txproxy.interfaces.middleware import Handler
from txproxy.interfaces.plan import Decision
from txproxy.proxy.caching.asking import Asking
from txproxy.proxy.caching.filling.fill import Fill
from txproxy.proxy.caching.filling.sought import Sought
from txproxy.proxy.caching.request_keys import keyed_request
from txproxy.proxy.caching.shared_cache import SharedCache
from txproxy.proxy.services import Services

# A request with one of these is for a fill of its own, as long as nothing is stored.
NOT_SHARED: Final = frozenset(
    b"authorization if-match if-none-match if-modified-since if-unmodified-since if-range range".split()
)
# The same of one that asks for a part.
PART_NOT_SHARED: Final = NOT_SHARED - {b"range", b"if-range"}
_NOT_WITH_A_FILL: Final = (b"range", b"upgrade")


class FillSharing:
    """Sends what the ``cache`` asks for by ``handle``."""

    __slots__ = ("_cache", "_services", "_handle")

    def __init__(self, cache: SharedCache, services: Services, handle: Handler) -> None:
        self._cache = cache
        self._services = services
        self._handle = handle

    def may_share(self, asking: Asking, stored: Entry | None, never: frozenset[bytes] = NOT_SHARED) -> bool:
        """Whether a request may get what comes for others, and they what comes for it, where so much is ``stored``."""
        headers, policy = asking.request.headers, asking.policy
        if asking.personal or b"authorization" in headers.index or wants_the_origin(headers, policy):
            return False
        if stored is None:
            return never.isdisjoint(headers.index)
        # What is stored was for everybody, whatever a client has of it, unless each is to ask for itself.
        return stored.head.freshness.lifetime > 0 and not stored.head.freshness.validate

    def join(self, asking: Asking) -> Decision | None:
        """What another request is being answered with, or waits for; None if nothing is of use to this one."""
        for fill in self._cache.fills.get(asking.key, ()):
            joined: Any = fill.join(asking)
            if joined is not None:
                decision: Decision = joined
                return decision
        return None

    def ask(self, asking: Asking, sought: Sought, shared: bool) -> Decision:
        """Have it fetched; or, if it may be ``shared``, wait for what is being fetched."""
        if shared:
            joined = self.join(asking)
            if joined is not None:
                return joined
        fill = self._fill(asking, sought)
        fill.is_open = shared
        decided: Deferred[Any] = fill.wait(asking)
        fill.begin()
        decision: Decision = decided
        return decision

    def revalidate(self, asking: Asking, stale: Entry) -> None:
        """Have what is ``stale`` validated in the background; one at a time."""
        trace, cache = asking.context.trace, self._cache
        if trace is not None and trace.dry_run:
            return
        known = [fill.sought.stale for fill in cache.fills.get(asking.key, ()) if fill.sought is not None]
        if any(one is not None and one.head.vary == stale.head.vary for one in known):
            return
        if not cache.may_validate(asking.key, cache.now()):
            return
        fill = self._fill(asking, Sought(ForwardedFor.STALE, stale))
        fill.is_open = self.may_share(asking, stale)
        fill.begin(background=True)

    def _fill(self, asking: Asking, sought: Sought) -> Fill:
        request = asking.request
        lines = without_conditions(request.headers.lines)
        lines = [line for line in lines if line.partition(b":")[0].lower() not in _NOT_WITH_A_FILL]
        added = sought.lines()
        if sought.part is not None and b"if-range" in request.headers.index:
            # Whether that is what the client has parts of is the origin's to say.
            added.append(b"If-Range: " + request.headers.index[b"if-range"])
        head = keyed_request(asking, lines, added)
        # What is kept is the answer to a GET, whatever has brought it about.
        head.method = b"GET"
        return Fill(self._cache, self._services, self._handle, asking, head, sought)
