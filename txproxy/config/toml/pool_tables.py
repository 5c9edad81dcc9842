"""``[pools.NAME]`` of a configuration file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import attrs

from txproxy.components.named_code import NamedCode, is_name
from txproxy.components.registry import components
from txproxy.components.settings import default_of
from txproxy.components.values import duration, flag, one_of, pause, share, shown, some_text, text, texts, whole
from txproxy.config.model import PoolConfig
from txproxy.config.own_code.code_tables import read_code
from txproxy.config.own_code.named_discovery import read_discovery
from txproxy.config.own_code.named_strategy import find_strategy
from txproxy.config.setting_readers import read_settings
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Path
from txproxy.interfaces.allowances import MOST_WEIGHT
from txproxy.limits.requests.adaptive_limit import AdaptiveBounds
from txproxy.matching.hosts import host_name
from txproxy.matching.regular_expressions import EXPRESSION_MARK, bytes_expression
from txproxy.reverse.actions.to_pool import host_to_send
from txproxy.reverse.route_actions.pool_action import sticky_kind
from txproxy.upstreams.balancing.consistent_hashing import load_bound
from txproxy.upstreams.balancing.strategies import is_hash, strategy_from
from txproxy.upstreams.balancing.strategy import BALANCING
from txproxy.upstreams.ejection import EJECT_ON, Ejection
from txproxy.upstreams.health.health_check import KINDS, HealthCheck
from txproxy.upstreams.pool_settings import PoolSettings
from txproxy.upstreams.upstream import Upstream
from txproxy.upstreams.upstream_tls import ALPN, UpstreamTls, offered
from txproxy.upstreams.upstream_urls import SOCKETS, parse_tcp_upstream, parse_upstream
from txproxy.wire.http1.tolerance import TOLERABLE

_DEFAULTS: Final = PoolSettings()
_CHECK: Final = HealthCheck()
_EJECTION: Final = Ejection()
_LEAST_KEY: Final = 16
# What of a health check is for those by HTTP alone, and why.
_NOT_ASKED: Final = {
    "connect": (("path", "method", "expect", "host"), "who is only connected to is asked nothing"),
    "grpc": (("path", "method", "expect"), "a call of gRPC has its own"),
}
_PARAMETERS: Final = {"weight": (0, MOST_WEIGHT), "max": (1, 10**6)}


def read_pool(name: str, table: Table) -> PoolConfig:
    """One pool."""
    tls = _with_alpn(table, _tls(table))
    upstreams = _upstreams(table)
    tcp = bool(upstreams) and all(is_tcp(upstream) for upstream in upstreams)
    if not tcp and any(is_tcp(upstream) for upstream in upstreams):
        table.fault("HOST:PORT (for tcp) and URLs (for reverse) are mixed", "upstreams", accepted="accepted are either")
    sound = _check_upstreams(table, upstreams, tls)
    sticky = table.read("sticky", texts(sticky_kind), None)
    strategy = _strategy(table)
    config = PoolConfig(
        name=name,
        upstreams=sound,
        tcp=tcp,
        strategy=strategy,
        settings=_settings(table, tls, tcp),
        host=table.read("host", texts(host_to_send), None),
        sticky=sticky,
        adaptive=_adaptive(table),
        sticky_key=table.read("sticky_key", signing_key, None),
        discovery=read_discovery(table),
    )
    if config.discovery is not None and any(";resolve" in upstream for upstream in sound):
        accepted = "accepted is upstreams without resolve with it"
        table.fault("it tells of all upstreams, and one is to be looked up", "discovery", accepted=accepted)
    if tcp:
        if reads_requests(config.strategy):
            said = f"{config.strategy} needs requests, which tcp has none of: it goes by the client's address"
            table.findings.doubt((*table.path, "strategy"), said)
        for key in ("sticky", "host", "tls", "alpn", "adaptive"):
            if key in table:
                table.fault("is for pools of URLs, whose requests are read", key, accepted="accepted is none")
    if config.sticky_key is not None and not (sticky or "").startswith("cookie"):
        table.fault("there is no cookie to sign", "sticky_key", accepted="accepted is sticky = 'cookie' with it")
    if sound and not table.findings.faults:
        _see_effects(table, sound)
        _see_checks(table, sound, config.settings)
    table.close()
    return config


def _see_checks(table: Table, upstreams: Sequence[str], settings: PoolSettings) -> None:
    """Doubt checks that can find nobody well."""
    if settings.health is None or settings.health.kind != "grpc":
        return
    deaf = ("http:", "unix:") if settings.tls.protocols else ("http:", "unix:", "https:")
    if any(upstream.lower().startswith(deaf) for upstream in upstreams):
        table.doubt(
            "gRPC needs HTTP/2, which not all upstreams are asked in",
            "health",
            "kind",
            accepted="accepted is it with h2c://, or with https:// and h2 in alpn",
        )


def _see_effects(table: Table, upstreams: Sequence[str]) -> None:
    """Doubt what does nothing for such upstreams."""
    given = [upstream.split(";") for upstream in upstreams]
    for key in ("tls", "alpn"):
        if key in table and not any(url.lower().startswith("https:") for url, *_ in given):
            table.doubt("no upstream speaks TLS", key, accepted="accepted is it with one of https://")
    if all("backup" in words for _, *words in given):
        table.doubt("all of them are backups, as if none was", "upstreams")
    if all({"drain", "disabled", "weight=0"}.intersection(words) for _, *words in given):
        table.doubt(
            "none of them gets a new client",
            "upstreams",
            accepted="accepted is one without drain or disabled, and a weight",
        )
    if not any(word.startswith("max=") for _, *words in given for word in words):
        for key in ("queue", "queue_timeout"):
            if key in table:
                table.doubt(
                    "nobody waits, as no upstream has a bound", key, accepted="accepted is it with ;max=N of upstreams"
                )


def _adaptive(table: Table) -> AdaptiveBounds | None:
    """The bounds of an adaptive limit, if the pool is to have one."""
    value = table.read("adaptive", _adaptive_value, False)
    if not isinstance(value, dict):
        return AdaptiveBounds() if value else None
    inner = table.inner(value, "adaptive", kind="adaptive")
    values = {key: inner.read(key, whole(1, 10**6), default_of(AdaptiveBounds, key)) for key in ("min", "max")}
    inner.close()
    try:
        return AdaptiveBounds(**values)
    except ConfigError as fault:
        inner.faults_of(fault)
        return None


def _adaptive_value(value: object) -> bool | dict[str, object]:
    if not isinstance(value, bool | dict):
        raise ConfigError(f"{shown(value)} is neither", "accepted: true, false, { min = NUMBER, max = NUMBER }")
    return value


def _strategy(table: Table) -> str | NamedCode:
    given, default = table.read("strategy", lambda value: value, None), default_of(PoolConfig, "strategy")
    bound = table.read("bound", lambda value: load_bound(str(value)), None)
    name: str | NamedCode
    if isinstance(given, dict) or (isinstance(given, str) and names_code(given)):
        name = read_code(table, ("strategy",), given, "strategy", "strategy", find_strategy) or default
    else:
        name = table.read("strategy", texts(strategy_from_here), default)
    if bound is None:
        return name
    if isinstance(name, NamedCode) or not is_hash(name):
        table.fault("is for the hashes", "bound", accepted="accepted is strategy = 'uri-hash' with it, or another hash")
    elif ";" in name:
        table.fault("the strategy has one already", "bound", accepted="accepted is either")
    return f"{name};bound={bound:g}"


def names_code(name: str) -> bool:
    """Whether it is the name of code, and not of a strategy that is here."""
    return is_name(name) and name.partition(":")[0] not in components(BALANCING)


def strategy_from_here(name: str) -> str:
    """``name`` if it is one of a strategy that is here."""
    try:
        strategy_from(name)
    except ConfigError as fault:
        raise fault.or_else("MODULE:NAME of code") from None
    return name


def strategy_name(name: str) -> str | NamedCode:
    """``name`` if it is one of a strategy, or of code that gives one."""
    if not names_code(name):
        return strategy_from_here(name)
    code = NamedCode(name)
    find_strategy(code)
    return code


def reads_requests(strategy: str | NamedCode) -> bool:
    """Whether it goes by what raw streams do not have."""
    found = find_strategy(strategy) if isinstance(strategy, NamedCode) else strategy_from(strategy)
    return bool(getattr(found, "reads_requests", False))


def is_tcp(upstream: str) -> bool:
    """Whether it is ``HOST:PORT``, for raw streams."""
    return "://" not in upstream and upstream.partition(":")[0] not in SOCKETS


def signing_key(value: object) -> bytes:
    """A secret that something is signed with."""
    key = text(value)
    if len(key) < _LEAST_KEY:
        raise ConfigError("it is too short to be a secret", f"accepted are {_LEAST_KEY} characters or more")
    return key.encode("utf-8", "surrogatepass")


# -- upstreams


def _upstreams(table: Table) -> dict[str, Path]:
    """The texts of a pool's upstreams, each with where it is."""
    found: dict[str, Path] = {}
    table.need("upstreams", lambda value: value, None, 'a list such as ["http://10.0.0.1:8000"]')
    elements = table.elements("upstreams")
    for keys, value in elements or ():
        try:
            said = _of_table(table.inner(value, *keys, kind="upstreams[]")) if isinstance(value, dict) else text(value)
        except ConfigError as fault:
            table.faults_of(fault, *keys)
            continue
        if said in found:
            table.fault(f"{said!r} is there twice", *keys, accepted="accepted is each upstream once")
        elif said is not None:
            found[said] = keys
    if elements == []:
        table.fault("there is none in it", "upstreams", accepted="accepted is one or more")
    return found


