"""Upstreams that are given by name, and the members of a pool that they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from txproxy.interfaces import Address
from txproxy.reverse.discovery import Discovery, Found, HostName, ServiceName
from txproxy.reverse.upstream import Upstream

if TYPE_CHECKING:
    from txproxy.reverse.pool import Pool


class Members:
    """Keeps the members of ``pool`` that stand for ``template`` (an upstream with ``resolve``) what its name says.

    Until the first answer the template itself is the member: dialing it asks the system's resolver. A name that begins
    with ``_`` is that of a service (SRV, RFC 2782), else a host's.
    """

    def __init__(self, pool: Pool, template: Upstream, clock: Any, resolver: Any = None) -> None:
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
        for member in found:
            if member not in self._present:
                self._present[member] = pool.add(self._member(member))
        if self._template in pool.upstreams:
            pool.remove(self._template)
        for gone in [member for member in self._present if member not in found]:
            pool.remove(self._present.pop(gone))

    def _member(self, found: Found) -> Upstream:
        template = self._template
        where = Address(found.host, found.port)
        name = f"{template.name} at {where}"
        address = Address(found.host, found.port, tls=template.address.tls, server_name=template.address.server_name)
        return Upstream(address, template.authority, found.weight, backup=found.backup, max=template.max, name=name)
