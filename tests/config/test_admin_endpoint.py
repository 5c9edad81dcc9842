"""Where the admin API may be served, and with which tokens."""

import pytest

from txproxy.config.admin_endpoint import AdminConfig, WatchedToken, check_place, read_token
from txproxy.errors import ConfigError

LOCAL = [
    "unix:/run/a.sock",
    "unix:address=/run/a.sock:mode=660",
    "systemd:domain=UNIX:index=0",
    "127.0.0.1:9090",
    "127.8.8.8:1",
    "[::1]:9090",
    "tcp:9090:interface=127.0.0.1",
    r"tcp6:9090:interface=\:\:1",
]
OPEN = ["9090", ":9090", "[::]:9090", "0.0.0.0:9090", "10.0.0.1:1", "tcp:9090", "systemd:domain=INET:index=0",
        "[::ffff:127.0.0.1]:9090"]  # fmt: skip


@pytest.mark.parametrize("listen", LOCAL)
def test_what_only_this_machine_reaches_needs_no_token(listen):
    assert AdminConfig(listen=listen).is_local


@pytest.mark.parametrize("listen", OPEN)
def test_what_others_reach_does(listen):
    with pytest.raises(ConfigError) as fault:
        AdminConfig(listen=listen)
    (finding,) = fault.value.findings
    assert finding.path == ("listen",)
    assert "needs a token; accepted are a UNIX socket, an address on loopback, and a token file" in finding.text
    assert not AdminConfig(listen=listen, token_file="token").is_local


@pytest.mark.parametrize(
    ("listen", "mode"),
    [("unix:/a", 0o600), ("unix:/a:mode=660", 0o660), ("unix:/a:640", 0o640), ("unix:address=/a", 0o600)],
)
def test_a_unix_socket_is_for_its_owner_where_nothing_else_is_said(listen, mode):
    assert AdminConfig(listen=listen).unix_mode == mode


@pytest.mark.parametrize(
    "token", ["0123456789abcdef", "  0123456789abcdef\r\n\n", "a" * 512, "abcdefghij-._~+/==", "ABCDEF0123456789=="]
)
def test_tokens(token, tmp_path):
    file = tmp_path / "token"
    file.write_text(token)
    assert read_token(str(file)) == token.strip().encode()


@pytest.mark.parametrize(
    "token",
    ["", "\n", "short", "0123456789abcde", "a" * 513, "0123456789 abcdef", "0123456789abcdef\nb", "ü" * 16, "a" * 9999],
)
def test_what_is_no_token_is_not_shown(token, tmp_path):
    file = tmp_path / "token"
    file.write_text(token)
    with pytest.raises(ConfigError) as fault:
        read_token(str(file))
    assert str(fault.value).startswith(f"{file}: there is no token in it; accepted is one line of 16 to 512 letters")


def test_a_file_that_cannot_be_read_is_told_of(tmp_path):
    for name, why in [("none", "No such file"), (".", "Is a directory"), ("a\0b", "null")]:
        with pytest.raises(ConfigError, match=why):
            read_token(f"{tmp_path}/{name}")


def test_a_place_is_taken_once():
    admin = AdminConfig(listen="127.0.0.1:9090")
    check_place(admin, ["8080", "127.0.0.2:9090", "unix:/a"])
    for other in ("9090", "127.0.0.1:9090", "tcp:9090:interface=127.0.0.1"):
        with pytest.raises(ConfigError, match=r"^listen: 127\.0\.0\.1:9090: a listener is there; accepted"):
            check_place(admin, ["8080", other])


@pytest.mark.parametrize(
    ("listen", "place"),
    [
        ("127.0.0.1:9090", ("127.0.0.1", 9090)),
        ("[::1]:9090", ("::1", 9090)),
        ("unix:/run/a.sock", None),
        ("systemd:domain=UNIX:index=0", None),
        ("127.0.0.1:0", None),
    ],
)
def test_a_port_without_a_token_trusts_who_is_on_this_machine(listen, place):
    assert AdminConfig(listen=listen).trusting == place
    assert AdminConfig(listen=listen, token_file="token").trusting is None


def test_a_token_is_watched(tmp_path):
    file = tmp_path / "admin.token"
    watched = WatchedToken(str(file))
    assert not watched.is_it(b"")
    file.write_text("0123456789abcdef\n")
    assert watched.is_it(b"0123456789abcdef") and not watched.is_it(b"0123456789abcde")
    file.write_text("another-one-0123456789\n")
    assert watched.is_it(b"another-one-0123456789") and not watched.is_it(b"0123456789abcdef")
    # What cannot be read changes nothing.
    file.write_text("short\n")
    assert watched.is_it(b"another-one-0123456789") and not watched.is_it(b"short")
    file.unlink()
    assert watched.is_it(b"another-one-0123456789")
