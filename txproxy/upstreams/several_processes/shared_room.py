"""How many requests an upstream may have, of several processes together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from txproxy.limits.claim import Claim, Heard
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream

# A single process has none.
if TYPE_CHECKING:
    from txproxy.cluster.record_locks import RecordLocks
    from txproxy.upstreams.several_processes.locked_room import LockedRoom


class SharedRoom:
    """See :class:`txproxy.interfaces.processes.sharing.Shared`; of the upstreams of a ``pool`` that have a ``max``.
    Each of so many processes claims a part of that. Where none of them hears of the others, each has its share.

    A ``max`` so small that parts would not do is of places that the kernel keeps, where these processes have ``locks``:
    nothing is told of it, and it holds whether they hear of each other or not.
    """

    def __init__(self, pool: Pool, locks: RecordLocks | None = None) -> None:
        self.processes = 1
        self._pool = pool
        self._locked: LockedRoom | None = None
        if locks is not None:
            from txproxy.upstreams.several_processes.locked_room import LockedRoom

            self._locked = LockedRoom(pool, locks)
        self._claims: dict[Upstream, Claim] = {}
        self._heard = Heard()
        self._wake: Callable[[], None] | None = None
        # claims that nobody has heard of, and names of upstreams that are not there any more, with what was claimed
        self._new: set[Upstream] = set()
        self._left: dict[str, Claim] = {}
        self._watches = False
        # what was claimed in the pool before, by names
        self._before: dict[str, Claim] = {}

    def follow(self, before: SharedRoom) -> None:
        """It takes the place of another, and goes on with what that has claimed."""
        self._before = {upstream.name: claim for upstream, claim in before._claims.items()}
        self._heard = before._heard

    def of_processes(self, count: int) -> None:
        """There are so many of them."""
        if count == self.processes:
            return
        self.processes = count
        if self._watches:
            for upstream in self._pool.upstreams:
                self._joined(upstream)
            self._pool.refresh()

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = wake
        self._pool.on_full = self._wanted
        if not self._watches:
            self._watches = True
            self._pool.watch(self._joined, self._parted)
        self._pool.refresh()

    def _joined(self, upstream: Upstream) -> None:
        locked = self._locked
        if locked is not None and locked.suits(upstream.max, self.processes):
            self._parted(upstream)
            locked.let_in(upstream)
            upstream.allowed = upstream.max
            return
        if locked is not None:
            locked.let_go(upstream)
        if upstream.max and self._wake is not None:
            claim = self._before.pop(upstream.name, None) or self._left.pop(upstream.name, None)
            claim = claim or self._claims.get(upstream)
            if claim is None:
                claim = Claim(upstream.max, self._pool.seconds())
            self._claims[upstream] = claim
            claim.most = upstream.max
            upstream.allowed = claim.claimed
            self._tell(upstream)
        else:
            upstream.allowed = self._share(upstream)

    def _parted(self, upstream: Upstream) -> None:
        claim = self._claims.pop(upstream, None)
        self._new.discard(upstream)
        if claim is not None and self._wake is not None:
            if not (self._new or self._left):
                self._wake()
            self._left[upstream.name] = claim

    def _share(self, upstream: Upstream) -> int:
        if upstream.places is not None and upstream.places.enforced:
            return upstream.max
        return -(-upstream.max // self.processes)

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._wake = self._pool.on_full = None
        for kept in (self._claims, self._new, self._left):
            kept.clear()
        for upstream in self._pool.upstreams:
            upstream.allowed = self._share(upstream)
        self._pool.refresh()

    def _wanted(self) -> bool:
        """Somebody finds no room, and may wait for some."""
        if not self._claims:
            return False
        if self._full():
            return True
        if self._wake is not None:
            # Others may have given something back by then.
            self._wake()
        return False

    def _tell(self, upstream: Upstream) -> None:
        if not (self._new or self._left) and self._wake is not None:
            self._wake()
        self._new.add(upstream)

    def _full(self) -> bool:
        """Somebody finds no room: whether there is some now."""
        full = [(upstream, claim) for upstream, claim in self._claims.items() if upstream.active >= claim.claimed]
        now, found = self._pool.seconds(), False
        for upstream, claim in full:
            if claim.grow(now, self._heard):
                found = True
                upstream.allowed = claim.claimed
                self._tell(upstream)
        if found:
            self._pool.refresh()
        return found

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        pool = self._pool
        if pool.waiting:
            self._full()
        changed = False
        for upstream, claim in self._claims.items():
            if claim.cover(upstream.active) or (not pool.waiting and claim.shrink(upstream.active)):
                changed = True
                upstream.allowed = claim.claimed
                self._new.add(upstream)
        if changed:
            pool.refresh()
        new, self._new = self._new, set()
        left, self._left = self._left, {}
        told = dict.fromkeys(left, 0) | {upstream.name: self._claims[upstream].claimed for upstream in new}
        heard = self._heard.news()
        content = (self._heard.mark, self._heard.number, told, heard) if told or heard else None
        # As long as it has claimed something, it looks whether it still needs that: nobody tells of each request's end.
        return content, bool(pool.waiting and self._claims) or any(claim.claimed > 1 for claim in self._claims.values())

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        mark, number, claimed, heard = content
        for upstream, claim in self._claims.items():
            theirs = claimed.get(upstream.name)
            if theirs == 0:
                claim.gone(peer)
            elif theirs is not None and claim.heard(peer, theirs):
                # It may have found that upstream only now, and does not know what was claimed here before.
                self._tell(upstream)
        if self._heard.hear(peer, mark, number, heard) and self._wake is not None:
            self._wake()
        if self._pool.waiting:
            self._full()

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        claimed = {upstream.name: claim.claimed for upstream, claim in self._claims.items()}
        return (self._heard.mark, self._heard.number, claimed, self._heard.whole()) if claimed else None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self.heard(peer, content, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._heard.gone(peer)
        for claim in self._claims.values():
            claim.gone(peer)
        if self._pool.waiting:
            self._full()

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
