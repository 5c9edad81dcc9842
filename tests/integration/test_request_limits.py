"""A rate beside nginx and HAProxy with the same one: as many are let through, by when they were sent."""

import http.client
import os
import socket
import sys
import time

import pytest

from tests.integration.conftest import DEADLINE, free_port, need
from txproxy.limits.requests.gcra import Gcra

RATE = 50
BURST = 20
OFFERED = 400
# Who sees whether a port listens is another client.
CLIENT = ("127.0.0.7", 0)

NGINX = """
daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log crit;
events {{}}
http {{
  access_log off; keepalive_requests 100000;
  client_body_temp_path {dir}/a; proxy_temp_path {dir}/b; fastcgi_temp_path {dir}/c;
  uwsgi_temp_path {dir}/d; scgi_temp_path {dir}/e;
  limit_req_zone $binary_remote_addr zone=one:1m rate={rate}r/s;
  limit_req_status 429;
  server {{
    listen 127.0.0.1:{port};
    location / {{ limit_req zone=one burst={burst} nodelay; proxy_pass http://127.0.0.1:{origin}; }}
  }}
}}
"""
HAPROXY = """
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend front
  bind 127.0.0.1:{port}
  stick-table type ip size 1k expire 10s store gpc0,gpc0_rate(1s)
  http-request track-sc0 src
  http-request deny deny_status 429 if {{ sc0_gpc0_rate ge {rate} }}
  http-request sc-inc-gpc0(0)
  default_backend origin
backend origin
  server one 127.0.0.1:{origin}
"""


@pytest.fixture
def proxies(processes, run_nginx, tmp_path):
    """Ours, nginx and HAProxy with one rate, before one origin; gives their ports."""
    origin = run_nginx().port
    ours, nginx, haproxy = (free_port() for _ in range(3))
    words = ("--listen", f"127.0.0.1:{ours}", "--upstream", f"http://127.0.0.1:{origin}", "--access-log", "none")
    processes(sys.executable, "-m", "txproxy", "reverse", *words, "--rate-limit", f"{RATE}/s:burst={BURST}", port=ours)
    folder = tmp_path / "limited"
    folder.mkdir()
    text = NGINX.format(dir=folder, rate=RATE, burst=BURST - 1, port=nginx, origin=origin)
    (folder / "nginx.conf").write_text(("user root;" if os.geteuid() == 0 else "") + text)
    processes(need("nginx"), "-p", str(folder), "-c", str(folder / "nginx.conf"), port=nginx)
    (folder / "haproxy.cfg").write_text(HAPROXY.format(rate=RATE, port=haproxy, origin=origin))
    processes(need("haproxy"), "-f", str(folder / "haproxy.cfg"), "-db", port=haproxy)
    return {"ours": ours, "nginx": nginx, "haproxy": haproxy}


def offer(ports):
    """The same to all of them in turn; gives for each when each request was sent and answered, and the status."""
    clients = {
        name: http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE, source_address=CLIENT)
        for name, port in ports.items()
    }
    seen = {name: [] for name in ports}
    for _ in range(OFFERED):
        for name, client in clients.items():
            sent = time.monotonic()
            client.request("GET", "/name")
            response = client.getresponse()
            response.read()
            seen[name].append((sent, time.monotonic(), response.status))
            assert response.status in (200, 429), name
            assert (response.status == 200) == (response.getheader("Retry-After") is None) or name != "ours"
    for client in clients.values():
        client.close()
    return seen


def test_as_many_are_let_through_as_by_nginx_and_haproxy_with_the_same_rate(proxies):
    seen = offer(proxies)
    passed = {}
    for name, answers in seen.items():
        passed[name] = sum(status == 200 for _, _, status in answers)
        # What the algorithm lets through of requests that came between the two moments.
        slowest = max(done - sent for sent, done, _ in answers)
        rate = Gcra(1 / RATE, BURST)
        expected = sum(rate.take("a", (sent + done) / 2) == 0.0 for sent, done, _ in answers)
        elapsed = answers[-1][1] - answers[0][0]
        if name == "haproxy":
            # It counts those of the last second.
            assert passed[name] <= RATE * (elapsed + 1) + 2, (passed, elapsed)
        else:
            assert abs(passed[name] - expected) <= 2 + 2 * RATE * slowest, (name, passed, expected, elapsed)
            assert passed[name] <= BURST + RATE * elapsed + 1
        assert passed[name] < OFFERED, "more was offered than may pass"
    print(passed)


def test_raw_streams_over_the_rate_are_closed(processes, run_nginx):
    origin, port = run_nginx().port, free_port()
    words = ("--listen", f"127.0.0.1:{port}", "--upstream", f"127.0.0.1:{origin}", "--access-log", "none")
    processes(sys.executable, "-m", "txproxy", "tcp", *words, "--rate-limit", "3/h", port=port)
    answered = []
    for _ in range(5):
        try:
            with socket.create_connection(("127.0.0.1", port), DEADLINE, CLIENT) as client:
                client.sendall(b"GET /name HTTP/1.0\r\n\r\n")
                answered.append(client.recv(12))
        except (ConnectionResetError, BrokenPipeError):
            answered.append(b"")
    assert answered == [b"HTTP/1.1 200"] * 3 + [b""] * 2
