"""Upstreams that are given by name: the addresses behind it become members, and follow it when it changes.

A host name (``;resolve`` of an upstream) stands for all its addresses, IPv4 and IPv6; a service name (SRV, RFC 2782)
for those of its targets, with port, priority and weight. Names are complete ones: no search list is applied.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Final, Protocol

import attrs
from twisted.internet.defer import Deferred, DeferredSemaphore, TimeoutError, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from txproxy.errors import ConfigError, DialError
from txproxy.frozen_values import frozen
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.matching.hosts import host_name, is_literal
from txproxy.matching.ports import HIGHEST, read_port
from txproxy.wire.dns import AAAA, SRV, A, Record, Service

_log = Logger()

# A name is looked up again when its TTL is over, but neither at once nor hardly ever. All in seconds.
SHORTEST: Final = 1
LONGEST: Final = 300
RETRY: Final = 5.0
# What is known by then is made use of: servers that never answer for IPv6 are to hold up nobody.
_SOON: Final = 0.5
# How many look-ups run at once: each takes a socket. And for how long any of them may run.
_AT_ONCE: Final = 16
_AT_MOST: Final = 10.0


# -- what is looked for, and what is found


def _complete_name(text: str) -> str:
    """``text`` in the form in which it is asked for, with all its labels in ASCII; or ``ConfigError``."""
    accepted = "accepted is the name of a host or service to look up, without a port"
    try:
        name = host_name(text) if isinstance(text, str) else ""
    except ConfigError as fault:
        raise fault.accepting(accepted) from None
    if not name or is_literal(name):
        raise ConfigError(f"{text!r} is no name", accepted)
    return name


def _check_port(_wanted: HostName, _field: attrs.Attribute[int], value: int) -> None:
    if type(value) is not int or not read_port(str(value)):
        raise ConfigError(f"{value!r} is no port", f"accepted is 1 to {HIGHEST}")


def _check_weight(_wanted: HostName, _field: attrs.Attribute[int], value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST_WEIGHT:
        raise ConfigError(f"{value!r} is no weight", f"accepted is 0 to {MOST_WEIGHT}")


@frozen
class HostName:
    """All addresses of ``host``, each a member with this ``port``, ``weight`` and ``backup``."""

    host: str = attrs.field(converter=_complete_name)
    port: int = attrs.field(validator=_check_port)
    weight: int = attrs.field(default=1, validator=_check_weight)
    backup: bool = False

    def __str__(self) -> str:
        return self.host


@frozen
class ServiceName:
    """All addresses of the targets of an SRV ``name``, such as ``_http._tcp.example.com``. Those of the lowest priority
    number are the primaries, the others backups.
    """

    name: str = attrs.field(converter=_complete_name)

    def __str__(self) -> str:
        return self.name


@frozen
class Found:
    """A member: ``host`` is an address, ``name`` the host name that has it (to be verified with TLS, say)."""

    host: str
    port: int
    weight: int
    backup: bool
    name: str = ""


class Records(Protocol):
    """Knows the records of names (see :class:`txproxy.Resolver`)."""

    def records(self, name: str, kind: int) -> Deferred[tuple[Record, ...]]:
        """Those of ``kind`` that the complete ``name`` has; fails with a ``DialError``."""


class LookUpFailed(Exception):
    """A name server gave no answer that counts. It may in a while."""


class _Family(Enum):
    IPV4 = A
    IPV6 = AAAA


_WHAT: Final = {A: "IPv4 addresses", AAAA: "IPv6 addresses", SRV: "SRV records"}


@frozen
class _Outcome:
    """For how many seconds answers are good, what was wrong (empty if nothing), and whether a name has no address."""

    ttl: int
    cause: str = ""
    empty: bool = False


class Discovery:
    """Keeps track of what a name stands for, and calls ``apply`` with all its members whenever they have changed.

    ``resolver`` is asked at the name's TTL (1 to 300 s). Where it fails, or knows no address, what was known stays,
    ``cause`` says why, and it is asked again in 5 s.
    Members are sorted: the same answers in another order change nothing.
    """

    def __init__(
        self,
        clock: IReactorTime,
        resolver: Records,
        apply: Callable[[list[Found]], object],
        wanted: HostName | ServiceName,
    ) -> None:
        self.members: tuple[Found, ...] = ()
        self.cause = ""
        self._clock = clock
        self._apply = apply
        self._wanted = wanted
        self._resolver = resolver
        # What is known: the names that have the addresses, each with port, weight and backup, and those addresses.
        self._places: list[Found] = []
        self._addresses: dict[tuple[str, _Family], list[str]] = {}
        self._timer: IDelayedCall | None = None
        self._soon: IDelayedCall | None = None
        self._round: Deferred[Any] | None = None

    def start(self) -> None:
        """Look now, and again and again."""
        if self._timer is None and self._round is None:
            self._begin()

    def stop(self) -> None:
        """Look no more; ``members`` stay what they are."""
        running, self._round = self._round, None
        if running is not None:
            running.cancel()
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()
        self._cancel_soon()

    # -- rounds

    def _begin(self) -> None:
        self._timer = None
        self._soon = self._clock.callLater(_SOON, self._is_soon)
        self._round = Deferred.fromCoroutine(self._look())
        self._round.addBoth(self._end)

    def _is_soon(self) -> None:
        self._soon = None
        self._publish()

    def _cancel_soon(self) -> None:
        soon, self._soon = self._soon, None
        if soon is not None:
            soon.cancel()

    def _end(self, result: _Outcome | Failure) -> None:
        if self._round is None:
            return  # stopped
        self._round = None
        self._cancel_soon()
        if isinstance(result, Failure):
            _log.failure("while looking up {name}", result, name=str(self._wanted))
            result = _Outcome(LONGEST, "the look-up itself failed, see the log")
        cause = result.cause
        pause = min(max(SHORTEST, result.ttl), RETRY if cause else LONGEST)
        self._timer = self._clock.callLater(pause, self._begin)
        before, self.cause = self.cause, cause
        self._publish()
        if cause and not before:
            _log.warn(
                "looking up {name} fails: {cause}; its {count} known members stay",
                name=str(self._wanted),
                cause=cause,
                count=len(self.members),
            )
        elif before and not cause:
            _log.info("looking up {name} works again", name=str(self._wanted))

    def _publish(self) -> None:
        found = _members(self._places, self._addresses)
        if found and found != self.members:
            self.members = found
            try:
                self._apply(list(found))
            except Exception:
                _log.failure("while the members of {name} were changed", name=str(self._wanted))

    # -- one round

    async def _look(self) -> _Outcome:
        """Look everything up."""
        ttl, cause = LONGEST, ""
        try:
            ttl = await self._look_up_places()
        except LookUpFailed as fault:
            cause = str(fault)
        names = {place.name for place in self._places}
        self._addresses = {key: known for key, known in self._addresses.items() if key[0] in names}
        turns = DeferredSemaphore(_AT_ONCE)
        looking = [Deferred.fromCoroutine(self._look_up_name(name, turns)) for name in sorted(names)]
        for outcome in await gatherResults(looking, consumeErrors=True):
            ttl = min(ttl, outcome.ttl)
            cause = cause or outcome.cause
        return _Outcome(ttl, cause)

    async def _look_up_places(self) -> int:
        wanted = self._wanted
        if isinstance(wanted, HostName):
            self._places = [Found("", wanted.port, wanted.weight, wanted.backup, wanted.host)]
            return LONGEST
        records, ttl = await self._records(wanted.name, SRV)
        places = _places(records)
        if not places:
            # None, or the one with the target "." (RFC 2782): not available. Whether the known members still serve,
            # their health checks know better.
            raise LookUpFailed(f"{wanted.name} has no SRV record" if not records else f"{wanted.name} is not offered")
        self._places = places
        return ttl

    async def _look_up_name(self, name: str, turns: DeferredSemaphore) -> _Outcome:
        """Look up both families of addresses of ``name``. One of them is enough, and one without any is no failure."""
        asking = [turns.run(self._look_up_family, name, family) for family in _Family]
        outcomes = dict(zip(_Family, await gatherResults(asking, consumeErrors=True), strict=True))
        ttl = min(outcome.ttl for outcome in outcomes.values())
        cause = next((outcome.cause for outcome in outcomes.values() if outcome.cause), "")
        if any(self._addresses.get((name, family)) for family in _Family if not outcomes[family].empty):
            for family in _Family:
                if outcomes[family].empty:
                    self._addresses.pop((name, family), None)
        elif not cause:
            cause = f"{name} has no address"
        return _Outcome(ttl, cause)

    def _look_up_family(self, name: str, family: _Family) -> Deferred[_Outcome]:
        return Deferred.fromCoroutine(self._ask_for_addresses(name, family))

    async def _ask_for_addresses(self, name: str, family: _Family) -> _Outcome:
        try:
            records, ttl = await self._records(name, family.value)
        except LookUpFailed as fault:
            return _Outcome(LONGEST, str(fault))
        # With the addresses come the aliases (CNAME) that led to them.
        found = [str(record.data) for record in records if record.kind == family.value]
        if found:
            self._addresses[name, family] = found
        return _Outcome(ttl, empty=not found)

    async def _records(self, name: str, kind: int) -> tuple[tuple[Record, ...], int]:
        """The records of an answer, and for how many seconds all of them are good. No record is an answer as well."""
        try:
            records = await self._resolver.records(name, kind).addTimeout(_AT_MOST, self._clock)
        except TimeoutError:
            raise LookUpFailed(f"{_WHAT[kind]} of {name}: no answer") from None
        except DialError as fault:
            raise LookUpFailed(f"{_WHAT[kind]} of {name}: {fault.detail}") from fault
        return records, min((record.ttl for record in records), default=LONGEST)


# -- from records to members


def _places(records: Sequence[Record]) -> list[Found]:
    """The targets of SRV records, as members of which the addresses are still to be found."""
    # With them may come aliases (CNAME) that led to them.
    found = [record.data for record in records if isinstance(record.data, Service)]
    found = [service for service in found if service.port and service.target]
    if not found:
        return []
    first = min(service.priority for service in found)
    # Zero is "hardly ever" (RFC 2782).
    return [
        Found("", service.port, max(1, service.weight), service.priority != first, service.target) for service in found
    ]


def _members(places: list[Found], addresses: dict[tuple[str, _Family], list[str]]) -> tuple[Found, ...]:
    """What is known, as members: sorted, each address and port once (as a primary, with its greatest weight)."""
    found: dict[tuple[str, int], Found] = {}
    for place in sorted(places, key=lambda place: (place.backup, -place.weight, place.name)):
        for family in _Family:
            for address in addresses.get((place.name, family), ()):
                found.setdefault((address, place.port), attrs.evolve(place, host=address))
    return tuple(sorted(found.values(), key=_order))


def _order(member: Found) -> tuple[bool, int, int, int]:
    address = ipaddress.ip_address(member.host)
    return member.backup, address.version, int(address), member.port
