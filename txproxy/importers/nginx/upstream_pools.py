"""nginx's upstreams, and the hosts that proxy_pass names, as pools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import attrs

from txproxy.importers.nginx.syntax.blocks import Directive
from txproxy.importers.nginx.syntax.nginx_measures import duration_of, is_on, seconds
from txproxy.importers.nginx.syntax.nginx_scopes import Notes, Scope
from txproxy.importers.notes import Untranslatable
from txproxy.matching.ports import read_port

# What is spoken to upstreams: nginx's word, and the beginning of our URLs.
_SCHEMES: Final = {"http": "http://", "https": "https://", "grpc": "h2c://", "grpcs": "https://", "tcp": ""}
PORTS: Final = {"http": "80", "https": "443", "grpc": "80", "grpcs": "443"}
_SOCKETS: Final = {"http": "unix:", "grpc": "h2c+unix:"}
_HASHES: Final = {
    "$remote_addr": "ip-hash", "$binary_remote_addr": "ip-hash", "$request_uri": "uri-hash", "$uri": "uri-hash",
    "$uri$is_args$args": "uri-hash",
}  # fmt: skip
_NGINX_MAX_FAILS: Final = 1
_NGINX_FAIL_TIMEOUT: Final = 10.0


@attrs.define
class Pools:
    """The pools that are needed, by their names; ``upstreams`` are the blocks that nginx has."""

    notes: Notes
    upstreams: dict[str, Scope] = attrs.field(factory=dict)
    found: dict[str, dict[str, Any]] = attrs.field(factory=dict)
    _names: dict[tuple[Any, ...], str] = attrs.field(factory=dict)

    def define(self, scope: Scope) -> None:
        """Take in an ``upstream`` block."""
        self.upstreams[scope.directive.first] = scope

    def pool(self, scheme: str, authority: str, more: Mapping[str, Any]) -> str:
        """The name of the pool for what proxy_pass names, with ``more`` keys; ``Untranslatable`` if it is none."""
        key = (scheme, authority, repr(sorted(more.items())))
        if key in self._names:
            return self._names[key]
        block = self.upstreams.get(authority)
        table = _of_block(block, scheme, self.notes) if block is not None else _of_host(scheme, authority)
        name = self._free(authority if scheme in ("http", "tcp") else f"{authority} ({scheme})")
        self._names[key] = name
        self.found[name] = {**table, **more}
        return name

    def size(self, authority: str) -> int:
        """How many servers proxy_pass may be served by."""
        block = self.upstreams.get(authority)
        return len(block.own("server")) if block is not None else 1

    def unused(self) -> list[Directive]:
        """The upstreams that nobody names."""
        named = {key[1] for key in self._names}
        return [scope.directive for name, scope in self.upstreams.items() if name not in named]

    def _free(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self.found:
            name, number = f"{wanted} {number}", number + 1
        return name


def _of_host(scheme: str, authority: str) -> dict[str, Any]:
    return {"upstreams": [_url(scheme, authority)]}


def _url(scheme: str, authority: str) -> str:
    if authority.startswith("unix:"):
        if scheme not in _SOCKETS:
            raise Untranslatable(f"{scheme} on a UNIX socket is not spoken here")
        return _SOCKETS[scheme] + authority.removeprefix("unix:").removesuffix(":")
    host, colon, port = authority.rpartition(":")
    if not colon or authority.endswith("]"):
        host, port = authority, PORTS.get(scheme, "")
    if not host or not read_port(port):
        raise Untranslatable(f"{authority} is no host with a port")
    return f"{_SCHEMES[scheme]}{host}:{port}"


def _of_block(block: Scope, scheme: str, notes: Notes) -> dict[str, Any]:
    upstreams: list[Any] = []
    fails: list[int] = []
    times: list[float] = []
    for server in block.own("server"):
        try:
            upstreams.append(_server(server, scheme, notes, fails, times))
        except Untranslatable as fault:
            notes.say(server, f"it is left out: {fault}")
    if not upstreams:
        raise Untranslatable(f"upstream {block.directive.first} has no server that can be taken over")
    table: dict[str, Any] = {"upstreams": upstreams}
    strategy = _strategy(block, notes)
    if strategy is not None:
        table["strategy"] = strategy
    table |= _sticky(block, notes)
    if len(upstreams) > 1 and fails:
        table["ejection"] = _ejection(block, fails, times, notes)
    block.own("keepalive", "zone")
    for one in block.own("keepalive_timeout", "keepalive_requests", "keepalive_time"):
        notes.say(one, "keep_for of a listener's limits bounds kept connections")
    return table


def _ejection(block: Scope, fails: list[int], times: list[float], notes: Notes) -> Any:
    if len(set(fails)) > 1 or len(set(times)) > 1:
        why = "max_fails and fail_timeout are one for all servers of a pool: the highest are taken over"
        notes.say(block.directive, why)
    if not max(fails) or not max(times):
        return False
    longest = duration_of(max(times))
    # nginx may have all of them out but the last, and does not wait longer each time.
    return {"failures": max(fails), "base": longest, "longest": longest, "share": 1.0}


def _server(
    directive: Directive, scheme: str, notes: Notes, fails: list[int], times: list[float]
) -> str | dict[str, Any]:
    table: dict[str, Any] = {"url": _url(scheme, directive.first)}
    failures, timeout = _NGINX_MAX_FAILS, _NGINX_FAIL_TIMEOUT
    for word in directive.words[1:]:
        name, _, value = word.partition("=")
        if name == "weight" and value.isdigit():
            table["weight"] = int(value)
        elif name == "max_conns" and value.isdigit():
            if int(value):
                table["max"] = int(value)
        elif name in ("backup", "resolve"):
            table[name] = True
        elif name == "down":
            table["disabled"] = True
        elif name == "drain":
            table["drain"] = True
        elif name == "max_fails" and value.isdigit():
            failures = int(value)
        elif name == "fail_timeout":
            timeout = seconds(value)
        else:
            notes.say(directive, f"{word} is not taken over")
    fails.append(failures)
    times.append(timeout)
    return table if len(table) > 1 else str(table["url"])


def _strategy(block: Scope, notes: Notes) -> str | None:
    strategy: str | None = None
    for one in block.own("least_conn", "ip_hash", "random", "hash", "least_time"):
        if one.name == "least_conn":
            strategy = "least-connections"
        elif one.name == "ip_hash":
            strategy = "ip-hash"
        elif one.name == "least_time":
            strategy = "least-time"
        elif one.name == "random":
            strategy = "two-choices" if one.first == "two" else "random"
        else:
            strategy = _hash(one, notes)
    return strategy


def _hash(directive: Directive, notes: Notes) -> str | None:
    key = directive.first.replace("{", "").replace("}", "")
    if key in _HASHES:
        return _HASHES[key]
    if key.startswith("$http_"):
        return "header-hash:" + key.removeprefix("$http_").replace("_", "-")
    notes.say(directive, f"there is no hash of {directive.first} here, taken over as round-robin")
    return None


def _sticky(block: Scope, notes: Notes) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for one in block.own("sticky"):
        if one.first == "cookie" and len(one.words) > 1:
            found["sticky"] = f"cookie:{one.words[1]}"
            if len(one.words) > 2:
                notes.say(one, "taken over with the name of the cookie alone")
        else:
            notes.say(one, "sticky = 'cookie', 'ip' or 'header:NAME' of a pool is what there is")
    return found


def tls_of(scope: Scope, host: str, scheme: str, prefix: str, notes: Notes) -> dict[str, Any]:
    """``tls`` of a pool that is spoken to by TLS, as ``proxy_ssl_...`` or ``grpc_ssl_...`` have it."""
    if scheme not in ("https", "grpcs"):
        return {}
    found: dict[str, Any] = {}
    verify = scope.last(f"{prefix}_ssl_verify")
    if verify is None or not is_on(verify.first):
        # As it is with nginx where nothing is said.
        found["insecure"] = True
    elif ca := scope.file(f"{prefix}_ssl_trusted_certificate"):
        found["ca"] = ca
    for key, name in (("cert", "certificate"), ("key", "certificate_key")):
        if file := scope.file(f"{prefix}_ssl_{name}"):
            found[key] = file
    name = scope.word(f"{prefix}_ssl_name")
    if name and "$" not in name:
        found["server_name"] = name
    elif name and name not in ("$proxy_host", "$host", "$http_host"):
        directive = scope.last(f"{prefix}_ssl_name")
        if directive is not None:
            notes.say(directive, f"{name} is not known before a request comes")
    scope.all(f"{prefix}_ssl_server_name", f"{prefix}_ssl_session_reuse")
    table: dict[str, Any] = {"tls": found} if found else {}
    if scheme == "grpcs":
        table["alpn"] = ["h2"]
    return table
