"""What policy knows of one request, in one spelling.

A rule about a host, an address or a path is worth nothing if another spelling of the same thing goes around it: hosts
are compared in lower case, without trailing dots and with IPv4 addresses in their four parts; paths by each way in
which servers may read them (see :mod:`txproxy.matching.paths`).
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from txproxy.matching.hosts import normal_host
from txproxy.matching.paths import PLAIN, normal, plainest, readings
from txproxy.wire.message import RequestHead

TUNNEL: Final = "connect"
# WebSocket URLs are requests of HTTP (RFC 6455 section 3): a rule about http that they went around would be none.
_SCHEMES: Final = {None: TUNNEL, b"http": "http", b"ws": "http", b"https": "https", b"wss": "https"}
_PORTS: Final = {"http": 80, "https": 443}

_ESCAPE: Final = re.compile(r"%([0-9A-Fa-f]{2})")
_UNRESERVED: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")


def _decoded(match: re.Match[str]) -> str:
    character = chr(int(match[1], 16))
    return character if character in _UNRESERVED else match[0].upper()


def normal_escapes(text: str) -> str:
    """``text`` with the escapes of unreserved characters decoded, and the others in capitals."""
    return _ESCAPE.sub(_decoded, text) if "%" in text else text


def normal_pattern(text: str) -> str:
    """A pattern of a URL with its escapes as they are in what it is compared with. A ``*`` that is escaped stands for
    itself, which is one character.
    """
    if "%" not in text:
        return text
    path, mark, query = text.replace("%2A", "?").replace("%2a", "?").partition("?")
    # A list may have lines that are no UTF-8.
    path = plainest(path.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    return path + mark + normal_escapes(query)


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

    __slots__ = ("head", "client_ip", "host", "port", "user", "groups", "addresses", "_urls", "_url")

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
        self._url: Url | None = None

    @property
    def scheme(self) -> str:
        """``http``, ``https``, or ``connect`` for a tunnel."""
        return _SCHEMES[self.head.scheme]

    @property
    def url(self) -> Url:
        """The request's URL, as RFC 3986 section 6.2.2 has it: what it is called, and what a change of it is made from.

        Of a tunnel only host and port are known: its URL is ``https://host/`` (``http`` on port 80), so that a pattern
        for a whole site matches it and one for a path never does.
        """
        url = self._url
        if url is None:
            head = self.head
            scheme = _SCHEMES[head.scheme]
            path = "/"  # OPTIONS *
            if scheme is TUNNEL:
                scheme = "http" if self.port == 80 else "https"
            elif head.path[:1] == b"/":
                path = head.path.decode("latin-1")
                if PLAIN.fullmatch(head.path) is None:
                    before, mark, query = path.partition("?")
                    path = normal(before.encode("latin-1")).decode("latin-1") + mark + normal_escapes(query)
                elif "%" in path:
                    path = normal_escapes(path)
            self._url = url = Url(scheme, self.host, self.port, path)
        return url

    @property
    def urls(self) -> tuple[Url, ...]:
        """The request's URL, by each way in which servers may read its path. ``RequestError`` if there are too many."""
        urls = self._urls
        if urls is None:
            self._urls = urls = self._read()
        return urls

    def by(self, url: Url) -> Facts:
        """The same, where the URL is read as ``url`` alone."""
        other = Facts(self.head, self.client_ip, self.host, self.port, self.user, self.groups, self.addresses)
        other._url = url
        other._urls = (url,)
        return other

    def _read(self) -> tuple[Url, ...]:
        target = self.head.path
        url = self.url
        if self.head.scheme is None or target[:1] != b"/" or PLAIN.fullmatch(target) is not None:
            return (url,)
        path, mark, query = target.partition(b"?")
        rest = normal_escapes((mark + query).decode("latin-1"))
        return tuple(
            Url(url.scheme, url.host, url.port, reading.decode("latin-1") + rest) for reading in readings(path)
        )