def _of_table(table: Table) -> str | None:
    url = table.need("url", text, None, "a URL such as http://10.0.0.1:8000")
    words = [
        f";{key}={number}"
        for key, (least, most) in _PARAMETERS.items()
        if (number := table.read(key, whole(least, most), None)) is not None
    ]
    words += [f";{key}" for key in ("backup", "resolve", "drain", "disabled") if table.read(key, flag, False)]
    table.close()
    return None if url is None else url + "".join(words)


def _check_upstreams(table: Table, upstreams: dict[str, Path], tls: UpstreamTls | None) -> tuple[str, ...]:
    """Those that are upstreams: what is wrong with one that is none is not to be told of whoever names the pool."""
    names: dict[str, str] = {}
    for upstream, keys in upstreams.items():
        try:
            made: Upstream = parse_tcp_upstream(upstream) if is_tcp(upstream) else parse_upstream(upstream, tls)
        except ConfigError as fault:
            table.faults_of(fault, *keys)
            continue
        except UnicodeError as fault:
            table.fault(str(fault), *keys)
            continue
        if made.name in names:
            table.fault(f"{made.name} is there twice", *keys, accepted="accepted is each upstream once")
        names[made.name] = upstream
    return tuple(names.values())


def _tls(table: Table) -> UpstreamTls | None:
    inner = table.table("tls")
    if inner is None:
        return None
    files = {"ca_file": inner.file("ca"), "cert_file": inner.file("cert"), "key_file": inner.file("key")}
    server_name = inner.read("server_name", texts(host_name), None)
    insecure = inner.read("insecure", flag, False)
    if insecure and "ca" in inner:
        inner.doubt("nothing is verified where insecure is true", "ca", accepted="accepted is one of them")
    sound = True
    if files["key_file"] is not None and files["cert_file"] is None:
        inner.fault("there is no certificate that it is for", "key", accepted="accepted is cert with it")
        sound = False
    else:
        for tls in (
            UpstreamTls(ca_file=files["ca_file"]),
            UpstreamTls(cert_file=files["cert_file"], key_file=files["key_file"]),
            UpstreamTls(server_name=server_name),
        ):
            try:
                tls.connections("localhost")
            except ConfigError as fault:
                for one in fault.findings:
                    given = files.get(f"{one.path[0]}_file", server_name)
                    inner.fault(f"{given}: {one.said}", *one.path, accepted=one.accepted)
                sound = False
    inner.close()
    # An upstream is not to tell of the same fault again.
    if not sound:
        return UpstreamTls()
    ca, cert, key = files.values()
    return UpstreamTls(ca_file=ca, insecure=insecure, cert_file=cert, key_file=key, server_name=server_name)


