"""Parent proxies that are real: Squid, another txproxy, and a SOCKS server of ten lines."""

import contextlib
import http.server
import os
import socket
import socketserver
import subprocess
import threading

import pytest

from tests.integration.conftest import DEADLINE, free_port, need
from tests.tls.authority import new_ca


@pytest.mark.parametrize("reactor", ["epoll", "txproxy", "asyncio"])
def test_requests_and_tunnels_through_squid(reactor, run_squid, run_nginx, run_forward, curl, certificate):
    origin, squid = run_nginx(), run_squid()
    proxy = run_forward({"reactor": reactor}, parents=[f"http://127.0.0.1:{squid.port}"])
    assert curl("-x", proxy.url, f"{origin.url}/name", f"{origin.url}/name") == "nginx\n" * 2
    squid.says(f" GET {origin.url}/name ")
    secret = f"https://localhost:{origin.tls_port}/"
    assert curl("-x", proxy.url, "--cacert", str(certificate[0]), secret) == "secret\n"
    squid.says(f" CONNECT localhost:{origin.tls_port} ")
    body = origin.directory / "www" / "body"
    body.write_bytes(os.urandom(3 << 20))
    assert curl("-x", proxy.url, f"{origin.url}/upload", "-T", str(body), "-X", "POST") == f"{3 << 20}\n"
    # What Squid answers is an answer.
    assert "HTTP/1.1 503 " in curl("-x", proxy.url, "-i", f"http://127.0.0.1:{free_port()}/")


def test_squid_asks_for_credentials_and_the_client_is_not_asked(run_squid, run_nginx, run_forward, curl, certificate):
    origin, squid = run_nginx(), run_squid("hunter2")
    where = f"127.0.0.1:{squid.port}"
    secret = ["--cacert", str(certificate[0]), f"https://localhost:{origin.tls_port}/"]
    right = run_forward(parents=[f"http://bob:hunter2@{where}"])
    assert curl("-x", right.url, f"{origin.url}/name") == "nginx\n"
    assert curl("-x", right.url, *secret) == "secret\n"
    squid.says(" bob ")
    wrong, none = run_forward(parents=[f"http://bob:hunter3@{where}"]), run_forward(parents=[f"http://{where}"])
    for proxy, wants in ((wrong, "wants other credentials"), (none, "wants credentials")):
        said = curl("-x", proxy.url, "-i", f"{origin.url}/name")
        assert "HTTP/1.1 502 " in said and "error=proxy_configuration_error" in said
        assert "roxy-Authenticate" not in said and "hunter" not in said
        # curl's status for a proxy that does not give a tunnel
        assert "502" in curl("-x", proxy.url, *secret, "-w", "%{http_connect}", code=56)
        proxy.says(f"http://{where} {wants}")
        assert "hunter" not in proxy.log


def test_a_dead_parent_is_passed_over_and_squid_takes_its_turn(run_squid, run_nginx, run_forward, curl):
    origin, squid = run_nginx(), run_squid()
    dead = f"http://127.0.0.1:{free_port()}"
    proxy = run_forward(parents=[dead, f"http://127.0.0.1:{squid.port}"])
    assert [curl("-x", proxy.url, f"{origin.url}/name") for _ in range(4)] == ["nginx\n"] * 4
    proxy.says(f"the parent proxy {dead} is left out for 30 s: {dead} refused the connection")
    alone, allowed = run_forward(parents=[dead]), run_forward(parents=[dead, "direct"])
    assert "error=connection_refused" in curl("-x", alone.url, "-i", f"{origin.url}/name")
    assert curl("-x", allowed.url, f"{origin.url}/name") == "nginx\n"


def test_checks_find_out_before_a_request_does(run_forward, processes, run_nginx, curl):
    origin = run_nginx()
    parent = run_forward()
    proxy = run_forward({"check_interval": 0.2}, parents=[parent.url, "direct"])
    parent.process.kill()
    proxy.says(f"the parent proxy {parent.url} is left out")
    assert curl("-x", proxy.url, f"{origin.url}/name") == "nginx\n"


