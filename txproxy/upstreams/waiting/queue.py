"""Requests that wait until an upstream of a pool has room."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from txproxy.errors import UpstreamUnavailable
from txproxy.interfaces.context import RequestContext
from txproxy.matching.clients import client_key
from txproxy.net.deadlines import NEVER
from txproxy.upstreams.upstream import Upstream
from txproxy.wire.message import RequestHead


class PoolWithRoom(Protocol):
    """What a queue needs of the pool whose upstreams it waits for."""

    @property
    def name(self) -> str:
        """What it is called in faults."""

    @property
    def clock(self) -> Any:
        """What calls later."""

    def seconds(self) -> float:
        """The time, by that clock."""

    @property
    def full(self) -> bool:
        """Whether no upstream that serves has room."""

    @property
    def exhausted(self) -> bool:
        """Whether backups have none either."""

    def take(self, head: RequestHead | None, context: RequestContext, tried: tuple[Upstream, ...]) -> Upstream | None:
        """Whose turn it is, of those with room that were not ``tried``."""

    def refresh(self) -> None:
        """Let time take its effect."""


class _Waiting:
    """One that waits: in which ``turn``, of the client that is counted as ``key``."""

    __slots__ = ("head", "context", "tried", "key", "turn", "granted", "timer")

    def __init__(
        self, head: RequestHead | None, context: RequestContext, tried: tuple[Upstream, ...], key: str, turn: int
    ) -> None:
        self.head = head
        self.context = context
        self.tried = tried
        self.key = key
        self.turn = turn
        self.granted: Deferred[Upstream]
        self.timer: Any = None


class Queue:
    """Those that wait for upstreams of ``pool``: at most ``longest`` of them, each for ``timeout`` seconds.

    They are served in the order of their turns, of which each client has one request: who sends many at once waits
    behind the first of everybody else. Where too many wait, the client that has most of them loses its last.
    """

    def __init__(self, pool: PoolWithRoom, longest: int, timeout: float) -> None:
        self._pool = pool
        self._longest = longest
        self._timeout = timeout
        self._waiting: deque[_Waiting] = deque()
        # how many of them have been somewhere before
        self._again = 0
        self._handing_out = False
        # the turn that is being served; and of each client that waits, how many of it do, and in which turn the last
        self._turn = 0
        self._clients: dict[str, tuple[int, int]] = {}
        # what lets time take its effect while somebody waits, and when that will be
        self._alarm: Any = None
        self._wake = NEVER

    def __len__(self) -> int:
        return len(self._waiting)

    def wait(
        self, clock: Any, head: RequestHead | None, context: RequestContext, tried: tuple[Upstream, ...]
    ) -> Deferred[Upstream]:
        """One more. Fires with an upstream that has one more active request, or with ``UpstreamUnavailable``."""
        key = client_key(context.client_ip)
        count, last = self._clients.get(key, (0, self._turn - 1))
        pushed_out = None
        if len(self._waiting) >= self._longest:
            pushed_out = self._pushed_out(count)
            if pushed_out is None:
                return fail(self._is_full())
            self._forget(pushed_out)
        waiting = _Waiting(head, context, tried, key, max(last + 1, self._turn))
        waiting.granted = Deferred(lambda _: self._forget(waiting))
        waiting.timer = clock.callLater(self._timeout, self._waited_too_long, waiting)
        self._again += bool(tried)
        self._clients[key] = count + 1, waiting.turn
        at = len(self._waiting)
        while at and self._waiting[at - 1].turn > waiting.turn:
            at -= 1
        self._waiting.insert(at, waiting)
        if self._alarm is None:
            self._set_alarm()
        if pushed_out is not None:
            # That may bring the next one, for whom it is full.
            pushed_out.granted.errback(self._is_full())
        return waiting.granted

    def _pushed_out(self, count: int) -> _Waiting | None:
        """The last request of the client that has most, if that are more than one with ``count`` would have."""
        key, (most, _) = max(self._clients.items(), key=lambda entry: entry[1][0], default=("", (0, 0)))
        if most <= count + 1:
            return None
        return next(waiting for waiting in reversed(self._waiting) if waiting.key == key)

    def serve(self) -> None:
        """Give room to those that wait, in their order."""
        if self._handing_out:
            # What was given has come back already, or time has passed: who hands out looks at all that wait.
            return
        pool, queue = self._pool, self._waiting
        passed_over = 0
        self._handing_out = True
        try:
            while passed_over < len(queue):
                waiting = queue[passed_over]
                try:
                    upstream = pool.take(waiting.head, waiting.context, waiting.tried)
                except Exception:
                    # An embedder's strategy, perhaps: who waits is told, and those that make room are not harmed.
                    self._forget(waiting)
                    waiting.granted.errback(Failure())
                    # Who was told may have changed who waits.
                    passed_over = 0
                    continue
                if upstream is not None:
                    self._turn = max(self._turn, waiting.turn)
                    self._forget(waiting)
                    waiting.granted.callback(upstream)
                    passed_over = 0
                elif pool.exhausted if self._again else pool.full:
                    break
                else:
                    # Somebody has room, but was tried by this one before, or is for those who have tried all others.
                    passed_over += 1
        finally:
            self._handing_out = False

    def time_will_tell(self, wake: float) -> None:
        """Time has its next effect on the pool then. Who waits is not to depend on somebody else to ask."""
        self._wake = wake
        if self._waiting:
            self._set_alarm()

    def _set_alarm(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            alarm.cancel()
        if self._waiting and self._wake != NEVER:
            pool = self._pool
            self._alarm = pool.clock.callLater(max(0.0, self._wake - pool.seconds()), self._time_has_come)

    def _time_has_come(self) -> None:
        self._alarm = None
        self._pool.refresh()

    def _forget(self, waiting: _Waiting) -> None:
        """It waits no longer, whatever the reason."""
        self._waiting.remove(waiting)
        self._again -= bool(waiting.tried)
        count, last = self._clients[waiting.key]
        if count > 1:
            self._clients[waiting.key] = count - 1, last
        else:
            del self._clients[waiting.key]
        if waiting.timer.active():
            waiting.timer.cancel()
        if not self._waiting and self._alarm is not None:
            self._set_alarm()

    def _waited_too_long(self, waiting: _Waiting) -> None:
        self._forget(waiting)
        waiting.granted.errback(self._unavailable(f"no upstream of {self._pool.name} had room in time"))

    def _is_full(self) -> UpstreamUnavailable:
        return self._unavailable(f"the queue of {self._pool.name} is full")

    def _unavailable(self, detail: str) -> UpstreamUnavailable:
        return UpstreamUnavailable(detail, error="connection_limit_reached")
