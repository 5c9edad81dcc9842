"""Cases of conformance over TLS, as who runs a suite of them from outside sees them."""

import socket
import ssl

import pytest

from tests.integration.conftest import DEADLINE
from tests.proxy.downstream.http2.conformance_cases import RAW, cases
from tests.proxy.downstream.http2.conformance_steps import CLOSED, run
from txproxy.wire.http2 import frames

# Those in which something is on its way while something else is said, and some of each other kind.
CHOSEN = (
    RAW + "3.4: the preface", RAW + "3.4: another preface", "4.2: DATA that is too large", "5.1: DATA, half-closed",
    "5.1: HEADERS, closed", "5.1: DATA after RST_STREAM", "5.1.2: too many streams", "5.4.1: GOAWAY comes before",
    "6.1: more padding than DATA has", "6.5.3: the last of several counts", "6.9: a stream's grows by nothing",
    "6.9.1: the connection's is too large", "6.9.1: a stream's is too large", "6.9.2: one that is less than nothing",
    "HPACK 6: indexed", "HPACK 5.2: EOS", "8.1: POST with trailers", "8.1: HEAD", "8.1: a second head",
    "8.1: a pseudo-field in trailers", "8.1.1: more than the length", "8.1.1: less than the length",
)  # fmt: skip


class Peer:
    """A client that writes each step by itself."""

    strict = True

    def __init__(self, port, context):
        plain = socket.create_connection(("127.0.0.1", port), DEADLINE)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname="localhost")
        assert self.socket.selected_alpn_protocol() == "h2"
        self.settings = {}
        self._came = b""

    def shake_hands(self):
        self.send(frames.PREFACE + frames.settings([(frames.INITIAL_WINDOW_SIZE, 65535)]))
        _, _, _, said = self.next()
        self.settings = dict(frames.read_settings(said))
        while self.next()[0] != frames.SETTINGS:
            pass
        self.send(frames.SETTINGS_ACK)

    def send(self, data):
        self.socket.sendall(data)

    def next(self):
        while True:
            if len(self._came) >= 9:
                high, low, kind, flags, stream = frames.read_header(self._came, 0)
                end = 9 + (high << 16 | low)
                if len(self._came) >= end:
                    payload, self._came = self._came[9:end], self._came[end:]
                    return kind, flags, stream, payload
            data = self.socket.recv(65536)
            if not data:
                return CLOSED
            self._came += data


@pytest.fixture(params=["nginx", "here"])
def port(request, run_proxy, run_nginx, certificate):
    """That of a proxy: before an nginx, which answers an upload before it has come, or where it answers."""
    cert, key = map(str, certificate)
    tls = ("--tls-cert", cert, "--tls-key", key)
    if request.param == "nginx":
        origin = run_nginx()
        (origin.directory / "www" / "index.html").write_text("hello there")
        words = ("--upstream", origin.url)
    else:
        words = ("--upstream", "http://127.0.0.1:9")
    return run_proxy("reverse", *words, *tls, listen="--tls-listen").port


def test_chosen_cases(port, certificate):
    context = ssl.create_default_context(cafile=str(certificate[0]))
    context.set_alpn_protocols(["h2"])
    table = cases("https", f"localhost:{port}")
    for name in CHOSEN:
        peer = Peer(port, context)
        try:
            if not name.startswith(RAW):
                peer.shake_hands()
            run(table[name], peer)
        finally:
            peer.socket.close()
