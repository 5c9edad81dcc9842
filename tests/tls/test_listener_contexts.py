"""A listener's TLS: certificates by SNI, read again when they change, clients' certificates, sessions."""

import datetime
import gc
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from OpenSSL import SSL

from tests.tls.authority import DAY, Ends, client_context, new_ca
from txproxy.errors import ConfigError
from txproxy.tls.listener_contexts import ListenerTls, ServerConnections, ServerTls, server_context
from txproxy.tls.ticket_fronts import TICKET_KEY_LIFE

VERSIONS = pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION], ids=["1.2", "1.3"])


class Site:
    """A listener's files, and its TLS."""

    def __init__(self, directory, ca):
        self.directory = directory
        self.ca = ca
        self.now = 0.0
        self.files = []

    def add(self, *names):
        """A certificate for these names."""
        identity = self.ca.issue(*names)
        self.files.append(identity.write(self.directory, f"{len(self.files)}"))
        return identity

    def trust(self, *authorities):
        """The file of CAs that clients' certificates must be from."""
        file = self.directory / "clients.pem"
        file.write_bytes(b"".join(ca.cert_pem for ca in authorities))
        return str(file)

    def serve(self, **settings):
        return ServerTls(ListenerTls(certificates=tuple(self.files), **settings), seconds=lambda: self.now)


@pytest.fixture
def site(tmp_path, ca):
    return Site(tmp_path, ca)


def meet(tls, ca=None, name=None, version=None, **more):
    """A client meets the listener."""
    return Ends(tls.context(), client_context(ca, version=version, **more), name)


# -- by SNI


@VERSIONS
@pytest.mark.parametrize(
    ("name", "served"),
    [
        ("a.example", "a.example"),
        ("A.Example", "a.example"),
        ("b.example", "b.example"),
        ("www.b.example", "b.example"),
        ("exact.b.example", "exact.b.example"),
        ("a.b.b.example", "a.example"),
        ("unknown.example", "a.example"),
        (None, "a.example"),
    ],
)
def test_the_certificate_is_chosen_by_sni(site, ca, version, name, served):
    site.add("a.example")
    site.add("b.example", "*.b.example")
    site.add("exact.b.example")
    ends = meet(site.serve(), ca, name, version)
    assert ends.served == served
    assert ends.faults == []


def test_the_chain_is_sent_whole(site, ca):
    between = ca.issue("between", ca=True)
    site.files.append(between.issue("a.example").write(site.directory, "deep"))
    ends = meet(site.serve(), ca, "a.example")
    assert ends.faults == []
    assert len(ends.client.get_peer_cert_chain()) == 2


def test_the_first_of_two_certificates_for_a_name_is_served(site, ca):
    first = site.add("a.example")
    site.add("a.example")
    ends = meet(site.serve(), ca, "a.example")
    assert ends.client.get_peer_certificate().to_cryptography() == first.certificate


def test_names_that_no_host_has_get_the_default(site, ca):
    site.add("a.example")
    tls = site.serve()
    for name in (b"\xff\xfe", b"::1::", b"..", b"a" * 255):
        client = SSL.Connection(client_context(ca), None)
        client.set_connect_state()
        client.set_tlsext_host_name(name)
        ends = Ends(tls.context(), None, client=client)
        assert ends.faults == []
        assert ends.served == "a.example"


def test_what_it_serves(site):
    site.add("a.example", "*.w.example", "10.0.0.1", "::1")
    site.add("b.example")
    tls = site.serve()
    for host in ("a.example", "A.example.", "x.w.example", "b.example", "10.0.0.1", "::1", "0:0::1"):
        assert tls.serves(host), host
    for host in ("w.example", "x.y.w.example", "c.example", "10.0.0.2", "::2", ""):
        assert not tls.serves(host), host


