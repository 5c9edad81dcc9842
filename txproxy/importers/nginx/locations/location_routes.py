"""What nginx does in a location, as routes: in the order of its phases, rewrites before access before content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import attrs

from txproxy.importers.nginx.cache_zones import exceptions
from txproxy.importers.nginx.locations.access_lines import with_access, with_methods
from txproxy.importers.nginx.locations.header_lines import request_headers
from txproxy.importers.nginx.locations.if_blocks import condition_of
from txproxy.importers.nginx.locations.location_logins import copied_fields, login_of
from txproxy.importers.nginx.locations.location_order import Location, location_for
from txproxy.importers.nginx.locations.redirecting import returned, rewritten
from txproxy.importers.nginx.locations.response_lines import mapped_back, response_headers
from txproxy.importers.nginx.locations.route_conditions import PATH, Table
from txproxy.importers.nginx.locations.static_folders import Elsewhere, folder
from txproxy.importers.nginx.locations.to_upstreams import passed
from txproxy.importers.nginx.nginx_sites import Site, Variant, answer_instead, body_size, joined_all
from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import size_of
from txproxy.importers.nginx.syntax.nginx_scopes import Scope, all_taken
from txproxy.importers.nginx.syntax.variables import constant
from txproxy.importers.notes import Untranslatable

# Where a rewrite stands, and what follows all of them: the content, with what is known by then.
Step: TypeAlias = "tuple[Directive, Scope]"
Content: TypeAlias = "Callable[[Site, Scope | None], list[Variant]]"

REWRITES: Final = frozenset({"return", "rewrite", "if", "set", "break"})
# What answers a request by other means than a proxy's.
_OTHERS: Final = {
    "fastcgi_pass": "FastCGI is not spoken here: a server of HTTP has to stand before it",
    "uwsgi_pass": "the protocol of uWSGI is not spoken here, but its http-socket is",
    "scgi_pass": "SCGI is not spoken here",
    "memcached_pass": "memcached is not asked here",
    "stub_status": "the admin API has the numbers of the proxy",
    "empty_gif": "there is no such picture here",
    "js_content": "programs of njs are not run; middleware of Python is",
    "content_by_lua_block": "programs of Lua are not run; middleware of Python is",
    "content_by_lua_file": "programs of Lua are not run; middleware of Python is",
    "dav_methods": "files are read only",
}
_OF_ANSWERS: Final = frozenset({"add_header", "default_type"})
# More than this makes no file that anybody would want to read.
_MOST: Final = 48
_MOST_AGAIN: Final = 5
_NAMES_IN_THEIR_CASE: Final = "the case of a parameter's name counts here: one in another case is not found"
_PATHS: Final = ("strip_prefix", "add_prefix", "rewrite")


def variants_of(location: Location, site: Site, before: Sequence[Step] = ()) -> list[Variant]:
    """What is done with the requests of a location, each with its conditions; the last has none. Rewrites that stand
    ``before`` are done first.
    """
    scope = location.scope
    if scope.own("internal"):
        # Nobody may ask for it, and what may lead to it is said elsewhere, if it can be.
        all_taken(scope.directives)
        return [({}, {"respond": 404, **response_headers(scope, site)})]
    own = phase_of(scope) if not location.implied else []
    return merged(in_phase([*before, *own], site, lambda known, inner: _content(location.of(inner), known)))


def phase_of(scope: Scope) -> list[Step]:
    """The rewrites of a block, each with the block. Of what no request comes to, nothing is to be said."""
    return [(one, scope) for one in scope.own(*REWRITES)]


def in_phase(phase: Sequence[Step], site: Site, content: Content, inner: Scope | None = None) -> list[Variant]:
    """What rewrites make of a request, and then the ``content``, in the block of the last ``if`` that has held
    (``inner``), if there was one.
    """
    for number, (directive, scope) in enumerate(phase):
        directive.taken = True
        rest = phase[number + 1 :]
        if directive.name == "break":
            break
        if directive.name == "set":
            site = _with(directive, site)
        elif directive.name == "return":
            named = _error_place(directive, scope, site)
            all_taken(one for one in scope.directives if one.name not in _OF_ANSWERS)
            if named is not None:
                return content(site, named)
            return [({}, _answer(directive, scope, site))]
        elif directive.name == "rewrite":
            return _rewrite(directive, scope, rest, _Rest(site, content, inner))
        else:
            found = _if(directive, scope, rest, _Rest(site, content, inner))
            if found is not None:
                return found
    return content(site, inner)


@attrs.frozen
class _Rest:
    """How it goes on after a rewrite."""

    site: Site
    content: Content
    inner: Scope | None

    def of(self, phase: Sequence[Step], inner: Scope | None = None) -> list[Variant]:
        return in_phase(phase, self.site, self.content, inner or self.inner)


def _with(directive: Directive, site: Site) -> Site:
    """``set``: a variable is known from here on, or not any more."""
    name, value = (*directive.words, "", "")[:2]
    known = dict(site.known)
    known.pop(name.lstrip("$"), None)
    try:
        known[name.lstrip("$")] = constant(value, site.known)
    except Untranslatable:
        # What asks for it says so.
        pass
    return attrs.evolve(site, known=known)


def _answer(directive: Directive, scope: Scope, site: Site) -> Table:
    try:
        table = returned(directive, scope, site)
    except Untranslatable as fault:
        site.notes.say(directive, f"answered with 501: {fault}")
        return {"respond": 501}
    return table | response_headers(scope, site)


def _error_place(directive: Directive, scope: Scope, site: Site) -> Scope | None:
    """The named location that ``error_page`` has for a status that is returned: so people jump to one."""
    for one in scope.all("error_page") if len(directive.words) == 1 else ():
        if directive.first in one.words[:-1] and one.words[-1] in site.named:
            return site.named[one.words[-1]]
    return None


def _if(directive: Directive, scope: Scope, rest: Sequence[Step], then: _Rest) -> list[Variant] | None:
    """None where it makes no difference."""
    inner = scope.within(directive)
    of_server = scope is then.site.server.scope
    try:
        condition = condition_of(directive.words, then.site)
        if any("hosts" in one for one in condition.alternatives) and not of_server:
            raise Untranslatable("hosts are told apart by servers, and by conditions of servers")
        if condition.known is False:
            all_taken(inner.directives)
            return None
        if any("query" in one for one in condition.alternatives):
            then.site.notes.say(directive, _NAMES_IN_THEIR_CASE)
        # What follows an if is done after what is in it, and what is in it holds for the content.
        body = then.of([*phase_of(inner), *rest], None if of_server else inner)
        if condition.known:
            return body
        others = then.of(rest)
        negated = condition.negated
        conditional, last = (others, body) if negated else (body, others)
        found = [both for one in condition.alternatives for both in joined_all(one, conditional)]
        if len(found) + len(last) > _MOST:
            raise Untranslatable("it makes too many routes")
    except Untranslatable as fault:
        all_taken(inner.directives)
        why = f"it is left out, with all that is in it: {fault}"
        refuses = [one for one in inner.directives if one.name == "return" and one.first[:1] in ("4", "5")]
        then.site.notes.say(directive, why + ("; what it refuses is not refused" if refuses else ""))
        return None
    return found + last


def _rewrite(directive: Directive, scope: Scope, rest: Sequence[Step], then: _Rest) -> list[Variant]:
    site = then.site
    try:
        pattern, table, flag = rewritten(directive, site)
    except Untranslatable as fault:
        site.notes.say(directive, f"it is left out: {fault}")
        return then.of(rest)
    if "redirect" in table:
        answer = table | response_headers(scope, site)
        return [({PATH: pattern}, answer), *then.of(rest)]
    if flag != "break":
        return [*_elsewhere(directive, pattern, table, site), *then.of(rest)]
    content = [(wanted, _changed(made, table)) for wanted, made in then.content(site, then.inner)]
    others = then.of(rest)
    plain = not any(key in made for _, made in then.content(site, then.inner) for key in _PATHS)
    if plain and not rest:
        # What does not match stays as it is.
        return content
    return [*joined_all({PATH: pattern}, content), *others]


def _elsewhere(directive: Directive, pattern: str, rewrite: Table, site: Site) -> list[Variant]:
    """What is done with a path that has become another, for which a location is looked for again."""
    try:
        return joined_all({PATH: pattern}, _again(rewrite, site))
    except Untranslatable as fault:
        site.notes.say(directive, f"answered with 501: which location it leads to is not known: {fault}")
        return [({PATH: pattern}, {"respond": 501})]


def _again(rewrite: Table, site: Site) -> list[Variant]:
    """What the location does that is found for a path that has become another."""
    if site.again >= _MOST_AGAIN:
        raise Untranslatable("it is looked for again and again")
    location = location_for(rewrite["rewrite"]["replacement"], site.locations)
    there = variants_of(location, attrs.evolve(site, again=site.again + 1))
    if any("file_in" in wanted for wanted, _ in there):
        there = _as_if_there(there, rewrite)
    if any(PATH in wanted or any(key in made for key in _PATHS) for wanted, made in there):
        raise Untranslatable("what is found there changes the path as well")
    return [(wanted, _changed(made, rewrite)) for wanted, made in there]


def _as_if_there(variants: Sequence[Variant], rewrite: Table) -> list[Variant]:
    """Of routes for files, and for what is none, those for a path that is always the same: what a file names has it."""
    if "$" in rewrite["rewrite"]["replacement"]:
        raise Untranslatable("whether a file is there is asked of the path as it came")
    found: list[Variant] = []
    for wanted, made in variants:
        found.append(({key: said for key, said in wanted.items() if key != "file_in"}, made))
        if wanted.keys() == {"file_in"}:
            break
    return found


def _found_for(path: str, site: Site) -> list[Variant]:
    """What is done with requests that ``try_files`` leads to a path."""
    return _again({"rewrite": {"pattern": ".*", "replacement": path.replace("$", "$$")}}, site)


def _changed(table: Table, rewrite: Table) -> Table:
    """A route with another path: what proxy_pass would have made of it does not count any more."""
    if "pool" not in table and "files" not in table:
        return table
    return {key: said for key, said in table.items() if key not in _PATHS} | rewrite


def merged(variants: Sequence[Variant]) -> list[Variant]:
    """Without those that are followed by one with fewer conditions that does the same, and nothing else between."""
    found: list[Variant] = []
    for number, (wanted, table) in enumerate(variants):
        for other, same in variants[number + 1 :]:
            if same != table:
                found.append((wanted, table))
                break
            if all(wanted.get(key) == said for key, said in other.items()):
                break
        else:
            found.append((wanted, table))
        if not wanted:
            break
    return found


# -- content


def _content(location: Location, site: Site) -> list[Variant]:
    scope = location.scope

    def made() -> list[Variant]:
        try:
            return _done(location, site)
        except Untranslatable as fault:
            return [({}, answer_instead(scope, site, fault))]

    return with_methods(scope, site, with_access(scope, site, made))


def _done(location: Location, site: Site) -> list[Variant]:
    scope = location.scope
    for name, why in _OTHERS.items():
        if scope.own(name):
            return [({}, answer_instead(scope, site, why))]
    try:
        login = login_of(scope, site)
    except Untranslatable as fault:
        return [({}, answer_instead(scope, site, fault, 403))]
    table: Table = dict(login)
    if limits := site.whole.limits.at(scope):
        table["request_limits"] = limits
    passes = _passes(scope)
    if not passes:
        elsewhere = Elsewhere(lambda named: _content(named, site), lambda path: _found_for(path, site))
        # It is let pass here first, and then there.
        return [(wanted, table | there) for wanted, there in folder(location, site, elsewhere)]
    prefix = passes[-1].name.removesuffix("_pass")
    table |= passed(passes[-1], location, site)
    table |= request_headers(scope, site, prefix, copied_fields(login))
    table |= _max_body(scope, site)
    table |= response_headers(scope, site, prefix) | mapped_back(scope, site)
    return _cached(scope, site, table)


def _passes(scope: Scope) -> list[Directive]:
    passes = scope.own("proxy_pass", "grpc_pass")
    if not passes and scope.directive.name == "if" and scope.outer is not None:
        # An if without content of its own has that of the location around it.
        return scope.outer.own("proxy_pass", "grpc_pass")
    return passes


def _cached(scope: Scope, site: Site, table: Table) -> list[Variant]:
    """A route, after those for requests that nginx keeps away from its cache."""
    cache = site.whole.caches.at(scope)
    names, directives = exceptions(scope)
    if not site.whole.caches.table or cache.get("cache") is False:
        return [({}, table | cache)]
    found: list[Variant] = []
    without = table | {"cache": False}
    for name in names:
        try:
            condition = condition_of((f"(${name})",), site)
        except Untranslatable as fault:
            site.notes.say(directives[0], f"nothing is cached here: {fault}")
            return [({}, without)]
        if condition.known or condition.negated:
            return [({}, without)]
        found += [(wanted, without) for wanted in condition.alternatives]
    return [*found, ({}, table | cache)]


def _max_body(scope: Scope, site: Site) -> Table:
    size = body_size(scope)
    return {"max_body": size_of(size)} if size and size != site.largest_body else {}
