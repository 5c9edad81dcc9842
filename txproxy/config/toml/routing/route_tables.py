"""``[[routes]]`` of a configuration file."""

from __future__ import annotations

import re
from typing import Any, Final

from txproxy.components.rates import parse_rate
from txproxy.components.registry import components
from txproxy.components.settings import default_of
from txproxy.components.values import (
    duration,
    flag,
    one_of,
    pause,
    secret_text,
    share,
    shown,
    size,
    text,
    texts,
    whole,
)
from txproxy.config.model import AuthConfig, MirrorConfig, RouteConfig
from txproxy.config.own_code.code_tables import read_codes
from txproxy.config.own_code.hooks import read_around
from txproxy.config.toml.cache_tables import read_choice
from txproxy.config.toml.limit_tables import LimitTables
from txproxy.config.toml.policy_tables import made, read_users
from txproxy.config.toml.pool_tables import signing_key
from txproxy.config.toml.routing.rewrite_tables import read_request, read_response
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError
from txproxy.interfaces.context import PRIORITIES
from txproxy.interfaces.hooks.matcher import find_matcher
from txproxy.matching.paths import has_prefix
from txproxy.reverse.challenge.challenge_settings import ChallengePlace, ChallengeSettings
from txproxy.reverse.rewriting.header_fields import settable
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.route_actions.pool_action import PoolAction
from txproxy.reverse.route_actions.route_action import ROUTE_ACTIONS, RouteAction
from txproxy.reverse.routing.file_condition import FileIn
from txproxy.reverse.routing.matches import Match
from txproxy.reverse.site_login import SiteLogin
from txproxy.wire import grammar
from txproxy.wire.target import is_origin_form

# What the canonical form of a path does not have.
_NEVER: Final = re.compile(rb"//|%(?:2[Ff]|5[Cc]|3[Bb]|[0-9A-F][a-f]|[a-f][0-9A-Fa-f])")


def read_route(table: Table, limits: LimitTables) -> RouteConfig:
    """One route, which may name ``limits``."""
    name = table.need("name", text, "", "a name of its own")
    listeners = table.some("listeners", text) or ()
    match = _match(table, weight=table.read("weight", whole(0, 10**6), None), file_in=_file_in(table))
    action = _action(table)
    request = read_request(table)
    if "strip_prefix" in action.takes:
        _check_paths(table, match, request)
    route = RouteConfig(
        name=name,
        listeners=listeners,
        match=match,
        action=action,
        request=request or None,
        response=read_response(table, request),
        response_timeout=table.read("response_timeout", duration, None),
        tunnel_timeout=table.read("tunnel_timeout", duration, None),
        max_body=table.read("max_body", size, None),
        auth=_auth(table),
        mirror=_mirror(table),
        cache=read_choice(table),
        priority=table.read("priority", one_of(tuple(PRIORITIES)), "normal"),
        request_limits=limits.at(table, f"route {name}"),
        challenge=read_challenge(table),
        login=read_login(table),
        open_to_all=table.value("login", True) is False,
        around=read_around(table),
    )
    table.close()
    return route


def _match(table: Table, **of_routes: Any) -> Match:
    values = {
        "hosts": table.some("hosts", text) or (),
        "path": table.read("path", text, ""),
        "methods": table.some("methods", text) or (),
        "headers": table.pairs("headers", _wanted, "{ NAME = 'VALUE', NAME = '~REGEX', NAME = true }"),
        "query": table.pairs("query", _wanted, "{ NAME = 'VALUE', NAME = '~REGEX', NAME = true }"),
        "clients": table.some("clients", text) or (),
        "matches": read_codes(table, "matches", "function", find_matcher, some=True),
        **of_routes,
    }
    try:
        return Match(**values)
    except ConfigError as fault:
        table.faults_of(fault)
        return Match()


def _file_in(table: Table) -> FileIn | None:
    """The folder in which a file has to be, alone or as a table."""
    if not isinstance(table.given("file_in"), dict):
        return table.read("file_in", lambda value: FileIn.parse(table.file_name(value)), None)
    inner = table.table("file_in")
    assert inner is not None, "it is one"
    folder = inner.need("folder", lambda value: FileIn.parse(inner.file_name(value)), None, "the name of a folder")
    index = inner.read("index", flag, True)
    inner.close()
    return None if folder is None else FileIn(folder.folder, index)


def _check_paths(table: Table, match: Match, request: RequestRewrite | None) -> None:
    """Say what can have no effect: a prefix that no path of the route has, an expression that no path is like."""
    path, strip = match.path_pattern, request.strip if request is not None else b""
    beside = path.kind in ("=", "/") and not has_prefix(path.text, strip)
    if strip and beside and not (path.kind == "/" and has_prefix(strip, path.text)):
        table.fault(
            f"no path of the route is {shown(strip.decode())} or below it; accepted is a prefix of its path",
            "strip_prefix",
        )
    if path.kind == "~" and (found := _NEVER.search(path.text)) is not None:
        table.findings.doubt(
            (*table.path, "path"),
            f"paths are compared with escapes decoded and slashes merged: {found[0].decode()} is in none of them",
        )


def _wanted(value: object) -> str | bool:
    return True if value is True else secret_text(value)


# -- the challenge


