"""``limit_req`` and ``limit_conn``, as limits of requests."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import is_on
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope
from txproxy.importers.nginx.syntax.variables import pieces
from txproxy.importers.notes import Untranslatable

_ZONE: Final = re.compile(r"zone=([^:]+)(?::.*)?")
_RATE: Final = re.compile(r"rate=([0-9]+)r/([sm])")
_CLIENT: Final = frozenset({"binary_remote_addr", "remote_addr", "realip_remote_addr"})
_HOST: Final = frozenset({"host", "http_host"})
_STATUS: Final = "503"


@attrs.frozen
class Zone:
    """What is counted: ``by`` what, and for ``limit_req`` how many may come in a time (``rate``)."""

    by: tuple[str, ...]
    rate: str = ""


@attrs.define
class LimitZones:
    """The zones that the file has, and the limits that are made of their uses."""

    notes: Notes
    zones: dict[str, Zone] = attrs.field(factory=dict)
    found: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    _names: dict[tuple[Any, ...], str] = attrs.field(factory=dict)

    def define(self, directive: Directive) -> None:
        """Take in a zone, if it can be said."""
        try:
            self._define(directive)
        except Untranslatable as fault:
            self.notes.say(directive, f"what it limits is not limited: {fault}")

    def _define(self, directive: Directive) -> None:
        words = directive.words
        zone = next((found[1] for word in words if (found := _ZONE.fullmatch(word))), "")
        if len(words) < 2 or not zone:
            raise Untranslatable("a key and a zone are wanted")
        rate = next((found for word in words if (found := _RATE.fullmatch(word))), None)
        if directive.name == "limit_req_zone" and rate is None:
            raise Untranslatable("a rate such as 10r/s is wanted")
        self.zones[zone] = Zone(self._key(directive), f"{rate[1]}/{rate[2]}" if rate is not None else "")

    def _key(self, directive: Directive) -> tuple[str, ...]:
        found: list[str] = []
        for piece in pieces(directive.first, {}):
            if not piece.variable:
                continue
            name = piece.text
            kind, _, rest = name.partition("_")
            if name in _CLIENT:
                found.append("client")
            elif name in _HOST:
                found.append("host")
            elif name == "server_name":
                self.notes.say(directive, "$server_name is not told apart: all servers count together")
            elif kind in ("http", "cookie") and rest:
                found.append(
                    f"{'header' if kind == 'http' else 'cookie'}:{rest.replace('_', '-' if kind == 'http' else '_')}"
                )
            else:
                # A table that excepts some: nobody is excepted here, so that nothing more is allowed.
                self.notes.say(directive, f"${name} is not known here: counted by client, and nobody is excepted")
                found.append("client")
        return tuple(dict.fromkeys(found))

    def at(self, scope: Scope) -> list[str]:
        """The names of the limits that hold in a block."""
        found = []
        for directive in scope.all("limit_req"):
            found += self._use(directive, scope, self._rated)
        for directive in scope.all("limit_conn"):
            found += self._use(directive, scope, self._concurrent)
        return list(dict.fromkeys(found))

    def _use(self, directive: Directive, scope: Scope, make: Any) -> list[str]:
        try:
            zone, table = make(directive)
        except Untranslatable as fault:
            self.notes.say(directive, f"nothing is limited: {fault}")
            return []
        table["status"] = int(scope.word(f"{directive.name}_status", _STATUS))
        if is_on(scope.word(f"{directive.name}_dry_run", "off")):
            table["enforce"] = False
        key = (directive.name, zone, repr(table))
        if key not in self._names:
            if any(other[:2] == key[:2] for other in self._names):
                self.notes.say(directive, "it counts for itself, as it is not the same as where else the zone is used")
            self._names[key] = name = self._free(zone)
            self.found[name] = {"name": name, **table}
        return [self._names[key]]

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.found:
            name, number = f"{wanted} {number}", number + 1
        return name

    def _zone(self, name: str) -> Zone:
        if name not in self.zones:
            raise Untranslatable(f"there is no zone {name or 'without a name'} that is known here")
        return self.zones[name]

    def _rated(self, directive: Directive) -> tuple[str, dict[str, Any]]:
        words = dict(word.partition("=")[::2] for word in directive.words)
        name = words.get("zone", "")
        zone = self._zone(name)
        burst = _number(words.get("burst", "0"))
        at_once = burst if "nodelay" in words else min(_number(words.get("delay", "0")), burst)
        # nginx has the first request besides what it calls a burst.
        table: dict[str, Any] = {"rate": zone.rate, "burst": at_once + 1, "by": list(zone.by)}
        if burst > at_once:
            table["delay"] = burst - at_once
        return name, table

    def _concurrent(self, directive: Directive) -> tuple[str, dict[str, Any]]:
        name, number = (*directive.words, "", "")[:2]
        return name, {"concurrent": _number(number), "by": list(self._zone(name).by)}


def _number(text: str) -> int:
    if not text.isdigit():
        raise Untranslatable(f"{text or 'nothing'} is no number")
    return int(text)
