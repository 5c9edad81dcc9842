"""What a file says to no effect, though each part of it is well written: one line for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import attrs

from txproxy.cache.rules.cache_settings import CacheSettings
from txproxy.components.values import hint
from txproxy.config.endpoints import Bound
from txproxy.config.findings import Findings
from txproxy.config.model import (
    AnyListener,
    BoundsConfig,
    ForwardListener,
    ReverseListener,
    RouteConfig,
    TcpListener,
)
from txproxy.config.toml.tables import Table
from txproxy.errors import Path
from txproxy.forward.access.conditions.host_conditions import list_names
from txproxy.forward.access.contradictions import no_such_destination, port_never_allowed
from txproxy.forward.access.rules import Action, Rule
from txproxy.forward.policy import ForwardPolicy
from txproxy.forward.request.targets import Bind
from txproxy.limits.quotas import Quota
from txproxy.limits.shaping import Bandwidth
from txproxy.matching.networks import PeerNetworks
from txproxy.proxy.downstream.negotiate import HTTP

_Doubts: TypeAlias = "list[tuple[Path, str]]"

_OF_REQUESTS: Final = (
    "response_timeout",
    "max_header_size",
    "max_body_size",
    "min_header_rate",
    "min_body_rate",
    "min_response_rate",
    "max_target_size",
    "max_concurrent_streams",
    "stream_window",
    "connection_window",
    "upstream_concurrent_streams",
    "upstream_stream_window",
    "connection_age",
    "http2_age",
)
_LOOPBACK: Final = ("localhost", "127.0.0.1", "::1")


def see_forward(table: Table, listener: ForwardListener) -> None:
    """What of a forward listener does nothing."""
    policy = listener.policy
    doubts: _Doubts = []
    doubts += _of_users(table, listener)
    doubts += _of_rules(policy)
    doubts += _of_ways(table, policy)
    doubts += _of_hosts(policy)
    if HTTP not in listener.protocols:
        what = "clients of SOCKS ask for tunnels, whose requests nobody sees; accepted is it with http of protocols"
        doubts += [((key,), what) for key in ("content", "privacy", "inject", "rewrites") if key in table]
    doubts += _of_trust(table)
    doubts += _of_reach(listener)
    for keys, what in doubts:
        table.doubt(what, *keys)


def see_http2(table: Table, listener: ForwardListener | ReverseListener) -> None:
    """What of a listener asks for HTTP/2 where none comes."""
    if table.value("http2", False) is True and not listener.tls_listen:
        table.doubt("it is for clients that speak TLS; accepted is it with tls_listen, or h2c = true", "http2")
    if listener.h2c and not listener.listen:
        table.doubt("it is for clients that do not speak TLS; accepted is it with listen", "h2c")


def see_tcp(table: Table, listener: TcpListener) -> None:
    """What of a listener of raw streams does nothing."""
    limits = table.inner(table.value("limits", {}), "limits", kind="limits")
    doubts = [
        (("limits", key), "it is for requests, and tcp does not look into streams; accepted is none")
        for key in _OF_REQUESTS
        if key in limits
    ]
    for keys, what in [*doubts, *_of_trust(table)]:
        table.doubt(what, *keys)


def _of_trust(table: Table) -> _Doubts:
    if "trusted_proxies" not in table or table.value("proxy_protocol", False):
        return []
    return [(("trusted_proxies",), "there is nothing to believe them here; accepted is it with proxy_protocol = true")]


def _of_reach(listener: ForwardListener) -> _Doubts:
    """Whether those who can connect are others than those who may."""
    bounds = [Bound.of(text) for text in listener.endpoints]
    if listener.proxy_protocol or not bounds or any(one.path or one.interface not in _LOOPBACK for one in bounds):
        return []
    allowed = PeerNetworks(listener.policy.allow_clients)
    if any(address in allowed for address in _LOOPBACK[1:]):
        return []
    return [(("allow_clients",), "it listens on loopback alone, and no client from there is allowed")]


# -- users


def _names_users(rule: Rule) -> list[str]:
    return [one.key for one in rule.conditions if one.kind.key in ("users", "groups")]


def _of_users(table: Table, listener: ForwardListener) -> _Doubts:
    policy = listener.policy
    auth = policy.auth
    named = [(number, key) for number, rule in enumerate(policy.rules) for key in _names_users(rule)]
    if auth is None:
        return [
            (("rules", number, key), f"nobody is asked who he is, so that {_fits(key)}; accepted is it with auth")
            for number, key in named
        ]
    doubts: _Doubts = []
    if policy.auth_by_rules and not named:
        doubts.append((("auth", "by_rules"), "no rule names users or groups, so that nobody is ever asked"))
    if auth.group_file is not None and not any(key.endswith("groups") for _, key in named):
        doubts.append((("auth", "group_file"), "no rule names groups"))
    if auth.digest_secret and auth.digest_file is None:
        doubts.append((("auth", "digest_secret"), "there is no Digest to use it for; accepted is digest_file with it"))
    if auth.certificate_field is not None and (listener.tls is None or listener.tls.client_ca is None):
        what = "no client shows a certificate; accepted is it with tls_listen, and client_ca of tls"
        doubts.append((("auth", "certificate_field"), what))
    return doubts


def _fits(key: str) -> str:
    return "it leaves out nobody" if key.startswith("not_") else "it fits nobody"


# -- rules and hosts


def _of_rules(policy: ForwardPolicy) -> _Doubts:
    doubts: _Doubts = []
    named = {
        name
        for rule in policy.rules
        for condition in rule.conditions
        if condition.kind.key == "hosts"
        for name in list_names(condition.values)
    }
    files = policy.lists if isinstance(policy.lists, tuple) else policy.lists.files
    unnamed = sorted({file.name for file in files} - named)
    doubts += [(("lists", name), "no rule names it; accepted is it as '@NAME' in hosts") for name in unnamed]
    for number, rule in enumerate(policy.rules):
        if rule.action is Action.DENY:
            continue
        told = port_never_allowed(rule.conditions, policy.allow_ports)
        if told:
            doubts.append((("rules", number, "ports"), told))
    return doubts


def _of_hosts(policy: ForwardPolicy) -> _Doubts:
    if policy.allow_hosts == ():
        return [(("allow_hosts",), "there is none in it, so that nothing may be reached")]
    return [
        ((key, number), what) for key, number, what in no_such_destination(policy.allow_hosts or (), policy.deny_hosts)
    ]


# -- which way


def _of_ways(table: Table, policy: ForwardPolicy) -> _Doubts:
    doubts: _Doubts = []
    if "ask_timeout" in table and not any(rule.action is Action.ASK for rule in policy.rules):
        doubts.append((("ask_timeout",), "no rule asks"))
    if policy.no_proxy and policy.parents is None and not policy.pac:
        doubts.append((("no_proxy",), "there are no parents, and no PAC file that would have it"))
    for number, injection in enumerate(policy.inject):
        if injection.place[0] == b"http":
            what = "what is injected goes there for all to read; accepted is https where it is a secret"
            doubts.append((("inject", number, "origin"), what))
    for number, bind in enumerate(policy.binds):
        before = next((one for one in policy.binds[:number] if _is_for_all_of(one, bind)), None)
        if before is not None:
            doubts.append((("binds", number), f"one before it, of {before.address}, is for all that it is for"))
    for number, privacy in enumerate(policy.privacy):
        if not (privacy.remove or privacy.replace or privacy.remove_from_responses) and privacy.keep is None:
            doubts.append((("privacy", number), "it changes nothing; accepted are remove, replace, keep and others"))
    return doubts


def _is_for_all_of(one: Bind, other: Bind) -> bool:
    return (one.hosts is None or one.hosts == other.hosts) and (not one.rules or one.rules == other.rules)


# -- of the whole file


def see_shares(routes: Sequence[RouteConfig], listeners: Sequence[AnyListener], findings: Findings) -> None:
    """Weights that nobody shares with, and listeners that say how to share what nobody does."""
    numbers = {route.name: number for number, route in enumerate(routes)}
    shared: set[str] = set()
    for number, listener in enumerate(listeners):
        if not isinstance(listener, ReverseListener):
            continue
        by_match: dict[object, list[str]] = {}
        for route in routes:
            if route.name in listener.routes and route.match.weight is not None:
                by_match.setdefault(attrs.evolve(route.match, weight=None), []).append(route.name)
        here = {name for names in by_match.values() for name in names if len(names) > 1}
        shared |= here
        if listener.split_by_client and not here:
            findings.doubt(("listeners", number, "split_by"), "none of its routes share by weight")
    for route in routes:
        if route.match.weight is not None and route.name not in shared:
            what = "no other route matches the same, so that there is nothing to share"
            findings.doubt(("routes", numbers[route.name], "weight"), what)


def see_bounds(bounds: BoundsConfig, listeners: Sequence[AnyListener], findings: Findings) -> None:
    """Doubt bounds that are for nobody."""
    forward = [listener.policy for listener in listeners if isinstance(listener, ForwardListener)]
    rules = [rule for policy in forward for rule in policy.rules]
    names = {rule.name or f"rule {number}" for policy in forward for number, rule in enumerate(policy.rules, 1)}
    counted = any(one.kind.key == "used_more_than" for rule in rules for one in rule.conditions)
    for path, entry in _entries((), bounds):
        if not forward:
            findings.doubt(path, "it is for forward listeners, and there is none")
        elif entry.per == "user" and all(policy.auth is None for policy in forward):
            findings.doubt((*path, "per"), "nobody is asked who he is; accepted is it with auth of a listener")
        elif entry.per == "rule":
            for name in entry.only:
                if name not in names:
                    findings.doubt((*path, "only"), f"there is no rule {name!r}{hint(name, sorted(names))}")
    for number, listener in enumerate(listeners):
        if isinstance(listener, ReverseListener):
            _see_bounds_of(listener, ("listeners", number), findings)
    counted = counted or bool(bounds.quotas) or any(listener.bounds.quotas for listener in listeners)
    if bounds.usage_file is not None and not counted:
        findings.doubt(("usage_file",), "nothing is counted; accepted is it with quotas, or used_more_than of a rule")


def see_questions(listeners: Sequence[AnyListener], findings: Findings) -> None:
    """Doubt rules that ask where there is no admin API by which somebody could answer."""
    what = "nobody can answer: the request waits for ask_timeout, and is denied; accepted is it with [admin]"
    for number, listener in enumerate(listeners):
        if not isinstance(listener, ForwardListener):
            continue
        for place, rule in enumerate(listener.policy.rules):
            if rule.action is Action.ASK:
                findings.doubt(("listeners", number, "rules", place, "action"), what)


def see_cache(
    cache: CacheSettings, routes: Sequence[RouteConfig], listeners: Sequence[AnyListener], findings: Findings
) -> None:
    """Doubt a cache that is for nobody, what is said of one that is not there, and rules that are never asked."""
    if cache and all(isinstance(listener, TcpListener) for listener in listeners):
        findings.doubt(("cache",), "it is for requests, and no listener here reads any")
    for number, rule in enumerate(cache.rules[:-1]):
        if rule.is_for_all:
            findings.doubt(("cache_rules", number), "it is for all requests, so that no rule after it is ever asked")
    if cache:
        return
    paths: list[Path] = [("cache_rules",)] if cache.rules else []
    paths += [("routes", number, "cache") for number, route in enumerate(routes) if route.cache is not None]
    for number, listener in enumerate(listeners):
        if isinstance(listener, ForwardListener):
            said = dict(listener.caching)
            names = [rule.name or f"rule {at}" for at, rule in enumerate(listener.policy.rules, 1)]
            paths += [("listeners", number, "rules", at, "cache") for at, name in enumerate(names) if name in said]
    for path in paths:
        findings.doubt(path, "there is no cache; accepted is it with [cache]")


def _see_bounds_of(listener: ReverseListener, place: Path, findings: Findings) -> None:
    """The same of those that a reverse listener has: its routes are the rules, and only middleware knows users."""
    for path, entry in _entries(place, listener.bounds):
        if entry.per == "user" and not listener.middleware:
            findings.doubt((*path, "per"), "nobody is asked who he is; accepted is it with middleware that does")
        elif entry.per == "rule":
            for name in entry.only:
                if name not in listener.routes:
                    what = f"there is no route {name!r} here{hint(name, sorted(listener.routes))}"
                    findings.doubt((*path, "only"), what)


def _entries(place: Path, bounds: BoundsConfig) -> Iterator[tuple[Path, Bandwidth | Quota]]:
    """Each bandwidth and quota, with its path."""
    both: dict[str, Sequence[Bandwidth | Quota]] = {"bandwidths": bounds.bandwidths, "quotas": bounds.quotas}
    for key, entries in both.items():
        for number, entry in enumerate(entries):
            yield (*place, key, number), entry