@pytest.fixture
def ca(tmp_path):
    """A CA's file, and the files of a certificate for localhost."""
    authority = new_ca()
    return authority.write(tmp_path, "ca")[0], authority.issue("localhost").write(tmp_path, "parent")


@pytest.mark.parametrize("reactor", ["epoll", "txproxy", "asyncio"])
@pytest.mark.parametrize("scheme", ["http", "https", "socks5"])
def test_another_txproxy_as_parent(reactor, scheme, run_forward, run_nginx, curl, certificate, ca, tmp_path):
    origin = run_nginx()
    users = tmp_path / "users"
    hashed = subprocess.run([need("openssl"), "passwd", "-5", "hunter2"], capture_output=True, check=True, text=True)
    users.write_text(f"bob:{hashed.stdout}")
    tls_port = free_port()
    more = {"reactor": reactor, "password_file": str(users), "certificate": ca[1], "tls_port": tls_port}
    parent = run_forward(more)
    port = tls_port if scheme == "https" else parent.port
    trust = f";ca={ca[0]}" if scheme == "https" else ""
    proxy = run_forward({"reactor": reactor}, parents=[f"{scheme}://bob:hunter2@localhost:{port}{trust}"])
    # Through the proxy and its parent to the origin: as a request and through a tunnel, of either side's kind
    for way in (["-x", proxy.url], ["-p", "-x", proxy.url], ["--socks5-hostname", f"127.0.0.1:{proxy.port}"]):
        assert curl(*way, f"{origin.url}/name") == "nginx\n"
        secret = f"https://localhost:{origin.tls_port}/"
        assert curl(*way, "--cacert", str(certificate[0]), secret) == "secret\n"
    body = origin.directory / "www" / "body"
    body.write_bytes(os.urandom(3 << 20))
    got = tmp_path / "got"
    curl("-p", "-x", proxy.url, f"{origin.url}/body", "-o", str(got))
    assert got.read_bytes() == body.read_bytes()
    method = "CONNECT" if scheme == "socks5" else "GET"
    parent.says(f"exchange: {method} 127.0.0.1:{origin.port} 200 ")
    parent.says(f"exchange: CONNECT localhost:{origin.tls_port} 200 tunnel")
    assert "None" not in "".join(line for line in parent.log.splitlines() if line.startswith("exchange:"))
    assert "hunter2" not in proxy.log + parent.log


def test_a_tls_parent_is_verified(run_forward, run_nginx, curl, certificate, ca):
    origin = run_nginx()
    tls_port = free_port()
    run_forward({"certificate": ca[1], "tls_port": tls_port})
    distrusting = run_forward(parents=[f"https://localhost:{tls_port}"])
    # The certificate has localhost alone.
    other_name = run_forward(parents=[f"https://127.0.0.1:{tls_port};ca={ca[0]}"])
    for proxy in (distrusting, other_name):
        answer = curl("-x", proxy.url, "-i", f"{origin.url}/name")
        assert answer.startswith("HTTP/1.1 502 ") and "error=tls_certificate_error" in answer
        curl("-x", proxy.url, "--cacert", str(certificate[0]), f"https://localhost:{origin.tls_port}/", code=56)
        proxy.says("the certificate of https://")


def test_a_refusal_of_the_parent_is_told_in_the_words_of_rfc_9209(run_forward, run_nginx, curl):
    parent = run_forward(allow_ports=["80"])
    proxy = run_forward(parents=[parent.url])
    said = curl("-p", "-x", proxy.url, "-i", f"http://127.0.0.1:{free_port()}/", code=56)
    assert "HTTP/1.1 403 " in said and "error=http_request_denied" in said


# -- a SOCKS server that is not ours


