"""TLS to upstreams and origins: verified, unless somebody insists."""

from __future__ import annotations

from functools import lru_cache

from OpenSSL import SSL
from twisted.internet._sslverify import IOpenSSLTrustRoot
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.internet.ssl import (
    CertificateOptions,
    TLSVersion,
    optionsForClientTLS,
    platformTrust,
    trustRootFromCertificates,
)
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.tls.certificates import read_certificates


@lru_cache(maxsize=1024)
def client_connections(
    host: str, ca_file: str | None = None, insecure: bool = False
) -> IOpenSSLClientConnectionCreator:
    """Makes TLS connections to ``host`` (name or address).

    The certificate is verified against the system's trust, or the CAs in the PEM file ``ca_file``, and must name
    ``host`` (RFC 9525, by service-identity). ``insecure`` takes any certificate.
    """
    extra = {"lowerMaximumSecurityTo": TLSVersion.TLSv1_3, "insecurelyLowerMinimumTo": TLSVersion.TLSv1_2}
    if insecure:
        return _Unverified(host)
    trust: IOpenSSLTrustRoot = platformTrust() if ca_file is None else trust_of(ca_file)
    return optionsForClientTLS(host, trustRoot=trust, extraCertificateOptions=extra)


def trust_of(ca_file: str) -> IOpenSSLTrustRoot:
    """The CAs in a PEM file; ``ConfigError`` if there are none."""
    certificates = read_certificates(ca_file, "--upstream-ca")
    if not certificates:
        raise ConfigError(f"--upstream-ca {ca_file}: no certificate in it; accepted is a PEM file of CA certificates")
    trust: IOpenSSLTrustRoot = trustRootFromCertificates(certificates)
    return trust


@implementer(IOpenSSLClientConnectionCreator)
class _Unverified:
    def __init__(self, host: str) -> None:
        self._name = host.encode("idna") if not _is_literal(host) else None
        self._context = CertificateOptions(verify=False, raiseMinimumTo=TLSVersion.TLSv1_2).getContext()

    def clientConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """For Twisted."""
        connection = SSL.Connection(self._context, None)
        if self._name is not None:
            connection.set_tlsext_host_name(self._name)
        connection.set_connect_state()
        return connection


def _is_literal(host: str) -> bool:
    return ":" in host or host.replace(".", "").isdigit()
