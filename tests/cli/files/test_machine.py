"""What there is on the machine."""

import socket

import pytest

from tests.tls.authority import new_ca
from txproxy.cli.files.machine import certificates_in_folder, found_certificate, free_port, users_in_folder
from txproxy.errors import ConfigError


def test_a_port_is_free_that_nobody_has():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        taken.listen()
        if port < 65000:
            found = free_port(port)
            assert port < found < port + 100
            assert free_port(port, [found]) not in (port, found)


def test_certificates_are_those_whose_keys_are_there(tmp_path):
    ca = new_ca()
    both, apart, alone = (ca.issue(f"{name}.example") for name in ("both", "apart", "alone"))
    (tmp_path / "both.pem").write_bytes(both.key_pem + both.cert_pem)
    (tmp_path / "apart.crt").write_bytes(apart.cert_pem)
    (tmp_path / "apart.key").write_bytes(apart.key_pem)
    (tmp_path / "alone.pem").write_bytes(alone.cert_pem)
    (tmp_path / "text.pem").write_text("nothing")
    (tmp_path / "folder.pem").mkdir()
    found = certificates_in_folder(str(tmp_path))
    assert [(one.cert, one.key, one.names) for one in found] == [
        (str(tmp_path / "apart.crt"), str(tmp_path / "apart.key"), ("apart.example",)),
        (str(tmp_path / "both.pem"), None, ("both.example",)),
    ]
    assert certificates_in_folder(str(tmp_path / "gone")) == []
    with pytest.raises(ConfigError, match=r"alone.pem: no private key"):
        found_certificate(str(tmp_path / "alone.pem"), None)


def test_users_are_in_the_format_of_htpasswd(tmp_path):
    assert users_in_folder(str(tmp_path)) is None
    (tmp_path / "users").write_text("bob:nonsense\n")
    (tmp_path / "htpasswd").write_text("")
    assert users_in_folder(str(tmp_path)) is None
    (tmp_path / "site.htpasswd").write_text("bob:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/\n")
    assert users_in_folder(str(tmp_path)) == str(tmp_path / "site.htpasswd")
