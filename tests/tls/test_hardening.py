"""What a listener speaks by default is what a scanner would want, and nothing else."""

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from OpenSSL import SSL

from tests.tls.authority import Ends, client_context
from txproxy.tls.hardening import hardened, use_groups
from txproxy.tls.listener_contexts import ListenerTls, ServerTls

GROUPS = ["X25519", "P-256", "P-384"]


@pytest.fixture
def tls(tmp_path, ca):
    """With an ECDSA key."""
    return ServerTls(ListenerTls(certificates=(ca.issue("a.example").write(tmp_path, "site"),)))


def meet(tls, ca, version, groups=None, ciphers=None):
    context = client_context(ca, version=version)
    if groups is not None:
        assert SSL._lib.SSL_CTX_set1_curves_list(context._context, groups.encode("ascii")) == 1
    if ciphers is not None:
        context.set_cipher_list(ciphers.encode("ascii"))
    return Ends(tls.context(), context)


@pytest.mark.parametrize("version", [SSL.TLS1_2_VERSION, SSL.TLS1_3_VERSION])
@pytest.mark.parametrize("group", GROUPS)
def test_strong_curves_are_on_offer(tmp_path, ca, version, group):
    # In TLS 1.2 the groups are those of an ECDSA key as well.
    site = ca.issue("a.example", key=rsa.generate_private_key(65537, 2048)).write(tmp_path, "rsa")
    tls = ServerTls(ListenerTls(certificates=(site,)))
    assert meet(tls, ca, version, group).faults == []


@pytest.mark.parametrize("group", ["P-521", "ffdhe2048", "ffdhe3072", "X448"])
def test_no_other_group_is(tls, ca, group):
    assert meet(tls, ca, SSL.TLS1_3_VERSION, group).server_refused


def test_the_client_chooses_chacha_if_that_is_what_it_prefers(tls, ca):
    both = "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256"
    ends = meet(tls, ca, SSL.TLS1_2_VERSION, ciphers=both)
    assert ends.client.get_cipher_name() == "ECDHE-ECDSA-CHACHA20-POLY1305"
    ends = meet(tls, ca, SSL.TLS1_2_VERSION, ciphers=":".join(reversed(both.split(":"))))
    assert ends.client.get_cipher_name() == "ECDHE-ECDSA-AES128-GCM-SHA256"


def test_groups_stay_openssls_own_where_pyopenssl_has_no_way(monkeypatch):
    monkeypatch.delattr(SSL, "_lib")
    context = object()
    use_groups(context)


def test_a_client_may_not_renegotiate(tls, ca):
    ends = meet(tls, ca, SSL.TLS1_2_VERSION)
    assert ends.client.renegotiate()
    ends.exchange()
    is_server, fault = ends.faults[0]
    assert not is_server
    assert fault.args[0][0][2] == "no renegotiation"
    assert ends.server.total_renegotiations() == 0


def test_compression_and_renegotiation_are_off():
    flags = hardened(SSL.TLS_SERVER_METHOD).set_options(0)
    assert flags & SSL.OP_NO_COMPRESSION
    assert flags & 0x40000000
