"""Header fields that nginx hides and adds for clients, and what it makes of redirects and cookies of servers."""

from __future__ import annotations

import re
from typing import Any, Final

from txproxy.importers.nginx.locations.header_lines import checked
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_expressions import group_count, marked, whole_expression
from txproxy.importers.nginx.syntax.nginx_measures import seconds
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.nginx.syntax.variables import constant, template
from txproxy.importers.notes import Untranslatable
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite

_YEARS: Final = 315360000
_UPSTREAM_VALUES: Final = {"$upstream_addr": "$upstream"}
# Which responses have a field of add_header without ``always``, and of expires.
_GOOD: Final = [200, 201, 204, 206, 301, 302, 303, 304, 307, 308]
_OFF_TOO: Final = "cookies are mapped back with redirects here, which proxy_redirect off leaves as they are"


def response_headers(scope: Scope, site: Site, prefix: str = "proxy") -> Table:
    """``response_headers`` of a route."""
    added: dict[str, Any] = {}
    good: dict[str, dict[str, Any]] = {"set": {}, "add": {}}
    removed: list[str] = []
    for one in scope.all(f"{prefix}_hide_header"):
        try:
            checked(ResponseRewrite, remove_headers=(one.first,))
        except Untranslatable as fault:
            site.notes.say(one, fault)
        else:
            if one.first.lower() not in (name.lower() for name in removed):
                removed.append(one.first)
    for one in scope.all("add_header"):
        try:
            _add(one, site, added if one.words[2:] == ("always",) else good["add"])
        except Untranslatable as fault:
            site.notes.say(one, fault)
    gone: list[str] = []
    try:
        _expires(scope, site, good["set"], gone)
    except Untranslatable as fault:
        site.notes.say(scope.directive, fault)
    found: dict[str, Any] = {key: said for key, said in (("add", added), ("remove", removed)) if said}
    if of_good := {key: said for key, said in (*good.items(), ("remove", gone)) if said}:
        found["by_status"] = [{"status": _GOOD, **of_good}]
    return {"response_headers": found} if found else {}


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
    checked(ResponseRewrite, add_headers=((name, said),))
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


# -- what servers say of themselves


def mapped_back(scope: Scope, site: Site) -> Table:
    """What is done with redirects and cookies of servers that name themselves."""
    found: Table = {}
    redirects = _each(scope, "proxy_redirect", "default", site, _redirect)
    if redirects:
        found["map_location"] = redirects
    elif any(one.first == "off" for one in scope.all("proxy_redirect")):
        found["map_location"] = False
    flags = _each(scope, "proxy_cookie_flags", "", site, _flags)
    domains = _each(scope, "proxy_cookie_domain", "", site, _domain)
    paths = _each(scope, "proxy_cookie_path", "", site, _path)
    for one in scope.all("proxy_cookie_path"):
        # So people have added flags before there was a directive for them.
        if written := _written_flags(one):
            flags.setdefault("*", written)
    if flags:
        found["cookie_flags"] = flags
    for key, said in (("cookie_domains", domains), ("cookie_paths", paths)):
        if said and found.get("map_location") is False:
            site.notes.say(scope.all(f"proxy_{key.removesuffix('s')}")[0], _OFF_TOO)
        elif said:
            found[key] = said
    return found


def _each(scope: Scope, name: str, usual: str, site: Site, read: Any) -> dict[str, Any]:
    """What ``read`` makes of each directive of that ``name`` which asks for something; the first for a name counts."""
    found: dict[str, Any] = {}
    for one in scope.all(name):
        if one.first == "off" or (usual and one.first == usual):
            continue
        try:
            pair = read(one, site)
        except Untranslatable as fault:
            site.notes.say(one, fault)
            continue
        if pair is not None:
            found.setdefault(*pair)
    return found


def _two(directive: Directive, what: str) -> tuple[str, str]:
    if len(directive.words) != 2:
        raise Untranslatable(f"two {what} are wanted")
    return directive.words[0], directive.words[1]


def _redirect(directive: Directive, site: Site) -> tuple[str, str]:
    wanted, target = _two(directive, "URLs")
    if wanted.startswith("~"):
        ignore = wanted.startswith("~*")
        expression = wanted.removeprefix("~*" if ignore else "~")
        groups = {str(number): f"${{{number}}}" for number in range(1, group_count(expression) + 1)}
        groups |= {name: f"${{{name}}}" for name in re.findall(r"\(\?<([A-Za-z_]\w*)>", expression)}
        pair = marked(whole_expression(expression, ignore)), template(target, site.known, groups)
    else:
        pair = constant(wanted, site.known), template(target, site.known)
    checked(ResponseRewrite, locations=(pair,))
    return pair


def _domain(directive: Directive, site: Site) -> tuple[str, str]:
    domain, other = _two(directive, "domains")
    if domain.startswith("~"):
        raise Untranslatable("two domains are wanted")
    pair = domain.lstrip("."), constant(other, site.known)
    checked(ResponseRewrite, cookie_domains=(pair,))
    return pair


def _path(directive: Directive, site: Site) -> tuple[str, str] | None:
    if _written_flags(directive):
        return None
    path, other = _two(directive, "paths")
    if path.startswith("~"):
        raise Untranslatable("paths of cookies are no expressions here")
    pair = constant(path, site.known), constant(other, site.known)
    checked(ResponseRewrite, cookie_paths=(pair,))
    return pair


def _written_flags(directive: Directive) -> list[str]:
    """The flags of a path that stays, and has them after it: ``/ "/; HttpOnly; Secure"``."""
    path, _, rest = directive.words[-1].partition(";")
    if len(directive.words) != 2 or path.strip() != directive.first or not rest:
        return []
    words = [word.strip().lower() for word in rest.split(";") if word.strip()]
    try:
        checked(ResponseRewrite, cookie_flags=(("*", words),))
    except Untranslatable:
        return []
    return words


def _flags(directive: Directive, site: Site) -> tuple[str, list[str]]:
    name, *words = directive.words or ("",)
    if not words:
        raise Untranslatable("a cookie and its flags are wanted")
    if name.startswith("~"):
        name = marked(whole_expression(name[1:], ignore_case=True)) if name != "~" else "*"
    else:
        name = constant(name, site.known)
    words = [constant(word, site.known).lower() for word in words]
    checked(ResponseRewrite, cookie_flags=((name, words),))
    return name, words
