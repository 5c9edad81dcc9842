"""The DNS resolver: what names stand for, by the system's hosts file and its name servers, and remembered for a while.

Whatever listens and dials in one service shares one, so that many who want the same name wait for one look-up. It has
no thread, and holds nothing that would have to be closed: a look-up lasts as long as somebody waits for it.
"""

from __future__ import annotations

import re
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import DnsError, ExchangeError, TooManyLookUps
from txproxy.frozen_values import frozen
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.net.dns.address_order import best_first, is_usable
from txproxy.net.dns.installed_resolver import ask_installed, installed_names
from txproxy.net.dns.name_servers import PORT, Answers, NameServers
from txproxy.net.dns.resolv_conf import WatchedFile, read_hosts, resolv_conf
from txproxy.wire.dns import AAAA, A, Record, encode_name

_log = Logger()

Addresses: TypeAlias = "tuple[str, ...]"

# RFC 6761 6.3: that name needs no server.
_LOCAL: Final = ("127.0.0.1", "::1")
# What the C library takes for an IPv4 address, beside the usual spelling.
_NUMBER: Final = re.compile(r"[0-9][0-9a-fx.]*")
_MOST_ADDRESSES: Final = 32


@frozen(kw_only=True)
class ResolverLimits:
    """``waiting``: names that are being looked up for clients, and ``waiting_per_client`` those of one of them.
    ``known``: names that are remembered. In seconds: what was found is good for what it says itself, within
    ``shortest`` and ``longest``; that there is nothing (RFC 2308) for ``nothing``; that it could not be found out (RFC
    9520) for ``failed``; and what a resolver of the program's own says for ``installed``.
    """

    waiting: int = 512
    waiting_per_client: int = 64
    known: int = 10_000
    shortest: float = 1.0
    longest: float = 300.0
    nothing: float = 5.0
    failed: float = 1.0
    installed: float = 5.0


@frozen
class Places:
    """Where a system says how it resolves names: two files, and the ``port`` of name servers."""

    resolv_conf: str = "/etc/resolv.conf"
    hosts: str = "/etc/hosts"
    port: int = PORT


