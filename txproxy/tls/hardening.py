"""What both sides' contexts allow: versions, ciphers and groups, as strict as public scanners ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509

from txproxy.errors import ConfigError
from txproxy.tls.certificates import Pair

MIN_VERSIONS: Final = {"1.2": SSL.TLS1_2_VERSION, "1.3": SSL.TLS1_3_VERSION}

# TLS 1.2 as in Mozilla's intermediate configuration, without its finite-field Diffie-Hellman: authenticated encryption
# and forward secrecy, and nothing else.
SERVER_CIPHERS: Final = (
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
)
# Upstreams may be old: CBC and RSA key exchange come last, but they come. Twisted's list.
CLIENT_CIPHERS: Final = (
    "ECDH+AESGCM:ECDH+CHACHA20:DH+AESGCM:DH+CHACHA20:ECDH+AES256:DH+AES256:ECDH+AES128:DH+AES:RSA+AESGCM:RSA+AES:"
    "!aNULL:!MD5:!DSS"
)
# Finite-field groups, which TLS 1.3 has by default, let clients make the server work hard for little (CVE-2002-20001).
_GROUPS: Final = "X25519:P-256:P-384"
_HYBRID_GROUPS: Final = "X25519MLKEM768:" + _GROUPS  # from OpenSSL 3.5 on

# pyOpenSSL has the first name only where OpenSSL had it when cryptography was built, and the second not at all. That
# one lets a client that prefers ChaCha20, since it has no AES in hardware, have it.
_NO_RENEGOTIATION: Final[int] = getattr(SSL, "OP_NO_RENEGOTIATION", 0x40000000)
_PRIORITIZE_CHACHA: Final = 0x00200000


def hardened(method: int, min_version: int = SSL.TLS1_2_VERSION, context: SSL.Context | None = None) -> SSL.Context:
    """A new context for ``method``, or that which is given, that speaks no version under ``min_version``.

    Without compression, which gives secrets away (CRIME), and renegotiation, which costs the server more than the
    client. An idle connection gives its buffers back: 34 kB each.
    """
    if context is None:
        context = SSL.Context(method)
    context.set_min_proto_version(min_version)
    context.set_options(
        SSL.OP_NO_COMPRESSION | _NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | _PRIORITIZE_CHACHA
    )
    context.set_mode(SSL.MODE_RELEASE_BUFFERS)
    return context


def use_groups(context: SSL.Context) -> None:
    """Exchange keys over elliptic curves (and the post-quantum hybrid where OpenSSL has it) and nothing else.

    pyOpenSSL has no call for this; where the one below it is not to be had, OpenSSL's own list stays.
    """
    library: Any = getattr(SSL, "_lib", None)
    set_list: Any = getattr(library, "SSL_CTX_set1_curves_list", None)
    handle: Any = getattr(context, "_context", None)
    if set_list is not None and handle is not None:
        groups = _HYBRID_GROUPS if SSL.OPENSSL_VERSION_NUMBER >= 0x30500000 else _GROUPS
        if set_list(handle, groups.encode("ascii")) != 1:
            library.ERR_clear_error()  # another call's error otherwise


def use_ciphers(context: SSL.Context, ciphers: str, option: str) -> None:
    """Take an OpenSSL cipher string. Names of TLS 1.3 suites (``TLS_...``) in it replace those of TLS 1.3, others those
    of TLS 1.2; ``ConfigError`` if OpenSSL does not know them.
    """
    words = ciphers.replace(",", ":").replace(" ", ":").split(":")
    suites = [word for word in words if word.startswith("TLS_")]
    others = [word for word in words if word and not word.startswith("TLS_")]
    try:
        if others or not suites:
            context.set_cipher_list(":".join(others).encode("ascii"))
        if suites:
            context.set_tls13_ciphersuites(":".join(suites).encode("ascii"))
    except (SSL.Error, UnicodeEncodeError):
        raise ConfigError(
            "there are no such ciphers", "accepted is an OpenSSL cipher string", place=f"{option} {ciphers}"
        ) from None


def use_pair(context: SSL.Context, pair: Pair, where: str) -> None:
    """Show a certificate with its chain; ``ConfigError`` if OpenSSL refuses it, as it does keys that are too weak."""
    try:
        context.use_certificate(pair.chain[0])
        for certificate in pair.chain[1:]:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(pair.key)
        context.check_privatekey()
    except (SSL.Error, TypeError) as fault:
        raise ConfigError(
            f"OpenSSL refuses it{_reason(fault)}",
            "accepted are RSA keys from 2048 bits, ECDSA and Ed25519",
            place=where,
        ) from None


def trust(context: SSL.Context, authorities: Sequence[x509.Certificate]) -> None:
    """Believe what these CAs have signed."""
    store = context.get_cert_store()
    assert store is not None
    for authority in authorities:
        store.add_cert(X509.from_cryptography(authority))


def _reason(fault: Exception) -> str:
    entries: Any = fault.args[0] if fault.args else ()
    return f" ({entries[-1][2]})" if isinstance(entries, list) and entries else ""
