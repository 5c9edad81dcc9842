"""``return`` and ``rewrite``, as redirects, answers, and changes of the path."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from txproxy.errors import ConfigError
from txproxy.importers.nginx.locations.route_conditions import Table
from txproxy.importers.nginx.nginx_sites import Site
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_expressions import group_count, whole_expression
from txproxy.importers.nginx.syntax.nginx_scopes import Scope
from txproxy.importers.nginx.syntax.path_expressions import path_expression
from txproxy.importers.nginx.syntax.variables import constant, pieces, template
from txproxy.importers.notes import Untranslatable
from txproxy.reverse.actions.redirects import STATUSES, Redirect

_CLOSES: Final = "444"
_LEFT_OUT: Final = re.compile(r"\$http_host\b|\$\{http_host\}")
_PLACE: Final = re.compile(r"(?:[a-z]+|\$scheme)://(?:[^/$]|\$host\b|\$http_host\b|\$server_name\b)+")
_ALL_OF_IT: Final = ("^/(.*)$", "^(.*)$", "/(.*)$", "^/(.*)", "^(.*)", "(.*)", "/(.*)", "^/?(.*)$")


def returned(directive: Directive, scope: Scope, site: Site) -> Table:
    """What a ``return`` answers with."""
    words = directive.words
    if len(words) == 1 and not words[0].isdigit():
        words = ("302", words[0])
    if not words or not words[0].isdigit():
        raise Untranslatable("a status or a URL is wanted")
    status, text = int(words[0]), words[1] if len(words) > 1 else ""
    if words[0] == _CLOSES:
        site.notes.say(directive, "the connection is not closed without a word: taken over as 403")
        return {"respond": 403}
    if status in STATUSES and text:
        return redirect(directive, text, status, site)
    if not 200 <= status <= 599:
        raise Untranslatable(f"{status} is no status of an answer")
    if not text or status in (204, 304):
        return {"respond": status}
    answer = {"status": status, "headers": {"Content-Type": _type(scope)}, "body": constant(text, site.known)}
    return {"respond": answer}


def _type(scope: Scope) -> str:
    for one in scope.all("add_header"):
        if one.first.lower() == "content-type" and len(one.words) > 1:
            return one.words[1]
    return scope.word("default_type", "text/plain") or "text/plain"


def redirect(directive: Directive, url: str, status: int, site: Site, groups: Mapping[str, str] | None = None) -> Table:
    """A redirect; ``Untranslatable`` if ours cannot say where to."""
    if _LEFT_OUT.search(url) and site.listening.port not in ("80", "443"):
        site.notes.say(directive, "$http_host is taken over without its port")
    target = template(url, site.known, groups)
    try:
        Redirect(target, status)
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None
    return {"redirect": target, "status": status}


# -- rewrite


def rewritten(directive: Directive, site: Site) -> tuple[str, Table, str]:
    """Of a ``rewrite`` the expression for the whole path, what is done with it, and the word at its end: ``permanent``
    and ``redirect`` are redirects, and with any other the table has ``rewrite``.
    """
    if len(directive.words) < 2:
        raise Untranslatable("an expression and what to put in its place are wanted")
    expression, replacement, flag = (*directive.words, "")[:3]
    pattern = path_expression(whole_expression(expression))
    if replacement.startswith(("http://", "https://", "$scheme")):
        flag = flag if flag == "permanent" else "redirect"
    if flag in ("permanent", "redirect"):
        return pattern, _sent(directive, expression, replacement, 301 if flag == "permanent" else 302, site), flag
    if "?" in replacement:
        raise Untranslatable("a query cannot be put into a path here")
    target = template(replacement, site.known, _groups(expression))
    return pattern, {"rewrite": {"pattern": pattern, "replacement": target}}, flag


def _groups(expression: str) -> dict[str, str]:
    return {str(number): f"${{{number}}}" for number in range(1, group_count(expression) + 1)}


def _sent(directive: Directive, expression: str, replacement: str, status: int, site: Site) -> Table:
    """A redirect, of which nginx puts the query of the request at the end, unless it ends with a question mark."""
    bare = replacement.endswith("?")
    target = replacement.removesuffix("?")
    if "?" in target and not bare:
        raise Untranslatable("the query cannot be put behind another one here")
    groups = _groups(expression)
    used = {piece.text for piece in pieces(target, site.known) if piece.variable} & groups.keys()
    query = "" if bare or target.endswith("$request_uri") else "?$query"
    if not used:
        made = redirect(directive, target, status, site)
        return {**made, "redirect": made["redirect"] + query}
    # What is made of the path is done first, and the redirect leads to what was made.
    found = _PLACE.match(target)
    place, path = (found[0], target[len(found[0]) :]) if found is not None else ("", target)
    if not path.startswith("/"):
        if found is not None and path:
            raise Untranslatable("a part of the path cannot become one of the host here")
        path = "/" + path
    if expression in _ALL_OF_IT and path in ("/$1", "$1") and not query:
        return redirect(directive, f"{place}$uri", status, site)
    made = redirect(directive, f"{place}$uri", status, site)
    pattern = path_expression(whole_expression(expression))
    rewrite = {"pattern": pattern, "replacement": template(path, site.known, groups)}
    return {"rewrite": rewrite, **made, "redirect": made["redirect"] + query}
