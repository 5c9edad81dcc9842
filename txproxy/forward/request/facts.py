"""What policy knows of one request, in one spelling.

A rule about a host, an address or a path is worth nothing if another spelling of the same thing goes around it: hosts
are compared in lower case, without trailing dots and with IPv4 addresses in their four parts; paths by each way in
which servers may read them (see :mod:`txproxy.matching.paths`).
"""

from __future__ import annotations

from typing import Final

from txproxy.matching.hosts import normal_host, spellings
from txproxy.matching.paths import PLAIN, normal, normal_escapes, readings, split_path
from txproxy.matching.urls import Url
from txproxy.wire.message import RequestHead

TUNNEL: Final = "connect"
# WebSocket URLs are requests of HTTP (RFC 6455 section 3): a rule about http that they went around would be none.
_SCHEMES: Final = {None: TUNNEL, b"http": "http", b"ws": "http", b"https": "https", b"wss": "https"}


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
                target = head.path
                if b"%" in target or PLAIN.fullmatch(target) is None:
                    before, query = split_path(target)
                    target = normal(before) + normal_escapes(query)
                path = target.decode("latin-1")
            self._url = url = Url(scheme, self.host, self.port, path)
        return url

    @property
    def urls(self) -> tuple[Url, ...]:
        """The request's URL, by each way in which servers may read its path, and with each address that its host
        carries. ``RequestError`` if there are too many.
        """
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
            urls: tuple[Url, ...] = (url,)
        else:
            path, query = split_path(target)
            rest = normal_escapes(query).decode("latin-1")
            urls = tuple(
                Url(url.scheme, url.host, url.port, reading.decode("latin-1") + rest) for reading in readings(path)
            )
        if ":" not in url.host:
            return urls
        return tuple(Url(one.scheme, host, one.port, one.path) for host in spellings(url.host) for one in urls)
