"""``stream``: raw TCP, as listeners of mode tcp."""

from __future__ import annotations

from typing import Any

from txproxy.importers.nginx.listening import Listening, at_odds, listenings, server_of, tls_of
from txproxy.importers.nginx.locations.value_tables import ValueTable, read_map
from txproxy.importers.nginx.nginx_sites import Whole
from txproxy.importers.nginx.syntax.nginx_measures import duration, is_on
from txproxy.importers.nginx.syntax.nginx_scopes import Scope, all_taken
from txproxy.importers.nginx.upstream_pools import Pools
from txproxy.importers.notes import Untranslatable

_SERVER_NAME = "ssl_preread_server_name"


def stream_listeners(scope: Scope, whole: Whole) -> list[dict[str, Any]]:
    """The listeners of a ``stream`` block, whose pools are put among the others."""
    pools = Pools(whole.notes, found=whole.pools.found)
    tables: dict[str, ValueTable] = {}
    for directive in scope.own("upstream"):
        pools.define(scope.within(directive))
    for directive in scope.own("map"):
        try:
            table = read_map(scope.within(directive))
        except Untranslatable as fault:
            whole.notes.say(directive, fault)
            continue
        tables[table.variable] = table
    servers = [server_of(scope.within(directive)) for directive in scope.own("server")]
    found = []
    for listening in listenings(servers, whole.notes):
        server = listening.first.chosen.scope
        try:
            _check_refused(listening)
            target = _target(server, pools, tables)
        except Untranslatable as fault:
            whole.notes.say(server.directive, f"it is left out: {fault}")
            all_taken(server.directives)
            continue
        kind = "tls_listen" if listening.first.tls else "listen"
        one: dict[str, Any] = {
            "name": f"stream {listening.name}",
            "mode": "tcp",
            kind: listening.endpoints(whole.notes),
        }
        if listening.first.tls:
            one |= tls_of(listening, whole.notes)
        found.append(one | target | _limits(server, whole))
    for block in pools.unused():
        whole.notes.say(block, "no stream leads to it")
        all_taken([block])
    return found


def _check_refused(listening: Listening) -> None:
    """``Untranslatable`` where somebody is refused who would not be here: there is to be nothing then."""
    for server in listening.first.servers:
        if any(one.name == "deny" for one in server.scope.all("allow", "deny")):
            raise Untranslatable("who is refused by deny would not be refused here")
    if at_odds(listening):
        raise Untranslatable("certificates of clients are of several authorities")


def _target(server: Scope, pools: Pools, tables: dict[str, ValueTable]) -> dict[str, Any]:
    """Where the streams of a server go: all to one pool, or by the server name that TLS asks for."""
    passes = server.own("proxy_pass")
    if not passes:
        raise Untranslatable("nothing says where its streams go")
    more: dict[str, Any] = {"proxy_protocol": 1} if is_on(server.word("proxy_protocol", "off")) else {}
    if is_on(server.word("proxy_ssl", "off")):
        raise Untranslatable("TLS to the servers of raw streams is not spoken here")
    place = passes[-1].first
    if not place.startswith("$"):
        return {"pool": pools.pool("tcp", place, more)}
    table = tables.get(place.strip("${}"))
    if table is None or table.source != _SERVER_NAME or not is_on(server.word("ssl_preread", "off")):
        raise Untranslatable(f"where {place} leads is not known before a stream comes")
    names: dict[str, str] = {}
    for name, value in table.entries:
        if name.startswith("~"):
            raise Untranslatable(f"{name}: server names are host patterns here")
        names[name] = pools.pool("tcp", value, more)
    found: dict[str, Any] = {"sni": names}
    if table.default:
        found["pool"] = pools.pool("tcp", table.default, more)
    return found


def _limits(server: Scope, whole: Whole) -> dict[str, Any]:
    # nginx's own, where nothing is said
    limits = {"tunnel_timeout": "10m", "connect_timeout": "1m"}
    for name, key in (("proxy_timeout", "tunnel_timeout"), ("proxy_connect_timeout", "connect_timeout")):
        directive = server.last(name)
        if directive is None:
            continue
        try:
            limits[key] = duration(directive.first)
        except Untranslatable as fault:
            whole.notes.say(directive, fault)
    return {"limits": limits}
