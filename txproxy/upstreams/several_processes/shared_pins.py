"""Which clients are pinned to which upstream of a pool, of several processes together."""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice
from typing import Any, Final, TypeAlias

from txproxy.interfaces.context import RequestContext
from txproxy.interfaces.processes.sharing import News
from txproxy.upstreams.affinity import KEEP_FOR, MOST_CLIENTS, KeyOf, TableAffinity
from txproxy.upstreams.pool import Pool
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.message import RequestHead

# Others are told again of who was seen, long before they forget him.
_AGAIN: Final = KEEP_FOR / 4
# Who has just come is told of so many, those that were seen last.
_MOST_WHOLE: Final = 8192

Key: TypeAlias = "bytes | str"
# The name of an upstream, how often its client was pinned, and for how many seconds it has not been seen.
Pin: TypeAlias = "tuple[str, int, float]"


class SharedPins(TableAffinity):
    """See :class:`txproxy.upstreams.affinity.TableAffinity` and
    :class:`txproxy.interfaces.processes.sharing.Shared`.

    Of two pins of one client the newer one holds: that of who was pinned more often, as to pin anew is to know the pin
    before. Two that pin a client for the first time in the same moment have as much right, and all agree on the
    upstream whose name is first.
    """

    def __init__(self, pool: Pool, key_of: KeyOf) -> None:
        super().__init__(pool, key_of)
        # how often each was pinned, and when others were told
        self._times: dict[Key, tuple[int, float]] = {}
        self._news: News[Key, None] = News()

    def pin(self, upstream: Upstream, head: RequestHead, context: RequestContext) -> tuple[bytes, ...]:
        """See :class:`txproxy.upstreams.affinity.Affinity`."""
        key = self._key_of(head, context)
        if key is not None:
            now = self._pool.seconds()
            before = self._pinned.get(key)
            times, told = self._times.get(key, (0, 0.0))
            if before is None or before[0] != upstream.name:
                self._keep(key, upstream.name, now, times + 1, now)
                self._news.put(key, None)
            elif now - told > _AGAIN:
                self._keep(key, upstream.name, now, times, now)
                self._news.put(key, None)
            else:
                self._pinned[key] = (upstream.name, now)
                self._pinned.move_to_end(key)
        return ()

    def follow(self, before: TableAffinity) -> None:
        """See :class:`txproxy.upstreams.affinity.TableAffinity`."""
        assert isinstance(before, SharedPins), "it is known of each how often it was pinned"
        super().follow(before)
        self._times.update(before._times)

    def _keep(self, key: Key, name: str, seen: float, times: int, told: float) -> None:
        self._pinned[key] = (name, seen)
        self._pinned.move_to_end(key)
        self._times[key] = (times, told)
        if len(self._pinned) > MOST_CLIENTS:
            gone, _ = self._pinned.popitem(last=False)
            del self._times[gone]

    # -- with others

    def join(self, wake: Callable[[], None]) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self._news.join(wake)

    def part(self) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Who is pinned stays so."""
        self._news.part()

    def _told(self, key: Key, now: float) -> Pin:
        name, seen = self._pinned[key]
        return name, self._times[key][0], now - seen

    def news(self) -> tuple[Any, bool]:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        new, more = self._news.take()
        now = self._pool.seconds()
        return {key: self._told(key, now) for key in new or () if key in self._pinned} or None, more

    def heard(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        now = self._pool.seconds()
        # It may be of an upstream that is found here a moment later.
        for key, (name, times, age) in content.items():
            self._hear(key, name, times, now - age)

    def _hear(self, key: Key, name: str, times: int, seen: float) -> None:
        known = self._pinned.get(key)
        if known is None:
            self._keep(key, name, seen, times, seen)
            return
        here, seen_here = known
        times_here, told = self._times[key]
        seen = max(seen, seen_here)
        if here == name:
            self._keep(key, name, seen, max(times, times_here), told)
        elif times > times_here or (times == times_here and name < here):
            self._keep(key, name, seen, times, told)
        else:
            # The other shall know.
            self._news.put(key, None)

    def whole(self, leads: bool, now: float) -> Any:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        if not leads:
            return None
        latest, now = islice(reversed(self._pinned), _MOST_WHOLE), self._pool.seconds()
        # The one that was seen last comes last.
        return {key: self._told(key, now) for key in reversed([*latest])} or None

    def heard_whole(self, peer: int, content: Any, now: float) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`."""
        self.heard(peer, content, now)

    def gone(self, peer: int) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Whom it has pinned stays so."""

    def lead(self, leads: bool) -> None:
        """See :class:`txproxy.interfaces.processes.sharing.Shared`. Nothing is done by one for all."""