def _with_alpn(table: Table, tls: UpstreamTls | None) -> UpstreamTls | None:
    """The same with what is offered to upstreams."""
    names = table.some("alpn", one_of(ALPN))
    if not names:
        return tls
    try:
        return attrs.evolve(tls or _DEFAULTS.tls, alpn=offered(names))
    except ConfigError as fault:
        table.faults_of(fault, "alpn")
        return tls


# -- settings


def _settings(table: Table, tls: UpstreamTls | None, tcp: bool) -> PoolSettings:
    return PoolSettings(
        **read_settings(table, PoolSettings, _DEFAULTS),
        ejection=_ejection(table),
        slow_start=table.read("slow_start", pause, _DEFAULTS.slow_start),
        panic=table.read("panic", share, _DEFAULTS.panic),
        health=_health(table, tcp),
        proxy_protocol=table.read("proxy_protocol", whole(1, 2), _DEFAULTS.proxy_protocol),
        queue=table.read("queue", whole(0, 10**6), _DEFAULTS.queue),
        queue_timeout=table.read("queue_timeout", duration, _DEFAULTS.queue_timeout),
        tls=tls or _DEFAULTS.tls,
        tolerate=frozenset(table.some("tolerate", one_of(TOLERABLE)) or ()) if not tcp else frozenset(),
    )


