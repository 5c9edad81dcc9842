"""A certificate for trials: made in memory, and vouched for by nobody."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from typing import Final

import attrs
from cryptography import x509

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.matching.hosts import host_name, is_literal

_ALWAYS: Final = ("localhost", "127.0.0.1", "::1")
_DAYS: Final = 90
# Clocks differ.
_BEFORE: Final = timedelta(hours=1)
# RFC 5280 appendix A.1: ub-common-name.
_LONGEST_COMMON_NAME: Final = 64


@frozen
class SelfSigned:
    """One for these ``names``: ``pem`` is it, with its key. Each has a key of its own, and all for the same names are
    as good, so that they are equal.
    """

    names: tuple[str, ...]
    pem: bytes = attrs.field(eq=False, repr=False)


def self_signed(names: Iterable[str] = ()) -> SelfSigned:
    """A new one, for this machine by its names for itself, and for hosts of these ``names``, in normal form. It is good
    for 90 days.
    """
    # Few want one, and all start sooner without.
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = tuple(dict.fromkeys((*_ALWAYS, *names)))
    key = ec.generate_private_key(ec.SECP256R1())
    common = next(name for name in (*names[len(_ALWAYS) :], *names) if len(name) <= _LONGEST_COMMON_NAME)
    subject = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "txproxy, for trials alone"),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, common),
        ]
    )
    now = datetime.now(timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BEFORE)
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.BasicConstraints(False, None), True)
        .add_extension(x509.SubjectAlternativeName(map(_general, names)), False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return SelfSigned(names, certificate.public_bytes(Encoding.PEM) + private)


def served_name(text: str) -> str:
    """A host that somebody has written down, as a certificate has it; ``ConfigError`` if it is none."""
    name = host_name(text)
    if len(name) > 253:
        raise ConfigError(f"{name!r} is too long for a host", "accepted is a name of 253 characters at most")
    return name


def _general(name: str) -> x509.GeneralName:
    return x509.IPAddress(ipaddress.ip_address(name)) if is_literal(name) else x509.DNSName(name)
