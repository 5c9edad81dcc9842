"""Squid's directives beside its access lists: what each of them is here, or why it is nothing."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any, Final

from txproxy.auth.auth_policy import AuthPolicy
from txproxy.errors import ConfigError
from txproxy.forward.policy import FORWARDED_FOR_MODES
from txproxy.forward.request.privacy import field_line, field_name
from txproxy.importers.notes import Untranslatable
from txproxy.importers.squid.access_lists import Acls
from txproxy.importers.squid.cache_peers import PEERS
from txproxy.importers.squid.caching_directives import CACHING
from txproxy.importers.squid.reader import Directive
from txproxy.importers.squid.squid_measures import in_bytes, in_seconds, seconds_text, size_text
from txproxy.importers.squid.squid_settings import Setting, Settings, word_of
from txproxy.matching.hosts import is_literal
from txproxy.matching.ports import read_port
from txproxy.wire.grammar import TOKEN

# -- where it listens


def _http_port(directive: Directive, settings: Settings, acls: Acls) -> None:
    where, options = _port_options(directive)
    settings.listener.setdefault("listen", []).append(where)
    _other_options(options, ("name", "connection-auth", "disable-pmtu-discovery", "no-vhost"))


def _https_port(directive: Directive, settings: Settings, acls: Acls) -> None:
    where, options = _port_options(directive)
    cert = options.pop("tls-cert", None) or options.pop("cert", None)
    key = options.pop("tls-key", None) or options.pop("key", None)
    if not cert:
        raise Untranslatable("it has no certificate")
    settings.listener.setdefault("tls_listen", []).append(where)
    pair = {"cert": cert, "key": key} if key else {"cert": cert}
    certificates = settings.listener.setdefault("certificates", [])
    if pair not in certificates:
        certificates.append(pair)
    _other_options(options, ("name",))


def _port_options(directive: Directive) -> tuple[str, dict[str, str]]:
    """An endpoint, and the options that are left."""
    place, *words = directive.words or ("",)
    options = {word.partition("=")[0]: word.partition("=")[2] for word in words}
    for mode in ("intercept", "transparent", "tproxy", "accel", "ssl-bump"):
        if mode in options:
            raise Untranslatable(f"{mode} is not done: clients have to know that they use a proxy")
    if "require-proxy-header" in options:
        raise Untranslatable("require-proxy-header is proxy_protocol of a listener, which wants its trusted_proxies")
    host, colon, port = place.rpartition(":")
    host = host.strip("[]") if colon else ""
    if not read_port(port):
        raise Untranslatable(f"{place or 'nothing'} is no port")
    if not host:
        # Squid has both families.
        return f"[::]:{port}", options
    if not is_literal(host):
        raise Untranslatable(f"{host} is a name; an address of this machine is wanted, such as 127.0.0.1:{port}")
    kind = "tcp6" if ":" in host else "tcp"
    interface = f":interface={host}".replace(":", "\\:").replace("\\:", ":", 1)
    return f"{kind}:{port}{interface}", options


def _other_options(options: dict[str, str], harmless: Sequence[str]) -> None:
    left = [option for option in options if option not in harmless]
    if left:
        raise Untranslatable(f"taken over without {', '.join(left)}")


# -- who the clients are


def _auth_param(directive: Directive, settings: Settings, acls: Acls) -> None:
    scheme, what = word_of(directive), word_of(directive, 1)
    words = directive.words[2:]
    if scheme != "basic":
        raise Untranslatable(f"{scheme} is not taken over")
    if what == "program":
        program = os.path.basename(words[0]) if words else ""
        if program not in ("basic_ncsa_auth", "ncsa_auth") or len(words) < 2:
            raise Untranslatable(f"{program or 'nothing'} is not asked; password_file, or Python's passwords, are")
        settings.auth["password_file"] = words[-1].strip('"')
    elif what == "realm":
        realm = " ".join(words)
        try:
            AuthPolicy(passwords=lambda name, password: None, realm=realm)
        except ConfigError:
            raise Untranslatable("the realm has characters that a realm cannot have") from None
        settings.auth["realm"] = realm
    elif what == "credentialsttl":
        settings.auth["remember"] = _seconds(words)
    elif what not in ("children", "concurrency", "utf8", "casesensitive"):
        raise Untranslatable(f"{what} is not taken over")
    elif what == "casesensitive" and words[:1] == ("off",):
        raise Untranslatable("names are told apart by case")


# -- what origins learn


def _forwarded_for(directive: Directive, settings: Settings, acls: Acls) -> None:
    mode = word_of(directive)
    if mode == "truncate":
        settings.listener["forwarded_for"] = "delete"
        raise Untranslatable("truncate is not done; taken over as delete")
    if mode not in FORWARDED_FOR_MODES:
        raise Untranslatable(f"{mode} is not known")
    settings.listener["forwarded_for"] = mode


def _via(directive: Directive, settings: Settings, acls: Acls) -> None:
    settings.via = word_of(directive) != "off"


def _visible_hostname(directive: Directive, settings: Settings, acls: Acls) -> None:
    name = word_of(directive)
    if TOKEN.fullmatch(name.encode()) is None or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        raise Untranslatable(f"{name} is no pseudonym for Via")
    settings.pseudonym = name


def _request_header_access(directive: Directive, settings: Settings, acls: Acls) -> None:
    name, action = word_of(directive), word_of(directive, 1)
    if tuple(directive.words[2:]) != ("all",):
        raise Untranslatable("privacy is by hosts, and not by other lists")
    if name == "Other":
        raise Untranslatable("fields have to be named, or all others removed by keep")
    if name == "All":
        settings.removes_all = action == "deny"
    elif name.lower() == "via" and action == "deny":
        settings.via = False
    elif name.lower() == "x-forwarded-for" and action == "deny":
        settings.listener["forwarded_for"] = "delete"
    elif action == "deny":
        settings.removed.append(_field(name))
    elif name.lower() not in _OF_THE_HOP:
        settings.allowed.append(_field(name))


# What the proxy itself sees to, kept or not.
_OF_THE_HOP: Final = frozenset(
    {"host", "connection", "proxy-connection", "content-length", "transfer-encoding", "te", "trailer", "upgrade",
     "keep-alive", "proxy-authorization", "proxy-authenticate", "expect", "via", "x-forwarded-for", "max-forwards"}
)  # fmt: skip


def _field(name: str) -> str:
    try:
        field_name(name)
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None
    return name


def _request_header_replace(directive: Directive, settings: Settings, acls: Acls) -> None:
    name, value = word_of(directive), " ".join(directive.words[1:])
    try:
        field_line(name, value)
    except ConfigError as fault:
        raise Untranslatable(fault.said) from None
    settings.replaced[name] = value


def _reply_header_access(directive: Directive, settings: Settings, acls: Acls) -> None:
    name, action = word_of(directive), word_of(directive, 1)
    if tuple(directive.words[2:]) != ("all",) or name in ("All", "Other"):
        raise Untranslatable("fields of responses are removed by name, for all")
    if action == "deny":
        settings.from_responses.append(_field(name))


# -- logs and limits


def _access_log(directive: Directive, settings: Settings, acls: Acls) -> None:
    place, *words = directive.words or ("",)
    if place == "none":
        settings.log.setdefault("access", "none")
        return
    kind, colon, file = place.partition(":")
    if not colon:
        kind, file = "stdio", place
    if kind not in ("daemon", "stdio") or not file.startswith("/"):
        raise Untranslatable(f"{place} is no file; access lines are written to one, or to standard output")
    if "access" in settings.log:
        raise Untranslatable("there is one log of access")
    settings.log["access"] = file
    options = dict(word.split("=", 1) for word in words if "=" in word)
    bare = [word for word in words if "=" not in word]
    written = options.pop("logformat", bare[0] if bare else "squid")
    if written != "combined":
        settings.log["access_format"] = "squid"
    if bare[1:]:
        raise Untranslatable("taken over for all requests")
    if written not in ("combined", "squid"):
        raise Untranslatable(f"taken over in the format squid, and not {written}; access_format may say what that did")


def _limit(key: str, parse: Callable[[Sequence[str]], Any]) -> Setting:
    def take(directive: Directive, settings: Settings, acls: Acls) -> None:
        value = parse(directive.words)
        if value:
            settings.limits[key] = value

    return take


def _seconds(words: Sequence[str]) -> str:
    return seconds_text(in_seconds(words))


def _bytes(words: Sequence[str]) -> str:
    size = in_bytes(words)
    return size_text(size) if size else ""


def _count(words: Sequence[str]) -> int:
    if not words or not words[0].lstrip("-").isdigit():
        raise Untranslatable("it is no number")
    return max(int(words[0]), 0)


SETTINGS: Final[dict[str, Setting]] = {
    "http_port": _http_port,
    "https_port": _https_port,
    **PEERS,
    "auth_param": _auth_param,
    "forwarded_for": _forwarded_for,
    "via": _via,
    "visible_hostname": _visible_hostname,
    "request_header_access": _request_header_access,
    "request_header_replace": _request_header_replace,
    "reply_header_access": _reply_header_access,
    "access_log": _access_log,
    "cache_access_log": _access_log,
    **CACHING,
    "client_ip_max_connections": _limit("max_connections_per_client", _count),
    "connect_timeout": _limit("connect_timeout", _seconds),
    "read_timeout": _limit("response_timeout", _seconds),
    "request_timeout": _limit("header_timeout", _seconds),
    "client_idle_pconn_timeout": _limit("idle_timeout", _seconds),
    "shutdown_lifetime": _limit("drain_timeout", _seconds),
    "request_header_max_size": _limit("max_header_size", _bytes),
    "request_body_max_size": _limit("max_body_size", _bytes),
}

_CACHING: Final = "the cache here sees to that itself"
_REPLACEMENT: Final = "in memory S3-FIFO decides, on a disk the oldest goes unless it was used"
_ABORTED: Final = "what is aborted is fetched whole where half of it is there or 1M is left"
_DNS: Final = "names are remembered as long as DNS says, for 5 minutes at most"
_PROCESS: Final = "it is about Squid's own process"
# Why others are nothing here, by their names or what these begin with.
REASONS: Final = {
    "cache_miss_revalidate": "what is asked for with a condition, and not kept, is fetched whole",
    "cache_replacement_policy": _REPLACEMENT,
    "cache_store_log": _CACHING,
    "cache_swap_high": _CACHING,
    "cache_swap_low": _CACHING,
    "collapsed_forwarding": "it is always on",
    "max_open_disk_fds": _CACHING,
    "memory_cache_mode": _CACHING,
    "memory_cache_shared": "each process has a memory of its own; they share the directory",
    "memory_replacement_policy": _REPLACEMENT,
    "minimum_expiry_time": "what is fresh for a second is kept for that",
    "minimum_object_size": "what is small is kept as well",
    "negative_dns_ttl": _DNS,
    "positive_dns_ttl": _DNS,
    "quick_abort_max": _ABORTED,
    "quick_abort_min": _ABORTED,
    "quick_abort_pct": _ABORTED,
    "range_offset_limit": "a part that is asked for is fetched and kept as part, and never has the whole fetched",
    "read_ahead_gap": "1M is read ahead of the slowest who waits for it",
    "refresh_all_ims": "a condition of a client is answered here while what is kept is fresh",
    "store_avg_object_size": _CACHING,
    "store_dir_select_algorithm": "there is one directory",
    "store_id_program": "programs are not asked; query_drop and others say what makes no other page",
    "store_objects_per_bucket": _CACHING,
    "vary_ignore_expire": _CACHING,
    "cache_effective_group": _PROCESS,
    "cache_effective_user": _PROCESS,
    "cache_log": _PROCESS,
    "cache_mgr": _PROCESS,
    "coredump_dir": _PROCESS,
    "debug_options": _PROCESS,
    "logfile_rotate": "the log is opened anew at SIGUSR1, and somebody else renames it",
    "max_filedescriptors": _PROCESS,
    "pid_filename": _PROCESS,
    "workers": "--workers of the command line says how many there are",
    "acl_uses_indirect_client": "trusted_proxies says whose X-Forwarded-For is believed",
    "follow_x_forwarded_for": "trusted_proxies says whose X-Forwarded-For is believed",
    "delay_pools": "bandwidth is bounded otherwise: by client, user and rule",
    "delay_class": "bandwidth is bounded otherwise: by client, user and rule",
    "delay_parameters": "bandwidth is bounded otherwise: by client, user and rule",
    "delay_access": "bandwidth is bounded otherwise: by client, user and rule",
    "deny_info": "a rule's reason is what its clients are told",
    "dns_nameservers": "names are looked up as the system does it",
    "hosts_file": "names are looked up as the system does it",
    "external_acl_type": "programs are not asked; rules with action = 'ask' ask Python",
    "http_reply_access": "what it denies passes here; what responses may bring is told by content",
    "miss_access": "what it denies passes here; rules are what denies requests",
    "adapted_http_access": "what it denies passes here; rules are what denies requests",
    "reply_body_max_size": "responses of any size pass here; max_size of content bounds them",
    "icp_access": "ICP is not spoken",
    "icp_port": "ICP is not spoken",
    "htcp_access": "HTCP is not spoken",
    "htcp_port": "HTCP is not spoken",
    "ssl_bump": "TLS is not opened; agree_names looks at the names that it asks for",
    "url_rewrite_program": "programs are not asked; rewrites have rules of their own",
    "logformat": "formats of the log are not taken over; access_format of [log] takes most of them as they are",
    "cache_peer_domain": "a parent is there for hosts by ;host=PATTERN",
}