def test_a_client_asked_to_try_again_gets_its_certificate(site, ca):
    # Its first key share is for a group that is not on offer: HelloRetryRequest, and a second choice by SNI, through a
    # front that is out of use by then.
    site.add("a.example")
    site.add("b.example")
    tls = site.serve()
    context = client_context(ca, version=SSL.TLS1_3_VERSION)
    assert SSL._lib.SSL_CTX_set1_curves_list(context._context, b"P-521:P-384")
    client, server = SSL.Connection(context, None), SSL.Connection(tls.context(), None)
    client.set_connect_state()
    client.set_tlsext_host_name(b"b.example")
    server.set_accept_state()
    sent = []
    for end, other in ((client, server), (server, client)):
        with pytest.raises(SSL.WantReadError):
            end.do_handshake()
        sent.append(end.bio_read(65536))
        other.bio_write(sent[-1])
    site.now = TICKET_KEY_LIFE
    tls.check()
    gc.collect()
    ends = Ends(None, None, client=client, server=server)
    assert sent[1][11:43] == hashlib.sha256(b"HelloRetryRequest").digest()  # RFC 8446 section 4.1.3
    assert ends.faults == []
    assert ends.served == "b.example"


# -- what it speaks


@pytest.mark.parametrize(
    ("offered", "spoken"),
    [
        ([b"http/1.1"], b"http/1.1"),
        ([b"h2", b"http/1.1"], b"http/1.1"),
        ([b"http/1.0", b"http/1.1"], b"http/1.1"),
        ([b"http/1.0"], b"http/1.0"),
        (None, b""),
    ],
)
def test_alpn_is_http_1_or_none(site, ca, offered, spoken):
    site.add("a.example")
    context = client_context(ca)
    if offered is not None:
        context.set_alpn_protos(offered)
    ends = Ends(site.serve().context(), context, "a.example")
    assert ends.faults == []
    assert ends.client.get_alpn_proto_negotiated() == spoken


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
def test_who_offers_nothing_that_is_spoken_gets_an_alert(site, ca, version):
    # RFC 7301 section 3.2
    site.add("a.example")
    for _ in range(2):
        context = client_context(ca, version=version)
        context.set_alpn_protos([b"h2", b"acme-tls/1"])
        ends = Ends(site.serve().context(), context, "a.example")
        assert "no application protocol" in str(ends.faults)
    # and harms nobody who comes after
    assert meet(site.serve(), ca, "a.example").faults == []


def test_alpn_takes_our_preference(site, ca):
    site.add("a.example")
    context = client_context(ca)
    context.set_alpn_protos([b"x", b"y"])
    ends = Ends(site.serve(alpn=(b"y", b"x")).context(), context)
    assert ends.client.get_alpn_proto_negotiated() == b"y"


def test_alpn_may_be_off(site, ca):
    site.add("a.example")
    context = client_context(ca)
    context.set_alpn_protos([b"http/1.1"])
    assert Ends(site.serve(alpn=()).context(), context).client.get_alpn_proto_negotiated() == b""


def test_no_version_under_1_3_if_so_told(site, ca):
    site.add("a.example")
    assert meet(site.serve(), ca, version=SSL.TLS1_2_VERSION).client.get_protocol_version_name() == "TLSv1.2"
    tls = site.serve(min_version="1.3")
    assert meet(tls, ca, version=SSL.TLS1_2_VERSION).server_refused
    assert meet(tls, ca).client.get_protocol_version_name() == "TLSv1.3"


def test_ciphers_of_both_versions_can_be_told(site, ca):
    site.add("a.example")
    tls = site.serve(ciphers="ECDHE-ECDSA-AES256-GCM-SHA384:TLS_CHACHA20_POLY1305_SHA256")
    assert meet(tls, ca, version=SSL.TLS1_2_VERSION).client.get_cipher_name() == "ECDHE-ECDSA-AES256-GCM-SHA384"
    assert meet(tls, ca, version=SSL.TLS1_3_VERSION).client.get_cipher_name() == "TLS_CHACHA20_POLY1305_SHA256"


def test_a_plain_context_is_still_to_be_had(site, ca):
    identity = site.add("a.example")
    context = server_context(*site.files[0])
    assert Ends(context, client_context(ca)).served == "a.example"
    both = site.directory / "both.pem"
    both.write_bytes(identity.cert_pem + identity.key_pem)
    assert Ends(server_context(str(both), None, "1.3"), client_context(ca)).served == "a.example"


