"""Paths that a real upstream reads in its own way get around no rule."""

import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port

# what nginx finds /admin in
SPELLINGS = [
    "//admin/secret", "/%2fadmin/secret", "/x/..%2fadmin/secret", "/x//../admin/secret", "/.//admin/secret",
    "/admin%2fsecret", "/x/../admin/secret", "/%61dmin/secret", "/admin//secret", "/./admin/secret", "/admin/secret",
]  # fmt: skip


def ask(port, target, host):
    with socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
        client.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        received = b""
        while data := client.recv(65536):
            received += data
    return int(received.split(b" ")[1]), received


@pytest.fixture
def nginx(run_nginx):
    nginx = run_nginx()
    (nginx.directory / "www" / "admin").mkdir()
    (nginx.directory / "www" / "admin" / "secret").write_text("the secret")
    (nginx.directory / "www" / "open").mkdir()
    (nginx.directory / "www" / "open" / "a b").write_text("open to all")
    return nginx


@pytest.fixture
def reverse_port(nginx, processes, tmp_path):
    port = free_port()
    (tmp_path / "edge.toml").write_text(f"""
[[listeners]]
listen = "tcp:{port}:interface=127.0.0.1"
pool = "nginx"
[pools.nginx]
upstreams = ["{nginx.url}"]
[[routes]]
name = "admin"
path = "/admin"
respond = 403
[[routes]]
name = "below"
path = "/below"
strip_prefix = "/below"
add_prefix = "/open"
pool = "nginx"
""")
    words = ["-m", "txproxy", "run", "--config", "edge.toml"]
    processes(sys.executable, *words, port=port, cwd=tmp_path, stdout=subprocess.DEVNULL)
    return port


def test_no_spelling_gets_around_a_route(nginx, reverse_port):
    for target in SPELLINGS:
        assert ask(nginx.port, target, "a")[0] == 200, target
        status, received = ask(reverse_port, target, "a")
        assert status in (400, 403), target
        assert b"the secret" not in received
    for target in ("/below/..%2fadmin/secret", "/below/x/..%2f..%2fadmin/secret", "/below/../admin/secret"):
        assert ask(reverse_port, target, "a")[0] == 400
    for target in ("/open/a%20b", "//open/a%20b", "/open%2fa%20b", "/x/..%2fopen/a%20b", "/below//a%20b"):
        assert ask(reverse_port, target, "a")[1].endswith(b"open to all"), target


@pytest.mark.parametrize("refused", ["rule", "list"])
def test_no_spelling_gets_around_a_rule(nginx, run_forward, tmp_path, refused):
    pattern = f"{nginx.url}/admin/*"
    if refused == "rule":
        rules = [{"action": "deny", "url": pattern}, {"action": "allow"}]
        proxy = run_forward(rules=rules)
    else:
        (tmp_path / "list").write_text(pattern + "\n")
        proxy = run_forward(filters=[str(tmp_path / "list")])
    for target in SPELLINGS:
        status, received = ask(proxy.port, nginx.url + target, f"127.0.0.1:{nginx.port}")
        assert status == 403 and b"the secret" not in received, target
    assert ask(proxy.port, nginx.url + "/open%2fa%20b", f"127.0.0.1:{nginx.port}")[0] == 200


def test_a_rule_allows_nothing_that_may_be_something_else(nginx, run_forward):
    proxy = run_forward(rules=[{"action": "allow", "url": f"{nginx.url}/open/*"}])
    for target in ("/open/../admin/secret", "/open/..%2fadmin/secret", "/open//../../admin/secret"):
        assert ask(proxy.port, nginx.url + target, f"127.0.0.1:{nginx.port}")[0] == 403, target
    assert ask(proxy.port, nginx.url + "/open//a%20b", f"127.0.0.1:{nginx.port}")[0] == 200
