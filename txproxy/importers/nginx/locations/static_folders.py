"""``root`` and ``alias``: files that are served from a folder."""

from __future__ import annotations

import os
from typing import Final

from txproxy.importers.nginx.locations.location_order import Location
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site, answer_instead
from txproxy.importers.notes import Untranslatable

# What try_files says where a file is served, or there is none.
_FILES_ALONE: Final = (("$uri", "=404"), ("$uri", "$uri/", "=404"), ("$uri", "$uri/"), ("$uri",))
_INDEX: Final = ("index.html", "index.htm")


def fallback(location: Location, site: Site) -> Location | None:
    """The named location that try_files leads to where there is no file, if it does."""
    tried = location.scope.last("try_files")
    if tried is None or not tried.words or tried.words[-1] not in site.named:
        return None
    site.notes.say(tried, f"files are not looked for: all requests go to {tried.words[-1]}")
    return location.of(site.named[tried.words[-1]])


def folder(location: Location, site: Site) -> Table:
    """A route that serves files; one with 404 where nothing says from where."""
    scope = location.scope
    tried = scope.last("try_files")
    if tried is not None and tried.words[-1:] and tried.words[-1].endswith((".html", ".htm")):
        site.notes.say(tried, f"what is not there is answered with 404, and not with {tried.words[-1]}")
    elif tried is not None and tried.words not in _FILES_ALONE:
        return answer_instead(scope, site, f"try_files {' '.join(tried.words)}: files alone are served here")
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
    if root is None and location.implied:
        return {"respond": 404}
    if root is None:
        return answer_instead(scope, site, "nothing says what is served here", 404)
    return {"files": _place(root.first)}


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