def test_twisted_gets_its_connections_from_a_context_or_a_source(site, ca):
    site.add("a.example")
    tls = site.serve()
    for source in (tls.context(), tls.context):
        connection = ServerConnections(source).serverConnectionForTLS(object())
        assert connection.get_context() is tls.context()


# -- files that change


def test_a_new_certificate_is_served_without_a_restart(site, ca):
    site.add("a.example")
    site.add("b.example")
    tls = site.serve()
    before = meet(tls, ca, "a.example")
    assert not tls.check()
    newer = ca.issue("a.example", "new.example")
    newer.write(site.directory, "0")
    assert tls.check()
    after = meet(tls, ca, "a.example")
    assert after.client.get_peer_certificate().to_cryptography() == newer.certificate
    assert tls.pairs[0].names == ("a.example", "new.example")
    assert tls.serves("new.example")
    assert meet(tls, ca, "b.example").served == "b.example"
    # The connection from before goes on.
    before.client.send(b"still here")
    before.server.bio_write(before.client.bio_read(65536))
    assert before.server.recv(100) == b"still here"
    assert before.faults == []


def test_a_handshake_that_has_begun_ends_well(site, ca):
    site.add("a.example")
    tls = site.serve()
    server = SSL.Connection(tls.context(), None)
    server.set_accept_state()
    ca.issue("a.example").write(site.directory, "0")
    assert tls.check()
    client = SSL.Connection(client_context(ca), None)
    client.set_connect_state()
    ends = Ends(tls.context(), None, client=client)
    assert ends.faults == []


def test_a_certificate_whose_key_is_not_there_yet_waits_for_it(site, ca, said):
    site.add("a.example")
    tls = site.serve()
    newer = ca.issue("a.example")
    (site.directory / "0.pem").write_bytes(newer.cert_pem)
    assert not tls.check()
    assert not tls.check()
    assert meet(tls, ca, "a.example").faults == []
    assert [event["fault"] for event in said if "fault" in event] == [
        f"--tls-key {site.files[0][1]}: the key does not belong to the certificate in {site.files[0][0]}"
    ]
    (site.directory / "0.key").write_bytes(newer.key_pem)
    assert tls.check()
    assert meet(tls, ca).client.get_peer_certificate().to_cryptography() == newer.certificate


def test_one_broken_file_holds_no_other_back(site, ca):
    site.add("a.example")
    site.add("b.example")
    tls = site.serve()
    (site.directory / "0.pem").unlink()
    ca.issue("c.example").write(site.directory, "1")
    assert tls.check()
    assert meet(tls, ca, "a.example").served == "a.example"
    assert meet(tls, ca, "c.example").served == "c.example"


def test_a_key_that_openssl_refuses_keeps_the_one_before(site, ca, said):
    site.add("a.example")
    tls = site.serve()
    ca.issue("a.example", key=rsa.generate_private_key(65537, 1024)).write(site.directory, "0")
    assert not tls.check()
    assert meet(tls, ca, "a.example").faults == []
    assert "OpenSSL refuses it" in said[-1]["fault"]


# -- clients' certificates


@VERSIONS
def test_a_client_must_show_a_certificate_of_the_ca(site, ca, version):
    site.add("a.example")
    clients = new_ca("the clients' CA")
    tls = site.serve(client_ca=site.trust(clients))
    assert meet(tls, ca, version=version).server_refused
    stranger = new_ca("the clients' CA").issue("client")
    assert meet(tls, ca, version=version, identity=stranger).server_refused
    assert meet(tls, ca, version=version, identity=ca.issue("another's")).server_refused
    assert meet(tls, ca, version=version, identity=clients.issue("late", ends=-DAY / 2)).server_refused
    assert meet(tls, ca, version=version, identity=clients.issue("client")).faults == []


@VERSIONS
def test_a_client_may_show_a_certificate_but_no_wrong_one(site, ca, version):
    site.add("a.example")
    clients = new_ca("the clients' CA")
    tls = site.serve(client_ca=site.trust(clients), client_auth="optional")
    assert meet(tls, ca, version=version).faults == []
    assert meet(tls, ca, version=version, identity=clients.issue("client")).faults == []
    assert meet(tls, ca, version=version, identity=new_ca().issue("stranger")).server_refused


