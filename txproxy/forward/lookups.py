"""Addresses of names, for rules that are about addresses: known for a short while.

What was judged is what is dialled: a plan that follows such a rule pins the addresses found here.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from txproxy.matching.hosts import is_literal
from txproxy.proxy.names import Found, resolve

_SECONDS: Final = 30.0
_MOST: Final = 4096


class Lookups:
    """Looks names up, with the reactor's resolver, within ``timeout`` seconds."""

    def __init__(self, reactor: Any, timeout: float) -> None:
        self._reactor = reactor
        self._timeout = timeout
        self._known: OrderedDict[str, tuple[tuple[str, ...], float]] = OrderedDict()
        self._pending: dict[str, _Pending] = {}

    def find(self, host: str) -> tuple[str, ...] | Deferred[tuple[str, ...]]:
        """The addresses of ``host``, at least one. A Deferred fails with ``DnsError`` or ``ConnectTimeout``, and may be
        cancelled: others who wait for the same name still get their answer.
        """
        entry = self._known.get(host)
        if entry is not None:
            if entry[1] > self._reactor.seconds():
                return entry[0]
            del self._known[host]
        if is_literal(host):
            return (host,)
        pending = self._pending.get(host)
        if pending is not None:
            return pending.wait()
        pending = self._pending[host] = _Pending()
        answer = pending.wait()
        looking: Deferred[Any] = resolve(self._reactor, host, 0, self._timeout)
        looking.addCallback(self._remember, host).addBoth(self._settle, host, pending)
        return answer

    def _remember(self, found: list[Found], host: str) -> tuple[str, ...]:
        addresses = tuple(dict.fromkeys(entry.host for entry in found))
        if len(self._known) >= _MOST:
            self._known.popitem(last=False)
        self._known[host] = addresses, self._reactor.seconds() + _SECONDS
        return addresses

    def _settle(self, answer: tuple[str, ...] | Failure, host: str, pending: _Pending) -> None:
        del self._pending[host]
        pending.tell(answer)


class _Pending:
    """Those who wait for one name."""

    __slots__ = ("_waiters",)

    def __init__(self) -> None:
        self._waiters: list[Deferred[tuple[str, ...]]] = []

    def wait(self) -> Deferred[tuple[str, ...]]:
        waiter: Deferred[tuple[str, ...]] = Deferred(self._left)
        self._waiters.append(waiter)
        return waiter

    def _left(self, waiter: Deferred[tuple[str, ...]]) -> None:
        if waiter in self._waiters:
            self._waiters.remove(waiter)

    def tell(self, answer: tuple[str, ...] | Failure) -> None:
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            # What one's answer sets off may have made another leave.
            if not waiter.called:
                waiter.callback(answer)
