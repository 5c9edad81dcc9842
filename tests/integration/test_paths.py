"""Paths that a real upstream reads in its own way get around no rule."""

import random
import socket
import subprocess
import sys

import pytest

from tests.integration.conftest import DEADLINE, free_port, need
from txproxy.matching.paths import readings

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


PIECES = [
    "/", "/", "a", "admin", "..", ".", "%2e", "%2F", "%5c", "\\", ";", "%3b", "%25", "%252e", "%252f", "%20", "%61",
    "%c3%a9", "%3f", "%23", "+", "%2B", "%7b", "{", "~", "%40",
]  # fmt: skip


@pytest.mark.parametrize("merge_slashes", ["on", "off"])
def test_what_nginx_reads_is_among_the_readings(processes, tmp_path, merge_slashes):
    port = free_port()
    (tmp_path / "nginx.conf").write_text(f"""
daemon off; pid {tmp_path}/nginx.pid; error_log {tmp_path}/error.log crit; events {{ }}
http {{
  access_log off; client_body_temp_path {tmp_path}/b; proxy_temp_path {tmp_path}/p; fastcgi_temp_path {tmp_path}/f;
  uwsgi_temp_path {tmp_path}/u; scgi_temp_path {tmp_path}/s; merge_slashes {merge_slashes};
  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "$uri\n"; }} }}
}}
""")
    processes(need("nginx"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), port=port)
    drawn = random.Random(7)
    paths = ["/" + "".join(drawn.choices(PIECES, k=drawn.randint(1, 8))) for _ in range(400)]
    read = 0
    for path in paths:
        status, received = ask(port, path, "a")
        if status == 200:
            uri = received.partition(b"\r\n\r\n")[2].removesuffix(b"\n")
            # as a client that means exactly this would write it
            written = b"".join(
                b"%c" % one if 0x21 <= one < 0x7F and one not in b"?#%" else b"%%%02X" % one for one in uri
            )
            assert written in readings(path.encode()), (path, uri)
            read += 1
    assert read > 300


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
