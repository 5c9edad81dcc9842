"""What is told of clients' certificates, and that nothing in one can pass for something else."""

import ipaddress

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from OpenSSL import SSL

from tests.tls.authority import Ends, client_context, new_ca
from txproxy.tls.client_certificates import (
    NO_CERTIFICATE_LINES,
    PeerCertificate,
    peer_certificate,
    read_peer_certificate,
)
from txproxy.tls.listener_contexts import ListenerTls, ServerTls
from txproxy.wire.forwarding import CERTIFICATE_FIELDS

OID = x509.NameOID
CA = new_ca("a CA")


def subject(*pairs):
    return x509.Name([x509.NameAttribute(oid, value) for oid, value in pairs])


def read(name=None, san=(), **more):
    return read_peer_certificate(CA.issue(subject=name or subject((OID.COMMON_NAME, "c")), san=san, **more).certificate)


@pytest.fixture
def serve(tmp_path, ca):
    """A listener that wants, or may have, certificates of ``CA``."""
    site = ca.issue("a.example").write(tmp_path, "site")
    (tmp_path / "clients.pem").write_bytes(CA.cert_pem)

    def make(client_auth=None):
        settings = {"client_ca": str(tmp_path / "clients.pem"), "client_auth": client_auth} if client_auth else {}
        return ServerTls(ListenerTls(certificates=(site,), **settings))

    return make


def test_a_verified_certificate_is_told(serve):
    name = subject((OID.ORGANIZATION_NAME, "Org"), (OID.COMMON_NAME, "Ann"))
    identity = CA.issue("client.example", subject=name, serial=0xABCD)
    ends = Ends(serve("require").context(), client_context(identity=identity))
    peer = peer_certificate(ends.server)
    assert peer == PeerCertificate(
        subject="CN=Ann,O=Org",
        issuer="CN=a CA",
        names=("DNS:client.example",),
        serial="ABCD",
        fingerprint=identity.certificate.fingerprint(SHA256()).hex(),
    )
    assert peer.lines() == (
        b"X-SSL-Client-Verify: SUCCESS",
        b"X-SSL-Client-Subject: CN=Ann,O=Org",
        b"X-SSL-Client-Issuer: CN=a CA",
        b"X-SSL-Client-Serial: ABCD",
        b"X-SSL-Client-Fingerprint: " + peer.fingerprint.encode("ascii"),
        b"X-SSL-Client-SAN: DNS:client.example",
    )


def test_no_certificate_is_none(serve):
    assert peer_certificate(Ends(serve("optional").context(), client_context()).server) is None


def test_a_certificate_that_nobody_asked_for_is_none(serve):
    ends = Ends(serve().context(), client_context(identity=CA.issue("client")))
    assert ends.faults == []
    assert peer_certificate(ends.server) is None


def test_a_certificate_that_nobody_verified_is_none(serve):
    # As a client that verifies nothing sees its server.
    ends = Ends(serve().context(), client_context())
    assert ends.client.get_peer_certificate() is not None
    assert peer_certificate(ends.client) is None


def test_a_certificate_that_was_refused_is_none(serve):
    ends = Ends(serve("optional").context(), client_context(identity=new_ca("a CA").issue("client")))
    assert ends.server_refused
    assert peer_certificate(ends.server) is None


def test_a_certificate_whose_fields_cannot_be_read_is_none(serve, said):
    # A country of three letters, and an alternative name that is no ASCII: OpenSSL does not mind.
    san = x509.UnrecognizedExtension(x509.ExtensionOID.SUBJECT_ALTERNATIVE_NAME, bytes.fromhex("3003820180"))
    identity = CA.issue(subject=subject((OID.COMMON_NAME, "client")), extension=san)
    ends = Ends(serve("require").context(), client_context(identity=identity))
    assert ends.faults == []
    assert peer_certificate(ends.server) is None
    assert [event["log_level"].name for event in said] == ["warn"]


