"""Who may ask, by what a browser says of the page that asks."""

import pytest

from txproxy.admin.access_checks import Access
from txproxy.admin.api_call import ApiFault
from txproxy.config.admin_endpoint import AdminConfig
from txproxy.errors import ConfigError

LOOPBACK = "127.0.0.1:9090"
EVERYWHERE = "9090"
UNIX = "unix:/run/a.sock"
GOOD = ["localhost", "localhost:9090", "LOCALHOST:1", "127.0.0.1", "127.5.5.5:9090", "[::1]", "[::1]:9090"]
BAD = ["evil.example", "localhost.evil.example", "localhost.", "10.0.0.1:9090", "0.0.0.0", "[::2]", "[", "", "a b"]


def status(listen, hosts, origins=(), minor=1):
    config = AdminConfig(listen=listen, token_file="token" if listen == EVERYWHERE else None)
    try:
        Access(config).check_origin(hosts, origins, minor)
    except ApiFault as fault:
        return fault.status
    return 200


@pytest.mark.parametrize("listen", [LOOPBACK, "[::1]:9090", "tcp:9090:interface=127.0.0.1"])
def test_on_loopback_the_host_is_of_loopback(listen):
    assert {host: status(listen, [host]) for host in GOOD} == dict.fromkeys(GOOD, 200)
    assert {host: status(listen, [host]) for host in BAD} == dict.fromkeys(BAD, 403)


def test_elsewhere_the_host_is_whatever_it_is_called():
    assert {status(EVERYWHERE, [host]) for host in GOOD + BAD} == {200}


def test_there_is_one_host():
    assert status(LOOPBACK, ["localhost", "localhost"]) == 400
    assert status(LOOPBACK, []) == 400
    assert status(LOOPBACK, [], minor=0) == 200, "of HTTP/1.0, which no browser speaks"


@pytest.mark.parametrize("listen", [LOOPBACK, EVERYWHERE])
@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ("http://localhost:9090", 200),
        ("http://LOCALHOST:9090", 200),
        ("http://localhost:3000", 403),
        ("http://localhost", 403),
        ("http://evil.example", 403),
        ("http://[", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_a_page_that_asks_is_our_own(listen, origin, expected):
    assert status(listen, ["localhost:9090"], [origin]) == expected
    assert status(listen, ["localhost:9090"], ["http://localhost:9090", origin]) == expected


def test_no_browser_reaches_a_unix_socket():
    assert status(UNIX, ["anything"], ["http://evil.example"]) == 200


def test_the_token_is_read_and_a_change_is_seen(tmp_path):
    file = tmp_path / "token"
    config = AdminConfig(listen=UNIX, token_file=str(file))
    with pytest.raises(ConfigError, match=r"^token_file: .*: No such file or directory; accepted is a file"):
        Access.of(config)
    file.write_text("0123456789abcdef\n")
    access = Access.of(config)
    assert access.token == b"0123456789abcdef" and not access.changed
    assert "0123456789abcdef" not in repr(access)
    file.write_text("another-one-0123456789\n")
    assert access.changed
    file.unlink()
    assert access.changed
    assert not Access(AdminConfig(listen=UNIX)).changed
