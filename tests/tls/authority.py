"""Certificates for tests, and TLS between two ends in memory."""

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from OpenSSL import SSL
from OpenSSL.crypto import X509

DAY = datetime.timedelta(days=1)
NOW = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0)


def named(common_name):
    """A name with nothing but this."""
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common_name)])


def general(name):
    """A DNS name, or an address."""
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


class Identity:
    """A certificate and its key; ``issue`` makes another one that it vouches for."""

    def __init__(self, certificate, key, chain=()):
        self.certificate = certificate
        self.key = key
        self.chain = chain

    @property
    def cert_pem(self):
        return b"".join(one.public_bytes(Encoding.PEM) for one in (self.certificate, *self.chain))

    @property
    def key_pem(self):
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def encrypted_key_pem(self):
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))

    def write(self, directory, name):
        """``NAME.pem`` and ``NAME.key``, as strings."""
        cert, key = directory / f"{name}.pem", directory / f"{name}.key"
        cert.write_bytes(self.cert_pem)
        key.write_bytes(self.key_pem)
        return str(cert), str(key)

    def issue(
        self,
        *names,
        subject=None,
        ca=False,
        key=None,
        begins=-DAY,
        ends=30 * DAY,
        san=None,
        serial=None,
        extension=None,
    ):
        """A certificate for ``names``, or with these alternative names, or for a CA."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        alternatives = [general(name) for name in names] if san is None else san
        chain = () if self.certificate.issuer == self.certificate.subject else (self.certificate, *self.chain)
        subject = subject or named(names[0])
        builder = _builder(subject, key, self.certificate.subject, ca, begins, ends, serial)
        if alternatives:
            builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), False)
        if extension is not None:
            builder = builder.add_extension(extension, False)
        return Identity(builder.sign(self.key, SHA256()), key, chain)


def _builder(subject, key, issuer, ca, begins, ends, serial=None):
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(NOW + begins)
        .not_valid_after(NOW + ends)
        .add_extension(x509.BasicConstraints(ca, None), True)
    )


def new_ca(name="a CA"):
    """A CA of its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    return Identity(_builder(named(name), key, named(name), True, -DAY, 30 * DAY).sign(key, SHA256()), key)


class Ends:
    """Both ends of a connection in memory: a ``server`` and a ``client``, as far as their handshake went."""

    def __init__(self, server_context, client_context, name=None, session=None, client=None, server=None):
        if server is None:
            server = SSL.Connection(server_context, None)
            server.set_accept_state()
        self.server = server
        if client is None:
            client = SSL.Connection(client_context, None)
            client.set_connect_state()
            if name is not None:
                client.set_tlsext_host_name(name.encode("ascii"))
            if session is not None:
                client.set_session(session)
        self.client = client
        self.faults = []
        self.exchange()

    def exchange(self):
        """Carry bytes both ways until there are no more."""
        moved = True
        while moved:
            moved = False
            for one, other in ((self.client, self.server), (self.server, self.client)):
                self._step(one)
                try:
                    other.bio_write(one.bio_read(65536))
                    moved = True
                except SSL.WantReadError:
                    pass

    def _step(self, end):
        try:
            end.do_handshake()
            end.recv(65536)
        except (SSL.WantReadError, SSL.ZeroReturnError):
            pass
        except SSL.Error as fault:
            self.faults.append((end is self.server, fault))

    @property
    def served(self):
        """The common name of the server's certificate."""
        certificate = self.client.get_peer_certificate()
        return certificate.to_cryptography().subject.rfc4514_string().removeprefix("CN=")

    @property
    def server_refused(self):
        return any(is_server for is_server, _ in self.faults)

    def close(self):
        """Both say goodbye, as they do on a connection that ends well; what the client may resume is returned."""
        session = self.client.get_session()
        for end in (self.client, self.server):
            end.shutdown()
        self.exchange()
        return session


def client_context(ca=None, identity=None, version=None):
    """For a client that trusts ``ca``, or anybody."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    if version is not None:
        context.set_min_proto_version(version)
        context.set_max_proto_version(version)
    if ca is not None:
        context.get_cert_store().add_cert(X509.from_cryptography(ca.certificate))
        context.set_verify(SSL.VERIFY_PEER)
    if identity is not None:
        context.use_certificate(identity.certificate)
        for certificate in identity.chain:
            context.add_extra_chain_cert(certificate)
        context.use_privatekey(identity.key)
    return context