class Resolver:
    """Resolves names as the system does, by the files of ``places`` and the name servers.

    Where the program has installed a resolver of its own in its reactor, that one is asked in place of files and
    servers. ``usable`` says whether an address can be reached from here at all.
    """

    def __init__(
        self,
        reactor: Any,
        places: Places | None = None,
        limits: ResolverLimits | None = None,
        *,
        servers: NameServers | None = None,
        usable: Callable[[str], bool] = is_usable,
    ) -> None:
        places = places or Places()
        self.limits = limits or ResolverLimits()
        # see txproxy.proxy.limits.Limits; a configuration that is read again may have another
        self.ipv6_prefix = IPV6_PREFIX
        self._reactor = reactor
        self._seconds: Callable[[], float] = reactor.seconds
        self._servers = servers or NameServers(reactor, places.port)
        self._conf = resolv_conf(places.resolv_conf, self._seconds, self.forget)
        self._hosts = WatchedFile(places.hosts, read_hosts, self._seconds)
        self._usable = usable
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._looking: dict[str, _LookUp] = {}
        # how many look-ups each client waits for, and how many there are for clients
        self._waits: dict[str, int] = {}
        self._for_clients = 0

    def forget(self) -> None:
        """Look everything up anew."""
        self._known.clear()

    @property
    def running(self) -> int:
        """How many names are being looked up."""
        return len(self._looking)

    # -- addresses

    def find(self, name: str, client_ip: str = "") -> Addresses | Deferred[Addresses]:
        """The addresses of ``name``, at least one, best first. A Deferred fails with a ``DialError`` that says why, and
        may be cancelled: others who wait for the same name still get their answer, and the last one ends the look-up.

        ``client_ip`` is on whose behalf it is asked, so that nobody takes more than a share; empty for names that an
        administrator has chosen, which have no such bounds.
        """
        known = self._known.get(name)
        if known is not None:
            if known.until > self._seconds():
                return known.addresses or fail(known.fault())
            del self._known[name]
        look_up = self._looking.get(name)
        try:
            plain = _plain(name)
            found = self._without_asking(plain) if look_up is None else None
            if found:
                return found
            client = client_key(client_ip, self.ipv6_prefix) if client_ip else ""
            pushed_out = self._room_for(client, look_up) if client else None
        except DnsError as fault:
            return fail(fault)
        if look_up is not None:
            return look_up.wait(client)
        look_up = self._looking[name] = _LookUp(self, name, bool(client))
        self._for_clients += look_up.bounded
        answer = look_up.wait(client)
        look_up.follow(Deferred.fromCoroutine(self._look_up(plain)))
        if pushed_out is not None:
            pushed_out.end(TooManyLookUps(f"{self._for_clients} names are being looked up, and no more will be"))
        return answer

    def _room_for(self, client: str, look_up: _LookUp | None) -> _LookUp | None:
        """``TooManyLookUps`` if there is no room for one more that waits for ``look_up``, or for a new one if that is
        None. Gives the look-up that has to make room for it, if one has: the latest of the client that has most.
        """
        limits = self.limits
        waits = self._waits.get(client, 0)
        if waits >= limits.waiting_per_client and (look_up is None or client not in look_up.clients):
            raise TooManyLookUps(f"{waits} names are being looked up for {client}, and no more will be")
        if look_up is not None or self._for_clients < limits.waiting:
            return None
        other = max(self._waits, key=self._waits.__getitem__)
        if self._waits[other] > waits + 1:
            for one in reversed(self._looking.values()):
                if one.is_of(other):
                    return one
        raise TooManyLookUps(f"{self._for_clients} names are being looked up, and no more will be")

    def _without_asking(self, name: str) -> Addresses | None:
        """The addresses of a name that is known here; None for others."""
        if installed_names(self._reactor) is not None:
            return None
        name = name.rstrip(".")
        if _NUMBER.fullmatch(name):
            try:
                return (socket.inet_ntoa(socket.inet_aton(name)),)
            except OSError:
                pass
        found = self._hosts().get(name)
        if found is None and (name == "localhost" or name.endswith(".localhost")):
            found = _LOCAL
        return best_first(found, self._usable) if found else None

    async def _look_up(self, name: str) -> _Known:
        names = installed_names(self._reactor)
        now = self._seconds
        if names is not None:
            addresses = await ask_installed(names, name)
            return _Known(addresses, now() + self.limits.installed) if addresses else self._nothing(name)
        conf = self._conf()
        fault: DnsError | None = None
        for candidate in conf.names(name):
            if not _fits(candidate):
                continue
            try:
                answers = await self._servers.ask(conf, candidate, (A, AAAA))
            except DnsError as failed:
                fault = failed
            else:
                if any(answers.values()):
                    return self._found(answers)
        if fault is not None:
            raise fault
        return self._nothing(name)

    def _found(self, answers: Answers) -> _Known:
        records = [record for found in answers.values() for record in found]
        addresses = [str(record.data) for record in records if record.kind in (A, AAAA)][:_MOST_ADDRESSES]
        limits = self.limits
        good = max(limits.shortest, min(limits.longest, *(record.ttl for record in records)))
        if len(answers) < 2:
            # One kind was not answered for: it may be another time.
            good = min(good, limits.nothing)
        return _Known(best_first(addresses, self._usable), self._seconds() + good)

    def _nothing(self, name: str) -> _Known:
        return _Known((), self._seconds() + self.limits.nothing, f"{name} was not found")

    # -- what look-ups tell

    def count(self, client: str, more: int) -> None:
        """A client waits for a look-up ``more``."""
        left = self._waits.get(client, 0) + more
        if left:
            self._waits[client] = left
        else:
            del self._waits[client]

    def over(self, look_up: _LookUp, known: _Known | None) -> None:
        """A look-up is over, with something to remember or because nobody has waited for it."""
        del self._looking[look_up.name]
        self._for_clients -= look_up.bounded
        if known is not None:
            if len(self._known) >= self.limits.known:
                self._known.popitem(last=False)
            self._known[look_up.name] = known

    def failed(self, name: str, failure: Failure) -> _Known:
        """What is to be remembered of a look-up that has failed."""
        fault = failure.value
        if not isinstance(fault, ExchangeError):
            _log.failure("a name could not be looked up", failure)
            fault = DnsError("the look-up itself failed")
        until = self._seconds() + self.limits.failed
        return _Known((), until, f"looking up {name}: {fault.detail}", type(fault), fault.error)

    # -- other records

    def records(self, name: str, kind: int) -> Deferred[tuple[Record, ...]]:
        """The records of ``kind`` that the complete ``name`` has now, with their TTL; none is an answer as well. Fails
        with a ``DialError``. To cancel it ends it.
        """
        there = self._hosts().get(name) if kind in (A, AAAA) else None
        if there is not None:
            # As for the C library, a name that is in the file has no other addresses.
            ttl = int(self.limits.longest)
            return succeed(tuple(Record(name, kind, ttl, text) for text in there if (":" in text) is (kind == AAAA)))
        asking: Deferred[Any] = self._servers.ask(self._conf(), name, (kind,))
        return asking.addCallback(lambda answers: answers[kind])


