"""HTTP/2 with nghttpx on both sides, and with a curl that asks its proxy by it."""

import os
import re
import subprocess
import sys
from io import BytesIO

import pytest

from tests.integration.conftest import DEADLINE, free_port, need, until

TOML = """
[[listeners]]
listen = "127.0.0.1:{port}"
h2c = true
pool = "app"
[pools.app]
upstreams = "h2c://127.0.0.1:{behind}"
[log]
access = "{log}"
access_format = "$request_method $uri $server_protocol $status $upstream_addr"
"""


def nghttpx(processes, port, behind, *more):
    """One without TLS at a port, before something at another."""
    words = (f"-f127.0.0.1,{port};no-tls", f"-b127.0.0.1,{behind}{''.join(more)}", "--workers=1", "--conf=/dev/null")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes(need("nghttpx"), *words, "--no-ocsp", port=port, **quiet)


def test_nghttpx_on_both_sides(processes, run_nginx, curl, tmp_path):
    origin, (front, port, behind) = run_nginx(), (free_port() for _ in range(3))
    file, log = tmp_path / "proxy.toml", tmp_path / "access.log"
    file.write_text(TOML.format(port=port, behind=behind, log=log))
    nghttpx(processes, behind, origin.port)
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    nghttpx(processes, front, port, ";;proto=h2")
    url = f"http://127.0.0.1:{front}"
    assert curl(f"{url}/name") == "nginx\n"
    assert "404 Not Found" in curl("-i", f"{url}/none")
    large = tmp_path / "large"
    large.write_bytes(os.urandom(3_000_000))
    (origin.directory / "www" / "large").write_bytes(large.read_bytes())
    got = tmp_path / "got"
    curl("-o", str(got), f"{url}/large")
    assert got.read_bytes() == large.read_bytes()
    assert curl("-T", str(large), f"{url}/upload") == "3000000\n"
    words = (need("h2load"), "-n", "1000", "-c", "4", "-m", "20", f"{url}/name")
    said = subprocess.run(words, capture_output=True, timeout=DEADLINE, check=True).stdout.decode()
    assert "1000 succeeded, 0 failed, 0 errored, 0 timeout" in said
    until(lambda: log.read_text().count("\n") == 1004, "all of it is logged")
    lines = log.read_text().splitlines()
    # Both have spoken HTTP/2 to us, and nobody anything else.
    assert all(re.fullmatch(rf"\w+ /\w+ HTTP/2\.0 \d+ 127\.0\.0\.1:{behind}", line) for line in lines)


@pytest.fixture
def by_proxy(certificate):
    """Asks by a proxy that libcurl is to speak HTTP/2 with, which the curl of Debian 12 does not know of."""
    if not os.environ.get("TXPROXY_REQUIRE_PEERS"):
        pytest.importorskip("pycurl")
    import pycurl

    made = pycurl.Curl()

    def ask(proxy, url, body=None):
        got = BytesIO()
        made.reset()
        # CURLPROXY_HTTPS2: what --proxy-http2 is.
        for option, value in (
            (pycurl.URL, url), (pycurl.PROXY, f"https://localhost:{proxy.port}"), (pycurl.PROXYTYPE, 3),
            (pycurl.PROXY_CAINFO, str(certificate[0])), (pycurl.CAINFO, str(certificate[0])), (pycurl.NOPROXY, ""),
            (pycurl.WRITEDATA, got), (pycurl.TIMEOUT, int(DEADLINE)),
        ):  # fmt: skip
            made.setopt(option, value)
        if body is not None:
            made.setopt(pycurl.POSTFIELDS, body)
        made.perform()
        return made.getinfo(pycurl.RESPONSE_CODE), got.getvalue()

    ask.close = made.close
    yield ask
    made.close()


@pytest.mark.parametrize("reactor", ["epoll", "txproxy"])
def test_curl_asks_its_proxy_by_http2(by_proxy, run_proxy, run_nginx, certificate, reactor):
    origin, (cert, key) = run_nginx(), map(str, certificate)
    rules = ("--allow-destination", "127.0.0.0/8", "--allow-port", "1-65535")
    tls = ("--tls-cert", cert, "--tls-key", key)
    proxy = run_proxy("forward", *rules, *tls, listen="--tls-listen", reactor=reactor)
    for _ in range(2):
        assert by_proxy(proxy, f"https://localhost:{origin.tls_port}/") == (200, b"secret\n")
        assert by_proxy(proxy, f"{origin.url}/name") == (200, b"nginx\n")
    body = b"x" * 500_000
    assert by_proxy(proxy, f"{origin.url}/upload", body) == (200, b"500000\n")
    # Tunnels are told of when they end.
    by_proxy.close()
    proxy.says(f'"CONNECT localhost:{origin.tls_port} HTTP/2.0" 200')
    proxy.says(f'"POST {origin.url}/upload HTTP/2.0" 200')
    assert "HTTP/1" not in proxy.log
