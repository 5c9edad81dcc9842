"""How the upstreams of a pool that speak TLS are verified, and what they are shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.tls.verification import client_connections

# what may be offered to upstreams, by the names of RFC 7301
ALPN: Final = ("h2", "http/1.1")


@frozen(kw_only=True)
class UpstreamTls:
    """How TLS upstreams are verified: against the system's trust, or the CAs in ``ca_file``, or not at all
    (``insecure``); for which ``server_name``, if that is not their host; and the certificate in ``cert_file``, with the
    key in ``key_file`` or in the same, that they are shown. ``alpn`` are the protocols on offer, the one liked best
    first: ``h2`` and ``http/1.1``; where there is none, HTTP/1.1 is spoken, and nothing offered.
    """

    ca_file: str | None = None
    insecure: bool = False
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    alpn: tuple[str, ...] = ()

    def connections(self, host: str) -> IOpenSSLClientConnectionCreator:
        """What makes the connections to ``host``. A file that is wrong is a ``ConfigError``."""
        return client_connections(
            host, self.ca_file, self.insecure, self.cert_file, self.key_file, self.server_name, alpn=self.alpn
        )

    @property
    def protocols(self) -> tuple[str, ...]:
        """What may be spoken, where that is not HTTP/1.1 alone."""
        return self.alpn if "h2" in self.alpn else ()


def offered(names: Iterable[str]) -> tuple[str, ...]:
    """``names`` if they are protocols to offer; else ``ConfigError``."""
    given = tuple(names)
    for place, name in enumerate(given):
        if name not in ALPN:
            raise ConfigError(f"{name!r} is no protocol", f"accepted are {' and '.join(ALPN)}")
        if name in given[:place]:
            raise ConfigError(f"{name!r} is there twice", "accepted is each once")
    return given