def read_challenge(table: Table) -> ChallengePlace | None:
    """When requests of a listener or a route have to have passed it, if ever."""
    value = table.given("challenge")
    if value is None or value is False:
        return None
    if value is True:
        return ChallengePlace()
    inner = table.table("challenge", "true, false")
    if inner is None:
        return None
    place = ChallengePlace(
        above=inner.read("above", texts(parse_rate), None),
        active=inner.read("active", whole(1, 10**6), None),
        excepted=_excepted(inner),
    )
    inner.close()
    return place


def _excepted(table: Table) -> tuple[Match, ...]:
    excepted: list[Match] = []
    for one in table.tables("except"):
        excepted.append(_match(one))
        if not one.names:
            one.fault("all requests are excepted", accepted="accepted is one with path, hosts, methods, clients, ...")
        one.close()
    return tuple(excepted)


def read_login(table: Table) -> SiteLogin | None:
    """Of whom requests of a listener or a route have to be, if of anybody."""
    if table.value("login", True) is False:
        table.read("login", flag, False)
        return None
    inner = table.table("login", "false")
    if inner is None:
        return None
    before = len(inner.findings.faults)
    values: dict[str, Any] = {
        "users": inner.some("users", text) or (),
        "groups": inner.some("groups", text) or (),
        "excepted": _excepted(inner),
        "user_header": inner.read("user_header", text, ""),
        "pass_credentials": inner.read("pass_credentials", flag, False),
    }
    policy = read_users(inner, before)
    return made(inner, SiteLogin, policy=policy, **values) if policy is not None else None


def read_challenge_settings(table: Table | None) -> ChallengeSettings:
    """``[challenge]``: what is asked for wherever there is one."""
    if table is None:
        return ChallengeSettings()
    values: dict[str, Any] = {
        key: table.read(key, parse, default_of(ChallengeSettings, key))
        for key, parse in (
            ("difficulty", whole(1, 256)),
            ("wait", pause),
            ("lifetime", duration),
            ("ipv4_prefix", whole(0, 128)),
            ("ipv6_prefix", whole(0, 128)),
            ("secret", signing_key),
        )
    }
    table.close()
    try:
        return ChallengeSettings(**values)
    except ConfigError as fault:
        table.faults_of(fault)
        return ChallengeSettings()


# -- actions


def _action(table: Table) -> RouteAction:
    kinds = components(ROUTE_ACTIONS)
    given = [name for name in kinds if name in table]
    if len(given) != 1:
        what = f"{' and '.join(given)} are there" if given else "nothing is to be done"
        table.fault(what, accepted=f"accepted is exactly one of {', '.join(kinds)}")
    else:
        _see_effects(table, given[0])
    # All are asked, so that their keys are known.
    found = [kind.thing.read(table) for kind in kinds.values()]
    return next((action for action in found if action is not None), PoolAction(pool=""))


def _see_effects(table: Table, given: str) -> None:
    """Say what has an effect with other actions than the one that is ``given``."""
    with_key: dict[str, list[str]] = {}
    for name, kind in components(ROUTE_ACTIONS).items():
        for key in (*kind.thing.keys[1:], *sorted(kind.thing.takes)):
            with_key.setdefault(key, []).append(name)
    for key, names in with_key.items():
        if key in table and given not in names:
            table.fault(f"has no effect with {given}", key, accepted=f"accepted is it with {', '.join(names)}")


def _auth(table: Table) -> AuthConfig | None:
    inner = table.table("auth")
    if inner is None:
        return None
    auth = AuthConfig(
        pool=inner.need("pool", text, "", "the name of a pool"),
        path=inner.read("path", _path, "/"),
        copy=inner.all("copy", _copied) or (),
        cookies=inner.all("cookies", _cookie) or (),
    )
    inner.close()
    return auth


def _path(value: object) -> str:
    path = text(value)
    if not is_origin_form(path.encode()):
        raise ConfigError(f"{path!r} is no path", "accepted is one that begins with /")
    return path


def _copied(value: object) -> str:
    name = text(value)
    if not grammar.TOKEN.fullmatch(name.encode()):
        raise ConfigError(f"{name!r} is no name of a field", "accepted is a token such as X-User")
    if name.lower() == "set-cookie":
        raise ConfigError("Set-Cookie is a field of responses", "accepted is cookies = ['*'], or with names")
    settable(name)
    return name


def _cookie(value: object) -> str:
    name = text(value)
    if name != "*" and not grammar.TOKEN.fullmatch(name.encode()):
        raise ConfigError(f"{name!r} is no name of a cookie", "accepted is a token, or * for all")
    return name


def _mirror(table: Table) -> MirrorConfig | None:
    value = table.read("mirror", lambda value: value, None)
    if isinstance(value, str):
        return table.read("mirror", lambda value: MirrorConfig(pool=text(value)), None)
    inner = table.table("mirror")
    if inner is None:
        return None
    mirror = MirrorConfig(
        pool=inner.need("pool", text, "", "the name of a pool"), share=inner.read("share", _some, 1.0)
    )
    inner.close()
    return mirror


def _some(value: object) -> float:
    part = share(value)
    if not part:
        raise ConfigError(f"{shown(value)} is none at all", "accepted is a number above 0 and up to 1")
    return part
