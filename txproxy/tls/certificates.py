"""PEM files: chains, keys and CAs."""

from __future__ import annotations

import re
from datetime import datetime, timezone
from typing import Any, Final

import attrs
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from twisted.logger import Logger

from txproxy.errors import ConfigError
from txproxy.frozen_values import frozen
from txproxy.tls.watched_files import read_file

_log = Logger()

_CERTIFICATE: Final = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_KEY: Final = re.compile(rb"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----.*?-----END ([A-Z]+ )?PRIVATE KEY-----", re.DOTALL)


@frozen(eq=False)
class Pair:
    """A certificate with those that vouch for it (``chain``, its own first), its ``key``, and what it says: the
    ``names`` of hosts and addresses it is for, and the time until which it is.
    """

    chain: tuple[x509.Certificate, ...]
    key: Any = attrs.field(repr=False)
    names: tuple[str, ...]
    not_after: datetime


def load_pair(cert_file: str, key_file: str | None, cert_option: str, key_option: str) -> Pair:
    """The PEM chain in ``cert_file`` with its key, from ``key_file`` or the same file.

    What is wrong is a ``ConfigError`` that names the file and the option; a certificate out of its time is only said.
    """
    where = f"{cert_option} {cert_file}"
    try:
        data = read_file(cert_file, cert_option)
        chain = certificates_in(data, where)
    except ConfigError as fault:
        raise fault.at("cert") from None
    if not chain:
        raise ConfigError("no certificate can be read from it", "accepted is a PEM chain", ("cert",), where)
    leaf = chain[0]
    key_where, of_key = (where, "cert") if key_file is None else (f"{key_option} {key_file}", "key")
    try:
        key = _key_in(data if key_file is None else read_file(key_file, key_option), key_where)
    except ConfigError as fault:
        raise fault.at(of_key) from None
    try:
        names = names_of(leaf)
        same = _spki(key.public_key()) == _spki(leaf.public_key())
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError("its names or its key cannot be read", "accepted is a PEM chain", ("cert",), where) from None
    if not same:
        raise ConfigError(f"the key does not belong to the certificate in {cert_file}", "", (of_key,), key_where)
    now = datetime.now(timezone.utc)
    if leaf.not_valid_after_utc < now:
        _log.warn("{where}: the certificate has expired on {day}", where=where, day=leaf.not_valid_after_utc.date())
    elif leaf.not_valid_before_utc > now:
        _log.warn("{where}: the certificate begins on {day}", where=where, day=leaf.not_valid_before_utc.date())
    return Pair(chain, key, names, leaf.not_valid_after_utc)


def pair_in(data: bytes) -> Pair:
    """The same from a text that has both, and is sound."""
    chain = certificates_in(data, "")
    return Pair(chain, _key_in(data, ""), names_of(chain[0]), chain[0].not_valid_after_utc)


def read_certificates(path: str, option: str) -> tuple[x509.Certificate, ...]:
    """Each certificate of a PEM file, in order; ``ConfigError`` if there is none."""
    where = f"{option} {path}"
    found = certificates_in(read_file(path, option), where)
    if not found:
        raise ConfigError("no certificate in it", "accepted is a PEM file of CA certificates", place=where)
    return found


def certificates_in(data: bytes, where: str) -> tuple[x509.Certificate, ...]:
    """Each certificate of a PEM text, in order; ``ConfigError`` if one cannot be read."""
    try:
        return tuple(x509.load_pem_x509_certificate(block) for block in _CERTIFICATE.findall(data))
    except ValueError:
        raise ConfigError("a certificate in it cannot be read", "accepted is PEM", place=where) from None


def names_of(certificate: x509.Certificate) -> tuple[str, ...]:
    """The host names and addresses that a certificate is for. Its common name counts where it has none of either, as
    RFC 6125 section 6.4.4 had it; ``ValueError`` if they cannot be read.
    """
    try:
        san = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        names: list[str] = []
    else:
        names = [name.lower() for name in san.get_values_for_type(x509.DNSName)]
        names += [str(address) for address in san.get_values_for_type(x509.IPAddress)]
    if not names:
        common = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        names = [str(name.value).lower() for name in common]
    return tuple(names)


def _key_in(data: bytes, where: str) -> Any:
    block = _KEY.search(data)
    if block is None:
        raise ConfigError("no private key can be read from it", "accepted is a PEM key without password", place=where)
    try:
        return load_pem_private_key(block[0], None)
    except TypeError:
        raise ConfigError("the key is encrypted", "accepted is a PEM key without password", place=where) from None
    except (ValueError, UnsupportedAlgorithm):
        raise ConfigError(
            "no private key can be read from it", "accepted is a PEM key without password", place=where
        ) from None


def _spki(key: Any) -> bytes:
    encoded: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return encoded
