"""TLS to upstreams: trust, names, client certificates, sessions. Twisted's own TLS at both ends, in memory."""

import pytest
from OpenSSL import SSL
from service_identity import VerificationError
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.protocols.tls import TLSMemoryBIOFactory
from twisted.python.failure import Failure

from tests.tls.authority import named, new_ca
from txproxy.errors import ConfigError
from txproxy.tls.client_certificates import peer_certificate
from txproxy.tls.listener_contexts import ListenerTls, ServerConnections, ServerTls
from txproxy.tls.verification import client_connections, trust_of


class Recorder(Protocol):
    """Keeps what comes, and why it ended."""

    def __init__(self):
        self.received = b""
        self.reason = None

    def dataReceived(self, data):
        self.received += data

    def connectionLost(self, reason):
        self.reason = reason.value


def end(creator, is_client):
    factory = TLSMemoryBIOFactory(creator, is_client, Factory.forProtocol(Recorder), Clock())
    protocol = factory.buildProtocol(None)
    transport = StringTransport()
    protocol.makeConnection(transport)
    return protocol, transport


class Meeting:
    """One connection between a proxy and its upstream."""

    def __init__(self, creator, tls):
        self.client, self._to_server = end(creator, True)
        self.server, self._to_client = end(ServerConnections(tls.context), False)
        self.sender, self.receiver = self.client.wrappedProtocol, self.server.wrappedProtocol
        self.carry()

    def carry(self):
        """Bytes both ways, until there are no more."""
        ways = ((self._to_server, self.server), (self._to_client, self.client))
        while any(transport.value() for transport, _ in ways):
            for transport, other in ways:
                data = transport.value()
                transport.clear()
                if data:
                    other.dataReceived(data)
        for transport, side in ((self._to_server, self.client), (self._to_client, self.server)):
            if transport.disconnecting and side.connected:
                side.connectionLost(Failure(ConnectionDone()))

    def close(self):
        """Both ends say goodbye."""
        for side in (self.client, self.server):
            side.loseConnection()
            self.carry()

    def speaks(self):
        """Whether bytes go through."""
        self.client.write(b"hello")
        self.client.factory._clock.advance(1)
        self.carry()
        return self.receiver.received == b"hello"

    @property
    def reason(self):
        """Why the client's end was lost."""
        return self.sender.reason

    @property
    def resumed(self):
        return bool(SSL._lib.SSL_session_reused(self.server.getHandle()._ssl))

    @property
    def server_name(self):
        return self.server.getHandle().get_servername()


@pytest.fixture
def files(tmp_path, ca):
    """The CA's file, and a function that makes upstreams."""
    (tmp_path / "ca.pem").write_bytes(ca.cert_pem)

    class Files:
        directory = tmp_path
        ca_file = str(tmp_path / "ca.pem")

        def upstream(self, *names, **settings):
            return ServerTls(
                ListenerTls(certificates=(ca.issue(*names).write(tmp_path, f"upstream-{names[0]}"),), **settings)
            )

    return Files()


@pytest.mark.parametrize(
    ("host", "asked"),
    [
        ("a.example", b"a.example"),
        ("A.Example", b"A.Example"),
        ("a.example.", b"a.example"),
        ("x.w.example", b"x.w.example"),
        ("my_service", b"my_service"),
        ("10.0.0.1", None),
        ("2001:db8::1", None),
    ],
)
def test_a_certificate_for_the_host_is_trusted(files, host, asked):
    tls = files.upstream("a.example", "*.w.example", "my_service", "10.0.0.1", "2001:db8::1")
    meeting = Meeting(client_connections(host, files.ca_file), tls)
    assert meeting.speaks()
    assert meeting.server_name == asked


@pytest.mark.parametrize(
    ("offered", "agreed"), [((), None), (("h2", "http/1.1"), b"h2"), (("http/1.1",), b"http/1.1"), (("h2",), b"h2")]
)
def test_protocols_are_offered(files, offered, agreed):
    tls = files.upstream("a.example", alpn=(b"h2", b"http/1.1"))
    creator = client_connections("a.example", files.ca_file, alpn=offered)
    meeting = Meeting(creator, tls)
    assert meeting.speaks()
    assert meeting.client.negotiatedProtocol == agreed
    other = creator.offering("http/1.1")
    assert (other.identity == creator.identity) is (offered == ("http/1.1",))
    meeting = Meeting(other, tls)
    assert meeting.speaks() and meeting.client.negotiatedProtocol == b"http/1.1"


