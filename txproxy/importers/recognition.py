"""Whose configuration a file is."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Final

from txproxy.errors import ConfigError
from txproxy.importers.notes import Translation
from txproxy.importers.squid.reader import read_file

KINDS: Final = ("squid", "nginx")
ACCEPTED: Final = "accepted are squid.conf and nginx.conf"

_BY_NAME: Final = {"caddyfile": "Caddy", "haproxy.cfg": "HAProxy"}
_NGINX: Final = re.compile(r"^\s*(?:events|http|stream|server|(?:upstream|map|geo|location)\s[^{;]*)\s*\{", re.M)
# In the order in which they are looked for; a Caddyfile looks like nginx's, without semicolons.
_SIGNS: Final = {
    "HAProxy": re.compile(r"^(?:global|defaults|(?:frontend|backend|listen)\s+\S+)\s*(?:#.*)?$", re.M),
    "Apache": re.compile(r"^\s*<(?:VirtualHost|Proxy|Directory|Location|IfModule)\b", re.M | re.I),
    "Traefik": re.compile(r"^(?:entryPoints|\[entryPoints|providers):?|^http:\s*\n\s+(?:routers|services):", re.M),
    "Envoy": re.compile(r"^static_resources:", re.M),
    "Caddy": re.compile(
        r"^\s*(?:reverse_proxy|file_server|php_fastcgi|respond|encode|handle_path|handle|redir|import)\b[^;]*$", re.M
    ),
}
_TOML: Final = re.compile(r"^\s*\[\[?[A-Za-z_.]+\]\]?\s*(?:#.*)?$", re.M)
_INSTEAD: Final = {
    "HAProxy": "a frontend is one of [[listeners]] here, a backend one of [pools.NAME], and what acl and use_backend "
    "say stands in [[routes]]",
    "Caddy": "a site is a route with its hosts here, reverse_proxy a pool, file_server files and redir a redirect",
    "Apache": "a VirtualHost is a route with its hosts here, and ProxyPass a route with a path and a pool",
    "Traefik": "an entry point is one of [[listeners]] here, a router one of [[routes]], and a service one of "
    "[pools.NAME]",
    "Envoy": "a listener is one of [[listeners]] here, a route one of [[routes]], and a cluster one of [pools.NAME]",
}


def translate_file(path: str, kind: str | None = None) -> Translation:
    """Another proxy's configuration as ours. ``kind`` is one of :data:`KINDS`; None for what the file looks like.
    ``ConfigError`` if it cannot be read, or is none of these.
    """
    if kind is None:
        try:
            text = read_file(path)
        except OSError as fault:
            raise ConfigError(f"{path}: {fault.strerror}", f"{ACCEPTED} that can be read") from None
        kind = kind_of(text, path)
    return _importer(kind)(path)


def _importer(kind: str) -> Callable[[str], Translation]:
    if kind == "nginx":
        from txproxy.importers.nginx import nginx_translation

        return nginx_translation.translate_file
    from txproxy.importers.squid import translation

    return translation.translate_file


def kind_of(text: str, path: str) -> str:
    """``squid`` or ``nginx``; ``ConfigError`` says whose file it is otherwise, and what could be done with it."""
    name = os.path.basename(path).lower()
    program = _BY_NAME.get(name) or _program(text)
    if program is not None:
        said = f"{path}: this is a configuration of {program}, which is not imported: {_INSTEAD[program]}"
        raise ConfigError(said, ACCEPTED)
    if _NGINX.search(text):
        return "nginx"
    if _TOML.search(text):
        raise ConfigError(f"{path}: this is a configuration of txproxy, or other TOML", ACCEPTED)
    if "nginx" in name or _is_squid(text):
        return "nginx" if "nginx" in name else "squid"
    raise ConfigError(f"{path}: this is neither a configuration of Squid nor of nginx", ACCEPTED)


def _program(text: str) -> str | None:
    """Whose file it is, if somebody's whose are not imported."""
    if text.lstrip()[:1] == "{" and _is_caddy_json(text):
        return "Caddy"
    for program, sign in _SIGNS.items():
        if sign.search(text) and not (program == "Caddy" and ";" in re.sub(r"#.*", "", text)):
            return program
    return None


def _is_caddy_json(text: str) -> bool:
    try:
        found = json.loads(text)
    except ValueError:
        return False
    return isinstance(found, dict) and bool({"apps", "admin", "logging"} & found.keys())


def _is_squid(text: str) -> bool:
    from txproxy.importers.squid.translation import KNOWN

    firsts = (line.split(maxsplit=1)[0] for line in text.splitlines() if line.strip() and line[:1] not in "# \t")
    return any(first in KNOWN for first in firsts)
