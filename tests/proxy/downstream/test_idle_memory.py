"""What is kept of a client that has asked for something and rests."""

import gc
import tracemalloc

import pytest
from hpack import Encoder

from tests.wire.http2.taken_apart import frame
from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.testing.proxy_in_memory import ProxyInMemory
from txproxy.wire.http2.frames import PREFACE

# So many connections are measured, after so many that fill what all of them share.
COUNT, BEFORE = 100, 50
# What Chromium says, in which a cookie is another for each client.
FIELDS = [
    (b"cache-control", b"max-age=0"),
    (b"sec-ch-ua", b'"Chromium";v="130", "Google Chrome";v="130", "Not?A_Brand";v="99"'),
    (b"sec-ch-ua-mobile", b"?0"),
    (b"sec-ch-ua-platform", b'"Linux"'),
    (b"upgrade-insecure-requests", b"1"),
    (
        b"user-agent",
        b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
    ),
    (
        b"accept",
        b"text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
        b"application/signed-exchange;v=b3;q=0.7",
    ),
    (b"sec-fetch-site", b"none"),
    (b"sec-fetch-mode", b"navigate"),
    (b"sec-fetch-user", b"?1"),
    (b"sec-fetch-dest", b"document"),
    (b"accept-encoding", b"gzip, deflate, br, zstd"),
    (b"accept-language", b"en-US,en;q=0.9"),
]
OK = (
    b"HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Mon, 30 Nov 2026 13:00:00 GMT\r\nContent-Type: text/html\r\n"
    b"Content-Length: 5\r\nCache-Control: no-cache\r\n\r\nhello"
)
SETTINGS = b"\x00\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00\x00\x04\x00\x60\x00\x00\x00\x06\x00\x04\x00\x00"


def reverse():
    pool = Pool(["http://192.0.2.1:8080"])
    return ProxyInMemory(lambda reactor: ReverseProxyFactory(pool, h2c=True, reactor=reactor))


def forward():
    return ProxyInMemory(lambda reactor: ForwardProxyFactory(ForwardPolicy(), reactor=reactor))


def http2(number, times):
    """What a client sends: how it begins, and so many requests."""
    encoder = Encoder()
    pieces = [frame(4, 0, 0, SETTINGS), frame(8, 0, 0, (15663105).to_bytes(4, "big")), frame(4, 1, 0, b"")]
    path = b"/shop/article/%d" % number
    said = [PREFACE + b"".join(pieces)]
    for time in range(times):
        first = encoder.encode([(b":method", b"GET"), (b":authority", b"www.example.com"), (b":scheme", b"http")])
        cookies = [(b"cookie", b"session=%032d" % number), (b"cookie", b"_ga=GA1.1.%09d" % number)]
        # As browsers do, the path is added to no table.
        block = first + b"\x04%c" % len(path) + path + encoder.encode([*FIELDS, *cookies, (b"priority", b"u=0, i")])
        said.append(frame(1, 0x25, 1 + 2 * time, b"\x00\x00\x00\x00\xff" + block))
    return said


def http1(number, times):
    lines = [b"%s: %s" % (name.title(), value) for name, value in FIELDS]
    lines.append(b"Cookie: session=%032d; _ga=GA1.1.%09d" % (number, number))
    head = b"GET /shop/article/%d HTTP/1.1\r\nHost: www.example.com\r\nConnection: keep-alive\r\n" % number
    return [b""] + [head + b"\r\n".join(lines) + b"\r\n\r\n" for _ in range(times)]


def tunnel(number, times):
    agent = b"User-Agent: " + dict(FIELDS)[b"user-agent"] + b"\r\n"
    return [b"CONNECT 198.51.100.7:443 HTTP/1.1\r\nHost: 198.51.100.7:443\r\n" + agent + b"\r\n", b"x" * 100]


def ask(proxy, said):
    client = proxy.connect()
    first, *requests = said
    client.send(first)
    for request in requests:
        client.send(request)
        proxy.advance(0.001)
        proxy.upstream.send(OK)
        proxy.advance(0.001)
        assert client.take().endswith(b"hello") and proxy.upstream.take()


@pytest.mark.parametrize(
    ("make", "speak", "times", "most"),
    [
        # 0.5 kB of it, and of a tunnel twice that, are the connection in memory. CPython 3.11 has a tenth less.
        (reverse, http2, 1, 5900),
        (reverse, http2, 3, 9500),
        (reverse, http1, 1, 8300),
        (forward, tunnel, 1, 6400),
    ],
    ids=["http2", "http2-known", "http1", "tunnel"],
)
def test_who_rests_is_kept_in_little(make, speak, times, most):
    proxy = make()
    clients = [speak(number, times) for number in range(BEFORE + COUNT)]
    for said in clients[:BEFORE]:
        ask(proxy, said)
    proxy.advance(0.3)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for said in clients[BEFORE:]:
            ask(proxy, said)
        proxy.advance(0.3)
        gc.collect()
        each = (tracemalloc.get_traced_memory()[0] - before) // COUNT
    finally:
        tracemalloc.stop()
    proxy.close()
    assert each < most, f"{each} bytes"
