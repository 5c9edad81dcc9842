"""``proxy_cache`` and what goes with it: one cache for all, and what routes say of it."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import duration, octets, size_of
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope
from txproxy.importers.nginx.syntax.variables import pieces
from txproxy.importers.notes import Untranslatable

# What tells responses apart in any case.
_IN_EACH_KEY: Final = frozenset(
    {"scheme", "proxy_host", "host", "http_host", "server_name", "server_port", "request_uri", "uri", "request_method",
     "document_uri"}
)  # fmt: skip
_LEAST_MEMORY: Final = 16 << 20
_DEFAULT_DIR_SIZE: Final = "1G"
_WHEN_STALE: Final = "24h"
_USUAL_STATUSES: Final = ("200", "301", "302")


@attrs.define
class CacheZones:
    """The zones that the file has, which are one cache here: its ``table``."""

    notes: Notes
    table: dict[str, Any] = attrs.field(factory=dict)
    zones: set[str] = attrs.field(factory=set)

    def define(self, directive: Directive) -> None:
        """Take in a ``proxy_cache_path``."""
        words = dict(word.partition("=")[::2] for word in directive.words[1:])
        zone, _, size = words.get("keys_zone", "").partition(":")
        self.zones.add(zone)
        try:
            memory = octets(size)
            most = octets(words["max_size"]) if "max_size" in words else 0
        except Untranslatable as fault:
            self.notes.say(directive, fault)
            return
        if self.table:
            self.notes.say(directive, "there is one cache for all: its room is what all of them have together")
        else:
            self.table["dir"] = directive.first.rstrip("/") + "/txproxy"
        self.table["size"] = self.table.get("size", 0) + memory
        self.table["dir_size"] = self.table.get("dir_size", 0) + most

    def written(self) -> dict[str, Any]:
        """``[cache]`` of the file."""
        if not self.table:
            return {}
        size, most = self.table["size"], self.table["dir_size"]
        # nginx goes by what responses say, and guesses nothing.
        return {
            "size": size_of(max(size, _LEAST_MEMORY)),
            "dir": self.table["dir"],
            "dir_size": size_of(most) if most else _DEFAULT_DIR_SIZE,
            "targeted": [],
            "heuristic_fraction": 0,
            "stale_if_error": 0,
        }

    def at(self, scope: Scope) -> dict[str, Any]:
        """``cache`` of a route, if there is a cache at all."""
        if not self.table:
            return {}
        zone = scope.last("proxy_cache")
        if zone is None or zone.first == "off":
            return {"cache": False}
        if zone.first not in self.zones:
            self.notes.say(zone, f"nothing is cached: there is no zone {zone.first}")
            return {"cache": False}
        found: dict[str, Any] = {}
        try:
            found |= self._valid(scope) | self._key(scope) | self._rest(scope)
        except Untranslatable as fault:
            self.notes.say(zone, f"nothing is cached: {fault}")
            return {"cache": False}
        return {"cache": found} if found else {}

    def _valid(self, scope: Scope) -> dict[str, Any]:
        times: dict[str, Any] = {}
        for one in scope.all("proxy_cache_valid"):
            statuses, time = one.words[:-1] or _USUAL_STATUSES, one.words[-1]
            for status in statuses:
                try:
                    times[status] = duration(time)
                except Untranslatable:
                    self.notes.say(one, f"{time} is no time for which anything could be kept")
        return {"ttl": times} if times else {}

    def _key(self, scope: Scope) -> dict[str, Any]:
        directive = scope.last("proxy_cache_key")
        if directive is None:
            return {}
        found: dict[str, Any] = {}
        names = [piece.text for piece in pieces(directive.first, {}) if piece.variable]
        if not {"request_uri", "args", "query_string"} & set(names):
            found["query"] = "none"
            self.notes.say(directive, "the query is no part of the key, and so is not sent on either")
        if not {"request_uri", "uri", "document_uri"} & set(names):
            raise Untranslatable("the key has no path in it, and paths are told apart here")
        for name in names:
            kind, _, rest = name.partition("_")
            if name in _IN_EACH_KEY or name in ("args", "query_string", "is_args"):
                continue
            if kind == "cookie" and rest:
                found.setdefault("key_cookies", []).append(rest)
            elif kind == "http" and rest:
                found.setdefault("key_headers", []).append(rest.replace("_", "-"))
            else:
                raise Untranslatable(f"${name} is no part of a key here")
        return found

    def _rest(self, scope: Scope) -> dict[str, Any]:
        found: dict[str, Any] = {}
        uses = scope.word("proxy_cache_min_uses", "1")
        if uses.isdigit() and int(uses) > 1:
            found["min_uses"] = int(uses)
        stale = scope.last("proxy_cache_use_stale")
        if stale is not None and {"error", "timeout"} & set(stale.words):
            found["stale_if_error"] = _WHEN_STALE
        if stale is not None and "updating" in stale.words and scope.word("proxy_cache_background_update") == "on":
            found["stale_while_revalidate"] = _WHEN_STALE
        ignored = {word.lower() for one in scope.all("proxy_ignore_headers") for word in one.words}
        if "set-cookie" in ignored:
            found["ignore_set_cookie"] = True
        if {"cache-control", "expires"} <= ignored:
            found["override_expire"] = True
        for one in scope.all("proxy_cache_methods"):
            if set(one.words) - {"GET", "HEAD"}:
                self.notes.say(one, "responses to GET and HEAD alone are cached")
        # All that is asked for at once is asked for once, and what is stale is asked for by its validators.
        scope.all("proxy_cache_lock", "proxy_cache_lock_timeout", "proxy_cache_lock_age", "proxy_cache_revalidate")
        return found


def exceptions(scope: Scope) -> tuple[list[str], list[Directive]]:
    """The variables with which nginx does not use the cache, and the directives that name them."""
    directives = [*scope.all("proxy_cache_bypass"), *scope.all("proxy_no_cache")]
    names = [word for one in directives for word in one.words]
    return list(dict.fromkeys(re.sub(r"[{}$]", "", name) for name in names)), directives
