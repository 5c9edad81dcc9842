"""The PROXY protocol with HAProxy, nginx and curl: in at our listeners, and out to upstreams.

All that listens is 127.0.0.1, and clients are other addresses of the loopback network, so that a header's address is
never a socket's by chance.
"""

import contextlib
import hashlib
import os
import shutil
import socket
import sys

import pytest

from tests.integration.conftest import DEADLINE, answers, free_port, need, until

CLIENT = "127.0.0.2"
TRUSTED = ("--proxy-protocol", "--trusted-proxy", "127.0.0.1")


@pytest.fixture
def run_haproxy(processes, tmp_path):
    """Runs an HAProxy that sends to ``port``, with the ``server`` options; gives its own port."""

    def run(port, server, mode="http", default=""):
        program = need("haproxy")
        own = free_port()
        config = tmp_path / f"haproxy-{own}.cfg"
        config.write_text(
            f"defaults\n  mode {mode}\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n  {default}\n"
            f"listen front\n  bind 127.0.0.1:{own}\n  server one 127.0.0.1:{port} {server}\n"
        )
        processes(program, "-f", str(config), "-db", port=own)
        return own

    return run


@pytest.fixture
def run_teller(processes, tmp_path, certificate):
    """Runs an nginx that wants PROXY headers, on a plain port and a TLS port, and answers with what they say."""

    def run(spoken=""):
        program = need("nginx")
        directory = tmp_path / "teller"
        directory.mkdir()
        for file in certificate:
            shutil.copy(file, directory / file.name)
        port, tls_port = free_port(), free_port()
        where = " ".join(
            f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        told = "$proxy_protocol_addr:$proxy_protocol_port $proxy_protocol_server_addr:$proxy_protocol_server_port"
        (directory / "nginx.conf").write_text(
            f"{'user root;' if os.geteuid() == 0 else ''} worker_processes 1; daemon off; pid {directory}/nginx.pid;\n"
            f"error_log {directory}/error.log; events {{ worker_connections 64; }}\n"
            f"http {{ access_log off; {where} server {{\n"
            f"  listen 127.0.0.1:{port} {spoken} proxy_protocol;\n"
            f"  listen 127.0.0.1:{tls_port} ssl {spoken} proxy_protocol;\n"
            f"  ssl_certificate {directory}/cert.pem; ssl_certificate_key {directory}/key.pem;\n"
            f'  location / {{ return 200 "{told} $connection\\n"; }} }} }}\n'
        )
        processes(program, "-p", str(directory), "-c", str(directory / "nginx.conf"), port=port)
        return port, tls_port

    return run


@pytest.mark.parametrize("kind", ["epoll", "poll", "asyncio", "txproxy"])
@pytest.mark.parametrize("sends", ["send-proxy", "send-proxy-v2"])
def test_haproxy_tells_of_its_clients(kind, sends, run_proxy, run_nginx, run_haproxy, curl):
    proxy = run_proxy("reverse", "--upstream", run_nginx().url, *TRUSTED, reactor=kind)
    port = run_haproxy(proxy.port, sends)
    url = f"http://127.0.0.1:{port}/echo"
    for client in (CLIENT, "127.0.0.3"):
        told = curl("--interface", client, "-H", "X-Forwarded-For: 6.6.6.6", url, url)
        assert told == f"GET 127.0.0.1 {client} http\n" * 2
    proxy.says(f"{CLIENT} - - ")
    assert "Traceback" not in proxy.log


@pytest.mark.parametrize(
    "sends", ["send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn proxy-v2-options crc32c,unique-id"]
)
def test_tls_goes_through_haproxy_and_ends_behind_the_header(
    sends, run_proxy, run_nginx, run_haproxy, curl, certificate
):
    cert, key = map(str, certificate)
    proxy = run_proxy(
        "reverse", "--upstream", run_nginx().url, *TRUSTED, "--tls-cert", cert, "--tls-key", key, listen="--tls-listen"
    )
    port = run_haproxy(proxy.port, sends, mode="tcp")
    url = f"https://localhost:{port}/echo"
    told = curl("--ipv4", "--interface", CLIENT, "--cacert", cert, url, url)
    assert told == f"GET localhost {CLIENT} https\n" * 2
    assert "Traceback" not in proxy.log


@pytest.mark.parametrize("mode", ["plain", "tls"])
def test_curl_tells_of_itself(mode, run_proxy, run_nginx, curl, certificate):
    cert, key = map(str, certificate)
    words = ["reverse", "--upstream", run_nginx().url, "--proxy-protocol", "--trusted-proxy", "127.0.0.0/8"]
    if mode == "tls":
        proxy = run_proxy(*words, "--tls-cert", cert, "--tls-key", key, listen="--tls-listen")
        url, scheme = f"https://localhost:{proxy.port}/echo", "https"
    else:
        proxy = run_proxy(*words)
        url, scheme = f"http://localhost:{proxy.port}/echo", "http"
    told = curl("--ipv4", "--haproxy-protocol", "--interface", CLIENT, "--cacert", cert, url)
    assert told == f"GET localhost {CLIENT} {scheme}\n"


def test_health_checks_of_haproxy_are_its_own(run_proxy, run_nginx, run_haproxy, curl):
    proxy = run_proxy("reverse", "--upstream", run_nginx().url, *TRUSTED)
    port = run_haproxy(proxy.port, "send-proxy-v2 check inter 50ms rise 1 fall 1", default="option httpchk GET /name")
    # LOCAL: the checks are those of the socket's peer
    proxy.says("127.0.0.1 - - ")
    proxy.says('"GET /name HTTP/1.0" 200')
    assert curl("--interface", CLIENT, f"http://127.0.0.1:{port}/echo") == f"GET 127.0.0.1 {CLIENT} http\n"
    assert f"{CLIENT} - - " not in "".join(line for line in proxy.log.splitlines() if "HTTP/1.0" in line)


def test_long_bodies_and_uploads_pass_behind_a_header(run_proxy, run_nginx, run_haproxy, curl, tmp_path):
    origin = run_nginx()
    block = os.urandom(1 << 20)
    large = origin.directory / "www" / "large"
    with large.open("wb") as file:
        for _ in range(20):
            file.write(block)
    proxy = run_proxy("reverse", "--upstream", origin.url, *TRUSTED)
    port = run_haproxy(proxy.port, "send-proxy-v2")
    got = tmp_path / "got"
    curl(f"http://127.0.0.1:{port}/large", "-o", str(got))
    assert hashlib.md5(got.read_bytes()).digest() == hashlib.md5(block * 20).digest()
    assert curl(f"http://127.0.0.1:{port}/upload", "-T", str(large), "-X", "POST") == f"{20 << 20}\n"


def test_raw_streams_have_a_client_too(run_proxy, run_nginx, run_haproxy, curl):
    origin = run_nginx()
    proxy = run_proxy("tcp", "--upstream", f"127.0.0.1:{origin.port}", *TRUSTED)
    port = run_haproxy(proxy.port, "send-proxy", mode="tcp")
    assert curl("--interface", CLIENT, f"http://127.0.0.1:{port}/name") == "nginx\n"
    proxy.says(f"{CLIENT} - - ")


def test_who_is_not_trusted_or_sends_no_header_is_closed(run_proxy, run_nginx, curl):
    url = run_nginx().url
    distrusting = run_proxy("reverse", "--upstream", url, "--proxy-protocol", "--trusted-proxy", "10.0.0.0/8")
    trusting = run_proxy("reverse", "--upstream", url, *TRUSTED, "--header-timeout", "300ms")
    header = b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"
    for port, sent in (
        (distrusting.port, header + b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"),
        (trusting.port, b"GET /name HTTP/1.1\r\nHost: a\r\n\r\n"),
        (trusting.port, header[:20]),
    ):
        with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", port), DEADLINE) as client:
            client.sendall(sent)
            assert client.recv(1000) == b""
    distrusting.says("closed 127.0.0.1: PROXY headers are taken from trusted peers only")
    trusting.says("closed 127.0.0.1: no PROXY header: it begins with something else")
    trusting.says("closed 127.0.0.1: no PROXY header: it did not come in time")
    assert "Traceback" not in distrusting.log + trusting.log


TOLD_ON = """
import sys
from twisted.internet import endpoints, reactor
from txproxy import Pool, ReverseProxyFactory
from txproxy.proxy.downstream.proxy_header import ProxyProtocolFactory
from txproxy.upstreams.proxy_preface import prefaced
from txproxy.upstreams.upstream_tls import UpstreamTls
from txproxy.upstreams.upstream_urls import parse_upstream
from txproxy.matching.networks import Networks

listen, expects, version, upstream, ca, *alpn = sys.argv[1:]

class Told:
    def handle(self, request, context, proceed):
        plan = proceed(request, context)
        plan.attempt.address = prefaced(plan.attempt.address, int(version), context)
        return plan

pool = Pool([parse_upstream(upstream, UpstreamTls(ca_file=ca, alpn=tuple(alpn)))])
factory = ReverseProxyFactory(pool, middleware=[Told()])
if expects == "yes":
    factory = ProxyProtocolFactory(factory, Networks(["127.0.0.1"]))
endpoints.serverFromString(reactor, f"tcp:{listen}:interface=127.0.0.1").listen(factory)
reactor.run()
"""


@pytest.fixture
def run_told_on(processes, certificate):
    """Runs a reverse proxy that tells its upstream of clients in headers of a version; gives its port."""

    def run(version, upstream, *alpn, expects="no"):
        port, ca = free_port(), str(certificate[0])
        processes(sys.executable, "-c", TOLD_ON, str(port), expects, version, upstream, ca, *alpn, port=port)
        return port

    return run


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("mode", ["plain", "tls", "h2c", "h2"])
def test_nginx_is_told_of_our_clients(version, mode, run_teller, run_told_on, curl):
    plain, tls = run_teller("http2" if mode.startswith("h2") else "")
    url = {"plain": f"http://127.0.0.1:{plain}", "h2c": f"h2c://127.0.0.1:{plain}"}.get(
        mode, f"https://localhost:{tls}"
    )
    port = run_told_on(version, url, *(["h2"] if mode == "h2" else []))
    url = f"http://127.0.0.1:{port}/"
    connections = set()
    for client in (CLIENT, "127.0.0.3", CLIENT):
        # what one client asks for comes by one connection, and by no other's
        first, second = curl("--interface", client, url, url).splitlines()
        assert first == second
        told, here, connection = first.split()
        assert told.partition(":")[0] == client and int(told.partition(":")[2]) > 0
        assert here == f"127.0.0.1:{port}"
        connections.add(connection)
    assert len(connections) == 3


@pytest.mark.parametrize("version", ["1", "2"])
def test_what_haproxy_tells_is_told_on(version, run_teller, run_told_on, run_haproxy, curl):
    plain, _ = run_teller()
    port = run_told_on(version, f"http://127.0.0.1:{plain}", expects="yes")
    front = run_haproxy(port, "send-proxy-v2")
    told, here, _ = curl("--interface", CLIENT, f"http://127.0.0.1:{front}/").split()
    assert told.partition(":")[0] == CLIENT and here == f"127.0.0.1:{front}"


@pytest.mark.parametrize("version", ["1", "2"])
def test_haproxy_is_told_of_our_clients(version, processes, run_told_on, curl, tmp_path):
    port = free_port()
    config = tmp_path / "behind.cfg"
    config.write_text(
        "defaults\n  mode http\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n"
        f"frontend behind\n  bind 127.0.0.1:{port} accept-proxy\n"
        '  http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]"\n'
    )
    processes(need("haproxy"), "-f", str(config), "-db")
    until(lambda: answers(port), f"HAProxy listens on {port}")
    front = run_told_on(version, f"http://127.0.0.1:{port}")
    assert curl("--interface", CLIENT, f"http://127.0.0.1:{front}/") == f"{CLIENT} {front}"
