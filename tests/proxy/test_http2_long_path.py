"""One body on a path of 100 ms and 1 Gbit/s: how fast it comes, and how much of it may lie here."""

from collections import deque

import h2.config
import h2.connection
import h2.events
import pytest

from tests.wire.http2.taken_apart import taken_apart
from txproxy import Limits, Pool, ReverseProxyFactory
from txproxy.testing import ProxyInMemory

FRAME = 16384
# what the path takes in a millisecond, and how many of these each way takes
A_MILLISECOND = 125_000
ONE_WAY = 50
FULL = 1000 * A_MILLISECOND
GET = ((b":method", b"GET"), (b":scheme", b"http"), (b":authority", b"a"), (b":path", b"/"))
POST = ((b":method", b"POST"), *GET[1:], (b"content-length", b"4000000000"))


class FarPeer:
    """One of ``connection`` that is far from the proxy, and sends whatever windows allow on each of its ``bodies``."""

    def __init__(self, proxy, connection, client):
        self.proxy, self.connection = proxy, connection
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=client, header_encoding=None))
        self.h2.initiate_connection()
        self.bodies = {}
        self.updates = 0
        self.asked = []
        self._waiting = b""
        self._there, self._back = deque([b""] * ONE_WAY), deque([b""] * ONE_WAY)

    def post(self):
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, POST)
        self.bodies[stream] = 0
        return stream

    def answer(self, stream):
        self.h2.send_headers(stream, ((b":status", b"200"), (b"content-length", b"4000000000")))
        self.bodies[stream] = 0

    def pass_time(self, milliseconds):
        for _ in range(milliseconds):
            for event in self.h2.receive_data(self._back.popleft()):
                if type(event) is h2.events.RequestReceived:
                    self.asked.append(event.stream_id)
            self._say()
            self._there.append(self._waiting[:A_MILLISECOND])
            self._waiting = self._waiting[A_MILLISECOND:]
            came = self._there.popleft()
            for at in range(0, len(came), 65536):
                self.connection.send(came[at : at + 65536])
            self.proxy.advance(0.001)
            out = self.connection.take()
            self.updates += sum([kind == "WINDOW_UPDATE" for kind, *_ in taken_apart(out.removeprefix(PREFACE))])
            self._back.append(out)

    def _say(self):
        room = A_MILLISECOND - len(self._waiting)
        said = [self._waiting, self.h2.data_to_send()]
        going = [*self.bodies]
        while going and room > 0:
            for stream in going[:]:
                size = min(self.h2.local_flow_control_window(stream), FRAME)
                if not size:
                    going.remove(stream)
                    continue
                self.h2.send_data(stream, b"x" * size)
                self.bodies[stream] += size
                room -= size
            said.append(self.h2.data_to_send())
        self._waiting = b"".join(said)


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


@pytest.fixture
def make_proxy():
    made = []

    def make_proxy(upstream, **limits):
        made.append(
            ProxyInMemory(
                lambda reactor: ReverseProxyFactory(
                    Pool([upstream]), h2c=True, via=None, limits=Limits(**limits), reactor=reactor
                )
            )
        )
        return made[-1]

    yield make_proxy
    for proxy in made:
        proxy.close()


def taken(connections, seen):
    """What has arrived of all that was sent on these."""
    for one in connections:
        seen[one] = seen.get(one, 0) + len(one.take())
    return seen


