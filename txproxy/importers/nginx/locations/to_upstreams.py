"""``proxy_pass`` and ``grpc_pass``: which pool, which Host, which path."""

from __future__ import annotations

import re
from typing import Any, Final

import attrs

from txproxy.errors import ConfigError
from txproxy.importers.nginx.locations.location_order import Location, literal
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_expressions import group_count
from txproxy.importers.nginx.syntax.nginx_measures import duration
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.nginx.syntax.variables import pieces, template
from txproxy.importers.nginx.upstream_pools import PORTS, tls_of
from txproxy.importers.notes import Untranslatable
from txproxy.reverse.actions.to_pool import host_to_send

_TARGET: Final = re.compile(r"(?:(https?|grpcs?)://)?(unix:[^:]+(?::|\Z)|[^/$?]+)(.*)", re.S)
# Ours are the same: the path as it came.
_AS_IT_CAME: Final = frozenset({"", "$request_uri", "$uri", "$uri$is_args$args", "$document_uri$is_args$args"})
_NEXT_BY_STATUS: Final = re.compile(r"http_\d+")
_HOST: Final = {"$http_host": None, "$host": "$host"}


@attrs.frozen
class Target:
    """What a directive names: scheme, authority, and what follows that."""

    scheme: str
    authority: str
    rest: str

    @property
    def proxy_host(self) -> str:
        """What nginx sends as Host, unless it is told otherwise."""
        if self.authority.startswith("unix:"):
            return "localhost"
        host, _, port = self.authority.rpartition(":")
        return host if host and port == PORTS.get(self.scheme) else self.authority


def passed(directive: Directive, location: Location, site: Site) -> Table:
    """A route to a pool; ``Untranslatable`` if there is none like it."""
    scope = location.scope
    prefix = "grpc" if directive.name == "grpc_pass" else "proxy"
    target = _target(directive, site, prefix)
    more = tls_of(scope, target.proxy_host, target.scheme, prefix, site.notes)
    more |= _retries(scope, site, target, prefix)
    table: Table = {"pool": site.whole.pools.pool(target.scheme, target.authority, more)}
    host = _host(scope, site, target, prefix)
    if host is not None:
        table["host"] = host
    return table | _path(directive, location, site, target.rest) | _timeouts(scope, site, prefix)


def asked_at(location: Location, site: Site, place: str) -> tuple[str, str]:
    """The pool that a location passes requests for ``place`` to, and the path that it asks for."""
    passes = location.scope.own("proxy_pass")
    if not passes:
        raise Untranslatable(f"location {place} is passed to nobody")
    target = _target(passes[-1], site, "proxy")
    more = tls_of(location.scope, target.proxy_host, target.scheme, "proxy", site.notes)
    path = place if target.rest in _AS_IT_CAME else target.rest + place[len(location.text) :]
    if "$" in path:
        raise Untranslatable(f"{path} is not known before a request comes")
    return site.whole.pools.pool(target.scheme, target.authority, more), path


def _target(directive: Directive, site: Site, prefix: str) -> Target:
    filled = "".join(
        f"${{{piece.text}}}" if piece.variable else piece.text for piece in pieces(directive.first, site.known)
    )
    filled = re.sub(r"\$\{(\w+)\}(?!\w)", r"$\1", filled)
    if filled.startswith("$scheme://"):
        filled = filled.replace("$scheme", site.known.get("scheme", "http"), 1)
    found = _TARGET.fullmatch(filled)
    if found is None or not found[2] or ("://" in filled and not found[1]):
        raise Untranslatable(f"where {directive.first} leads is not known before a request comes")
    if found[3].startswith("$") and found[3] not in _AS_IT_CAME:
        # It may be a part of the host.
        raise Untranslatable(f"where {directive.first} leads is not known before a request comes")
    return Target(found[1] or prefix.replace("proxy", "http"), found[2], found[3])