class SocksServer(socketserver.ThreadingTCPServer):
    """Knows alice, connects to what it is told, and keeps what that was."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), SocksHandler)
        self.asked = []
        self.logins = []


class SocksHandler(socketserver.StreamRequestHandler):
    def handle(self):
        read, write = self.rfile.read, self.request.sendall
        assert read(1) == b"\x05"
        methods = read(read(1)[0])
        if 2 in methods:
            write(b"\x05\x02")
            read(1)
            login = (read(read(1)[0]), read(read(1)[0]))
            self.server.logins.append(login)
            if login != (b"alice", b"wonder:land"):
                write(b"\x01\x01")
                return
            write(b"\x01\x00")
        else:
            write(b"\x05\x00")
        assert read(3) == b"\x05\x01\x00"
        kind = read(1)[0]
        host = read(read(1)[0]).decode() if kind == 3 else socket.inet_ntoa(read(4))
        port = int.from_bytes(read(2), "big")
        self.server.asked.append((host, port))
        try:
            # This server has a DNS of its own.
            there = socket.create_connection(("127.0.0.1" if host == "only-here.example" else host, port), DEADLINE)
        except OSError:
            write(b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00")
            return
        write(b"\x05\x00\x00\x03\x04here\x00\x50")
        back = threading.Thread(target=self.pump, args=(there, self.request), daemon=True)
        back.start()
        self.pump(self.request, there)
        back.join(DEADLINE)

    def pump(self, source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@pytest.fixture
def socks():
    with SocksServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_socks_parent_looks_names_up(socks, run_forward, run_nginx, curl, certificate):
    origin = run_nginx()
    port = socks.server_address[1]
    proxy = run_forward(parents=[f"socks5://alice:wonder%3Aland@127.0.0.1:{port}"])
    url = f"http://only-here.example:{origin.port}/name"
    assert curl("-x", proxy.url, url, url) == "nginx\n" * 2
    assert socks.asked == [("only-here.example", origin.port)], "the connection is kept, and no name looked up here"
    assert curl("-p", "-x", proxy.url, f"{origin.url}/name") == "nginx\n"
    assert socks.asked[1] == ("127.0.0.1", origin.port)
    said = curl("-x", proxy.url, "-i", f"http://127.0.0.1:{free_port()}/")
    assert "HTTP/1.1 502 " in said and "error=connection_refused" in said
    wrong = run_forward(parents=[f"socks5://alice:wonder@127.0.0.1:{port}"])
    assert "error=proxy_configuration_error" in curl("-x", wrong.url, "-i", url)
    wrong.says("the parent proxy refused the credentials")


def test_who_speaks_first_is_heard_through_each_kind_of_parent(socks, run_squid, run_forward):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Greeter) as greeter:
        threading.Thread(target=greeter.serve_forever, daemon=True).start()
        port = greeter.server_address[1]
        for parent in (f"socks5://127.0.0.1:{socks.server_address[1]}", f"http://127.0.0.1:{run_squid().port}"):
            proxy = run_forward(parents=[parent])
            with socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as client:
                client.sendall(f"CONNECT 127.0.0.1:{port} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\nhello".encode())
                received = b""
                while data := client.recv(1000):
                    received += data
            assert received == b"HTTP/1.1 200 Connection established\r\n\r\n220 mail\r\nhello"
        greeter.shutdown()


class Greeter(socketserver.BaseRequestHandler):
    """Speaks first, and gives back what it is told."""

    def handle(self):
        self.request.sendall(b"220 mail\r\n")
        self.request.sendall(self.request.recv(5))


# -- where connections come from


class Teller(http.server.BaseHTTPRequestHandler):
    """Says where its client connects from."""

    def do_GET(self):
        body = self.client_address[0].encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def test_connections_are_made_from_the_address_that_is_told(run_forward, curl):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Teller) as teller:
        threading.Thread(target=teller.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{teller.server_address[1]}/"
        by_name = f"http://localhost:{teller.server_address[1]}/"
        bound = run_forward(bind="127.0.0.5")
        assert [curl("-x", bound.url, one) for one in (url, by_name)] == ["127.0.0.5\n"] * 2
        assert curl("-p", "-x", bound.url, url) == "127.0.0.5\n"
        # 192.0.2.1 is nobody's.
        assert "HTTP/1.1 502 " in curl("-x", run_forward(bind="192.0.2.1").url, "-i", url)
        teller.shutdown()
