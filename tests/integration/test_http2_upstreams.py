"""Upstreams that speak HTTP/2: nghttpd, and nginx."""

import os
import subprocess
import sys

import pytest
import websockets.sync.client

from tests.integration.conftest import DEADLINE, free_port, need, until

BIG = os.urandom(3_000_000)

NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log {dir}/access.log; root {dir}; client_max_body_size 0; client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  http2_max_concurrent_streams 8; http2_max_requests 500; keepalive_requests 500;
  server {{
    listen 127.0.0.1:{port} http2;
    location = /said {{ return 200 "$server_protocol $request_method $host $http_x_forwarded_for\n"; }}
  }}
  server {{
    listen 127.0.0.1:{both} ssl http2; listen 127.0.0.1:{plain} ssl;
    ssl_certificate {cert}; ssl_certificate_key {key};
    location = /said {{ return 200 "$server_protocol $scheme\n"; }}
  }}
}}
"""


@pytest.fixture
def directory(tmp_path):
    made = tmp_path / "upstream"
    made.mkdir()
    (made / "small").write_text("hello")
    (made / "big").write_bytes(BIG)
    (made / "empty").write_bytes(b"")
    return made


@pytest.fixture(params=[4096, 0])
def nghttpd(request, processes, directory):
    """One that keeps a table of fields, and one that does not, and has to be told so (RFC 9113 section 4.3.1)."""
    port = free_port()
    words = ("--no-tls", f"--htdocs={directory}", "--echo-upload", "--no-content-length", "--trailer=x-end: reached")
    words += (f"--header-table-size={request.param}",)
    processes(need("nghttpd"), *words, str(port), port=port)
    return port


@pytest.fixture
def nginx(processes, directory, certificate):
    ports = [free_port() for _ in range(3)]
    port, both, plain = ports
    cert, key = certificate
    text = NGINX.format(dir=directory, port=port, both=both, plain=plain, cert=cert, key=key)
    if os.geteuid() == 0:
        text = "user root;" + text
    (directory / "nginx.conf").write_text(text)
    processes(need("nginx"), "-p", str(directory), "-c", str(directory / "nginx.conf"), port=port)
    return ports


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_bodies_of_all_sizes_pass_both_ways(nghttpd, run_proxy, curl, directory, tmp_path, reactor):
    health = ("--health-check", "/small", "--health-interval", "0.2s")
    proxy = run_proxy("reverse", "--upstream", f"h2c://127.0.0.1:{nghttpd}", *health, reactor=reactor)
    assert curl(f"{proxy.url}/small") == "hello" and curl(f"{proxy.url}/empty") == ""
    # On one connection, and none of them is asked again.
    assert [curl("-d", said, f"{proxy.url}/up") for said in ("a", "b", "c")] == ["a", "b", "c"]
    for name in ("small", "big"):
        got = tmp_path / "got"
        curl("-o", str(got), f"{proxy.url}/{name}")
        assert got.read_bytes() == (directory / name).read_bytes()
        curl("-T", str(directory / name), "-o", str(got), f"{proxy.url}/up")
        assert got.read_bytes() == (directory / name).read_bytes()
    assert "HTTP/1.1 404 Not Found" in curl("-i", f"{proxy.url}/none")
    trailers = ("-H", "TE: trailers", "-H", "Connection: TE", "--raw")
    assert curl(*trailers, f"{proxy.url}/small").endswith("x-end: reached\r\n\r\n")


@pytest.mark.parametrize("posted", [False, True])
def test_requests_of_many_clients_share_few_connections(nginx, run_proxy, directory, processes, posted):
    proxy = run_proxy("reverse", "--upstream", f"h2c://127.0.0.1:{nginx[0]}", "--access-log", "none")
    what = ["-d", str(directory / "small"), f"{proxy.url}/said"] if posted else [f"{proxy.url}/small"]
    load = [need("h2load"), "--h1", "-n", "2000", "-c", "20", *what]
    report = subprocess.run(load, capture_output=True, timeout=DEADLINE, check=True).stdout.decode()
    # nginx closes a connection after 500 requests: those that come too late go again.
    assert "2000 succeeded, 0 failed" in report and "2000 2xx" in report, report


def test_what_upstreams_are_told(nginx, run_proxy, curl):
    proxy = run_proxy("reverse", "--upstream", f"h2c://127.0.0.1:{nginx[0]}")
    assert curl("-H", "Host: a.example", f"{proxy.url}/said") == "HTTP/2.0 GET a.example 127.0.0.1\n"
    assert "content-length: 3000000" in curl("-I", f"{proxy.url}/big")
    assert curl("-X", "DELETE", "--http1.0", f"{proxy.url}/said").startswith("HTTP/2.0 DELETE 127.0.0.1")


@pytest.mark.parametrize(
    ("which", "alpn", "said"), [(1, "h2,http/1.1", "HTTP/2.0"), (1, "h2", "HTTP/2.0"), (2, "h2,http/1.1", "HTTP/1.1")]
)
def test_tls_agrees_on_what_is_spoken(nginx, run_proxy, curl, directory, certificate, which, alpn, said):
    upstream = ("--upstream", f"https://127.0.0.1:{nginx[which]}", "--upstream-ca", str(certificate[0]))
    health = ("--health-check", "/small", "--health-interval", "0.2s")
    proxy = run_proxy("reverse", *upstream, "--upstream-alpn", alpn, *health)
    assert curl(f"{proxy.url}/said") == f"{said} https\n"
    curl("-o", str(directory / "got"), f"{proxy.url}/big")
    assert (directory / "got").read_bytes() == BIG
    log = directory / "access.log"
    until(lambda: f'"GET /small {said}" 200 5 "-" "txproxy-health-check"' in log.read_text(), "a check")
    assert "unhealthy" not in proxy.log


def test_who_cannot_be_asked_in_http2_is_named_in_the_log(nginx, run_nginx, run_proxy, curl, certificate):
    origin = run_nginx()
    proxy = run_proxy("reverse", "--upstream", origin.url.replace("http:", "h2c:"))
    assert "502 Bad Gateway" in curl("-i", f"{proxy.url}/name")
    proxy.says(f"{origin.url[7:]}: an answer of HTTP/1, where HTTP/2 is to be spoken")
    proxy = run_proxy("reverse", "--upstream", f"http://127.0.0.1:{nginx[0]}")
    assert "502 Bad Gateway" in curl("-i", f"{proxy.url}/said")
    proxy.says(f"127.0.0.1:{nginx[0]}: an answer of HTTP/2, where HTTP/1 is to be spoken")
    trusted = ("--upstream-ca", str(certificate[0]), "--upstream-alpn", "h2")
    proxy = run_proxy("reverse", "--upstream", f"https://{origin.url[7:]}", *trusted)
    assert "502 Bad Gateway" in curl("-i", f"{proxy.url}/said")
    proxy.says(f"the TLS handshake with {origin.url[7:]} failed: what it answers is no TLS")
    proxy = run_proxy("reverse", "--upstream", f"https://127.0.0.1:{nginx[2]}", *trusted)
    assert "502 Bad Gateway" in curl("-i", f"{proxy.url}/said")
    proxy.says(f"127.0.0.1:{nginx[2]} refused the TLS handshake: tlsv1 alert no application protocol")


HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend f
  bind unix@{socket} proto h2
  default_backend b
backend b
  server s 127.0.0.1:{echo}
"""
SOCKETS = """
[[listeners]]
listen = "127.0.0.1:{port}"
h2c = true
pool = "other"
[[listeners]]
listen = "unix:{socket}"
h2c = true
pool = "echo"
[pools.other]
upstreams = "h2c+unix:{upstream}"
[pools.echo]
upstreams = "http://127.0.0.1:{echo}"
"""


@pytest.mark.parametrize("behind", ["haproxy", "txproxy"])
def test_websockets_go_by_streams_to_upstreams_on_a_socket(echo, processes, tmp_path, behind):
    port, ours, theirs = free_port(), tmp_path / "ours", tmp_path / "theirs"
    if behind == "haproxy":
        (tmp_path / "haproxy.cfg").write_text(HAPROXY.format(socket=theirs, echo=echo))
        processes(need("haproxy"), "-db", "-f", str(tmp_path / "haproxy.cfg"))
        until(theirs.exists, "haproxy listens")
    file = tmp_path / "proxy.toml"
    upstream = theirs if behind == "haproxy" else ours
    file.write_text(SOCKETS.format(port=port, socket=ours, upstream=upstream, echo=echo))
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    with websockets.sync.client.connect(f"ws://127.0.0.1:{port}/", max_size=None) as one:
        for message in ("hello", "x" * 3_000_000, b"y" * 200_000):
            one.send(message)
            assert one.recv(timeout=DEADLINE) == message
