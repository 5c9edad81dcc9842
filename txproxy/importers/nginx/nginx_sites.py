"""What one server of nginx's is at one listener, and what all of them have together."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import Final, TypeAlias

import attrs

from txproxy.importers.nginx.cache_zones import CacheZones
from txproxy.importers.nginx.limit_zones import LimitZones
from txproxy.importers.nginx.listening import Listening, Server
from txproxy.importers.nginx.locations.location_order import Location
from txproxy.importers.nginx.locations.route_conditions import PATH, Table
from txproxy.importers.nginx.locations.value_tables import ValueTable
from txproxy.importers.nginx.syntax.nginx_measures import octets
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope, all_taken
from txproxy.importers.nginx.upstream_pools import Pools
from txproxy.importers.notes import Untranslatable

# What a request has to have beside its host and path, and what a route does with it then.
Variant: TypeAlias = "tuple[Table, Table]"


@attrs.define
class Whole:
    """What all servers have together: ``tables`` are those of ``map`` and ``geo``, and ``constants`` the variables of
    them that are always the same.
    """

    notes: Notes
    pools: Pools
    limits: LimitZones
    caches: CacheZones
    constants: dict[str, str] = attrs.field(factory=dict)
    tables: dict[str, ValueTable] = attrs.field(factory=dict)


@attrs.define
class Site:
    """A server at a listener; ``known`` are the variables whose values are known there, and ``largest_body`` is what
    the listener lets pass (0: all). Those with a name (``@name``) are ``named``.
    """

    whole: Whole
    server: Server
    listening: Listening
    known: dict[str, str] = attrs.field(factory=dict)
    largest_body: int = 0
    locations: list[Location] = attrs.field(factory=list)
    named: dict[str, Scope] = attrs.field(factory=dict)
    # how often a location has been looked for again
    again: int = 0

    @property
    def notes(self) -> Notes:
        """Where lines go."""
        return self.whole.notes

    @classmethod
    def of(cls, whole: Whole, server: Server, listening: Listening, largest_body: int) -> Site:
        """With what is known of it."""
        tls = listening.first.tls
        known = {**whole.constants, "https": "on" if tls else "", "scheme": "https" if tls else "http"}
        if server.names and not server.names[0].startswith(("~", "*", ".")):
            known["server_name"] = server.names[0]
        if listening.port:
            known["server_port"] = listening.port
        if not listening.first.tls and server.scope.all("real_ip_header"):
            # A proxy that is trusted may say that its client spoke TLS.
            known.pop("scheme")
        return cls(whole, server, listening, known, largest_body)


def answer_instead(scope: Scope, site: Site, why: object, status: int = 501) -> Table:
    """What is done where it cannot be said what nginx does: nothing is allowed by that. The line is for all that stands
    there, but for other locations.
    """
    site.notes.say(scope.directive, f"answered with {status}: {why}")
    if scope is not site.server.scope:
        all_taken(one for one in scope.directives if one.name != "location")
    return {"respond": status}


class Impossible(Untranslatable):
    """Two conditions never hold together."""


def joined_all(one: Table, variants: Iterable[Variant]) -> list[Variant]:
    """The variants with ``one`` condition more, but for those that no request could have then."""
    found: list[Variant] = []
    for wanted, table in variants:
        with suppress(Impossible):
            found.append((joined(one, wanted), table))
    return found


def joined(one: Table, other: Table) -> Table:
    """Conditions that have to hold together; ``Untranslatable`` if a route cannot say so."""
    made = dict(one)
    for key, wanted in other.items():
        there = made.get(key)
        if there is None or there == wanted:
            made[key] = wanted
        elif key in ("methods", "hosts", "clients"):
            both = [item for item in there if item in wanted]
            if not both and key == "methods":
                raise Impossible("no request has two methods")
            if not both or key == "clients":
                raise Untranslatable(f"two conditions on {key} that have to hold together")
            made[key] = both
        elif key == PATH and not there.startswith("(?i") and not wanted.startswith("(?i"):
            made[key] = f"(?={there}$)(?:{wanted})"
        elif isinstance(there, dict) and not set(there) & set(wanted):
            made[key] = {**there, **wanted}
        else:
            raise Untranslatable(f"two conditions on {key} that have to hold together")
    return made


def weight_of(conditions: Table) -> int:
    """How many conditions a route counts: of two at one place, the one with more is tried first."""
    return sum(len(said) if isinstance(said, dict) else 1 for key, said in conditions.items() if key != "hosts")


# nginx's own, where nothing is said.
_BODY: Final = 1 << 20


def body_size(scope: Scope) -> int:
    """How much a body of a request may have there; 0 for any."""
    directive = scope.last("client_max_body_size")
    if directive is None:
        return _BODY
    try:
        return octets(directive.first)
    except Untranslatable as fault:
        scope.notes.say(directive, fault)
        return _BODY
