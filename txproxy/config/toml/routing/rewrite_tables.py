"""What a route of a configuration file changes in requests and responses."""

from __future__ import annotations

from typing import Any, Final

from txproxy.components.values import any_text, duration, flag, secret_text, text, whole
from txproxy.config.toml.tables import Table
from txproxy.errors import ConfigError, Path
from txproxy.matching.statuses import parse_status
from txproxy.reverse.rewriting.by_status import StatusChanges
from txproxy.reverse.rewriting.request_rewrite import RequestRewrite
from txproxy.reverse.rewriting.response_rewrite import ResponseRewrite
from txproxy.reverse.rewriting.strict_transport import Hsts

_YEAR: Final = 31536000
_LONGEST_HSTS: Final = 10**10 - 1
_CHANGES: Final = ("set", "add", "remove")
_REQUEST_KEYS: Final[dict[str, Path]] = {
    "pattern": ("rewrite", "pattern"),
    "replacement": ("rewrite", "replacement"),
    **{f"{key}_headers": ("request_headers", key) for key in _CHANGES},
}
_RESPONSE_KEYS: Final[dict[str, Path]] = {
    **{f"{key}_headers": ("response_headers", key) for key in _CHANGES},
    "locations": ("map_location",),
}
_STATUS_KEYS: Final[dict[str, Path]] = {f"{key}_headers": (key,) for key in _CHANGES}
# What makes a route change more of responses than it does without being told to.
_OF_RESPONSES: Final = ("strip_prefix", "add_prefix", "cookie_domains", "cookie_paths", "cookie_flags")


def _fields(table: Table | None, key: str) -> tuple[tuple[str, str], ...]:
    if table is None:
        return ()
    pairs = table.pairs(key, _values, "{ NAME = 'VALUE' }")
    return tuple((name, value) for name, values in pairs for value in values)


def _values(value: Any) -> tuple[str, ...]:
    return tuple(map(secret_text, value)) if isinstance(value, list) else (secret_text(value),)


def _names(table: Table | None) -> tuple[str, ...]:
    return () if table is None else table.all("remove", text) or ()


def read_request(table: Table) -> RequestRewrite | None:
    """What a route changes in requests."""
    headers = table.table("request_headers")
    pattern, replacement = _rewrite(table)
    values = {
        "strip_prefix": table.read("strip_prefix", text, ""),
        "add_prefix": table.read("add_prefix", text, ""),
        "pattern": pattern,
        "replacement": replacement,
        "set_headers": _fields(headers, "set"),
        "add_headers": _fields(headers, "add"),
        "remove_headers": _names(headers),
    }
    if headers is not None:
        headers.close()
    try:
        return RequestRewrite(**values)  # type: ignore[arg-type]
    except ConfigError as fault:
        table.faults_of(fault, called=_REQUEST_KEYS)
        return None


def _rewrite(table: Table) -> tuple[str, str]:
    inner = table.table("rewrite")
    if inner is None:
        return "", ""
    pattern = inner.need("pattern", text, "", "a regular expression for the path")
    replacement = inner.need("replacement", text, "", "a path such as '/$1'")
    inner.close()
    return (pattern, replacement) if pattern and replacement else ("", "")


def read_response(table: Table, request: RequestRewrite | None) -> ResponseRewrite | None:
    """What a route changes in responses to what ``request`` has made of requests."""
    headers = table.table("response_headers")
    map_back, locations = _locations(table)
    values = {
        "set_headers": _fields(headers, "set"),
        "add_headers": _fields(headers, "add"),
        "remove_headers": _names(headers),
        "by_status": _by_status(headers),
        "map_back": map_back,
        "locations": locations,
        "request": request,
        "cookie_domains": table.pairs("cookie_domains", any_text, "{ 'FROM.example' = 'TO.example' }"),
        "cookie_paths": table.pairs("cookie_paths", text, "{ '/FROM' = '/TO' }"),
        "cookie_flags": table.pairs("cookie_flags", _words, "{ NAME = ['secure', 'samesite=lax'] }"),
        "hsts": _hsts(table),
    }
    if headers is not None:
        headers.close()
    told = headers is not None or values["hsts"] is not None or any(key in table for key in _OF_RESPONSES)
    if map_back and not locations and not told:
        # What the upstream says of itself is mapped back without being told to.
        return None
    try:
        return ResponseRewrite(**values)  # type: ignore[arg-type]
    except ConfigError as fault:
        table.faults_of(fault, called=_RESPONSE_KEYS)
        return None


def _locations(table: Table) -> tuple[bool, tuple[tuple[str, str], ...]]:
    """Whether URLs of an upstream's are mapped back, and which others become something else before."""
    if isinstance(table.given("map_location"), dict):
        return True, table.pairs("map_location", text, "true, false, or { 'http://FROM/' = '/TO/' }")
    return table.read("map_location", flag, True), ()


def _words(value: Any) -> tuple[str, ...]:
    return tuple(map(text, value)) if isinstance(value, list) else (text(value),)


def _by_status(headers: Table | None) -> tuple[StatusChanges, ...]:
    made = []
    for one in headers.tables("by_status") if headers is not None else ():
        before = len(one.findings.faults)
        values: dict[str, Any] = {
            "statuses": one.some("status", parse_status),
            "set_headers": _fields(one, "set"),
            "add_headers": _fields(one, "add"),
            "remove_headers": _names(one),
        }
        if values["statuses"] is None:
            one.fault("status is missing", accepted="accepted are some, such as [200, '3xx']")
        one.close()
        if len(one.findings.faults) > before:
            continue
        try:
            made.append(StatusChanges(**values))
        except ConfigError as fault:
            one.faults_of(fault, called=_STATUS_KEYS)
    return tuple(made)


def _hsts(table: Table) -> Hsts | None:
    value = table.given("hsts")
    if value is None or value is False:
        return None
    if value is True:
        return Hsts(_YEAR)
    inner = table.table("hsts", "true, false")
    if inner is None:
        return None
    values = (
        inner.read("max_age", lambda value: whole(0, _LONGEST_HSTS)(int(duration(value)) if value else value), _YEAR),
        inner.read("include_subdomains", flag, False),
        inner.read("preload", flag, False),
    )
    inner.close()
    try:
        return Hsts(*values)
    except ConfigError as fault:
        inner.faults_of(fault)
        return None
