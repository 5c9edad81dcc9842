"""Upstreams, and whose turn it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

import attrs

from txproxy.errors import ConfigError
from txproxy.interfaces import Address
from txproxy.tls.upstream import client_connections
from txproxy.wire.target import split_authority

STRATEGIES: Final = ("round-robin",)
_ACCEPTED: Final = "accepted are http://HOST:PORT, https://HOST:PORT and unix:/path, each with ;weight=N"


@attrs.frozen(kw_only=True)
class UpstreamTls:
    """How TLS upstreams are verified: against the system's trust, or the CAs in ``ca_file``, or not at all."""

    ca_file: str | None = None
    insecure: bool = False


@attrs.define(eq=False)
class Upstream:
    """One server of a pool. ``authority`` is its name for a Host field, ``weight`` its share of the requests."""

    address: Address
    authority: bytes
    weight: int = 1
    current: int = 0


def parse_upstream(text: str, tls: UpstreamTls | None = None) -> Upstream:
    """An upstream from ``http://HOST:PORT``, ``https://HOST:PORT`` or ``unix:/path``, then ``;weight=N``; else
    ``ConfigError``.
    """
    url, *parameters = text.split(";")
    weight = 1
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name != "weight" or not value.isdigit() or not 0 < int(value) <= 1000:
            raise ConfigError(
                f"{text!r}: {parameter!r} is no parameter of an upstream; accepted is weight=1 to weight=1000"
            )
        weight = int(value)
    if url.startswith("unix:"):
        path = url.removeprefix("unix:")
        if not path.startswith("/"):
            raise ConfigError(f"{text!r} is no upstream: the path must begin with /; {_ACCEPTED}")
        return Upstream(Address(path=path), b"localhost", weight)
    parts = urlsplit(url)
    authority = parts.netloc.encode("ascii", "replace")
    if parts.scheme not in ("http", "https") or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"{text!r} is no upstream; {_ACCEPTED}")
    try:
        host, port = split_authority(authority)
    except ValueError as fault:
        raise ConfigError(f"{text!r} is no upstream: {fault}; {_ACCEPTED}") from None
    if parts.scheme == "http":
        return Upstream(Address(host, port or 80), authority, weight)
    tls = tls or UpstreamTls()
    creator = client_connections(host, tls.ca_file, tls.insecure)
    return Upstream(Address(host, port or 443, tls=creator, server_name=host), authority, weight)


def parse_tcp_upstream(text: str) -> Upstream:
    """An upstream of the tcp mode, from ``HOST:PORT`` and ``;weight=N``; else ``ConfigError``."""
    if "://" in text or text.startswith("unix:") or ":" not in text:
        raise ConfigError(f"{text!r} is no upstream; accepted is HOST:PORT, with ;weight=N")
    return parse_upstream("http://" + text)


class Pool:
    """Upstreams that do the same work, and a strategy that says which is next.

    ``upstreams`` are URLs as on the command line, or :class:`Upstream` objects; ``strategy`` is ``"round-robin"``:
    smooth weighted, as nginx's. A wrong value is a ``ConfigError``, which is a ``ValueError``.
    """

    def __init__(
        self, upstreams: Iterable[str | Upstream], strategy: str = "round-robin", *, tls: UpstreamTls | None = None
    ) -> None:
        if strategy not in STRATEGIES:
            raise ConfigError(f"{strategy!r} is no strategy; accepted: {', '.join(STRATEGIES)}")
        self.upstreams = [parse_upstream(item, tls) if isinstance(item, str) else item for item in upstreams]
        if not self.upstreams:
            raise ConfigError("a pool needs at least one upstream")
        self._even = len({upstream.weight for upstream in self.upstreams}) == 1
        self._turn = -1

    def choose(self, tried: tuple[Address, ...] = ()) -> Upstream | None:
        """Whose turn it is, leaving out what was ``tried``; None if nobody is left."""
        if tried:
            return self._choose_weighted([upstream for upstream in self.upstreams if upstream.address not in tried])
        if self._even:
            self._turn = turn = (self._turn + 1) % len(self.upstreams)
            return self.upstreams[turn]
        return self._choose_weighted(self.upstreams)

    def _choose_weighted(self, upstreams: list[Upstream]) -> Upstream | None:
        # Smooth weighted round-robin: each gains its weight, the richest serves and pays for all.
        if not upstreams:
            return None
        total = 0
        best = upstreams[0]
        for upstream in upstreams:
            upstream.current += upstream.weight
            total += upstream.weight
            if upstream.current > best.current:
                best = upstream
        best.current -= total
        return best
