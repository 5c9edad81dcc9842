"""Whom a limit is for, and who shares one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.matching.clients import IPV6_PREFIX, client_key
from txproxy.matching.networks import Networks, PeerNetworks

PER: Final = ("client", "user", "rule")


class Scope:
    """Tells for which clients, users or rules (``per``) a limit is."""

    __slots__ = ("per", "_names", "_networks")

    def __init__(self, per: str, names: frozenset[str], networks: Networks | None) -> None:
        self.per = per
        self._names = names
        self._networks = networks

    def name(self, client_ip: str, user: str | None, rule: str, ipv6_prefix: int = IPV6_PREFIX) -> str | None:
        """Who shares the limit with all others of the same name; None if it is not for them."""
        if self.per == "client":
            # It is the address that a network has, or has not, and the client that has a share.
            here = self._networks is None or self._networks.holds_either(client_ip)
            return client_key(client_ip, ipv6_prefix) if here else None
        name = user if self.per == "user" else rule
        return name if name and (not self._names or name in self._names) else None


def parse_scope(per: str, only: Sequence[str]) -> Scope:
    """A scope as it is written in a configuration; ``ConfigError`` if it is none."""
    if per not in PER:
        raise ConfigError(f"{per!r} shares nothing", f"accepted: {', '.join(PER)}", ("per",))
    if not all(isinstance(name, str) and name for name in only):
        raise ConfigError(f"{list(only)!r} are no names", "accepted is a list of texts", ("only",))
    if per == "client":
        try:
            return Scope(per, frozenset(), PeerNetworks(only) if only else None)
        except ConfigError as fault:
            raise fault.at("only") from None
    return Scope(per, frozenset(only), None)


def positive(_: object, attribute: Any, value: Any) -> None:
    """An attrs validator: None, or a number above 0."""
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value <= 0):
        raise ConfigError(f"{value!r} is no number of bytes", "accepted is a whole number above 0", (attribute.name,))