@pytest.mark.parametrize("host", ["b.example", "x.y.w.example", "10.0.0.2", "2001:db8::2"])
def test_a_certificate_for_another_host_is_not(files, host):
    tls = files.upstream("a.example", "*.w.example", "10.0.0.1")
    meeting = Meeting(client_connections(host, files.ca_file), tls)
    assert not meeting.speaks()
    assert isinstance(meeting.reason, VerificationError)


def test_the_common_name_counts_for_nothing(files, ca, tmp_path):
    pair = ca.issue(subject=named("a.example")).write(tmp_path, "common")
    meeting = Meeting(client_connections("a.example", files.ca_file), ServerTls(ListenerTls(certificates=(pair,))))
    assert not meeting.speaks()
    assert isinstance(meeting.reason, VerificationError)


def test_a_certificate_of_another_ca_is_not_trusted(files, tmp_path):
    (tmp_path / "other.pem").write_bytes(new_ca().cert_pem)
    tls = files.upstream("a.example")
    for ca_file in (str(tmp_path / "other.pem"), None):  # None: the system's
        meeting = Meeting(client_connections("a.example", ca_file), tls)
        assert not meeting.speaks()
        assert "certificate verify failed" in str(meeting.reason)


def test_whoever_insists_trusts_anybody(files):
    meeting = Meeting(client_connections("b.example", insecure=True), files.upstream("a.example"))
    assert meeting.speaks()
    assert meeting.server_name == b"b.example"


def test_another_server_name_is_asked_for_and_verified(files):
    tls = files.upstream("a.example")
    meeting = Meeting(client_connections("10.0.0.1", files.ca_file, server_name="a.example"), tls)
    assert meeting.speaks()
    assert meeting.server_name == b"a.example"
    assert not Meeting(client_connections("a.example", files.ca_file, server_name="b.example"), tls).speaks()


def test_a_client_certificate_is_shown(files, ca, tmp_path):
    clients = new_ca("the clients' CA")
    (tmp_path / "clients.pem").write_bytes(clients.cert_pem)
    tls = files.upstream("a.example", client_ca=str(tmp_path / "clients.pem"))
    assert not Meeting(client_connections("a.example", files.ca_file), tls).speaks()
    identity = clients.issue("between", ca=True).issue("proxy")
    cert, key = identity.write(tmp_path, "proxy")
    meeting = Meeting(client_connections("a.example", files.ca_file, cert_file=cert, key_file=key), tls)
    assert meeting.speaks()
    assert peer_certificate(meeting.server.getHandle()).subject == "CN=proxy"
    both = tmp_path / "both.pem"
    both.write_bytes(identity.cert_pem + identity.key_pem)
    assert Meeting(client_connections("a.example", files.ca_file, cert_file=str(both)), tls).speaks()


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])
def test_sessions_are_resumed(files, version):
    tls = files.upstream("a.example", min_version="1.2")
    creator = client_connections("a.example", files.ca_file)
    if version == SSL.TLS1_2_VERSION:
        tls = older(tls)
    resumed = []
    for _ in range(3):
        meeting = Meeting(creator, tls)
        assert meeting.speaks()
        resumed.append(meeting.resumed)
        meeting.close()
    assert resumed == [False, True, True]


def older(tls):
    """The same, in TLS 1.2."""

    class Older:
        def context(self):
            context = tls._context_with(tls.pairs[0])
            context.set_max_proto_version(SSL.TLS1_2_VERSION)
            self.context = lambda: context
            return context

    return Older()


def test_a_session_is_used_once(files):
    tls = files.upstream("a.example")
    creator = client_connections("a.example", files.ca_file)
    Meeting(creator, tls).close()
    began = [end(creator, True) for _ in range(2)]  # none of them gets an answer
    assert len(began[0][1].value()) > len(began[1][1].value()) + 100  # the ticket
    assert not Meeting(creator, tls).resumed


