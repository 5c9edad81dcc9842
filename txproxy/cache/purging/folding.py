"""Many marks about one origin become one about all of it: who makes very many loses his own, and nobody else does."""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, TypeAlias

from txproxy.cache.purging.mark import Kind

# The last hard and the last soft mark of each value.
Values: TypeAlias = "dict[Kind, dict[bytes, tuple[int, int]]]"

_OF_ORIGINS: Final = (Kind.URL, Kind.PREFIX, Kind.GROUP)
# Marks that responses make: no more of all than one in so many is of these.
_OF_RESPONSES: Final = 4
# A name with at least so many labels has others beside it that are the same owner's, before one with less is tried.
_LABELS: Final = (3, 2)


def fold(values: Values, most: int) -> bool:
    """Have no more than ``most`` marks of all kinds, and a fourth of that of groups; whether that could be. What is
    folded says at least what it has said.

    The origins go first that have the most, then the ports of a host, and the hosts below a domain.
    """
    if len(values[Kind.GROUP]) > groups_of(most):
        _fold_into_hosts(values, (Kind.GROUP,), _origin, _less(groups_of(most)))
    if _count(values) <= most:
        return True
    room = _less(most)
    _fold_into_hosts(values, _OF_ORIGINS, _origin, room - len(values[Kind.HOST]) - _count_others(values))
    for wider in (_host, *(lambda value, labels=labels: _domain(value, labels) for labels in _LABELS)):
        if _count(values) <= room:
            break
        _fold_into_hosts(values, (*_OF_ORIGINS, Kind.HOST), wider, room - _count_others(values))
    return _count(values) <= most


def groups_of(most: int) -> int:
    """How many of so many marks may be of groups, which responses make as they like."""
    return most // _OF_RESPONSES


def covers(hosts: dict[bytes, tuple[int, int]], authority: bytes) -> list[tuple[int, int] | None]:
    """The marks of ``hosts`` that are about an authority: with its port, of its host, and of the domains above."""
    host = authority.rpartition(b":")[0]
    found = [hosts.get(authority), hosts.get(host)]
    while host:
        found.append(hosts.get(b"." + host))
        host = host.partition(b".")[2]
    return found


def _fold_into_hosts(values: Values, kinds: Iterable[Kind], wider: Callable[[bytes], bytes], room: int) -> None:
    """Leave so many marks of these ``kinds``, if that goes: those about what is the same in ``wider`` become one."""
    kinds = tuple(kinds)
    counts = Counter(found for kind in kinds for value in values[kind] if (found := wider(value)))
    left = sum(len(values[kind]) for kind in kinds)
    chosen = set()
    for name, count in counts.most_common():
        if left <= room or count < 2:
            break
        chosen.add(name)
        left -= count - (Kind.HOST in kinds)
    if not chosen:
        return
    hosts = values[Kind.HOST]
    for kind in kinds:
        for value in [value for value in values[kind] if wider(value) in chosen]:
            hard, soft = values[kind].pop(value)
            name = wider(value)
            before = hosts.get(name, (0, 0))
            hosts[name] = max(before[0], hard), max(before[1], soft)


def _origin(value: bytes) -> bytes:
    """The authority of a URL, of a prefix of URLs, or of a group; with none of these, what is the authority itself."""
    return value.partition(b" ")[0].partition(b"://")[2].partition(b"/")[0] if b"://" in value else value


def _host(value: bytes) -> bytes:
    """The host of an authority, which has a port unless it is the host already."""
    authority = _origin(value)
    host, colon, port = authority.rpartition(b":")
    return host if colon and port.isdigit() and not authority.endswith(b"]") else authority


def _domain(value: bytes, labels: int) -> bytes:
    """The domain of so many labels that a host is below, as it is written of hosts; empty if it is in none."""
    host = _host(value)
    parts = host.lstrip(b".").split(b".")
    if len(parts) < labels or (len(parts) == labels and not host.startswith(b".")) or _is_address(host):
        return b""
    return b"." + b".".join(parts[-labels:])


def _is_address(host: bytes) -> bool:
    try:
        ipaddress.ip_address(host.decode("latin-1").strip("[]"))
    except ValueError:
        return False
    return True


def _less(most: int) -> int:
    """So many are left, so that it is not done for each mark."""
    return most * 3 // 4


def _count(values: Values) -> int:
    return sum(map(len, values.values()))


def _count_others(values: Values) -> int:
    """How many there are that are not about origins or hosts."""
    return sum(len(pairs) for kind, pairs in values.items() if kind not in (*_OF_ORIGINS, Kind.HOST))
