"""Configurations as mappings, written as TOML, so that a test can put any value at any key."""

from __future__ import annotations

import copy
import datetime
import json
import re
from typing import Any

POOLS = {
    "app": {"upstreams": [{"url": "http://127.0.0.1:8001"}], "health": {}, "ejection": {}, "tls": {}, "adaptive": {}}
}
LIMIT = {"rate": "10/s", "by": ["client"]}
LOGIN = {"password_file": "users", "except": [{"path": "/x"}]}
CHALLENGE = {"except": [{"path": "/x"}]}
REVERSE = {
    "listen": ["tcp:8080"],
    "pool": "app",
    "limits": {},
    "challenge": CHALLENGE,
    "login": LOGIN,
    "request_limits": [{"name": "own", **LIMIT}],
}
FORWARD = {
    "listen": ["tcp:3128"],
    "mode": "forward",
    "limits": {},
    "auth": {"certificate_field": "cn"},
    "content": {"max_size": "1M"},
    "rules": [{"action": "allow", "request_limits": [{"name": "of the rule", **LIMIT}]}],
    "rewrites": [{"to": "http://b.example/", "hosts": ["a.example"]}],
    "privacy": [{"remove": ["Referer"]}],
    "inject": [{"origin": "https://a.example", "headers": {"X": "y"}}],
    "binds": [{"address": "127.0.0.1"}],
    "filters": [{"file": "list"}],
    "parents": ["http://p.example:1"],
}
TO_POOL = {
    "request_limits": [{"name": "of the route", **LIMIT}],
    "pool": "app",
    "request_headers": {"set": {"A": "b"}},
    "response_headers": {"set": {"A": "b"}, "by_status": [{"status": ["5xx"]}]},
    "file_in": {"folder": "."},
    "auth": {"pool": "app"},
    "mirror": {"pool": "app"},
    "rewrite": {"pattern": "/(.*)", "replacement": "/$1"},
    "hsts": {"max_age": 5},
    "challenge": CHALLENGE,
    "login": LOGIN,
}


def _with_route(action: dict[str, Any]) -> dict[str, Any]:
    return {"listeners": [REVERSE], "routes": [{"name": "r", "path": "/x", **action}], "pools": POOLS}


DOCUMENTS: dict[str, dict[str, Any]] = {
    "whole": {
        "log": {},
        "access_logs": [{"to": "more.log"}],
        "admin": {"listen": "127.0.0.1:9090"},
        "tracing": {"endpoint": "http://127.0.0.1:4318"},
        "challenge": {},
        "limits": {},
        "request_limits": [{"name": "all", **LIMIT}],
        "cache": {"size": "1M"},
        "cache_rules": [{"name": "r"}],
        "listeners": [REVERSE],
        "pools": POOLS,
    },
    "forward": {"bandwidths": [{"down": "1M"}], "quotas": [{"day": "1G"}], "listeners": [FORWARD]},
    "tcp": {
        "listeners": [{"listen": ["tcp:80"], "mode": "tcp", "pool": "app"}],
        "pools": {"app": {"upstreams": ["127.0.0.1:8001"]}},
    },
    "pool": _with_route(TO_POOL),
    "respond": _with_route({"respond": {"status": 200}}),
    "redirect": _with_route({"redirect": "/new"}),
    "files": _with_route({"files": "."}),
    "tunnel": _with_route({"tunnel": "app"}),
    "tls": {
        "listeners": [{"tls_listen": "tcp:443", "certificates": [{"cert": "pair.pem"}], "tls": {}, "pool": "app"}],
        "pools": POOLS,
    },
}
"""Together, they have each kind of table. The last reads files, which takes as long as all else."""


def written(value: Any) -> str:
    """A value as TOML."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_key(key)} = {written(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(written, value))}]"
    if isinstance(value, datetime.date):
        return value.isoformat()
    return repr(value).lower()


def _key(name: str) -> str:
    """A key as people write it; one in quotes is parsed by itself for its name, which takes longer."""
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else written(name)


def toml(document: dict[str, Any]) -> str:
    """A whole document, each of its keys on a line."""
    return "".join(f"{_key(key)} = {written(value)}\n" for key, value in document.items())


def holder(document: dict[str, Any], key: str) -> dict[str, Any] | None:
    """The table of a document that has or may have ``key`` (as ``Findings.asked`` has it), if it is there."""
    *steps, _ = key.split(".")
    table: Any = document
    for step in steps:
        table = table.get("app" if step == "NAME" else step.removesuffix("[]"))
        if step.endswith("[]") and isinstance(table, list):
            table = table[0]
        if not isinstance(table, dict):
            return None
    return table


def with_value(document: dict[str, Any], key: str, value: Any) -> str:
    """The document as TOML, with this value at ``key``."""
    changed = copy.deepcopy(document)
    table = holder(changed, key)
    assert table is not None
    table[key.rpartition(".")[2].removesuffix("[]")] = value
    return toml(changed)


# What tables need beside a key of theirs; nothing else at the top of a document is needed by others.
_NEEDED = {
    "listeners": ("listen", "tls_listen", "certificates", "mode", "pool", "parents"),
    "pools": ("upstreams",),
    "routes": ("name", "path", "pool", "respond", "redirect", "files", "tunnel"),
}


def around(document: dict[str, Any], key: str) -> dict[str, Any]:
    """What of a document ``key`` makes sense in, which takes a quarter of the time to read."""
    steps = [step.removesuffix("[]") for step in key.split(".")]
    found: dict[str, Any] = {}
    for name, value in document.items():
        wanted = (*_NEEDED.get(name, ()), *(steps[1:3] if name == steps[0] else ()))
        if name not in _NEEDED:
            if name == steps[0]:
                found[name] = value
        elif isinstance(value, list):
            if name != "routes" or name == steps[0]:
                found[name] = [{inner: table[inner] for inner in table if inner in wanted} for table in value]
        else:
            found[name] = {
                one: {inner: table[inner] for inner in table if inner in wanted} for one, table in value.items()
            }
    return found