def test_any_of_several_cas_will_do(site, ca):
    site.add("a.example")
    one, two = new_ca("one"), new_ca("two")
    tls = site.serve(client_ca=site.trust(one, two))
    assert meet(tls, ca, identity=one.issue("client")).faults == []
    assert meet(tls, ca, identity=two.issue("client")).faults == []


def test_intermediate_cas_up_to_a_depth(site, ca):
    site.add("a.example")
    clients = new_ca("the clients' CA")
    below = clients.issue("below", ca=True)
    deeper = below.issue("deeper", ca=True)
    tls = site.serve(client_ca=site.trust(clients), client_depth=1)
    assert meet(tls, ca, identity=below.issue("client")).faults == []
    assert meet(tls, ca, identity=deeper.issue("client")).server_refused


def test_clients_certificates_are_asked_for_whatever_the_name(site, ca):
    site.add("a.example")
    site.add("b.example")
    tls = site.serve(client_ca=site.trust(new_ca()))
    for name in (None, "a.example", "b.example", "unknown.example"):
        assert meet(tls, ca, name).server_refused


def test_a_new_client_ca_takes_over(site, ca):
    site.add("a.example")
    old, new = new_ca("old"), new_ca("new")
    tls = site.serve(client_ca=site.trust(old))
    site.trust(new)
    assert tls.check()
    assert meet(tls, ca, identity=old.issue("client")).server_refused
    assert meet(tls, ca, identity=new.issue("client")).faults == []


def test_a_client_ca_that_cannot_be_read_leaves_the_one_before(site, ca, said):
    site.add("a.example")
    clients = new_ca("the clients' CA")
    tls = site.serve(client_ca=site.trust(clients))
    site.trust()
    assert not tls.check()
    assert meet(tls, ca, identity=clients.issue("client")).faults == []
    assert meet(tls, ca).server_refused
    assert said[-1]["fault"].startswith(f"--tls-client-ca {site.directory}/clients.pem: no certificate in it")


# -- sessions


def resumed(ends):
    return bool(SSL._lib.SSL_session_reused(ends.server._ssl))


class Visitor:
    """A client that comes back."""

    def __init__(self, ca, version, tickets=True, identity=None):
        self.context = client_context(ca, version=version, identity=identity)
        if not tickets:
            self.context.set_options(SSL.OP_NO_TICKET)
        self.session = None

    def visit(self, tls, name="a.example"):
        """Whether the session of the last visit was resumed."""
        ends = Ends(tls.context(), self.context, name, self.session)
        assert ends.faults == []
        result = resumed(ends)
        self.session = ends.close()
        return result


@VERSIONS
@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "cache"])
def test_sessions_are_resumed_whatever_certificate_served_them(site, ca, version, tickets):
    site.add("a.example")
    site.add("b.example")
    tls = site.serve()
    for name in ("a.example", "b.example", None):
        visitor = Visitor(ca, version, tickets)
        assert [visitor.visit(tls, name) for _ in range(3)] == [False, True, True]


@VERSIONS
def test_sessions_outlive_another_certificate(site, ca, version):
    site.add("a.example")
    tls = site.serve()
    visitor = Visitor(ca, version)
    visitor.visit(tls)
    ca.issue("a.example").write(site.directory, "0")
    assert tls.check()
    assert visitor.visit(tls)


@VERSIONS
def test_the_keys_of_tickets_are_changed_in_time(site, ca, version):
    site.add("a.example")
    tls = site.serve()
    visitor = Visitor(ca, version)
    visitor.visit(tls)
    site.now = TICKET_KEY_LIFE - 1
    assert not tls.check()
    assert visitor.visit(tls)
    site.now = TICKET_KEY_LIFE
    assert not tls.check()
    assert [visitor.visit(tls) for _ in range(2)] == [False, True]


