"""Clients' certificates, and the fields that tell upstreams of them."""

from __future__ import annotations

import re
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from OpenSSL import SSL
from twisted.logger import Logger

from txproxy.frozen_values import frozen

_log = Logger()

_VERIFY: Final = b"X-SSL-Client-Verify"
_SUBJECT: Final = b"X-SSL-Client-Subject"
_ISSUER: Final = b"X-SSL-Client-Issuer"
_SAN: Final = b"X-SSL-Client-SAN"
_SERIAL: Final = b"X-SSL-Client-Serial"
_FINGERPRINT: Final = b"X-SSL-Client-Fingerprint"


# The lines for a client that has shown no certificate, where it may.
NO_CERTIFICATE_LINES: Final = (_VERIFY + b": NONE",)

# The short names that OpenSSL, and so nginx, has for attributes for which RFC 4514 has none.
_ATTRIBUTES: Final = {
    x509.NameOID.EMAIL_ADDRESS: "emailAddress",
    x509.NameOID.SERIAL_NUMBER: "serialNumber",
    x509.NameOID.GIVEN_NAME: "GN",
    x509.NameOID.SURNAME: "SN",
    x509.NameOID.TITLE: "title",
    x509.NameOID.INITIALS: "initials",
    x509.NameOID.PSEUDONYM: "pseudonym",
    x509.NameOID.GENERATION_QUALIFIER: "generationQualifier",
    x509.NameOID.DN_QUALIFIER: "dnQualifier",
    x509.NameOID.POSTAL_CODE: "postalCode",
    x509.NameOID.STREET_ADDRESS: "street",
    x509.NameOID.BUSINESS_CATEGORY: "businessCategory",
    x509.NameOID.JURISDICTION_COUNTRY_NAME: "jurisdictionC",
    x509.NameOID.JURISDICTION_STATE_OR_PROVINCE_NAME: "jurisdictionST",
    x509.NameOID.JURISDICTION_LOCALITY_NAME: "jurisdictionL",
    x509.NameOID.ORGANIZATION_IDENTIFIER: "organizationIdentifier",
}
_UNSAFE: Final = re.compile(rb"[^\x20-\x7e]")


@frozen
class PeerCertificate:
    """A client's verified certificate.

    ``subject`` and ``issuer`` are names as in RFC 4514, the most special part first, as nginx's ``$ssl_client_s_dn``;
    ``names`` the alternative names, each with its kind (``DNS:a.example``, ``email:``, ``IP:``, ``URI:``); ``serial``
    is hexadecimal in capitals, as nginx's; ``fingerprint`` SHA-256, hexadecimal. All are printable ASCII: what is not
    is escaped, each byte of its UTF-8 as a backslash and two digits (RFC 4514 section 2.4).
    """

    subject: str
    issuer: str
    names: tuple[str, ...]
    serial: str
    fingerprint: str

    def lines(self) -> tuple[bytes, ...]:
        """Field lines for the upstream. A comma within a name is escaped, so that no name passes for two."""
        fields = [
            (_VERIFY, "SUCCESS"),
            (_SUBJECT, self.subject),
            (_ISSUER, self.issuer),
            (_SERIAL, self.serial),
            (_FINGERPRINT, self.fingerprint),
        ]
        if self.names:
            fields.append((_SAN, ", ".join(self.names)))
        return tuple(name + b": " + value.encode("ascii") for name, value in fields)


def peer_certificate(connection: SSL.Connection) -> PeerCertificate | None:
    """The certificate that the peer has shown and OpenSSL has verified, once the handshake is over; None if there is
    none, or one whose fields cannot be read.
    """
    if not connection.get_verify_mode() & SSL.VERIFY_PEER:
        return None
    # Verified: with VERIFY_PEER, and no callback that would forgive, OpenSSL ends the handshake otherwise.
    certificate = connection.get_peer_certificate()
    if certificate is None:
        return None
    try:
        return read_peer_certificate(certificate.to_cryptography())
    except ValueError as fault:
        _log.warn("a client's certificate cannot be read: {fault}", fault=str(fault))
        return None


def read_peer_certificate(certificate: x509.Certificate) -> PeerCertificate:
    """What a certificate says; ``ValueError`` if that cannot be read."""
    return PeerCertificate(
        subject=_printable(certificate.subject.rfc4514_string(_ATTRIBUTES)),
        issuer=_printable(certificate.issuer.rfc4514_string(_ATTRIBUTES)),
        names=_alternative_names(certificate),
        serial=_whole_bytes(certificate.serial_number),
        fingerprint=certificate.fingerprint(SHA256()).hex(),
    )


def _alternative_names(certificate: x509.Certificate) -> tuple[str, ...]:
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    found = []
    for name in san:
        if isinstance(name, x509.DNSName):
            found.append(f"DNS:{_listed(name.value)}")
        elif isinstance(name, x509.RFC822Name):
            found.append(f"email:{_listed(name.value)}")
        elif isinstance(name, x509.UniformResourceIdentifier):
            found.append(f"URI:{_listed(name.value)}")
        elif isinstance(name, x509.IPAddress):
            found.append(f"IP:{name.value}")
    return tuple(found)


def _whole_bytes(number: int) -> str:
    digits = f"{abs(number):X}"
    return ("-" if number < 0 else "") + digits.zfill(len(digits) + len(digits) % 2)


def _listed(value: str) -> str:
    return _printable(value.replace("\\", "\\\\").replace(",", "\\,"))


def _printable(text: str) -> str:
    return _UNSAFE.sub(lambda byte: b"\\%02X" % byte[0][0], text.encode("utf-8", "surrogatepass")).decode("ascii")
