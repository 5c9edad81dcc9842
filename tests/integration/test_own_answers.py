"""Clients of both versions share the connections to an upstream of HTTP/2, and each gets its own answers."""

import os
import random
from io import BytesIO

import pytest

from tests.integration.conftest import DEADLINE, free_port, need

# It writes heads and bodies one after the other, and closes connections again and again.
NGINX = """
worker_processes 1; daemon off; pid {dir}/nginx.pid; error_log {dir}/error.log;
events {{ worker_connections 512; }}
http {{
  access_log off; keepalive_requests 200; http2_max_concurrent_streams 32; client_body_temp_path {dir}/body;
  proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/f; uwsgi_temp_path {dir}/u; scgi_temp_path {dir}/s;
  server {{ listen 127.0.0.1:{port} http2; location / {{ return 200 "$request_uri $http_x_who $request_id\n"; }} }}
}}
"""
REQUESTS = 1500
AT_ONCE = 20


@pytest.fixture
def pycurl():
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("pycurl")
    import pycurl

    return pycurl


@pytest.fixture
def nginx(processes, tmp_path):
    port = free_port()
    (tmp_path / "nginx.conf").write_text(NGINX.format(dir=tmp_path, port=port))
    tmp_path.chmod(0o755)
    processes(need("nginx"), "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf"), port=port)
    return port


class Client:
    """One that asks for many at once by one version, on few connections, and says ``who`` it is."""

    def __init__(self, pycurl, url, who, version, certificate):
        self.pycurl, self.url, self.who, self.version, self.certificate = pycurl, url, who, version, certificate
        self.multi = pycurl.CurlMulti()
        self.multi.setopt(pycurl.M_PIPELINING, pycurl.PIPE_MULTIPLEX)
        self.multi.setopt(pycurl.M_MAX_HOST_CONNECTIONS, 2 if version == pycurl.CURL_HTTP_VERSION_2TLS else AT_ONCE)
        self.pick = random.Random(who)
        self.left, self.asked, self.wrong, self.answers = REQUESTS, {}, [], set()
        for _ in range(AT_ONCE):
            self.ask()

    def ask(self):
        self.left -= 1
        # Most ask for the same, some for what nobody else does.
        path = self.pick.choice(["/same"] * 8 + ["/other", f"/{self.left}"])
        curl, got = self.pycurl.Curl(), BytesIO()
        for option, value in (
            (self.pycurl.URL, self.url + path), (self.pycurl.HTTPHEADER, [f"X-Who: {self.who}"]),
            (self.pycurl.HTTP_VERSION, self.version), (self.pycurl.WRITEDATA, got), (self.pycurl.PIPEWAIT, 1),
            (self.pycurl.CAINFO, self.certificate), (self.pycurl.TIMEOUT, int(DEADLINE)),
        ):  # fmt: skip
            curl.setopt(option, value)
        self.asked[curl] = path, got
        self.multi.add_handle(curl)

    def go_on(self):
        self.multi.perform()
        _, done, failed = self.multi.info_read()
        for curl in (*done, *(one for one, *_ in failed)):
            path, got = self.asked.pop(curl)
            status, said = curl.getinfo(self.pycurl.RESPONSE_CODE), got.getvalue()
            answer, _, number = said.rpartition(b" ")
            if (status, answer) != (200, f"{path} {self.who}".encode()):
                self.wrong.append((path, status, said))
            self.answers.add(number)
            self.multi.remove_handle(curl)
            curl.close()
            if self.left:
                self.ask()
        return bool(self.asked)


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_each_client_gets_its_own(pycurl, nginx, run_proxy, certificate, reactor):
    cert, key = map(str, certificate)
    plain = f"127.0.0.1:{free_port()}"
    proxy = run_proxy(
        "reverse", "--upstream", f"h2c://127.0.0.1:{nginx}", "--listen", plain, "--tls-cert", cert, "--tls-key", key,
        listen="--tls-listen", reactor=reactor,
    )  # fmt: skip
    both = pycurl.CURL_HTTP_VERSION_2TLS, pycurl.CURL_HTTP_VERSION_1_1
    urls = f"https://localhost:{proxy.port}", f"http://{plain}"
    clients = [
        Client(pycurl, url, f"{number} by {version}", version, cert)
        for number in range(2)
        for url, version in zip(urls, both, strict=True)
    ]
    busy = clients
    while busy:
        clients[0].multi.select(0.001)
        busy = [client for client in clients if client.go_on()]
    assert [client.wrong for client in clients] == [[]] * 4
    # None was given twice.
    assert len(set().union(*(client.answers for client in clients))) == 4 * REQUESTS
