"""``root``, ``alias`` and ``try_files``: files that are served from a folder, and what there is where one is not."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

import attrs

from txproxy.importers.nginx.locations.location_order import Location, literal, location_for
from txproxy.importers.nginx.locations.response_lines import response_headers
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site, Variant, answer_instead
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.notes import Untranslatable

# What try_files looks for: the file itself, and a folder with an index.
_FILE: Final = "$uri"
_FOLDERS: Final = ("$uri/", "$uri/index.html", "$uri/index.htm")
_QUERIES: Final = ("?$args", "?$query_string", "$is_args$args", "$is_args$query_string")
_INDEX: Final = ("index.html", "index.htm")


@attrs.frozen
class Elsewhere:
    """Where requests go for which ``try_files`` has found nothing: what a ``named`` location does with them, and what
    is found for a ``path``.
    """

    named: Callable[[Location], list[Variant]]
    path: Callable[[str], list[Variant]]


def folder(location: Location, site: Site, elsewhere: Elsewhere) -> list[Variant]:
    """Routes that serve files, and what else there is for those that are not there; one with 404 where nothing says
    from where.
    """
    scope = location.scope
    fields = response_headers(scope, site)
    tried = scope.last("try_files")
    looks_for, last = (tried.words[:-1], tried.words[-1]) if tried is not None and tried.words else ((), "")
    try:
        served = _served(location, site)
        if not looks_for or last == "=404" or last in (_FILE, *_FOLDERS):
            _see_looked_for([one for one in (*looks_for, last) if one not in ("=404", "")])
            return [({}, served | fields)]
        _see_looked_for(looks_for)
        if "files" in served:
            if scope.own("alias"):
                raise Untranslatable(f"try_files with alias: {last} is for what root has not")
            has_index = any(one in looks_for for one in _FOLDERS)
            place = served["files"]
            there = {"file_in": place if has_index else {"folder": place, "index": False}}
            return [(there, served | fields), *_otherwise(location, site, last, elsewhere, served | fields)]
        if last.startswith("@") and not _roots(scope):
            # There is no folder that a file could be found in.
            return _otherwise(location, site, last, elsewhere, served | fields)
        return [({}, served | fields)]
    except Untranslatable as fault:
        return [({}, answer_instead(scope, site, fault))]


def _see_looked_for(words: Sequence[str]) -> None:
    for one in words:
        if one != _FILE and one not in _FOLDERS:
            raise Untranslatable(f"try_files: {one} is not looked for here, but $uri and $uri/ alone")


def _otherwise(location: Location, site: Site, last: str, elsewhere: Elsewhere, served: Table) -> list[Variant]:
    """What is done with requests for which there is no file."""
    if last.startswith("="):
        if not last[1:].isdigit() or not 200 <= int(last[1:]) <= 599:
            raise Untranslatable(f"try_files: {last} is no status of an answer")
        status = int(last[1:])
        return [({}, {"respond": status, **response_headers(location.scope, site)})]
    if last.startswith("@"):
        if last not in site.named:
            raise Untranslatable(f"try_files: there is no location {last}")
        return elsewhere.named(location.of(site.named[last]))
    for query in _QUERIES:
        # It is passed on in any case.
        last = last.removesuffix(query)
    if not last.startswith("/") or "?" in last or "$" in last:
        raise Untranslatable(f"try_files: {last} is not known before a request comes")
    path = literal(last)
    rewrite = {"rewrite": {"pattern": ".*", "replacement": path.replace("$", "$$")}}
    if location_for(path, site.locations).scope is location.scope and "files" in served:
        return [({}, served | rewrite)]
    return elsewhere.path(path)


def _roots(scope: Scope) -> list[Directive]:
    return [*scope.own("alias"), *scope.all("root")]


def _served(location: Location, site: Site) -> Table:
    scope = location.scope
    for one in scope.all("index"):
        if not set(_INDEX) & set(one.words):
            site.notes.say(one, f"the index of a folder is {' or '.join(_INDEX)}")
    for one in scope.all("autoindex"):
        if one.first == "on":
            site.notes.say(one, "what is in a folder is not listed")
    aliases = scope.own("alias")
    if aliases:
        return _alias(aliases[-1].first, location)
    root = scope.last("root")
    if root is not None:
        return {"files": _place(root.first)}
    if location.implied or scope.last("try_files") is not None:
        return {"respond": 404}
    return answer_instead(scope, site, "nothing says what is served here", 404)


def _alias(place: str, location: Location) -> Table:
    if location.is_expression:
        raise Untranslatable("an alias of an expression is not served here")
    if location.modifier == "=" or location.text.endswith("/") != place.endswith("/"):
        raise Untranslatable("an alias and its location both end with a slash here, or both without")
    found: Table = {"files": _place(place)}
    if location.text != "/":
        found["strip_prefix"] = location.text.removesuffix("/")
    return found


def _place(text: str) -> str:
    if "$" in text:
        raise Untranslatable(f"{text} is not known before a request comes")
    if not os.path.isabs(text):
        raise Untranslatable(f"{text}: from where it is meant is for nginx to know; an absolute one is wanted")
    return text
