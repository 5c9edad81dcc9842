"""Chains and keys are read from PEM files; each thing that is wrong is one line that names the file."""

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa, x25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from OpenSSL import SSL

from tests.tls.authority import DAY, named, new_ca
from txproxy.errors import ConfigError
from txproxy.tls.certificates import load_pair, names_of, read_certificates
from txproxy.tls.hardening import hardened, use_pair


def load(cert, key=None):
    return load_pair(cert, key, "--tls-cert", "--tls-key")


def test_a_chain_and_its_key_in_two_files(ca, tmp_path):
    site = ca.issue("between", ca=True).issue("a.example", "*.a.example", "10.0.0.1", "2001:db8::1")
    pair = load(*site.write(tmp_path, "site"))
    assert [one.subject for one in pair.chain] == [named("a.example"), named("between")]
    assert pair.names == ("a.example", "*.a.example", "10.0.0.1", "2001:db8::1")
    assert pair.not_after == site.certificate.not_valid_after_utc


@pytest.mark.parametrize("order", ["certificate first", "key first"])
def test_a_chain_and_its_key_in_one_file(ca, tmp_path, order):
    site = ca.issue("a.example")
    parts = [b"some words before\n", site.cert_pem, site.key_pem]
    file = tmp_path / "both.pem"
    file.write_bytes(b"".join(parts if order == "certificate first" else reversed(parts)))
    pair = load(str(file))
    assert pair.names == ("a.example",)
    assert pair.key.private_numbers() == site.key.private_numbers()


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_rsa_keys_in_both_forms(ca, tmp_path, form):
    key = rsa.generate_private_key(65537, 2048)
    cert, key_file = ca.issue("a.example", key=key).write(tmp_path, "rsa")
    with open(key_file, "wb") as file:
        file.write(key.private_bytes(Encoding.PEM, form, NoEncryption()))
    assert load(cert, key_file).key.key_size == 2048


def test_ed25519_keys(ca, tmp_path):
    pair = load(*ca.issue("a.example", key=ed25519.Ed25519PrivateKey.generate()).write(tmp_path, "ed"))
    use_pair(hardened(SSL.TLS_SERVER_METHOD), pair, "--tls-cert")


def test_the_common_name_counts_only_without_alternative_names(ca):
    subject = named("Common.Example")
    assert names_of(ca.issue(subject=subject).certificate) == ("common.example",)
    assert names_of(ca.issue("a.example", subject=subject).certificate) == ("a.example",)
    mail = [x509.RFC822Name("a@a.example")]
    assert names_of(ca.issue(subject=subject, san=mail).certificate) == ("common.example",)


def test_a_certificate_out_of_its_time_is_only_said(ca, tmp_path, said):
    old = ca.issue("old.example", begins=-3 * DAY, ends=-DAY)
    assert load(*old.write(tmp_path, "old")).names == ("old.example",)
    new = ca.issue("new.example", begins=DAY, ends=2 * DAY)
    assert load(*new.write(tmp_path, "new")).names == ("new.example",)
    assert [event["log_level"].name for event in said] == ["warn", "warn"]
    assert [event["where"] for event in said] == [f"--tls-cert {tmp_path}/{name}.pem" for name in ("old", "new")]
    assert said[0]["day"] == old.certificate.not_valid_after_utc.date()


def test_a_certificate_in_its_time_is_not_worth_a_word(ca, tmp_path, said):
    load(*ca.issue("a.example").write(tmp_path, "site"))
    assert said == []


def fault_of(*files):
    with pytest.raises(ConfigError) as fault:
        load(*files)
    line = str(fault.value)
    assert "\n" not in line
    return line


def test_a_missing_certificate(tmp_path):
    assert fault_of(str(tmp_path / "none.pem")).startswith(f"--tls-cert {tmp_path}/none.pem: No such file")


def test_a_file_that_is_no_pem(ca, tmp_path):
    cert, key = ca.issue("a.example").write(tmp_path, "site")
    junk = tmp_path / "junk"
    junk.write_bytes(b"\0\xff no PEM")
    assert fault_of(str(junk), key) == (
        f"--tls-cert {junk}: no certificate can be read from it; accepted is a PEM chain"
    )
    assert fault_of(cert, str(junk)) == (
        f"--tls-key {junk}: no private key can be read from it; accepted is a PEM key without password"
    )


def test_a_certificate_that_is_broken(ca, tmp_path):
    site = ca.issue("a.example")
    cert, key = site.write(tmp_path, "site")
    lines = site.cert_pem.splitlines()
    (tmp_path / "site.pem").write_bytes(b"\n".join([*lines[:2], b"AAAA", *lines[3:]]))
    assert fault_of(cert, key) == f"--tls-cert {cert}: a certificate in it cannot be read; accepted is PEM"


def test_a_certificate_without_a_key(ca, tmp_path):
    cert, _ = ca.issue("a.example").write(tmp_path, "site")
    assert fault_of(cert).startswith(f"--tls-cert {cert}: no private key can be read from it")


def test_a_key_that_is_broken(ca, tmp_path):
    cert, key = ca.issue("a.example").write(tmp_path, "site")
    (tmp_path / "site.key").write_bytes(b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    assert fault_of(cert, key).startswith(f"--tls-key {key}: no private key can be read from it")


def test_a_key_of_another_certificate(ca, tmp_path):
    cert, _ = ca.issue("a.example").write(tmp_path, "a")
    _, key = ca.issue("b.example").write(tmp_path, "b")
    assert fault_of(cert, key) == f"--tls-key {key}: the key does not belong to the certificate in {cert}"


def test_a_key_of_another_kind(ca, tmp_path):
    cert, key = ca.issue("a.example").write(tmp_path, "a")
    other = x25519.X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "a.key").write_bytes(other)
    assert fault_of(cert, key) == f"--tls-key {key}: the key does not belong to the certificate in {cert}"


def test_a_key_with_a_password(ca, tmp_path):
    site = ca.issue("a.example")
    cert, key = site.write(tmp_path, "site")
    (tmp_path / "site.key").write_bytes(site.encrypted_key_pem)
    assert fault_of(cert, key) == f"--tls-key {key}: the key is encrypted; accepted is a PEM key without password"


def test_a_key_that_openssl_finds_too_weak(ca, tmp_path):
    pair = load(*ca.issue("a.example", key=rsa.generate_private_key(65537, 1024)).write(tmp_path, "weak"))
    with pytest.raises(ConfigError, match=r"--tls-cert weak\.pem: OpenSSL refuses it \(.*key too small\)"):
        use_pair(hardened(SSL.TLS_SERVER_METHOD), pair, "--tls-cert weak.pem")


def test_all_certificates_of_a_bundle_in_order(ca, tmp_path):
    other = new_ca("another CA")
    bundle = tmp_path / "bundle.pem"
    bundle.write_bytes(b"# comment\n" + ca.cert_pem + b"\n# another\n" + other.cert_pem)
    assert read_certificates(str(bundle), "--tls-client-ca") == (ca.certificate, other.certificate)


def test_a_bundle_without_certificates(ca, tmp_path):
    (tmp_path / "bundle.pem").write_bytes(ca.key_pem)
    with pytest.raises(ConfigError, match=r"^--tls-client-ca .*bundle\.pem: no certificate in it; accepted is"):
        read_certificates(str(tmp_path / "bundle.pem"), "--tls-client-ca")


def test_a_pair_does_not_show_its_key(ca, tmp_path):
    assert "PrivateKey" not in repr(load(*ca.issue("a.example").write(tmp_path, "site")))
