"""A browser that speaks HTTP/2 to the proxy: a site with uploads and a WebSocket, and tunnels of a forward proxy."""

import base64
import hashlib
import subprocess
import sys

import pytest

from tests.integration.chromium import Browser
from tests.integration.conftest import DEADLINE, free_port, need, until

PARTS = ("script.js", *(f"{number}.png" for number in range(12)))
PAGE = '<!doctype html><title>page</title><link rel=icon href="data:,"><script src=script.js defer></script>' + "".join(
    f"<img src={part}>" for part in PARTS[1:]
)
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
SHOWN = """document.readyState === "complete" && window.ran
    && [...document.images].every((one) => one.complete && one.naturalWidth === 1) && document.images.length"""
SITE = """
[[listeners]]
tls_listen = "127.0.0.1:{port}"
certificates = [{{ cert = "{cert}", key = "{key}" }}]
[[routes]]
name = "socket"
path = "/socket"
pool = "echo"
[[routes]]
name = "rest"
path = "/"
pool = "site"
[pools.site]
upstreams = "{site}"
[pools.echo]
upstreams = "http://127.0.0.1:{echo}"
[log]
access = "{log}"
access_format = "$request_method $uri $server_protocol $status"
"""
# A stream, which browsers send over HTTP/2 alone, and as much as a whole.
UPLOADS = """(async () => {
    const part = new Uint8Array(500_001).fill(7);
    let left = 10;
    const pull = (controller) => { left-- ? controller.enqueue(part) : controller.close(); };
    const stream = {method: "POST", body: new ReadableStream({pull}), duplex: "half"};
    const whole = {method: "POST", body: new Uint8Array(5_000_010).fill(7)};
    const said = [stream, whole].map(async (one) => (await fetch("/upload", one)).text());
    return (await Promise.all(said)).join("");
})()"""
# What is left half-way is reset, and the connection stays.
LEFT = """(async () => {
    const reader = (await fetch("/large")).body.getReader();
    await reader.read();
    await reader.cancel();
    return (await fetch("/name")).text();
})()"""
SOCKET = """new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${location.host}/socket`);
    const texts = [];
    socket.onopen = () => { socket.send("hello"); socket.send("x".repeat(1_000_000)); };
    socket.onmessage = (event) => { texts.push(event.data.length); if (texts.length === 2) socket.close(); };
    socket.onclose = (event) => resolve([texts, event.wasClean]);
    socket.onerror = () => reject(new Error("the WebSocket failed"));
})"""


@pytest.fixture
def run_browser(certificate, tmp_path):
    """Runs a browser that trusts our certificate, and nothing else that is strange; with more of its options."""
    started = []

    def run(**more):
        words = [need("openssl"), "pkey", "-in", str(certificate[1]), "-pubout", "-outform", "DER"]
        public = subprocess.run(words, capture_output=True, check=True, timeout=DEADLINE).stdout
        trusted = base64.b64encode(hashlib.sha256(public).digest()).decode()
        trust = f"--ignore-certificate-errors-spki-list={trusted}"
        started.append(Browser(need("chromium"), tmp_path / f"browser-{len(started)}", trust, **more))
        return started[-1]

    yield run
    for one in started:
        one.close()


def responses(browser):
    """What the browser knows of the responses that it has got, by their paths."""
    came = [one["params"]["response"] for one in browser.said if one["method"] == "Network.responseReceived"]
    return {one["url"].rpartition("/")[2]: one for one in came}


def test_a_site(run_browser, run_nginx, echo, processes, certificate, tmp_path):
    origin, port, file, log = run_nginx(), free_port(), tmp_path / "proxy.toml", tmp_path / "access.log"
    www = origin.directory / "www"
    (www / "index.html").write_text(PAGE)
    (www / "script.js").write_text("window.ran = true")
    (www / "large").write_bytes(bytes(30_000_000))
    for part in PARTS[1:]:
        (www / part).write_bytes(PNG)
    cert, key = certificate
    file.write_text(SITE.format(port=port, cert=cert, key=key, site=origin.url, echo=echo, log=log))
    processes(sys.executable, "-m", "txproxy", "run", "--config", str(file), port=port)
    browser = run_browser()
    browser.go(f"https://localhost:{port}/index.html")
    assert browser.wait(SHOWN) == 12
    assert browser.run(UPLOADS) == "5000010\n5000010\n"
    assert browser.run(LEFT) == "nginx\n"
    assert browser.run(SOCKET) == [[5, 1_000_000], True]
    got = responses(browser)
    assert got.keys() == {"index.html", *PARTS, "upload", "large", "name"}
    assert {(one["status"], one["protocol"]) for one in got.values()} == {(200, "h2")}
    # All of them came on one connection.
    assert len({one["connectionId"] for one in got.values()}) == 1
    lines = {f"GET /{part} HTTP/2.0 200" for part in PARTS}
    lines |= {"POST /upload HTTP/2.0 200", "GET /large HTTP/2.0 200", "GET /socket HTTP/2.0 101"}
    until(lambda: lines <= set(log.read_text().splitlines()), "the log has all of it as HTTP/2")
    assert "HTTP/1" not in log.read_text() and not browser.complaints()


def test_tunnels_of_a_forward_proxy(run_browser, run_nginx, run_proxy, certificate):
    origin, (cert, key) = run_nginx(), map(str, certificate)
    # Whatever else a browser asks for goes nowhere.
    rules = ("--allow-destination", "127.0.0.0/8", "--allow-port", "1-65535", "--allow-host", "127.0.0.1")
    proxy = run_proxy("forward", *rules, "--tls-cert", cert, "--tls-key", key, listen="--tls-listen")
    browser = run_browser(proxy=f"https://127.0.0.1:{proxy.port}")
    browser.go(f"https://127.0.0.1:{origin.tls_port}/")
    browser.wait("document.body?.innerText.trim() === 'secret'")
    browser.go(f"{origin.url}/echo")
    browser.wait("document.body?.innerText.startsWith('GET 127.0.0.1')")
    proxy.says(f'"GET {origin.url}/echo HTTP/2.0" 200')
    browser.go(f"https://127.0.0.2:{origin.tls_port}/")
    proxy.says(f'"CONNECT 127.0.0.2:{origin.tls_port} HTTP/2.0" 403')
    # Tunnels are told of when they end.
    browser.close()
    proxy.says(f'"CONNECT 127.0.0.1:{origin.tls_port} HTTP/2.0" 200')
    assert "HTTP/1" not in proxy.log
