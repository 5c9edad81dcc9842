"""What policy knows of one request, in one spelling.

A rule about a host, an address or a path is worth nothing if another spelling of the same thing goes around it: hosts
are compared in lower case, without trailing dots and with IPv4 addresses in their four parts; paths with needless
escapes and dot segments taken out (RFC 3986 section 6.2.2).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from txproxy.matching.hosts import normal_host
from txproxy.wire.message import RequestHead

TUNNEL: Final = "connect"
# WebSocket URLs are requests of HTTP (RFC 6455 section 3): a rule about http that they went around would be none.
_SCHEMES: Final = {None: TUNNEL, b"http": "http", b"ws": "http", b"https": "https", b"wss": "https"}
_PORTS: Final = {"http": 80, "https": 443}

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_SLASHES: Final = re.compile(r"//+")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def normal_escapes(text: str) -> str:
    """``text`` with the escapes of unreserved characters decoded, and the others in capitals."""
    return _ESCAPE.sub(_decoded, text) if "%" in text else text


def _without_dots(path: str) -> str:
    """RFC 3986 section 5.2.4, for a path that begins with a slash."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            del kept[-1:]
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def path_spellings(path: str) -> tuple[str, ...]:
    """The normal form of a path with its query, and a second one where servers may merge slashes that stand together:
    a pattern that matches either has matched.
    """
    if "%" in path:
        path = normal_escapes(path)
    if "//" not in path and "/." not in path:
        return (path,)
    path, mark, query = path.partition("?")
    query = mark + query
    plain = _without_dots(path) if "/." in path else path
    if "//" not in path:
        return (plain + query,)
    merged = _without_dots(_SLASHES.sub("/", path))
    return (plain + query, merged + query) if merged != plain else (plain + query,)


@lru_cache(maxsize=4096)
def _origin(scheme: str, host: str, port: int) -> str:
    authority = f"[{host}]" if ":" in host else host
    return f"{scheme}://{authority}" if _PORTS[scheme] == port else f"{scheme}://{authority}:{port}"


class Url:
    """A URL in normal form. ``host`` has no brackets; ``path`` begins with a slash and has the query in it; ``text`` is
    the whole, without a port that is the scheme's own.
    """

    __slots__ = ("scheme", "host", "port", "path", "text")

    def __init__(self, scheme: str, host: str, port: int, path: str) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.path = path
        self.text = _origin(scheme, host, port) + path

    def __repr__(self) -> str:
        return f"Url({self.text!r})"


class Facts:
    """What is known of a request when policy decides.

    ``user`` is None and ``groups`` are empty for who has not said who it is; ``addresses`` are those that ``host``
    resolved to, as text, or None before that is known. ``host`` may come in any spelling.
    """

    __slots__ = ("head", "client_ip", "host", "port", "user", "groups", "addresses", "_urls")

    def __init__(
        self,
        head: RequestHead,
        client_ip: str,
        host: str,
        port: int,
        user: str | None = None,
        groups: frozenset[str] = frozenset(),
        addresses: tuple[str, ...] | None = None,
    ) -> None:
        self.head = head
        self.client_ip = client_ip
        self.host = normal_host(host)
        self.port = port
        self.user = user
        self.groups = groups
        self.addresses = addresses
        self._urls: tuple[Url, ...] | None = None

    @property
    def scheme(self) -> str:
        """``http``, ``https``, or ``connect`` for a tunnel."""
        return _SCHEMES[self.head.scheme]

    @property
    def urls(self) -> tuple[Url, ...]:
        """The request's URL, in each spelling that is to be compared.

        Of a tunnel only host and port are known: its URL is ``https://host/`` (``http`` on port 80), so that a pattern
        for a whole site matches it and one for a path never does.
        """
        urls = self._urls
        if urls is None:
            self._urls = urls = self._spelled()
        return urls

    def _spelled(self) -> tuple[Url, ...]:
        head, host, port = self.head, self.host, self.port
        scheme = _SCHEMES[head.scheme]
        if scheme is TUNNEL:
            return (Url("http" if port == 80 else "https", host, port, "/"),)
        path = head.path.decode("latin-1")
        if path[:1] != "/":
            path = "/"  # OPTIONS *
        if "%" not in path and "//" not in path and "/." not in path:
            return (Url(scheme, host, port, path),)
        return tuple(Url(scheme, host, port, spelling) for spelling in path_spellings(path))
