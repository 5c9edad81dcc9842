"""The table of conformance, case by case, with each of what may stand behind a stream."""

import re

import pytest

from tests.proxy.downstream.http2.conformance_cases import RAW, cases
from tests.proxy.downstream.http2.conformance_steps import CLOSED, run
from tests.proxy.upstream.http2_peer import Http2Peer as UpstreamPeer
from txproxy import ForwardProxyFactory, Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory
from txproxy.wire.http2 import frames

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello there"
# What is said of a request's end in HTTP/1: the end of a head, or the last chunk.
WHOLE = re.compile(rb"\A(?:GET|HEAD|OPTIONS) [^\r]*\r\n(?:[^\r]+\r\n)*\r\n\Z|\r\n0\r\n(?:[^\r]+\r\n)*\r\n\Z")


class Peer:
    """A client of ``proxy``, which hears all that is said without waiting for it."""

    strict = True

    def __init__(self, proxy, answer):
        self.proxy = proxy
        self.answer = answer
        self.connection = proxy.connect()
        self.settings = {}
        self._came = b""

    def shake_hands(self):
        self.send(frames.PREFACE + frames.settings([(frames.INITIAL_WINDOW_SIZE, 65535)]))
        kind, _, _, said = self.next()
        assert kind == frames.SETTINGS
        self.settings = dict(frames.read_settings(said))
        while self.next()[0] != frames.SETTINGS:
            pass
        self.send(frames.SETTINGS_ACK)

    def send(self, data):
        self.connection.send(data)

    def next(self):
        if not self._came:
            self._came = self.connection.take()
        if not self._came:
            self.answer(self.proxy.network.connections)
            self.proxy.clock.advance(0)
            self._came = self.connection.take()
        if not self._came:
            ended = self.connection.ended or self.connection.closed or self.connection.disconnecting
            return CLOSED if ended else None
        high, low, kind, flags, stream = frames.read_header(self._came, 0)
        end = 9 + (high << 16 | low)
        payload, self._came = self._came[9:end], self._came[end:]
        return kind, flags, stream, payload


def by_http1(early):
    """Upstreams that answer what is whole, or what has ``early`` begun."""
    seen = {}

    def answer(connections):
        for one in connections:
            seen[one] = seen.get(one, b"") + one.take()
            if seen[one] and (early or WHOLE.search(seen[one])):
                head = seen[one].startswith(b"HEAD")
                seen[one] = b""
                one.send(OK.partition(b"hello")[0] if head else OK)

    return answer


def by_http2():
    """Upstreams of HTTP/2, which answer what is whole."""
    peers, answered = {}, set()

    def answer(connections):
        for one in connections:
            peer = peers.get(one)
            if peer is None:
                peer = peers[one] = UpstreamPeer(one)
            peer.look()
            for stream in sorted(peer.ended - answered):
                answered.add(stream)
                if peer.heads[stream][0][":method"] == "HEAD":
                    peer.answer(stream)
                else:
                    peer.answer(stream, body=b"hello there")

    return answer


def reverse(upstream):
    def make(reactor):
        return ReverseProxyFactory(Pool([upstream]), h2c=True, reactor=reactor, limits=LIMITS)

    return make


def forward(reactor):
    return ForwardProxyFactory(h2c=True, reactor=reactor, limits=LIMITS)


LIMITS = Limits(max_connections=200)
KINDS = {
    "HTTP/1, early": (reverse("http://10.0.0.1:80"), lambda: by_http1(early=True)),
    "HTTP/1": (reverse("http://10.0.0.1:80"), lambda: by_http1(early=False)),
    "HTTP/2": (reverse("h2c://10.0.0.1:80"), by_http2),
    "forward": (forward, lambda: by_http1(early=False)),
}
CASES = cases()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", CASES)
def test_each_case(name, kind):
    make, answer = KINDS[kind]
    proxy = ProxyInMemory(make)
    try:
        peer = Peer(proxy, answer())
        if not name.startswith(RAW):
            peer.shake_hands()
        run(CASES[name], peer)
    finally:
        proxy.close()
