"""TLS to upstreams and origins: verified, unless somebody insists."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final, TypeAlias
from weakref import WeakKeyDictionary

import attrs
from cryptography import x509
from OpenSSL import SSL
from OpenSSL.crypto import X509
from service_identity import CertificateError, VerificationError
from service_identity.cryptography import extract_patterns
from service_identity.hazmat import DNS_ID, IPAddress_ID, verify_service_identity
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator
from twisted.python.failure import Failure
from zope.interface import implementer

from txproxy.errors import ConfigError
from txproxy.file_stamps import Stamp
from txproxy.frozen_values import frozen
from txproxy.matching.hosts import is_literal
from txproxy.tls.certificates import load_pair, read_certificates
from txproxy.tls.hardening import CLIENT_CIPHERS, hardened, trust, use_pair
from txproxy.tls.watched_files import Watched

_Verify: TypeAlias = Callable[[SSL.Connection, X509, int, int, int], bool]

_PREFIX: Final = "--upstream-"


def client_connections(
    host: str,
    ca_file: str | None = None,
    insecure: bool = False,
    cert_file: str | None = None,
    key_file: str | None = None,
    server_name: str | None = None,
    prefix: str = _PREFIX,
    alpn: tuple[str, ...] = (),
) -> ClientConnections:
    """Makes TLS connections to ``host`` (name or address).

    The certificate is verified against the system's trust, or the CAs in the PEM file ``ca_file``, and must name
    ``server_name``, or ``host`` (RFC 9525, by service-identity); that name is also what SNI asks for. ``insecure``
    takes any certificate. ``cert_file`` and ``key_file`` (None: in the same file) are shown to upstreams that want one.
    ``alpn`` are the protocols on offer (RFC 7301), the one liked best first; none are offered where there is none.

    A file that is wrong is a ``ConfigError`` in which ``prefix`` goes before the setting's name, and so is a
    ``server_name`` that cannot be one; a ``host`` that cannot is a ``UnicodeError``.
    """
    if ca_file is None and cert_file is None and key_file is None:
        files: tuple[Stamp | None, ...] = ()
    else:
        if key_file is not None and cert_file is None:
            raise ConfigError(f"needs {prefix}cert as well", path=("key",), place=f"{prefix}key {key_file}")
        files = tuple(Stamp.now(file) for file in (ca_file, cert_file, key_file) if file is not None)
    settings = _Settings(ca_file, insecure, cert_file, key_file, alpn, prefix)
    if server_name is None:
        return _connections(host, settings, files)
    try:
        return _connections(server_name, settings, files)
    except UnicodeError:
        raise ConfigError(
            "no certificate has such a name",
            "accepted is a host name or an address",
            ("server_name",),
            f"{prefix}server-name {server_name}",
        ) from None


def trust_of(ca_file: str, option: str = f"{_PREFIX}ca") -> tuple[x509.Certificate, ...]:
    """The CAs in a PEM file; ``ConfigError`` if there are none."""
    return read_certificates(ca_file, option)


@frozen
class _Settings:
    ca_file: str | None
    insecure: bool
    cert_file: str | None
    key_file: str | None
    alpn: tuple[str, ...]
    prefix: str


# By the files' stamps as well: who asks after a change, as a reload does, gets what they hold now.
@lru_cache(maxsize=1024)
def _connections(name: str, settings: _Settings, files: tuple[Stamp | None, ...]) -> ClientConnections:
    return ClientConnections(name, _client_tls(settings, files))


@lru_cache(maxsize=256)
def _client_tls(settings: _Settings, files: tuple[Stamp | None, ...]) -> _ClientTls:
    return _ClientTls(settings)


class _ClientTls:
    """What connections to several upstreams share: a context, and the files that it was made from."""

    def __init__(self, settings: _Settings) -> None:
        self.settings = settings
        self._shaking_hands: WeakKeyDictionary[SSL.Connection, ClientConnections] = WeakKeyDictionary()
        self._established: WeakKeyDictionary[SSL.Connection, ClientConnections] = WeakKeyDictionary()
        self._watched = Watched((settings.ca_file, settings.cert_file, settings.key_file), self._load)

    @property
    def context(self) -> SSL.Context:
        return self._watched.value

    def check(self) -> bool:
        return self._watched.check()

    def connection(self, creator: ClientConnections) -> SSL.Connection:
        """A new connection, whose sessions are for ``creator`` to keep."""
        connection = SSL.Connection(self.context, None)
        self._shaking_hands[connection] = creator
        return connection

    def _progress(self, connection: SSL.Connection, where: int, _: int) -> None:
        # A handshake of TLS 1.2 ends with a session. In TLS 1.3 tickets come after it, each a step of its own.
        if where & SSL.SSL_CB_HANDSHAKE_DONE:
            creator = self._shaking_hands.pop(connection, None)
            if creator is not None:
                self._established[connection] = creator
                creator.keep_session(connection)
        elif where & SSL.SSL_CB_LOOP:
            creator = self._established.get(connection)
            if creator is not None:
                creator.keep_session(connection)

    def _load(self) -> SSL.Context:
        settings = self.settings
        context = hardened(SSL.TLS_CLIENT_METHOD)
        context.set_cipher_list(CLIENT_CIPHERS.encode("ascii"))
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # each name keeps its own, see ClientConnections
        context.set_info_callback(self._progress)
        if settings.ca_file is not None:
            try:
                trust(context, trust_of(settings.ca_file, f"{settings.prefix}ca"))
            except ConfigError as fault:
                raise fault.at("ca") from None
        elif not settings.insecure:
            context.set_default_verify_paths()
        if settings.cert_file is not None:
            cert_option, key_option = f"{settings.prefix}cert", f"{settings.prefix}key"
            pair = load_pair(settings.cert_file, settings.key_file, cert_option, key_option)
            try:
                use_pair(context, pair, f"{cert_option} {settings.cert_file}")
            except ConfigError as fault:
                raise fault.at("cert") from None
        if settings.alpn:
            context.set_alpn_protos([name.encode("ascii") for name in settings.alpn])
        return context


@implementer(IOpenSSLClientConnectionCreator)
class ClientConnections:
    """Makes TLS connections to one name.

    ``identity`` tells two of them apart whose connections must not stand for each other: by name, trust, certificate
    and the protocols on offer. Of the last handshake the session is kept, for the next connection to resume (RFC 8446
    section 2.2).
    """

    def __init__(self, name: str, tls: _ClientTls) -> None:
        self.identity = f"{name} {attrs.astuple(tls.settings)[:5]}"
        self._name = name
        self._tls = tls
        self._session: SSL.Session | None = None
        self._session_context: SSL.Context | None = None
        self._sni: bytes | None = None
        if is_literal(name):
            self._id: DNS_ID | IPAddress_ID = IPAddress_ID(name)
        else:
            # RFC 6066 section 3: only names are asked for, without a dot at the end.
            self._sni = _ascii_name(name.removesuffix("."))
            self._id = DNS_ID(self._sni.decode("ascii"))

    def offering(self, *alpn: str) -> ClientConnections:
        """The same with these protocols on offer."""
        settings = self._tls.settings
        return client_connections(
            self._name,
            settings.ca_file,
            settings.insecure,
            settings.cert_file,
            settings.key_file,
            prefix=settings.prefix,
            alpn=alpn,
        )

    def check(self) -> bool:
        """Read again the files if they have changed, for the connections to come; whether they have. Those that cannot
        be read are said in the log, and change nothing.
        """
        return self._tls.check()

    def clientConnectionForTLS(self, tlsProtocol: Any) -> SSL.Connection:
        """For Twisted."""
        connection = self._tls.connection(self)
        if self._sni is not None:
            connection.set_tlsext_host_name(self._sni)
        if not self._tls.settings.insecure:
            connection.set_verify(SSL.VERIFY_PEER, _verifier(self._id, tlsProtocol))
        # A session is good for one connection: if an upstream chokes on it, the next one does without.
        session, self._session = self._session, None
        if session is not None and self._session_context is connection.get_context():
            connection.set_session(session)
        connection.set_connect_state()
        return connection

    def keep_session(self, connection: SSL.Connection) -> None:
        """For the next connection."""
        self._session = connection.get_session()
        self._session_context = connection.get_context()


def _verifier(identity: DNS_ID | IPAddress_ID, tls_protocol: Any) -> _Verify:
    """Asks of the upstream's own certificate that it is for the right name. A session that is resumed was verified when
    it began, by the same name.
    """
    waiting: list[Any] = [tls_protocol]  # until the certificate is judged: nothing keeps the protocol longer

    def verify(_: SSL.Connection, certificate: X509, error: int, depth: int, ok: int) -> bool:
        if depth or not ok:
            return bool(ok)
        try:
            verify_service_identity(extract_patterns(certificate.to_cryptography()), [identity], [])
        except (VerificationError, CertificateError, ValueError) as fault:
            failure = Failure(fault if isinstance(fault, VerificationError) else VerificationError(errors=()))
        else:
            waiting.clear()
            return True
        while waiting:
            waiting.pop().failVerification(failure)
        return False

    return verify


def _ascii_name(name: str) -> bytes:
    encoded = name.encode("ascii") if name.isascii() else name.encode("idna")
    if not 0 < len(encoded) < 256:
        raise UnicodeError("a host name has 1 to 255 characters")
    try:
        DNS_ID(encoded.decode("ascii"))
    except ValueError:
        raise UnicodeError(f"{name!r} is no host name that a certificate can have") from None
    return encoded
