"""Users by their certificates."""

from __future__ import annotations

import datetime
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtensionOID, NameOID
from OpenSSL.crypto import X509

from txproxy.auth.certificate_names import CertificateNames
from txproxy.errors import ConfigError

KEY = Ed25519PrivateKey.generate()


def certificate(*subject: tuple[Any, str], emails: tuple[str, ...] = ()) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in subject])
    day = datetime.datetime(2030, 1, 1)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(KEY.public_key())
        .serial_number(1)
        .not_valid_before(day)
        .not_valid_after(day)
    )
    if emails:
        names = [x509.DNSName("example.com"), *(x509.RFC822Name(email) for email in emails)]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(KEY, None)


BOB = certificate(
    (NameOID.ORGANIZATION_NAME, "Example"),
    (NameOID.COMMON_NAME, "bob"),
    (NameOID.USER_ID, "b0b"),
    emails=("bob@example.com",),
)


@pytest.mark.parametrize(
    ("field", "name"),
    [("cn", "bob"), ("uid", "b0b"), ("email", "bob@example.com"), ("subject", "UID=b0b,CN=bob,O=Example")],
)
@pytest.mark.parametrize("kind", [lambda one: one, X509.from_cryptography])
def test_each_field_names_the_user(field: str, name: str, kind: Any) -> None:
    assert CertificateNames(field).user(kind(BOB)) == name


@pytest.mark.parametrize("field", ["cn", "uid", "email", "subject"])
def test_a_field_that_is_missing_names_nobody(field: str) -> None:
    assert CertificateNames(field).user(certificate()) is None


@pytest.mark.parametrize(
    ("field", "one"),
    [
        ("cn", certificate((NameOID.COMMON_NAME, "bob"), (NameOID.COMMON_NAME, "root"))),
        ("email", certificate(emails=("bob@example.com", "root@example.com"))),
        ("cn", certificate((NameOID.COMMON_NAME, "bob\0root"))),
        ("cn", certificate((NameOID.COMMON_NAME, "bob\nroot"))),
    ],
)
def test_who_could_be_two_is_nobody(field: str, one: x509.Certificate) -> None:
    assert CertificateNames(field).user(one) is None


def test_a_malformed_certificate_names_nobody() -> None:
    day = datetime.datetime(2030, 1, 1)
    junk = x509.UnrecognizedExtension(ExtensionOID.SUBJECT_ALTERNATIVE_NAME, b"junk")
    builder = x509.CertificateBuilder(BOB.subject, BOB.subject, KEY.public_key(), 1, day, day)
    assert CertificateNames("email").user(builder.add_extension(junk, critical=False).sign(KEY, None)) is None


def test_users_may_be_listed() -> None:
    names = CertificateNames("email", {"bob@example.com": "robert"})
    assert names.user(BOB) == "robert"
    assert names.user(certificate(emails=("eve@example.com",))) is None


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'dn' is no part of a certificate .* accepted: cn, email, uid, subject"):
        CertificateNames("dn")
