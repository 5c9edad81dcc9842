"""TLS contexts for listeners."""

from __future__ import annotations

import os
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.tls.certificates import read_file

MIN_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

# pyOpenSSL has the name only where OpenSSL had it when cryptography was built.
_NO_RENEGOTIATION: Final[int] = getattr(SSL, "OP_NO_RENEGOTIATION", 0x40000000)


def server_context(
    cert_file: str, key_file: str | None = None, min_version: str = "1.2", ciphers: str | None = None
) -> SSL.Context:
    """A context that serves the PEM chain in ``cert_file``; the key is in ``key_file``, or in the same file.

    ``min_version`` is ``"1.2"`` or ``"1.3"``, ``ciphers`` an OpenSSL cipher string (OpenSSL's own default if None). A
    file or value that is wrong is a ``ConfigError`` that names it.
    """
    if min_version not in MIN_VERSIONS:
        raise ConfigError(f"--tls-min-version {min_version}: no such version; accepted: {', '.join(MIN_VERSIONS)}")
    context = SSL.Context(SSL.TLS_SERVER_METHOD)
    context.set_min_proto_version(MIN_VERSIONS[min_version])
    # Compression gives secrets away (CRIME), renegotiation costs the server more than the client.
    context.set_options(SSL.OP_NO_COMPRESSION | _NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE)
    # An idle connection gives its buffers back: 34 kB each.
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    context.set_session_id(os.urandom(16))
    read_file(cert_file, "--tls-cert")
    try:
        context.use_certificate_chain_file(cert_file)
    except SSL.Error:
        raise ConfigError(
            f"--tls-cert {cert_file}: no certificate can be read from it; accepted is a PEM chain"
        ) from None
    option = "--tls-key" if key_file is not None else "--tls-cert"
    where = f"{option} {key_file or cert_file}"
    read_file(key_file or cert_file, option)
    try:
        context.use_privatekey_file(key_file or cert_file)
    except SSL.Error as fault:
        if _mismatch(fault):
            raise ConfigError(f"{where}: the key does not belong to the certificate in {cert_file}") from None
        raise ConfigError(
            f"{where}: no private key can be read from it; accepted is a PEM key without password"
        ) from None
    if ciphers is not None:
        try:
            context.set_cipher_list(ciphers.encode("ascii"))
        except (SSL.Error, UnicodeEncodeError):
            raise ConfigError(f"--tls-ciphers {ciphers}: accepted is an OpenSSL cipher string") from None
    return context


def _mismatch(fault: SSL.Error) -> bool:
    entries: Any = fault.args[0] if fault.args else ()
    return any("mismatch" in entry[2] for entry in entries)


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnections:
    """Makes TLS connections with a context, for Twisted's own TLS."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """For Twisted."""
        connection = SSL.Connection(self._context, None)
        connection.set_accept_state()
        return connection
