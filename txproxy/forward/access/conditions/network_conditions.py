"""Conditions on addresses: those of clients, and those that hosts have."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import is_literal
from txproxy.matching.networks import (
    Network,
    Networks,
    PeerNetworks,
    covers,
    embedded,
    network,
    network_or_unix,
    read_address,
)


def clients_test(values: Sequence[Network | str], loosely: bool) -> Test:
    """Whether a client is in the networks; ``loosely`` also one that the address that its own carries is."""
    networks = PeerNetworks(values)
    known = networks.holds_either if loosely else networks.holds
    return lambda facts: known(facts.client_ip)


def addresses_of(facts: Facts) -> tuple[str, ...] | None:
    """The addresses of a request's host, if they are known: a literal is its own."""
    if facts.addresses is None and is_literal(facts.host):
        return (facts.host,)
    return facts.addresses


def address_test(values: Sequence[Network], negated: bool, every: bool) -> Test:
    """Whether addresses are in the networks (with ``negated``: outside of them). With ``every`` each has to be, as for
    a rule that allows; else one is enough, as for a rule that refuses. An IPv4 address within an IPv6 one counts too.
    """

    networks = Networks(values)

    @lru_cache(maxsize=4096)
    def known(text: str) -> bool:
        fits = [networks.has(spelled) is not negated for spelled in embedded(read_address(text))]
        return all(fits) if every else any(fits)

    def test(facts: Facts) -> bool:
        addresses = addresses_of(facts)
        if not addresses:
            return False
        return all(map(known, addresses)) if every else any(map(known, addresses))

    return test


def _no_test(values: Sequence[Any], _: Surroundings) -> Test:
    raise AssertionError("addresses are tested by address_test, and clients by clients_test")


CLIENT: Final = ConditionType(
    "clients", network_or_unix, _no_test, "client_ip", lambda facts, _: f"client {facts.client_ip}", covers
)
ADDRESS: Final = ConditionType(
    "addresses",
    network,
    _no_test,
    "",
    lambda facts, _: f"address {' '.join(addresses_of(facts) or ()) or '(none)'}",
    covers,
)