def _ejection(table: Table) -> Ejection | None:
    eject_on = table.read("eject_on", one_of(EJECT_ON), _EJECTION.eject_on)
    if table.given("ejection") is False:
        if "eject_on" in table:
            table.fault("ejection = false ejects nobody", "eject_on", accepted="accepted is either")
        return None
    inner = table.table("ejection", "false")
    if inner is None:
        return attrs.evolve(_EJECTION, eject_on=eject_on)
    ejection = Ejection(
        eject_on=eject_on,
        failures=inner.read("failures", whole(1, 10**6), _EJECTION.failures),
        base=inner.read("base", duration, _EJECTION.base),
        longest=inner.read("longest", duration, _EJECTION.longest),
        share=inner.read("share", share, _EJECTION.share),
    )
    inner.close()
    return ejection


def health_value(key: str, value: Any) -> Any:
    """A value of a :class:`HealthCheck`, if it can be one."""
    try:
        return getattr(attrs.evolve(_CHECK, **{key: value}), key)
    except ConfigError as fault:
        raise ConfigError(fault.said, fault.findings[0].accepted) from None


def _expected(value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | str | list):
        raise ConfigError(f"{shown(value)} is no status", "accepted is one, a range as '200-299', or a list of these")
    return health_value("expect", value)


def _body(value: object) -> Any:
    wanted = some_text(value)
    return health_value("body", bytes_expression(wanted) if wanted.startswith(EXPRESSION_MARK) else wanted)


def _health(table: Table, tcp: bool) -> HealthCheck | None:
    inner = table.table("health")
    if inner is None:
        return None
    values: dict[str, Any] = {
        "kind": inner.read("kind", one_of(KINDS), "connect" if tcp else "http"),
        **read_settings(inner, HealthCheck, _CHECK, health_value),
        "path": inner.read("path", lambda value: health_value("path", text(value)), _CHECK.path),
        "method": inner.read("method", lambda value: health_value("method", text(value)), _CHECK.method),
        "expect": inner.read("expect", _expected, _CHECK.expect),
        "body": inner.read("body", _body, None),
        "host": inner.read("host", lambda value: health_value("host", text(value)), None),
        "service": inner.read("service", text, ""),
    }
    inner.close()
    keys, why = _NOT_ASKED.get(values["kind"], ((), ""))
    for key in keys:
        if key in inner:
            inner.doubt(f"it is for kind = 'http': {why}", key)
    try:
        return attrs.evolve(_CHECK, **values)
    except ConfigError as fault:
        inner.faults_of(fault)
        return None
