"""TLS of a listener: certificates chosen by SNI, read again when they change, and clients' certificates."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from time import monotonic
from typing import Any, Final, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL
from twisted.internet.interfaces import IOpenSSLServerConnectionCreator
from zope.interface import implementer

from txproxy.errors import ConfigError, Finding
from txproxy.frozen_values import frozen
from txproxy.matching.certificate_hosts import CertificateHosts
from txproxy.tls.certificates import Pair, load_pair, pair_in, read_certificates
from txproxy.tls.hardening import MIN_VERSIONS, SERVER_CIPHERS, hardened, trust, use_ciphers, use_groups, use_pair
from txproxy.tls.self_signed import SelfSigned
from txproxy.tls.ticket_fronts import TICKET_KEY_LIFE, TicketFronts
from txproxy.tls.watched_files import Watched

ContextSource: TypeAlias = "SSL.Context | Callable[[], SSL.Context]"

CLIENT_AUTH: Final = {
    "require": SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT,
    "optional": SSL.VERIFY_PEER,
}
# How long a session can be resumed, in seconds. The certificate of a client is not verified again then, so that one
# which expires is good for no longer than this.
_SESSION_LIFE: Final = 7200
_CLIENT_SESSION_LIFE: Final = 300

# Names of protocols (RFC 7301 section 6) that are on offer where HTTP is spoken, without and with HTTP/2.
HTTP1: Final[tuple[bytes, ...]] = (b"http/1.1", b"http/1.0")
WITH_HTTP2: Final[tuple[bytes, ...]] = (b"h2", *HTTP1)


@frozen(kw_only=True)
class ListenerTls:
    """What a TLS listener serves.

    ``certificates`` are pairs of a PEM chain's file and its key's file, or None where the key is in the same one; a
    client gets the one for the name that it asks for, the first if there is none. ``min_version`` is ``"1.2"`` or
    ``"1.3"``; ``ciphers`` an OpenSSL cipher string (None: the strong ones). With ``client_ca``, a PEM file, clients
    show certificates of its CAs, always (``client_auth`` ``"require"``) or if they like (``"optional"``), with up to
    ``client_depth`` intermediate CAs. ``alpn`` are the protocols on offer, the first preferred. ``prefix`` goes before
    the names of these settings in errors. In place of files there may be one that is ``self_signed``, for trials. By
    ``ticket_slot`` several processes have the same keys of tickets.
    """

    certificates: tuple[tuple[str, str | None], ...]
    min_version: str = "1.2"
    ciphers: str | None = None
    client_ca: str | None = None
    client_auth: str = "require"
    client_depth: int = 4
    alpn: tuple[bytes, ...] = HTTP1
    prefix: str = "--tls-"
    ticket_slot: int | None = None
    self_signed: SelfSigned | None = None


class ServerTls:
    """A listener's TLS while it runs. A file or value that is wrong is a ``ConfigError``, with a line for each.

    Connections begin in a front context, which has no certificate, and go on in that of the certificate that SNI
    chooses. OpenSSL seals tickets and keeps sessions in the front alone, so that sessions survive another certificate,
    and end with the front. ``fronts`` may have one for it that other processes have as well. ``seconds`` tells the time
    for :meth:`check`.
    """

    def __init__(
        self, config: ListenerTls, seconds: Callable[[], float] = monotonic, fronts: TicketFronts | None = None
    ) -> None:
        self.config = config
        self._seconds = seconds
        self._fronts = fronts
        # another object whenever they are, or may be, others
        self.certificates: object = None
        self._session_id = b""
        self._authorities: Watched[tuple[x509.Certificate, ...]] | None = None
        self._pairs: list[Watched[Pair]] = []
        self._check_values()
        self._read_files()
        self._begin()

    def context(self) -> SSL.Context:
        """The context in which a new connection begins. It is another one from time to time: ask each time."""
        return self._generation.front

    def serves(self, host: str) -> bool:
        """Whether one of the certificates is for ``host`` (a name, or an address without brackets). What it does not
        serve is misdirected (RFC 9110 section 15.5.20).
        """
        return self._generation.table.find(host) is not None

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """The certificates now in use, in the order of the configuration."""
        return tuple(pair.value for pair in self._pairs)

    def check(self) -> bool:
        """Read again what has changed, and say so in the log; whether anything has.

        New connections get it, running ones go on with what they began with. What cannot be read leaves the one before
        it in use. Cheap enough to be called every few seconds.
        """
        renewed = self._authorities is not None and self._authorities.check()
        changed = [pair.check() for pair in self._pairs]
        if renewed or self._seconds() >= self._ends:
            # A session from before may be that of a client whom the new CAs do not vouch for: none is resumed.
            self._begin()
        elif any(changed):
            before = self._generation.contexts
            self._generation.use(
                [
                    self._context_with(pair.value) if fresh else context
                    for pair, fresh, context in zip(self._pairs, changed, before, strict=True)
                ],
                self.pairs,
            )
            self.certificates = self._generation.table
        return renewed or any(changed)

    # -- what the configuration says

    def _check_values(self) -> None:
        config = self.config
        faults: list[Finding] = []

        def wrong(key: str, said: str, accepted: str) -> None:
            place = f"{config.prefix}{key.replace('_', '-')} {getattr(config, key)}"
            faults.append(Finding((key,), said, accepted, place))

        if not config.certificates and config.self_signed is None:
            accepted = "accepted is a PEM chain"
            faults.append(Finding(("certificates",), "at least one is needed", accepted, f"{config.prefix}cert"))
        if config.min_version not in MIN_VERSIONS:
            wrong("min_version", "no such version", f"accepted: {', '.join(MIN_VERSIONS)}")
        if config.client_auth not in CLIENT_AUTH:
            wrong("client_auth", "no such way", f"accepted: {', '.join(CLIENT_AUTH)}")
        if config.client_depth < 0:
            wrong("client_depth", "less than none", "accepted is 0 or more")
        if config.ciphers is not None:
            try:
                use_ciphers(hardened(SSL.TLS_SERVER_METHOD), config.ciphers, f"{config.prefix}ciphers")
            except ConfigError as fault:
                faults += fault.at("ciphers").findings
        if faults:
            raise ConfigError(faults)

    def _read_files(self) -> None:
        config = self.config
        faults: list[Finding] = []
        if config.client_ca is not None:
            load = partial(read_certificates, config.client_ca, f"{config.prefix}client-ca")
            try:
                self._authorities = Watched([config.client_ca], load)
            except ConfigError as fault:
                faults += fault.at("client_ca").findings
        if config.self_signed is not None:
            self._pairs.append(Watched((), partial(pair_in, config.self_signed.pem)))
        for number, files in enumerate(config.certificates):
            try:
                self._pairs.append(Watched(files, partial(self._load_pair, *files)))
            except ConfigError as fault:
                # One that is there twice is wrong once.
                said = [str(one) for one in faults]
                faults += [one for one in fault.at("certificates", number).findings if str(one) not in said]
        if faults:
            raise ConfigError(faults)

    def _load_pair(self, cert_file: str, key_file: str | None) -> Pair:
        prefix = self.config.prefix
        pair = load_pair(cert_file, key_file, f"{prefix}cert", f"{prefix}key")
        try:
            use_pair(self._hardened(), pair, f"{prefix}cert {cert_file}")
        except ConfigError as fault:
            raise fault.at("cert") from None
        return pair

    # -- contexts

    def _hardened(self, context: SSL.Context | None = None) -> SSL.Context:
        context = hardened(SSL.TLS_SERVER_METHOD, MIN_VERSIONS[self.config.min_version], context)
        context.set_cipher_list(SERVER_CIPHERS.encode("ascii"))
        if self.config.ciphers is not None:
            use_ciphers(context, self.config.ciphers, f"{self.config.prefix}ciphers")
        use_groups(context)
        return context

    def _context(self, made: SSL.Context | None = None) -> SSL.Context:
        # Which of the two contexts OpenSSL asks for a setting is not written anywhere: both have them all.
        config, context = self.config, self._hardened(made)
        context.set_session_id(self._session_id)
        context.set_session_cache_mode(SSL.SESS_CACHE_SERVER)
        context.set_timeout(_SESSION_LIFE if self._authorities is None else _CLIENT_SESSION_LIFE)
        if self._authorities is not None:
            trust(context, self._authorities.value)
            for authority in self._authorities.value:
                context.add_client_ca(authority)
            context.set_verify(CLIENT_AUTH[config.client_auth])
            context.set_verify_depth(config.client_depth)
        if config.alpn:
            context.set_alpn_select_callback(partial(_select_protocol, config.alpn))
        return context

    def _context_with(self, pair: Pair) -> SSL.Context:
        context = self._context()
        use_pair(context, pair, f"{self.config.prefix}cert")
        return context

    def _begin(self) -> None:
        fronts = self._fronts
        front, self._session_id = (fronts and fronts.take(self.config.ticket_slot, self._trusted())) or (
            None,
            os.urandom(16),
        )
        self._generation = _Generation(self._context(front))
        self._generation.use([self._context_with(pair) for pair in self.pairs], self.pairs)
        self.certificates = self._generation.table
        self._ends = fronts.ends if fronts is not None else self._seconds() + TICKET_KEY_LIFE

    def _trusted(self) -> bytes:
        """A digest of the CAs of clients."""
        authorities = self._authorities.value if self._authorities is not None else ()
        return sha256(b"".join(one.public_bytes(Encoding.DER) for one in authorities)).digest()


class _Generation:
    """A front context, and those of the certificates, chosen by SNI.

    These keep it alive, and so do their connections: after a HelloRetryRequest OpenSSL asks the front once more, when
    there may be a new one for everybody else.
    """

    __slots__ = ("front", "contexts", "table")

    def __init__(self, front: SSL.Context) -> None:
        self.front = front
        self.contexts: list[SSL.Context] = []
        self.table: CertificateHosts[SSL.Context] = CertificateHosts()
        front.set_tlsext_servername_callback(self._choose)

    def use(self, contexts: list[SSL.Context], pairs: Sequence[Pair]) -> None:
        """These from now on."""
        for context in contexts:
            context.set_app_data(self)
        self.contexts = contexts
        self.table = CertificateHosts(
            (name, context) for pair, context in zip(pairs, contexts, strict=True) for name in pair.names
        )

    def _choose(self, connection: SSL.Connection) -> None:
        name = connection.get_servername()
        found = self.table.find(name.decode("ascii", "replace")) if name else None
        connection.set_context(found or self.contexts[0])


def _select_protocol(ours: Sequence[bytes], _: SSL.Connection, theirs: list[bytes]) -> Any:
    for protocol in ours:
        if protocol in theirs:
            return protocol
    # RFC 7301 section 3.2: a fatal alert, no_application_protocol. That is what comes of an error here; it is raised
    # once more where the handshake is done, as any other that ends it.
    raise SSL.Error([("SSL routines", "", "no application protocol in common")])


def server_context(
    cert_file: str, key_file: str | None = None, min_version: str = "1.2", ciphers: str | None = None
) -> SSL.Context:
    """A context that serves the PEM chain in ``cert_file``, for those who need no more than that of :class:`ServerTls`;
    the key is in ``key_file``, or in the same file.
    """
    return ServerTls(
        ListenerTls(certificates=((cert_file, key_file),), min_version=min_version, ciphers=ciphers)
    ).context()


@implementer(IOpenSSLServerConnectionCreator)
class ServerConnections:
    """Makes TLS connections for Twisted's own TLS, with a context, or what :meth:`ServerTls.context` gives for each."""

    def __init__(self, context: ContextSource) -> None:
        self._context = context

    def serverConnectionForTLS(self, tlsProtocol: object) -> SSL.Connection:
        """For Twisted."""
        context = self._context
        connection = SSL.Connection(context if isinstance(context, SSL.Context) else context(), None)
        connection.set_accept_state()
        return connection
