"""What who starts it is told of each listener."""

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress

from txproxy.config import load
from txproxy.config.start_lines import start_line

FILE = """
[[listeners]]
listen = "8080"
pool = "app"
[[listeners]]
listen = "unix:/run/x"
pool = "app"
[[listeners]]
mode = "forward"
listen = "[::1]:3128"
[[listeners]]
mode = "forward"
protocols = "http"
parents = ["http://user:s3cret@parent:1"]
listen = "3129"
[[listeners]]
mode = "tcp"
listen = "5432"
pool = "db"
[pools.app]
upstreams = ["http://a", "http://b"]
[pools.db]
upstreams = ["a:1"]
[[routes]]
name = "one"
pool = "app"
listeners = ["listener 2"]
"""
ANYWHERE = IPv4Address("TCP", "0.0.0.0", 8080)


@pytest.mark.parametrize(
    ("number", "tls", "host", "line"),
    [
        (0, False, IPv4Address("TCP", "127.0.0.1", 8080), "http://127.0.0.1:8080 -> app (2 upstreams)"),
        (0, True, ANYWHERE, "https://0.0.0.0:8080 -> app (2 upstreams)"),
        (1, False, UNIXAddress(b"/run/x"), "http+unix:/run/x -> 1 route, app (2 upstreams)"),
        (2, False, IPv6Address("TCP", "::1", 3128), "http://[::1]:3128 -> HTTP and SOCKS5 to anywhere allowed"),
        (3, False, ANYWHERE, "http://0.0.0.0:8080 -> HTTP to anywhere allowed through parents"),
        (4, False, ANYWHERE, "tcp://0.0.0.0:8080 -> db (1 upstream)"),
        (4, True, ANYWHERE, "tls://0.0.0.0:8080 -> db (1 upstream)"),
    ],
)
def test_a_listener_is_a_line(tmp_path, number, tls, host, line):
    (tmp_path / "proxy.toml").write_text(FILE)
    config = load(str(tmp_path / "proxy.toml"))
    assert start_line(config, config.listeners[number], tls, host) == line


def test_a_certificate_for_trials_is_marked(tmp_path):
    begin = '[[listeners]]\ntls_listen = "1"\nself_signed = true'
    (tmp_path / "proxy.toml").write_text(FILE.replace("[[listeners]]", begin, 1))
    config = load(str(tmp_path / "proxy.toml"))
    line = start_line(config, config.listeners[0], True, ANYWHERE)
    assert line.endswith(" -> app (2 upstreams), by a self-signed certificate for trials (localhost, 127.0.0.1, ::1)")
    assert "trials" not in start_line(config, config.listeners[0], False, ANYWHERE)
