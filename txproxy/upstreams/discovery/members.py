"""Upstreams that are given by name, and the members of a pool that they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from txproxy.interfaces.address import Address
from txproxy.upstreams.discovery.lookups import Discovery, Found, HostName, Records, ServiceName
from txproxy.upstreams.pool_settings import OwnPool
from txproxy.upstreams.upstream import Upstream


class ChangingPool(OwnPool, Protocol):
    """What is needed of a pool whose members come and go."""

    @property
    def upstreams(self) -> Sequence[Upstream]:
        """Those that it has."""

    def add(self, item: Upstream) -> Upstream:
        """One more."""

    def weigh(self, upstream: Upstream, weight: int) -> None:
        """Give it another weight."""

    def remove(self, upstream: Upstream) -> None:
        """One less."""


class Members:
    """Keeps the members of ``pool`` that stand for ``template`` (an upstream with ``resolve``) what its name says.

    Until the first answer the template itself is the member: dialing it looks the name up as well. A name that begins
    with ``_`` is that of a service (SRV, RFC 2782), else a host's.
    """

    def __init__(self, pool: ChangingPool, template: Upstream, clock: Any, resolver: Records) -> None:
        self._pool = pool
        self._template = template
        self._present: dict[Found, Upstream] = {}
        address = template.address
        wanted: HostName | ServiceName
        if address.host.startswith("_"):
            wanted = ServiceName(address.host)
        else:
            wanted = HostName(address.host, address.port, template.weight, template.backup)
        self._discovery = Discovery(clock, resolver, self._apply, wanted)

    def start(self) -> None:
        """Look the name up, now and at its TTL."""
        self._discovery.start()

    def stop(self) -> None:
        """Look no more; the members stay."""
        self._discovery.stop()

    def _apply(self, found: list[Found]) -> None:
        pool = self._pool
        gone = {member: upstream for member, upstream in self._present.items() if member not in found}
        for member in found:
            before = next((other for other in gone if _is_same(member, other)), None)
            if before is not None:
                # Another weight: what it carries, and what is known of its health, stays.
                upstream = self._present[member] = gone.pop(before)
                weight = self._weight(member)
                if upstream.pool is pool and upstream.given_weight != weight:
                    upstream.given_weight = weight
                    pool.weigh(upstream, weight)
            elif member not in self._present:
                self._present[member] = pool.add(self._member(member))
        self._present = {member: self._present[member] for member in found}
        if self._template in pool.upstreams:
            pool.remove(self._template)
        for upstream in gone.values():
            # unless somebody else has removed it
            if upstream.pool is pool:
                pool.remove(upstream)

    def _member(self, found: Found) -> Upstream:
        template = self._template
        where = Address(found.host, found.port)
        tls, server_name, authority = template.address.tls, template.address.server_name, template.authority
        name = f"{template.name} at {where}"
        if found.name and template.address.host.startswith("_"):
            # The target of a service is a host of its own name. Another one may be at the same place after it.
            authority = f"{found.name}:{found.port}".encode("ascii")
            name = f"{name} ({found.name})"
            if tls is not None:
                tls, server_name = self._pool.settings.tls.connections(found.name), found.name
        member = Upstream(
            Address(found.host, found.port, tls=tls, server_name=server_name, protocols=template.address.protocols),
            authority,
            self._weight(found),
            backup=found.backup,
            max=template.max,
            name=name + (" (backup)" if found.backup and not template.backup else ""),
        )
        member.give(template.given_order)
        member.stands_for = template.name
        return member

    def _weight(self, found: Found) -> int:
        """That of its record; without one if the template has none."""
        return found.weight if self._template.given_weight else 0


def _is_same(one: Found, other: Found) -> bool:
    return (one.host, one.port, one.backup, one.name) == (other.host, other.port, other.backup, other.name)