@pytest.mark.parametrize(
    ("attributes", "text"),
    [
        ([(OID.COUNTRY_NAME, "DE"), (OID.COMMON_NAME, "Ann")], "CN=Ann,C=DE"),
        ([(OID.COMMON_NAME, "Ann,O=Admin")], r"CN=Ann\,O=Admin"),
        ([(OID.COMMON_NAME, 'a"b\\c+d<e>f;g')], r"CN=a\"b\\c\+d\<e\>f\;g"),
        ([(OID.COMMON_NAME, " a ")], r"CN=\ a\ "),
        ([(OID.COMMON_NAME, "#a")], r"CN=\#a"),
        ([(OID.COMMON_NAME, "a\r\nX-SSL-Client-Subject: CN=root")], r"CN=a\0D\0AX-SSL-Client-Subject: CN=root"),
        ([(OID.COMMON_NAME, "Müller")], r"CN=M\C3\BCller"),
        ([(OID.COMMON_NAME, "\U0001f600\x7f\t")], r"CN=\F0\9F\98\80\7F\09"),
        ([(OID.EMAIL_ADDRESS, "a@a.example")], "emailAddress=a@a.example"),
        ([(OID.DOMAIN_COMPONENT, "example"), (OID.USER_ID, "7")], "UID=7,DC=example"),
    ],
)
def test_subjects_are_escaped_as_rfc_4514_has_it(attributes, text):
    assert read(subject(*attributes)).subject == text


def test_several_values_at_one_place():
    name = x509.Name(
        [
            x509.RelativeDistinguishedName([x509.NameAttribute(OID.ORGANIZATION_NAME, "Org")]),
            x509.RelativeDistinguishedName(
                [x509.NameAttribute(OID.COMMON_NAME, "Ann"), x509.NameAttribute(OID.USER_ID, "7")]
            ),
        ]
    )
    assert read(name).subject in ("CN=Ann+UID=7,O=Org", "UID=7+CN=Ann,O=Org")


def test_alternative_names_have_their_kinds_and_no_name_passes_for_two():
    peer = read(
        san=[
            x509.DNSName("a.example"),
            x509.DNSName("b, DNS:admin.example\\"),
            x509.RFC822Name("a@a.example"),
            x509.UniformResourceIdentifier("spiffe://a.example/web"),
            x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
            x509.RegisteredID(x509.ObjectIdentifier("1.2.3")),
            x509.DNSName("c\r\nX-Forged: yes"),
        ]
    )
    assert peer.names == (
        "DNS:a.example",
        r"DNS:b\, DNS:admin.example\\",
        "email:a@a.example",
        "URI:spiffe://a.example/web",
        "IP:10.0.0.1",
        r"DNS:c\0D\0AX-Forged: yes",
    )
    assert peer.lines()[-1] == b"X-SSL-Client-SAN: " + ", ".join(peer.names).encode("ascii")


@pytest.mark.parametrize(("serial", "text"), [(1, "01"), (10, "0A"), (0x1234, "1234"), (0xABC, "0ABC")])
def test_serials_are_whole_bytes(serial, text):
    assert read(serial=serial).serial == text


@given(
    st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=40),
    st.text(alphabet=st.characters(codec="ascii"), max_size=20),
)
def test_no_certificate_can_break_a_line(organization, name):
    peer = read(subject((OID.ORGANIZATION_NAME, organization)), san=[x509.DNSName(name)])
    for line in peer.lines():
        assert all(0x20 <= byte < 0x7F for byte in line)


def test_fields_that_clients_must_not_send():
    for line in (*read(san=[x509.DNSName("a")]).lines(), *NO_CERTIFICATE_LINES):
        assert line.partition(b":")[0].lower() in CERTIFICATE_FIELDS
    assert {b"client-cert", b"client-cert-chain"} <= CERTIFICATE_FIELDS and len(CERTIFICATE_FIELDS) == 6 + 2


def test_a_resumed_session_tells_the_same(serve):
    context = client_context(identity=CA.issue("client"), version=SSL.TLS1_3_VERSION)
    tls = serve("require")
    ends = Ends(tls.context(), context)
    first = peer_certificate(ends.server)
    again = Ends(tls.context(), context, session=ends.close())
    assert SSL._lib.SSL_session_reused(again.server._ssl)
    assert first is not None
    assert peer_certificate(again.server) == first