def test_a_session_is_no_way_around_another_name_or_trust(files, tmp_path):
    tls = files.upstream("a.example")
    Meeting(client_connections("a.example", insecure=True), tls).close()
    Meeting(client_connections("b.example", insecure=True), tls).close()
    assert not Meeting(client_connections("b.example", files.ca_file), tls).speaks()
    (tmp_path / "other.pem").write_bytes(new_ca().cert_pem)
    assert not Meeting(client_connections("a.example", str(tmp_path / "other.pem")), tls).speaks()


def test_files_are_read_again_when_they_have_changed(files, ca, tmp_path):
    file = tmp_path / "changing.pem"
    file.write_bytes(new_ca().cert_pem)
    tls = files.upstream("a.example")
    creator = client_connections("a.example", str(file))
    assert not Meeting(creator, tls).speaks()
    assert not creator.check()
    file.write_bytes(ca.cert_pem)
    assert creator.check()
    meeting = Meeting(creator, tls)
    assert meeting.speaks()
    meeting.close()
    # What the CA before vouched for is not resumed.
    file.write_bytes(new_ca().cert_pem)
    assert creator.check()
    assert not Meeting(creator, tls).speaks()
    file.write_bytes(b"junk")
    assert not creator.check()


def test_who_asks_after_a_change_gets_what_is_there_now(files, ca, tmp_path):
    file = tmp_path / "changing.pem"
    file.write_bytes(new_ca().cert_pem)
    client_connections("a.example", str(file))
    file.write_bytes(ca.cert_pem)
    assert Meeting(client_connections("a.example", str(file)), files.upstream("a.example")).speaks()
    file.write_bytes(b"junk")
    with pytest.raises(ConfigError):
        client_connections("a.example", str(file))


def test_connections_that_must_not_stand_for_each_other_are_told_apart(files, ca, tmp_path):
    cert, key = ca.issue("proxy").write(tmp_path, "proxy")
    ways = [
        client_connections("a.example"),
        client_connections("b.example"),
        client_connections("b.example", server_name="c.example"),
        client_connections("a.example", insecure=True),
        client_connections("a.example", files.ca_file),
        client_connections("a.example", cert_file=cert, key_file=key),
    ]
    assert len({way.identity for way in ways}) == len(ways)
    assert client_connections("a.example", files.ca_file) is client_connections("a.example", files.ca_file)
    assert client_connections("x", server_name="a.example").identity == client_connections("a.example").identity


@pytest.mark.parametrize("host", ["", ".", "a b", "a" * 64 + "ü" + ".example", "a" * 256, "*.example"])
def test_a_host_that_no_certificate_can_have(host):
    with pytest.raises(UnicodeError):
        client_connections(host)
    with pytest.raises(ConfigError) as fault:
        client_connections("a.example", server_name=host, prefix="pools.a.")
    assert str(fault.value).startswith(
        f"pools.a.server-name {host}: no certificate has such a name; accepted is a host"
    )


def test_names_beyond_ascii_are_asked_for_as_dns_has_them(files):
    meeting = Meeting(client_connections("bücher.example", files.ca_file), files.upstream("xn--bcher-kva.example"))
    assert meeting.speaks()
    assert meeting.server_name == b"xn--bcher-kva.example"


def test_each_wrong_file_is_named(files, ca, tmp_path):
    cert, key = ca.issue("proxy").write(tmp_path, "proxy")
    none = str(tmp_path / "none.pem")
    cases = [
        ({"ca_file": none}, f"--upstream-ca {none}: No such file"),
        ({"ca_file": key}, f"--upstream-ca {key}: no certificate in it"),
        ({"cert_file": none}, f"--upstream-cert {none}: No such file"),
        ({"cert_file": cert}, f"--upstream-cert {cert}: no private key can be read from it"),
        ({"cert_file": cert, "key_file": none}, f"--upstream-key {none}: No such file"),
        ({"key_file": key}, f"--upstream-key {key}: needs --upstream-cert as well"),
    ]
    for settings, line in cases:
        with pytest.raises(ConfigError) as fault:
            client_connections("a.example", **settings)
        assert str(fault.value).startswith(line)


def test_the_cas_of_a_file(files, ca):
    assert trust_of(files.ca_file) == (ca.certificate,)
