"""Header fields that nginx sets, hides and adds, for upstreams and for clients."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, Final

from txproxy.errors import ConfigError
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import seconds
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.nginx.syntax.variables import constant, template
from txproxy.importers.notes import Untranslatable
from txproxy.reverse.rewriting.rewrites import RequestRewrite, ResponseRewrite

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
_YEARS: Final = 315360000
_UPSTREAM_VALUES: Final = {"$upstream_addr": "$upstream"}


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
        _checked(RequestRewrite, remove_headers=(name,))
        removed.append(name)
        return
    said = template(value, site.known)
    _checked(RequestRewrite, set_headers=((name, said),))
    set_[name] = said


def _see_written(lower: str, value: str, site: Site) -> None:
    scheme = site.known.get("scheme")
    if value not in _WRITTEN[lower] or (
        lower == "x-forwarded-proto" and value in ("http", "https") and value != scheme
    ):
        raise Untranslatable("the proxy writes it of each client; trusted_proxies says whom it believes about others")


def _checked(kind: Any, **values: Any) -> None:
    try:
        kind(**values)
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None


# -- responses


def response_headers(scope: Scope, site: Site, prefix: str = "proxy") -> Table:
    """``response_headers`` of a route."""
    set_: dict[str, str] = {}
    added: dict[str, Any] = {}
    removed: list[str] = []
    for one in scope.all(f"{prefix}_hide_header"):
        try:
            _checked(ResponseRewrite, remove_headers=(one.first,))
        except Untranslatable as fault:
            site.notes.say(one, fault)
        else:
            if one.first.lower() not in (name.lower() for name in removed):
                removed.append(one.first)
    for one in scope.all("add_header"):
        try:
            _add(one, site, added)
        except Untranslatable as fault:
            site.notes.say(one, fault)
    try:
        _expires(scope, site, set_, removed)
    except Untranslatable as fault:
        site.notes.say(scope.directive, fault)
    removed = [name for name in removed if name.lower() not in (other.lower() for other in set_)]
    found = {key: said for key, said in (("set", set_), ("add", added), ("remove", removed)) if said}
    return {"response_headers": found} if found else {}


def mapped_back(scope: Scope, site: Site) -> Table:
    """What is done with redirects and cookies of servers that name themselves."""
    found: Table = {}
    for one in scope.all("proxy_redirect"):
        if one.first == "off":
            found["map_location"] = False
        elif one.first != "default":
            site.notes.say(one, "what names the server itself is mapped back, and nothing else")
    domains: dict[str, str] = {}
    for one in scope.all("proxy_cookie_domain"):
        if one.first == "off":
            continue
        try:
            if len(one.words) != 2 or one.first.startswith("~"):
                raise Untranslatable("two domains are wanted")
            domains[one.first.lstrip(".")] = constant(one.words[1], site.known)
            _checked(ResponseRewrite, cookie_domains=tuple(domains.items()))
        except Untranslatable as fault:
            domains.pop(one.first.lstrip("."), None)
            site.notes.say(one, fault)
    if domains and "map_location" not in found:
        found["cookie_domains"] = domains
    for one in scope.all("proxy_cookie_path"):
        if one.first != "off":
            site.notes.say(one, "paths of cookies follow those that are put in the place of others, and nothing else")
    return found


def _add(directive: Directive, site: Site, added: dict[str, Any]) -> None:
    if len(directive.words) not in (2, 3):
        raise Untranslatable("a name and a value are wanted")
    name, value = directive.words[:2]
    if name.lower() == "content-type" or not value:
        # That of an answer is in the answer.
        return
    if value == "$upstream_cache_status":
        raise Untranslatable("Cache-Status says it")
    said = _UPSTREAM_VALUES.get(value) or template(value, site.known)
    _checked(ResponseRewrite, add_headers=((name, said),))
    if directive.words[2:] != ("always",):
        site.notes.say(directive, "without always: here it is added to all responses, errors of servers too")
    if name in added:
        there = added[name]
        added[name] = [*(there if isinstance(there, list) else [there]), said]
    else:
        added[name] = said


def _expires(scope: Scope, site: Site, set_: dict[str, str], removed: list[str]) -> None:
    directive = scope.last("expires")
    if directive is None or directive.first == "off":
        return
    word = directive.first
    if word == "modified" or word.startswith(("@", "$")):
        site.notes.say(directive, f"{word} is not known before a response comes")
        return
    if word in ("epoch", "0") or word.startswith("-"):
        said = "no-cache" if word != "0" else "max-age=0"
    else:
        said = f"max-age={_YEARS if word == 'max' else round(seconds(word))}"
    # Clients of HTTP/1.1 go by Cache-Control, whatever Expires says.
    set_["Cache-Control"] = said
    removed.append("Expires")