def _host(scope: Scope, site: Site, target: Target, prefix: str) -> str | None:
    """Host as it is sent; None for the client's own."""
    host = target.proxy_host
    for one in scope.all(f"{prefix}_set_header"):
        if one.first.lower() != "host" or len(one.words) < 2:
            continue
        said = one.words[1].replace("{", "").replace("}", "")
        if said in _HOST:
            return _HOST[said]
        known = {**site.known, "proxy_host": target.proxy_host}
        try:
            host = template(one.words[1], known)
        except Untranslatable as fault:
            site.notes.say(one, f"Host is the client's own: {fault}")
            return None
    try:
        return host_to_send(host)
    except ConfigError:
        site.notes.say(scope.directive, f"{host} can be no Host; the upstream's name is sent")
        return "upstream"


def _path(directive: Directive, location: Location, site: Site, rest: str) -> Table:
    """What becomes of the path: nginx puts what follows the authority in the place of the location's own."""
    if rest in _AS_IT_CAME:
        return {}
    if location.is_expression:
        return _of_groups(location, site, rest)
    if "$" in rest:
        for end in ("$request_uri", "$uri", "$uri$is_args$args"):
            if rest.endswith(end) and "$" not in rest.removesuffix(end):
                # The path stays, below another one.
                return _put_before(rest.removesuffix(end))
        raise Untranslatable(f"{rest} is not known before a request comes")
    if "?" in rest:
        raise Untranslatable("a query cannot be put into a path here")
    return replacing(location.text, rest)


def replacing(prefix: str, other: str) -> Table:
    """What puts ``other`` in the place of a ``prefix``, as nginx does it: letter by letter."""
    other = literal(other)
    if prefix == other:
        return {}
    if prefix.endswith("/") and other.endswith("/"):
        made: Table = {}
        if prefix != "/":
            made["strip_prefix"] = prefix.removesuffix("/")
        if other != "/":
            made["add_prefix"] = other.removesuffix("/")
        return made
    return {"rewrite": {"pattern": re.escape(prefix) + "(.*)", "replacement": other + "$1"}}


def _put_before(prefix: str) -> Table:
    if not prefix or prefix == "/":
        return {}
    if prefix.endswith("/"):
        return {"rewrite": {"pattern": "(.*)", "replacement": literal(prefix) + "$1"}}
    return {"add_prefix": literal(prefix)}


def _of_groups(location: Location, site: Site, rest: str) -> Table:
    bare = rest
    for end in ("$is_args$args", "?$args", "?$query_string", "$is_args$query_string"):
        bare = bare.removesuffix(end)
    if "?" in bare:
        raise Untranslatable("a query cannot be put into a path here")
    groups = {str(number): f"${{{number}}}" for number in range(1, group_count(location.text) + 1)}
    groups |= {name: f"${{{name}}}" for name in re.findall(r"\(\?<([A-Za-z_]\w*)>", location.text)}
    replacement = template(bare, {}, groups)
    return {"rewrite": {"pattern": location.expression, "replacement": replacement}}


def _retries(scope: Scope, site: Site, target: Target, prefix: str) -> Table:
    """How often a request that was sent is sent again."""
    found: Table = {}
    upstreams = site.whole.pools.size(target.authority)
    directive = scope.last(f"{prefix}_next_upstream")
    tries = scope.last(f"{prefix}_next_upstream_tries")
    if tries is not None and tries.first.isdigit() and int(tries.first):
        found["retries"] = int(tries.first) - 1
    elif upstreams != 2:
        found["retries"] = upstreams - 1
    if directive is None:
        return found
    words = directive.words
    if "off" in words:
        site.notes.say(directive, "a server that cannot be connected to is passed over all the same")
        found["retries"] = 0
    elif not {"error", "timeout"} <= set(words):
        site.notes.say(directive, "requests whose answer breaks off or is late are sent again, of safe methods")
    others = [word for word in words if _NEXT_BY_STATUS.fullmatch(word) or word in ("non_idempotent", "invalid_header")]
    if others:
        site.notes.say(directive, f"taken over without {', '.join(others)}: what has been answered is not sent again")
    return found


def _timeouts(scope: Scope, site: Site, prefix: str) -> Table:
    found: dict[str, Any] = {}
    directive = scope.last(f"{prefix}_read_timeout")
    if directive is not None:
        try:
            found["response_timeout"] = found["tunnel_timeout"] = duration(directive.first)
        except Untranslatable as fault:
            site.notes.say(directive, fault)
    return found
