"""``[[listeners]]`` and ``[limits]`` of a configuration file."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import attrs

from txproxy.components.values import (
    flag,
    one_of,
    parse_pseudonym,
    text,
    texts,
)
from txproxy.config.endpoints import endpoint_text
from txproxy.config.log_lines import parse_log_lines
from txproxy.config.log_tables import read_log_place
from txproxy.config.model import AnyListener, ForwardListener, ReverseListener, TcpListener
from txproxy.config.own_code.code_tables import read_codes
from txproxy.config.own_code.hooks import read_hooks, read_rules_around
from txproxy.config.own_code.middleware import find_middleware
from txproxy.config.setting_readers import read_settings
from txproxy.config.toml.bounds import read_listener_bounds
from txproxy.config.toml.cache_tables import read_rule_choices
from txproxy.config.toml.effects import see_forward, see_http2, see_tcp
from txproxy.config.toml.forward_listener import forward_policy, read_audit
from txproxy.config.toml.limit_tables import LimitTables, read_rule_limits
from txproxy.config.toml.policy_tables import raw
from txproxy.config.toml.routing.route_tables import read_challenge, read_login
from txproxy.config.toml.tables import Table
from txproxy.config.toml.tls_tables import read_tls
from txproxy.errors import ConfigError
from txproxy.forward.policy import ForwardPolicy
from txproxy.matching.networks import UNIX, peer_network
from txproxy.proxy.downstream.negotiate import HTTP, SOCKS5
from txproxy.proxy.error_pages import ErrorPages, pages_in
from txproxy.proxy.limits import Limits
from txproxy.reverse.actions.to_pool import host_to_send
from txproxy.stream.sni_routing import ByName
from txproxy.tls.listener_contexts import HTTP1, ListenerTls
from txproxy.wire.http1.tolerance import TOLERABLE

# TLS has listeners of its own, and either may be spoken inside it.
_FORWARD_PROTOCOLS: Final = (HTTP, SOCKS5)
_MODES: Final = ("reverse", "forward", "tcp")


def read_limits(table: Table | None, defaults: Limits) -> Limits:
    """A table of limits; what it does not have is as in ``defaults``."""
    if table is None:
        return defaults
    values = read_settings(table, Limits, defaults)
    table.close()
    target, head = values["max_target_size"], values["max_header_size"]
    if "max_target_size" in table and target is not None and target > head:
        table.fault(
            f"{target} is more than a head", "max_target_size", accepted=f"accepted is max_header_size at most, {head}"
        )
    window, together = values["stream_window"], values["connection_window"]
    key = next((one for one in ("stream_window", "connection_window") if one in table), None)
    if key is not None and window is not None and window > together:
        said = f"a request has no window of {window} where all of its connection have {together} together"
        table.doubt(said, key, accepted="accepted is a stream_window that is no larger than connection_window")
    return attrs.evolve(defaults, **values)


@attrs.frozen
class Defaults:
    """What holds for all listeners that say nothing else."""

    limits: Limits
    via: str | None
    request_limits: LimitTables


def read_via(table: Table, default: str | None) -> str | None:
    """The pseudonym in Via."""
    return table.read("via", texts(parse_pseudonym), default)


def read_listener(table: Table, number: int, defaults: Defaults) -> AnyListener:
    """One listener; ``number`` names it where nothing else does."""
    mode = table.read("mode", one_of(_MODES), "") if "mode" in table else "reverse"
    if not mode:
        # What else it has may be as it should be.
        return ReverseListener(name=table.read("name", text, ""))
    listen = table.some("listen", endpoint_text) or ()
    tls_listen = table.some("tls_listen", endpoint_text) or ()
    if "listen" not in table and "tls_listen" not in table:
        table.fault("it listens nowhere", accepted="accepted is listen or tls_listen, or both")
    # Tcp has no such key: what is inside TLS there is its peers' own to agree on.
    http2 = mode != "tcp" and table.read("http2", flag, True)
    shared: dict[str, Any] = {
        "name": table.read("name", text, f"listener {number + 1}"),
        "listen": listen,
        "tls_listen": tls_listen,
        "tls": read_tls(table, mode, http2),
        "limits": read_limits(table.table("limits"), defaults.limits),
        "proxy_protocol": table.read("proxy_protocol", flag, False),
        "trusted_proxies": table.all("trusted_proxies", texts(peer_network)) or (),
        "middleware": read_codes(table, "middleware", "middleware", partial(find_middleware, requests=mode != "tcp")),
        "audit": read_audit(table),
        "access_log": table.read("access_log", partial(read_log_place, table), None),
        "access_log_format": table.read("access_log_format", texts(parse_log_lines), None),
    }
    shared["request_limits"] = defaults.request_limits.at(table, shared["name"], streams=mode == "tcp")
    shared["bounds"] = read_listener_bounds(table, mode, shared["limits"].ipv6_prefix)
    if shared["proxy_protocol"] and "trusted_proxies" not in table:
        table.fault(
            "it needs trusted_proxies: whose headers are to be believed",
            "proxy_protocol",
            accepted="accepted are CIDRs",
        )
    if mode != "tcp":
        shared["tolerate"] = table.some("tolerate", one_of(TOLERABLE)) or ()
        shared["error_pages"] = _error_pages(table)
        shared["http2"] = http2
        shared["h2c"] = table.read("h2c", flag, False)
        shared |= {kind: read_hooks(table, kind) for kind in ("before", "after")}
    if mode != "reverse":
        _see_sites_alone(table, mode)
    build = {"forward": _forward, "reverse": _reverse, "tcp": _tcp}[mode]
    listener = build(table, defaults, shared)
    table.close()
    return listener


def _see_sites_alone(table: Table, mode: str) -> None:
    """Say what is for sites, and not for a listener of this mode."""
    if table.read("challenge", raw, None) is not None:
        # A page of the proxy's in place of a site's, and its cookie, would be that site's to a browser.
        what = "no browser can be asked for one here"
        table.fault(what, "challenge", accepted="accepted is it at a listener of mode reverse, or at a route")
    if table.read("login", raw, None) is not None:
        accepted = "accepted is auth" if mode == "forward" else "accepted is it at a listener of mode reverse"
        table.fault("it is for sites", "login", accepted=accepted)


def _forward(table: Table, defaults: Defaults, shared: dict[str, Any]) -> AnyListener:
    protocols = table.some("protocols", one_of(_FORWARD_PROTOCOLS)) or _FORWARD_PROTOCOLS
    if HTTP not in protocols:
        shared |= _without_http2(shared["tls"])
    policy = _counting_by(forward_policy(table, read_via(table, defaults.via)), shared["limits"].ipv6_prefix)
    listener = ForwardListener(
        policy=policy,
        protocols=protocols,
        caching=read_rule_choices(table),
        rules_around=read_rules_around(table),
        rule_limits=read_rule_limits(table, defaults.request_limits, shared["name"]),
        **shared,
    )
    _see_unix(table, listener)
    see_http2(table, listener)
    if not table.findings.faults:
        see_forward(table, listener)
    return listener


def _reverse(table: Table, defaults: Defaults, shared: dict[str, Any]) -> AnyListener:
    listener = ReverseListener(
        pool=table.read("pool", text, None),
        routes=table.some("routes", text) or (),
        host=table.read("host", texts(host_to_send), None),
        via=read_via(table, defaults.via),
        split_by_client=table.read("split_by", one_of(("chance", "client")), "chance") == "client",
        challenge=read_challenge(table),
        login=read_login(table),
        **shared,
    )
    if listener.host is not None and listener.pool is None:
        table.fault("has no effect without pool", "host", accepted="accepted is it with pool, or in a route")
    see_http2(table, listener)
    return listener


def _tcp(table: Table, defaults: Defaults, shared: dict[str, Any]) -> AnyListener:
    listener = TcpListener(
        pool=table.read("pool", text, None),
        sni=_server_names(table),
        **shared,
    )
    see_tcp(table, listener)
    return listener


def _without_http2(tls: ListenerTls | None) -> dict[str, Any]:
    """What of a listener is so whose clients speak SOCKS alone."""
    return {"http2": False, "tls": attrs.evolve(tls, alpn=HTTP1) if tls is not None else None}


def _see_unix(table: Table, listener: ForwardListener) -> None:
    """Say that clients on a UNIX socket are refused, if nothing allows them."""
    for key, endpoints in (("listen", listener.listen), ("tls_listen", listener.tls_listen)):
        if any(text.startswith(UNIX) for text in endpoints) and UNIX not in listener.policy.allow_clients:
            what = f"no client on a UNIX socket is allowed; accepted is allow_clients with {UNIX!r} in it"
            table.findings.doubt((*table.path, key), what)


def _counting_by(policy: ForwardPolicy, ipv6_prefix: int) -> ForwardPolicy:
    """``policy``, which takes IPv6 networks of that prefix for one client."""
    auth = policy.auth
    if auth is None:
        return policy
    tries = attrs.evolve(auth.tries, ipv6_prefix=ipv6_prefix)
    return attrs.evolve(policy, auth=attrs.evolve(auth, tries=tries))


def _server_names(table: Table) -> tuple[tuple[str, str], ...]:
    pairs = table.pairs("sni", text, "{ 'a.example' = 'POOL', '*.b.example' = 'POOL' }")
    try:
        ByName(dict(pairs))
    except ConfigError as fault:
        table.faults_of(fault, "sni")
    return pairs


# -- pages


def _error_pages(table: Table) -> tuple[tuple[str, str], ...]:
    if table.value("error_pages", ""):
        pages = table.read("error_pages", lambda value: pages_in(table.file_name(value)), ())
    else:
        pages = table.pairs("error_pages", table.file_name, "{ 503 = FILE, 5xx = FILE }, or a folder")
    for status, file in pages:
        try:
            ErrorPages({status: file})
        except ConfigError as fault:
            table.faults_of(fault, "error_pages")
    return pages