def upload(proxy, peer, seen, milliseconds):
    """How much the upstreams get in so long of what a client sends."""
    before = sum(seen.values())
    for _ in range(milliseconds // 10):
        peer.pass_time(10)
        taken(proxy.network.connections, seen)
    return sum(seen.values()) - before


def begun_upload(proxy):
    peer = FarPeer(proxy, proxy.connect(), client=True)
    return peer, peer.post(), {}


def begun_download(proxy):
    client = proxy.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    peer = FarPeer(proxy, proxy.upstream, client=False)
    peer.pass_time(60)
    peer.answer(*peer.asked)
    return peer, client


def download(peer, client, milliseconds):
    """How much the client gets in so long of what an upstream sends."""
    got = 0
    for _ in range(milliseconds // 10):
        peer.pass_time(10)
        got += len(client.take())
    return got


def are_in_time(updates, size):
    """There is one for each 512k of a stream, and for each eighth of the connection's window."""
    return updates <= size / (1 << 19) + size / (2 << 20) + 2


def test_an_upload_fills_the_path(make_proxy):
    proxy = make_proxy("http://10.0.0.1")
    peer, _, seen = begun_upload(proxy)
    upload(proxy, peer, seen, 1000)
    updates = peer.updates
    got = upload(proxy, peer, seen, 200)
    assert got * 5 >= 0.99 * FULL and are_in_time(peer.updates - updates, got)


def test_a_download_fills_the_path(make_proxy):
    proxy = make_proxy("h2c://10.0.0.1")
    peer, client = begun_download(proxy)
    download(peer, client, 1000)
    updates = peer.updates
    got = download(peer, client, 200)
    assert got * 5 >= 0.99 * FULL and are_in_time(peer.updates - updates, got)


# What nobody takes lies here as far as windows let it come, but for what it is not told of yet.
HELD = [
    ({}, 14 << 20),
    ({"stream_window": 1 << 20, "upstream_stream_window": 1 << 20}, 1 << 20),
    ({"stream_window": 8 << 20, "upstream_stream_window": 8 << 20}, 8 << 20),
]


@pytest.mark.parametrize(("limits", "most"), [*HELD, ({"connection_window": 4 << 20}, (4 << 20) * 7 // 8)])
def test_a_stalled_upload_holds_no_more_than_its_window(make_proxy, limits, most):
    proxy = make_proxy("http://10.0.0.1", **limits)
    peer, stream, seen = begun_upload(proxy)
    got = upload(proxy, peer, seen, 700)
    proxy.upstream.stop_reading()
    got += upload(proxy, peer, seen, 300)
    assert most - (1 << 19) < peer.bodies[stream] - got - proxy.upstream.waiting <= most


@pytest.mark.parametrize(("limits", "most"), HELD)
def test_a_stalled_download_holds_no_more_than_its_window(make_proxy, limits, most):
    proxy = make_proxy("h2c://10.0.0.1", **limits)
    peer, client = begun_download(proxy)
    got = download(peer, client, 700)
    client.stop_reading()
    got += download(peer, client, 300)
    (sent,) = peer.bodies.values()
    # What made the transport of the client say that it is full lies there.
    assert most - (1 << 19) < sent - got <= most + (1 << 17)


def test_beside_a_stalled_upload_others_go_on_and_have_its_room_when_it_is_slow(make_proxy):
    proxy = make_proxy("http://10.0.0.1")
    peer, slow, seen = begun_upload(proxy)
    upload(proxy, peer, seen, 600)
    upstream = proxy.upstream
    upstream.stop_reading()
    upload(proxy, peer, seen, 200)
    peer.post()
    # It is on its way after 100 ms, and has half of its own window in each 100 ms from then on, or more.
    upload(proxy, peer, seen, 200)
    assert upload(proxy, peer, seen, 200) >= 1 << 20
    sent = peer.bodies[slow]
    taken_before = seen[upstream]
    while seen[upstream] - taken_before < 13 << 20:
        upstream.read_on()
        upstream.stop_reading()
        peer.pass_time(1)
        taken(proxy.network.connections, seen)
    # It has no more than it began with.
    assert peer.bodies[slow] - sent <= 1 << 20
    assert peer.bodies[slow] - seen[upstream] - upstream.waiting <= 1 << 20
    upload(proxy, peer, seen, 500)
    assert upload(proxy, peer, seen, 200) * 5 >= 0.9 * FULL
