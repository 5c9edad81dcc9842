"""Header fields that nginx sets for upstreams."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.nginx.syntax.variables import template
from txproxy.importers.notes import Untranslatable
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite

# What is sent upstream in any case, if nginx says these values.
_WRITTEN: Final = {
    "x-forwarded-for": {"$proxy_add_x_forwarded_for", "$remote_addr", "$http_x_forwarded_for", "$realip_remote_addr"},
    "x-real-ip": {"$remote_addr"},
    "x-forwarded-proto": {"$scheme", "http", "https", "$http_x_forwarded_proto", "$proxy_x_forwarded_proto"},
    "x-forwarded-host": {"$host", "$http_host", "$server_name", "$http_x_forwarded_host", "$host:$server_port"},
    "forwarded": set(),
}
# What is between two hops is said by the proxy itself: upgrades are passed on, connections are kept.
_OF_THE_HOP: Final = {"upgrade", "connection", "te", "keep-alive", "transfer-encoding", "content-length", "host"}
PASSES_UPGRADES: Final = "WebSockets and other upgrades pass to all servers, also where nothing sets Upgrade"


def request_headers(scope: Scope, site: Site, prefix: str, copied: Container[str] = ()) -> Table:
    """``request_headers`` of a route, but for those that are ``copied`` from what an authorization server answers."""
    set_: dict[str, str] = {}
    removed: list[str] = []
    lines = scope.all(f"{prefix}_set_header")
    if prefix == "proxy" and not any(one.first.lower() == "upgrade" for one in lines):
        site.notes.of_file("proxy_pass", PASSES_UPGRADES)
    for one in lines:
        if len(one.words) != 2:
            site.notes.say(one, "a name and a value are wanted")
            continue
        name, value = one.words
        if name.lower() in copied:
            continue
        try:
            _request_field(one, name, value, site, set_, removed)
        except Untranslatable as fault:
            site.notes.say(one, fault)
    found: Table = {}
    if set_:
        found["set"] = set_
    if removed:
        found["remove"] = removed
    return {"request_headers": found} if found else {}


def _request_field(
    directive: Directive, name: str, value: str, site: Site, set_: dict[str, str], removed: list[str]
) -> None:
    lower = name.lower()
    if lower in _OF_THE_HOP:
        return
    plain = value.replace("{", "").replace("}", "")
    if lower in _WRITTEN:
        _see_written(lower, plain, site)
        return
    if not value:
        checked(RequestRewrite, remove_headers=(name,))
        removed.append(name)
        return
    said = template(value, site.known)
    checked(RequestRewrite, set_headers=((name, said),))
    set_[name] = said


def _see_written(lower: str, value: str, site: Site) -> None:
    scheme = site.known.get("scheme")
    if value not in _WRITTEN[lower] or (
        lower == "x-forwarded-proto" and value in ("http", "https") and value != scheme
    ):
        raise Untranslatable("the proxy writes it of each client; trusted_proxies says whom it believes about others")


def checked(kind: Any, **values: Any) -> None:
    """``Untranslatable`` if a ``kind`` of change cannot have these values."""
    try:
        kind(**values)
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None
