"""Both sides' worst, at random: no input may raise, log a failure, or leave anything behind."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.logger import globalLogPublisher

from txproxy import ForwardPolicy, ForwardProxyFactory, Pool, ReverseProxyFactory
from txproxy.errors import ConnectionRefused, ConnectTimeout
from txproxy.testing import ProxyInMemory

REQUESTS = [
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
    b"POST /c HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX: y\r\n\r\n",
    b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /10 HTTP/1.0\r\n\r\n",
    b"GET /w HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly",
    b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    b"GET http://a/x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
    b"CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\ntunnel data",
    b"PUT /e HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"OPTIONS http://a HTTP/1.1\r\nHost: a\r\nMax-Forwards: 3\r\n\r\n",
]
RESPONSES = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\n\r\nuntil close",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nearly",
    b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhelloextra",
    b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nContent-Length: 70000\r\n\r\n" + b"x" * 70000,
    b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n",
]
INSERTED = [
    b"\r\n",
    b"\n",
    b" ",
    b"0",
    b"\x00",
    b"\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
]


@st.composite
def mutated(draw, seeds):
    """A seed, or several, with a few bytes inserted, removed or replaced."""
    data = b"".join(draw(st.lists(st.sampled_from(seeds), min_size=1, max_size=3)))
    for _ in range(draw(st.sampled_from([0, 0, 1, 1, 2, 4]))):
        place = draw(st.integers(0, len(data)))
        removed = draw(st.integers(0, 3))
        data = data[:place] + draw(st.sampled_from([b"", *INSERTED])) + data[place + removed :]
    return data


STEPS = st.tuples(
    st.sampled_from(["send", "send", "send", "send", "end", "drop", "stop", "go on", "time", "answer", "drain"]),
    st.integers(0, 5),
    st.sampled_from([1, 3, 10, 1000, 100000]),
    st.sampled_from([0.0, 0.1, 1.0, 5.0, 40.0, 80.0]),
)
DIALS = st.lists(st.sampled_from(["ok", "ok", "ok", "hang", "refused", "timeout"]), max_size=4)


class World:
    """A proxy with its clients, played by a list of steps."""

    def __init__(self, make, requests, responses, dials):
        self.proxy = ProxyInMemory(make)
        errors = {"ok": None, "hang": "hang", "refused": ConnectionRefused("no"), "timeout": ConnectTimeout("slow")}
        self.proxy.network.script = [errors[name] for name in dials]
        self.feeds = {self.proxy.connect(): data for data in requests}
        self.responses = responses

    def play(self, what, who, size, seconds):
        connections = [*self.proxy.clients, *self.proxy.network.connections]
        peer = connections[who % len(connections)]
        if what == "send" and not peer.paused:
            if not self.feeds.get(peer) and peer not in self.proxy.clients:
                self.feeds[peer] = self.responses.pop() if self.responses else b""
            data = self.feeds.get(peer, b"")
            self.feeds[peer] = data[size:]
            peer.send(data[:size])
        elif what == "end" and not peer.paused:
            peer.end()
        elif what == "drop":
            peer.drop(clean=size == 1)
        elif what == "stop":
            peer.stop_reading()
        elif what == "go on":
            peer.read_on()
        elif what == "time":
            self.proxy.clock.advance(seconds)
        elif what == "answer" and self.proxy.network.hanging and not self.proxy.network.hanging[0][0].called:
            self.proxy.network.answer()
        elif what == "drain" and not self.proxy.factory.draining and size == 1:
            self.proxy.factory.drain()

    def fall_silent(self):
        """Nobody does anything any more, and time passes."""
        for _ in range(500):
            for waiting, *_ in self.proxy.network.hanging:
                if not waiting.called:
                    waiting.errback(ConnectTimeout("slow"))
            self.proxy.clock.advance(1)


# What a client sees of a tunnel, which has no time limit while both sides are open.
TUNNELS = (b"HTTP/1.1 101 ", b"HTTP/1.1 200 Connection established")


def reverse(reactor):
    return ReverseProxyFactory(Pool(["http://10.0.0.1", "http://10.0.0.2"]), reactor=reactor)


def forward(reactor):
    return ForwardProxyFactory(ForwardPolicy(), reactor=reactor)


@pytest.mark.no_cover
@settings(max_examples=500, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([reverse, forward]),
    st.lists(mutated(REQUESTS), min_size=1, max_size=2),
    st.lists(mutated(RESPONSES), max_size=4),
    DIALS,
    st.lists(STEPS, max_size=60),
)
def test_no_input_from_either_side_breaks_the_proxy(make, requests, responses, dials, steps):
    failures = []

    def observe(event):
        if "log_failure" in event:
            failures.append(event["log_failure"])

    globalLogPublisher.addObserver(observe)
    try:
        world = World(make, requests, responses, dials)
        for step in steps:
            world.play(*step)
            assert all(client.waiting < 500_000 for client in world.proxy.clients)
        world.fall_silent()
        for client in world.proxy.clients:
            closed = client.closed
            client.read_on()
            assert closed or any(begin in client.received for begin in TUNNELS), "a client is kept waiting for ever"
        for connection in world.proxy.network.connections:
            connection.read_on()
        world.proxy.close()
        assert not failures
    finally:
        globalLogPublisher.removeObserver(observe)
