"""Conditions on addresses: those of clients, and those that hosts have."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Final

from txproxy.forward.access.conditions.condition_type import ConditionType, Surroundings, Test
from txproxy.forward.access.destinations import embedded
from txproxy.forward.request.facts import Facts
from txproxy.matching.hosts import is_literal
from txproxy.matching.networks import Network, network, unmapped

UNIX: Final = "unix:"


def _network(text: str) -> Network:
    net = network(text)
    mapped = unmapped(net.network_address)
    # Addresses are compared as what they stand for.
    return network(f"{mapped}/{net.prefixlen - 96}") if mapped.version != net.version and net.prefixlen >= 96 else net


def _client(text: str) -> Network | str:
    return UNIX if text == UNIX else _network(text)


def _network_covers(one: Any, other: Any) -> bool:
    if isinstance(one, str) or isinstance(other, str) or one.version != other.version:
        return bool(one == other)
    return bool(other.subnet_of(one))


def _clients_test(values: Sequence[Any], _: Surroundings) -> Test:
    networks = [value for value in values if value != UNIX]

    @lru_cache(maxsize=4096)
    def known(text: str) -> bool:
        try:
            address = unmapped(ipaddress.ip_address(text.partition("%")[0]))
        except ValueError:
            return text == UNIX and UNIX in values
        return any(address in net for net in networks)

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

    @lru_cache(maxsize=4096)
    def known(text: str) -> bool:
        spelled = embedded(ipaddress.ip_address(text.partition("%")[0]))
        fits = [any(address in value for value in values) is not negated for address in spelled]
        return all(fits) if every else any(fits)

    def test(facts: Facts) -> bool:
        addresses = addresses_of(facts)
        if not addresses:
            return False
        return all(map(known, addresses)) if every else any(map(known, addresses))

    return test


def _no_test(values: Sequence[Any], _: Surroundings) -> Test:
    raise AssertionError("addresses are tested by address_test")


CLIENT: Final = ConditionType(
    "clients", _client, _clients_test, "client_ip", lambda facts, _: f"client {facts.client_ip}", _network_covers
)
ADDRESS: Final = ConditionType(
    "addresses",
    _network,
    _no_test,
    "",
    lambda facts, _: f"address {' '.join(addresses_of(facts) or ()) or '(none)'}",
    _network_covers,
)
