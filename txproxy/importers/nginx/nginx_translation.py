"""nginx's configuration as ours.

What nginx refuses is refused by the translation. A location that cannot be said is answered with 501 in place of what
nginx would do, and of each directive that is not taken over there is a line.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.importers.nginx.cache_zones import CacheZones
from txproxy.importers.nginx.directive_reasons import reason
from txproxy.importers.nginx.limit_zones import LimitZones
from txproxy.importers.nginx.listener_settings import largest_body, listener_settings, top_settings
from txproxy.importers.nginx.listening import Listening, at_odds, hosts_of, listenings, order_of, server_of, tls_of
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.locations.site_routes import SiteRoute, routes_of
from txproxy.importers.nginx.locations.value_tables import read_geo, read_map
from txproxy.importers.nginx.nginx_sites import Site, Whole
from txproxy.importers.nginx.raw_streams import stream_listeners
from txproxy.importers.nginx.syntax.blocks import Directive, Reader, read_file
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope, all_taken, not_taken
from txproxy.importers.nginx.upstream_pools import Pools
from txproxy.importers.notes import Translation, Untranslatable
from txproxy.importers.toml_lines import comment, key, pairs, tables

_ACCEPTED: Final = "accepted is an nginx.conf, or a file with servers in it"
# What stands in a file that is included in http.
_OF_HTTP: Final = frozenset(
    {"server", "upstream", "map", "geo", "limit_req_zone", "limit_conn_zone", "proxy_cache_path"}
)
# In place of all that a server has.
_CLOSED: Final = SiteRoute("closed", "", {}, {"respond": 403})


def translate(text: str, path: str) -> Translation:
    """Translate ``text``, the configuration of an nginx in the file ``path``. Files that it includes are read.
    ``ConfigError`` if it is none of nginx's.
    """
    return _Translator(text, path).run()


def translate_file(path: str) -> Translation:
    """The same for the file itself; ``ConfigError`` if it cannot be read."""
    try:
        text = read_file(path)
    except OSError as fault:
        raise ConfigError(f"{path}: {fault.strerror}", "accepted is an nginx.conf that can be read") from None
    return translate(text, path)


class _Translator:
    def __init__(self, text: str, path: str) -> None:
        self.path = path
        reader = Reader(path)
        self.directives = reader.read(text, path)
        self.notes = Notes(path)
        self.notes.found += reader.notes
        notes = self.notes
        self.whole = Whole(notes, Pools(notes), LimitZones(notes), CacheZones(notes))
        self.listeners: list[Table] = []
        self.routes: list[Table] = []

    def run(self) -> Translation:
        root = Scope(Directive(self.path, 0, "main", (), self.directives), None, self.notes)
        http = root.own("http")
        scope = root.within(http[0]) if http else root
        root.own("events")
        if not http and not any(one.name in _OF_HTTP or one.name == "stream" for one in self.directives):
            raise ConfigError(f"{self.path}: there is no http, stream or server in it", _ACCEPTED)
        self._define(scope)
        self._serve(scope)
        for directive in root.own("stream"):
            self.listeners += stream_listeners(root.within(directive), self.whole)
        top = top_settings(root, scope, self.whole)
        if cache := self.whole.caches.written():
            top["cache"] = cache
        if not self.listeners:
            raise ConfigError(f"{self.path}: there is no server in it that can be taken over", _ACCEPTED)
        for block in self.whole.pools.unused():
            self.notes.say(block, "no route leads to it")
            all_taken([block])
        for directive in not_taken(self.directives):
            self.notes.say(directive, reason(directive))
        return Translation(self._written(top), self.notes.lines())

    def _define(self, scope: Scope) -> None:
        """What servers speak of by its name."""
        for directive in scope.own("upstream"):
            self.whole.pools.define(scope.within(directive))
        for directive in scope.own("limit_req_zone", "limit_conn_zone"):
            self.whole.limits.define(directive)
        for directive in scope.own("proxy_cache_path"):
            self.whole.caches.define(directive)
        for directive in scope.own("map", "geo"):
            try:
                table = (read_map if directive.name == "map" else read_geo)(scope.within(directive))
            except Untranslatable as fault:
                self.notes.say(directive, fault)
                continue
            self.whole.tables[table.variable] = table
            if table.constant is not None:
                self.whole.constants[table.variable] = table.constant

    def _serve(self, scope: Scope) -> None:
        servers = [server_of(scope.within(directive)) for directive in scope.own("server")]
        for listening in listenings(servers, self.notes):
            self._listener(listening)

    def _listener(self, listening: Listening) -> None:
        table: Table = {"name": listening.name}
        table["tls_listen" if listening.first.tls else "listen"] = listening.endpoints(self.notes)
        if listening.first.tls:
            table |= tls_of(listening, self.notes)
            if not table["certificates"]:
                why = f"{listening.name} is left out: it has no certificate"
                self.notes.say(listening.first.chosen.scope.directive, why)
                return
            if not listening.first.http2:
                table["http2"] = False
        elif listening.first.http2:
            table["h2c"] = True
        self.listeners.append(table | listener_settings(listening, self.whole))
        largest = largest_body(listening)
        sites = [
            (Site.of(self.whole, server, listening, largest), hosts_of(server, self.notes))
            for server in listening.first.servers
        ]
        for site, hosts in sorted(sites, key=lambda one: order_of(one[1])):
            self._site(site, hosts, listening, [host for other, some in sites if other is not site for host in some])

    def _site(self, site: Site, hosts: list[str], listening: Listening, others: Sequence[str]) -> None:
        default = site.server is listening.first.chosen
        if not hosts and not default:
            self.notes.say(site.server.scope.directive, f"no host leads to it at {listening.name}")
        # The host of a server is its own before it is any that another has a pattern for.
        overlapping = any(_is_among(host, [other for other in others if other != host]) for host in hosts)
        closed = site.server in at_odds(listening)
        if closed:
            all_taken(site.server.scope.directives)
        for route in [_CLOSED] if closed else routes_of(site):
            wanted = route.conditions.get("hosts")
            left = [host for host in hosts if not _is_decided(host, route.but)]
            for some in _host_lists(left, wanted, default, overlapping):
                self._route(site, route, some, listening)

    def _route(self, site: Site, route: SiteRoute, hosts: Sequence[str], listening: Listening) -> None:
        called = (site.server.names or ("*",))[0] or "*"
        name = f"{called} {route.name}"
        if len(self.listeners) > 1 or any(one["name"] == name for one in self.routes):
            name = f"{listening.name}: {name}"
        number, plain = 2, name
        while any(one["name"] == name for one in self.routes):
            name, number = f"{plain} [{number}]", number + 1
        table: Table = {"name": name, "listeners": [listening.name]}
        if hosts:
            table["hosts"] = list(hosts)
        if route.path:
            table["path"] = route.path
        table |= {key_: said for key_, said in route.conditions.items() if key_ != "hosts"}
        self.routes.append(table | route.table)

    # -- writing

    def _written(self, top: Table) -> str:
        lines = [comment(f"From {self.path}, for txproxy run --config."), ""]
        plain = {name: said for name, said in top.items() if not isinstance(said, dict)}
        if plain:
            lines += [*pairs(plain), ""]
        for name, said in top.items():
            if isinstance(said, dict):
                lines += [f"[{name}]", *pairs(said), ""]
        lines += tables("request_limits", self.whole.limits.found.values())
        lines += tables("listeners", self.listeners)
        for name, pool in self.whole.pools.found.items():
            lines += [f"[pools.{key(name)}]", *pairs(pool), ""]
        lines += tables("routes", self.routes)
        return "\n".join(lines).rstrip("\n") + "\n"


def _host_lists(hosts: list[str], wanted: Any, default: bool, overlapping: bool) -> Iterable[Sequence[str]]:
    """The hosts of one route, or of two that are the same: one for its own, and one for all that no other has."""
    if wanted is not None:
        some = [host for host in wanted if default or _is_among(host, hosts)]
        expressions = [host[1:] for host in wanted if host.startswith("~")]
        names = [host for host in hosts if not host.startswith(("~", "*", "."))]
        some += [host for host in names if any(re.fullmatch(one, host) for one in expressions)]
        return [some] if some else []
    if default:
        return [hosts, []] if overlapping and hosts else [[]]
    return [hosts] if hosts else []


def _is_decided(host: str, but: Iterable[str]) -> bool:
    """Whether routes before have all requests for a host."""
    is_name = not host.startswith(("~", "*", "."))
    return any(host == one or (is_name and one[:1] == "~" and re.fullmatch(one[1:], host) is not None) for one in but)


def _is_among(host: str, hosts: Iterable[str]) -> bool:
    if host.startswith("~"):
        return False
    host = host.removeprefix("*").removeprefix(".")
    return any(
        host == one.removeprefix(".")
        or (one.startswith((".", "*.")) and host.endswith("." + one.lstrip("*.")))
        or (one.startswith("~") and re.fullmatch(one[1:], host) is not None)
        for one in hosts
    )
