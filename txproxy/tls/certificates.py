"""PEM files: chains, keys and CAs."""

from __future__ import annotations

from cryptography import x509
from OpenSSL.crypto import X509
from twisted.internet.ssl import Certificate

from txproxy.errors import ConfigError


def read_file(path: str, option: str) -> bytes:
    """The content of a PEM file; a ``ConfigError`` names it and the ``option`` that asked for it."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as fault:
        raise ConfigError(f"{option} {path}: {fault.strerror}; accepted is a PEM file that can be read") from None


def read_certificates(path: str, option: str) -> list[Certificate]:
    """Each certificate of a PEM file, in order."""
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    data = read_file(path, option)
    blocks = [begin + part.partition(end)[0] + end for part in data.split(begin)[1:]]
    try:
        return [Certificate(X509.from_cryptography(x509.load_pem_x509_certificate(block))) for block in blocks]
    except ValueError:
        raise ConfigError(f"{option} {path}: a certificate in it cannot be read; accepted is PEM") from None
