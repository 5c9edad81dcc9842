"""How clients speak to a forward proxy: curl by HTTP, by HTTP inside TLS and by SOCKS5, on one port and on several."""

import socket
import ssl
import subprocess

import pytest

from tests.integration.conftest import DEADLINE, free_port, need
from tests.tls.authority import new_ca

REACTORS = pytest.mark.parametrize("reactor", ["epoll", "poll", "asyncio", "txproxy"])


class Site:
    """A CA, a certificate of the proxy, and a password file."""

    def __init__(self, directory):
        authority = new_ca()
        self.ca = authority.write(directory, "proxy-ca")[0]
        self.certificate = authority.issue("localhost").write(directory, "proxy")
        hashed = subprocess.run(
            [need("openssl"), "passwd", "-apr1", "hunter2"], capture_output=True, check=True, text=True
        ).stdout
        self.users = directory / "users"
        self.users.write_text(f"bob:{hashed}")


@pytest.fixture
def site(tmp_path):
    return Site(tmp_path)


def ways(site, port, tls_port=None):
    """What makes curl speak to the proxy in each way."""
    plain, inside_tls = f"127.0.0.1:{port}", f"localhost:{tls_port or port}"
    return {
        "http": ["-x", f"http://{plain}"],
        "https": ["-x", f"https://{inside_tls}", "--proxy-cacert", site.ca],
        "socks5-hostname": ["--socks5-hostname", plain],
        "socks5": ["--socks5", plain],
    }


@REACTORS
@pytest.mark.parametrize("one_port", [True, False])
def test_all_protocols(reactor, one_port, site, run_forward, run_nginx, curl, certificate):
    origin = run_nginx()
    more = {"reactor": reactor, "certificate": site.certificate}
    if one_port:
        more["protocols"] = ["http", "https", "socks5"]
    else:
        more["tls_port"] = free_port()
    proxy = run_forward(more)
    secret = f"https://localhost:{origin.tls_port}/"
    for way in ways(site, proxy.port, more.get("tls_port")).values():
        name = f"http://localhost:{origin.port}/name"
        assert curl(*way, name, name) == "nginx\n" * 2
        assert curl(*way, "--cacert", str(certificate[0]), secret) == "secret\n"
        assert curl(*way, "-p", name) == "nginx\n"
    # Names that came by SOCKS were looked up here.
    proxy.says(f"exchange: CONNECT localhost:{origin.port} 200 tunnel")
    assert "Traceback" not in proxy.log


def test_listeners_with_protocols_of_their_own(site, run_forward, run_nginx, curl):
    origin, socks_port = run_nginx(), free_port()
    proxy = run_forward({"protocols": ["http"], "socks_port": socks_port})
    assert curl("-x", proxy.url, f"{origin.url}/name") == "nginx\n"
    assert curl("--socks5-hostname", f"127.0.0.1:{socks_port}", f"{origin.url}/name") == "nginx\n"
    # curl's status for what a proxy says that does not belong to the handshake
    curl("--socks5-hostname", f"127.0.0.1:{proxy.port}", f"{origin.url}/name", code=97)
    curl("-x", f"http://127.0.0.1:{socks_port}", f"{origin.url}/name", code=52)


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_user_and_password(reactor, site, run_forward, run_nginx, curl):
    origin = run_nginx()
    more = {"reactor": reactor, "certificate": site.certificate, "protocols": ["http", "https", "socks5"]}
    proxy = run_forward({**more, "password_file": str(site.users)})
    for name, way in ways(site, proxy.port).items():
        assert curl(*way, "-U", "bob:hunter2", f"{origin.url}/name") == "nginx\n"
        if name.startswith("socks5"):
            curl(*way, "-U", "bob:hunter3", f"{origin.url}/name", code=97)
            curl(*way, f"{origin.url}/name", code=97)
        else:
            assert "HTTP/1.1 407 " in curl(*way, "-U", "bob:hunter3", "-i", f"{origin.url}/name")
            assert "roxy-Authenticate: Basic" in curl(*way, "-i", f"{origin.url}/name")
    proxy.says(f"exchange: CONNECT 127.0.0.1:{origin.port} 200 tunnel")
    assert "hunter" not in proxy.log


@pytest.mark.parametrize(
    ("policy", "target", "code"),
    [
        ({"allow_destinations": []}, "127.0.0.1", "2"),
        ({"allow_ports": ["443"]}, "127.0.0.1", "2"),
        ({"allow_clients": ["192.0.2.0/24"]}, "127.0.0.1", "2"),
        ({}, "127.0.0.1", "5"),
        ({}, "nowhere.invalid", "4"),
    ],
)
def test_refusals_have_codes_that_curl_tells(policy, target, code, run_forward, curl):
    proxy = run_forward(**policy)
    way = ["--socks5-hostname", f"127.0.0.1:{proxy.port}"]
    words = ["-w", "%{errormsg}", "-o", "/dev/null", f"http://{target}:{free_port()}/"]
    assert f"({code})" in curl(*way, *words, code=97)
    proxy.says("exchange: CONNECT ")


def test_a_large_body_passes_unchanged_by_socks_inside_tls(site, run_forward, run_nginx, tmp_path):
    """curl cannot do it, so the handshake is the test's own."""
    origin = run_nginx()
    body = b"0123456789abcdef" * (1 << 18)
    (origin.directory / "www" / "body").write_bytes(body)
    proxy = run_forward({"certificate": site.certificate, "protocols": ["http", "https", "socks5"]})
    context = ssl.create_default_context(cafile=site.ca)
    with (
        socket.create_connection(("127.0.0.1", proxy.port), DEADLINE) as connection,
        context.wrap_socket(connection, server_hostname="localhost") as client,
    ):
        client.sendall(b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01" + origin.port.to_bytes(2, "big"))
        client.sendall(b"GET /body HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        received = b""
        while data := client.recv(65536):
            received += data
    assert received.startswith(b"\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00HTTP/1.1 200 OK\r\n")
    assert received.partition(b"\r\n\r\n")[2] == body


def test_the_pac_file_names_the_proxy_as_it_was_called(site, run_forward, curl):
    more = {"certificate": site.certificate, "protocols": ["http", "https"]}
    proxy = run_forward(more, no_proxy=["corp.example"])
    said = curl("-i", f"{proxy.url}/proxy.pac")
    assert "Content-Type: application/x-ns-proxy-autoconfig" in said
    assert f'return "PROXY 127.0.0.1:{proxy.port}"' in said and ".corp.example" in said
    said = curl("--cacert", site.ca, f"https://localhost:{proxy.port}/proxy.pac")
    assert f'return "HTTPS localhost:{proxy.port}"' in said