def _plain(name: str) -> str:
    """``name`` as it is asked for: in ASCII and lower case. ``DnsError`` if DNS can have no such name."""
    try:
        if not name.isascii():
            name = name.encode("idna").decode("ascii")
        encode_name(name.removesuffix("."))
    except ValueError:
        raise DnsError(f"{name} is no name that DNS can have") from None
    return name.lower()


def _fits(name: str) -> bool:
    try:
        encode_name(name)
    except ValueError:
        return False
    return True


@frozen
class _Known:
    """What a name stands for ``until`` then; without addresses, ``why`` there are none."""

    addresses: Addresses
    until: float
    why: str = ""
    kind: type[ExchangeError] = DnsError
    error: str = DnsError.error

    def fault(self) -> ExchangeError:
        return self.kind(self.why, error=self.error)


class _LookUp:
    """A look-up that runs, and who waits for it."""

    __slots__ = ("name", "bounded", "clients", "_resolver", "_waiters", "_running")

    def __init__(self, resolver: Resolver, name: str, bounded: bool) -> None:
        self.name = name
        self.bounded = bounded
        # how many of each wait
        self.clients: dict[str, int] = {}
        self._resolver = resolver
        self._waiters: dict[Deferred[Addresses], str] = {}
        self._running: Deferred[Any] | None = None

    def follow(self, running: Deferred[_Known]) -> None:
        """Tell those who wait what comes of it."""
        self._running = running
        running.addBoth(self._tell)

    def wait(self, client: str) -> Deferred[Addresses]:
        """One more waits, on behalf of ``client``."""
        waiter: Deferred[Addresses] = Deferred(self._left)
        self._waiters[waiter] = client
        if client:
            if client not in self.clients:
                self._resolver.count(client, 1)
            self.clients[client] = self.clients.get(client, 0) + 1
        return waiter

    def _forget(self, waiter: Deferred[Addresses]) -> None:
        client = self._waiters.pop(waiter)
        if client:
            self.clients[client] -= 1
            if not self.clients[client]:
                del self.clients[client]
                self._resolver.count(client, -1)

    def _left(self, waiter: Deferred[Addresses]) -> None:
        if waiter in self._waiters:
            self._forget(waiter)
            if not self._waiters and self._running is not None:
                running, self._running = self._running, None
                self._resolver.over(self, None)
                running.cancel()

    def is_of(self, client: str) -> bool:
        """Whether it is for nobody but ``client``."""
        return self.clients.get(client) == len(self._waiters)

    def end(self, fault: ExchangeError) -> None:
        """Go on no more, whoever waits."""
        running, self._running = self._running, None
        waiters = self._over(None)
        if running is not None:
            running.cancel()
        for waiter in waiters:
            if not waiter.called:
                waiter.errback(fault)

    def _over(self, known: _Known | None) -> list[Deferred[Addresses]]:
        """Who has waited until now."""
        self._resolver.over(self, known)
        waiters = list(self._waiters)
        for waiter in waiters:
            self._forget(waiter)
        return waiters

    def _tell(self, outcome: _Known | Failure) -> None:
        if not self._waiters:
            return  # given up
        known = self._resolver.failed(self.name, outcome) if isinstance(outcome, Failure) else outcome
        self._running = None
        for waiter in self._over(known):
            # What one's answer sets off may have made another leave.
            if waiter.called:
                continue
            if known.addresses:
                waiter.callback(known.addresses)
            else:
                waiter.errback(known.fault())
