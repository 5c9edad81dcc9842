"""How the upstreams of a pool that speak TLS are verified, and what they are shown."""

from __future__ import annotations

import attrs
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator

from txproxy.tls.verification import client_connections


@attrs.frozen(kw_only=True)
class UpstreamTls:
    """How TLS upstreams are verified: against the system's trust, or the CAs in ``ca_file``, or not at all
    (``insecure``); for which ``server_name``, if that is not their host; and the certificate in ``cert_file``, with the
    key in ``key_file`` or in the same, that they are shown.
    """

    ca_file: str | None = None
    insecure: bool = False
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None

    def connections(self, host: str) -> IOpenSSLClientConnectionCreator:
        """What makes the connections to ``host``. A file that is wrong is a ``ConfigError``."""
        return client_connections(
            host, self.ca_file, self.insecure, self.cert_file, self.key_file, server_name=self.server_name
        )