@VERSIONS
@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "cache"])
def test_a_session_is_no_way_into_another_listener(site, ca, version, tickets):
    site.add("a.example")
    free, strict = site.serve(), site.serve(client_ca=site.trust(new_ca()))
    visitor = Visitor(ca, version, tickets)
    visitor.visit(free)
    ends = Ends(strict.context(), visitor.context, "a.example", visitor.session)
    assert ends.server_refused
    assert not resumed(ends)


@VERSIONS
@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "cache"])
def test_a_resumed_session_still_knows_the_clients_certificate(site, ca, version, tickets):
    site.add("a.example")
    clients = new_ca("the clients' CA")
    tls = site.serve(client_ca=site.trust(clients))
    identity = clients.issue("client")
    visitor = Visitor(ca, version, tickets, identity)
    assert [visitor.visit(tls) for _ in range(2)] == [False, True]
    ends = Ends(tls.context(), visitor.context, "a.example", visitor.session)
    assert resumed(ends)
    assert ends.server.get_peer_certificate().to_cryptography() == identity.certificate


@VERSIONS
@pytest.mark.parametrize("tickets", [True, False], ids=["tickets", "cache"])
def test_a_session_does_not_outlive_the_ca_that_vouched_for_the_client(site, ca, version, tickets):
    site.add("a.example")
    old = new_ca("old")
    tls = site.serve(client_ca=site.trust(old))
    visitor = Visitor(ca, version, tickets, old.issue("client"))
    visitor.visit(tls)
    site.trust(new_ca("new"))
    assert tls.check()
    ends = Ends(tls.context(), visitor.context, "a.example", visitor.session)
    assert ends.server_refused


# -- what is wrong


def faults_of(**settings):
    with pytest.raises(ConfigError) as fault:
        ServerTls(ListenerTls(**settings))
    return str(fault.value).split("\n")


def test_each_wrong_file_has_its_line(site, ca):
    good = ca.issue("a.example").write(site.directory, "good")
    none, bad = str(site.directory / "none.pem"), site.directory / "bad.pem"
    bad.write_text("junk")
    assert faults_of(certificates=((none, None), good, (str(bad), None)), client_ca=str(bad), prefix="tls.") == [
        f"tls.client-ca {bad}: no certificate in it; accepted is a PEM file of CA certificates",
        f"tls.cert {none}: No such file or directory; accepted is a PEM file that can be read",
        f"tls.cert {bad}: no certificate can be read from it; accepted is a PEM chain",
    ]


def test_each_wrong_value_has_its_line():
    lines = faults_of(certificates=(), min_version="1.1", client_auth="maybe", client_depth=-1, ciphers="nonsense")
    assert lines == [
        "--tls-cert: at least one is needed; accepted is a PEM chain",
        "--tls-min-version 1.1: no such version; accepted: 1.2, 1.3",
        "--tls-client-auth maybe: no such way; accepted: require, optional",
        "--tls-client-depth -1: less than none; accepted is 0 or more",
        "--tls-ciphers nonsense: there are no such ciphers; accepted is an OpenSSL cipher string",
    ]


@pytest.mark.parametrize("ciphers", ["", "ÄES", "TLS_NO_SUCH_SUITE", "TLS_AES_128_GCM_SHA256:nonsense"])
def test_ciphers_that_openssl_does_not_know(site, ciphers):
    site.add("a.example")
    assert faults_of(certificates=tuple(site.files), ciphers=ciphers) == [
        f"--tls-ciphers {ciphers}: there are no such ciphers; accepted is an OpenSSL cipher string"
    ]


@VERSIONS
def test_a_key_on_a_curve_that_is_not_on_offer_is_no_fault(site, ca, version):
    # The key exchange and the certificate's key are two things.
    site.files.append(ca.issue("a.example", key=ec.generate_private_key(ec.SECP521R1())).write(site.directory, "big"))
    assert meet(site.serve(), ca, version=version).faults == []


def test_pairs_tell_when_they_end(site):
    identity = site.add("a.example")
    assert [pair.not_after for pair in site.serve().pairs] == [identity.certificate.not_valid_after_utc]
    assert identity.certificate.not_valid_after_utc > datetime.datetime.now(datetime.timezone.utc)
